"""Runs a loaded config in an event loop, under signals, and turns how it ended into an exit code."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from scraper.cli.debug import watching
from scraper.cli.exits import BUG, BUG_REPORT, FAILED, INTERRUPT, OK, errors_ignored, fill_streams, say
from scraper.cli.screen import ProgressMode, Screen, screen
from scraper.report.sanitise import clean

if TYPE_CHECKING:
    from scraper.config.schema import CrawlConfig
    from scraper.crawler import Summary

REASON_CHARS = 600
YOUNG_OBJECTS = 50_000
"""Allocations between two looks of the garbage collector: pages make many objects and no cycles."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What the command line says about a run, beside its config."""

    progress: ProgressMode = ProgressMode.AUTO
    verbose: bool = False
    quiet: bool = False
    log_file: Path | None = None
    debug: bool = False
    fresh: bool = False
    strict: bool = False


Prepare = Callable[["CrawlConfig"], AbstractAsyncContextManager["CrawlConfig"]]


@asynccontextmanager
async def as_it_is(config: CrawlConfig) -> AsyncIterator[CrawlConfig]:
    """No preparation: the config is run as it was loaded."""
    yield config


def run_crawl(config: CrawlConfig, options: RunOptions, *, base: Path, prepare: Prepare = as_it_is) -> int:
    """Run `config` to its end and return the exit code.

    `prepare` may start what the crawl needs inside its event loop (the demo's site) and change the config. Raises the
    errors of `Crawler`.
    """
    fill_streams()
    try:
        with screen(options.progress, verbose=options.verbose, log_file=options.log_file) as shown:
            with asyncio.Runner(debug=options.debug, loop_factory=loop_factory(options.debug)) as runner:
                try:
                    summary = runner.run(_crawl(config, options, base, prepare, shown))
                finally:
                    with errors_ignored():  # the terminal may be what ended the run
                        shown.leave()
            return _conclude(summary, options, shown)
    except KeyboardInterrupt:  # before the crawl listened to signals, or after: nothing is under way
        say("interrupted")
        return INTERRUPT


async def _crawl(config: CrawlConfig, options: RunOptions, base: Path, prepare: Prepare, shown: Screen) -> Summary:
    from scraper.crawler import Crawler
    from scraper.engine.shutdown import signals_stop

    async with prepare(config) as ready:
        crawler = await Crawler.open(ready, fresh=options.fresh, listeners=shown.listeners, base=base)
        # Around the closing, too: an interrupt in the middle of it must not tear it apart.
        with signals_stop(crawler.floor, shown.leave), watching(options.debug):
            async with aclosing(crawler):
                gc.freeze()
                gc.set_threshold(YOUNG_OBJECTS, 20, 20)
                return await crawler.run()


def _conclude(summary: Summary, options: RunOptions, shown: Screen) -> int:
    """Render the summary and choose the exit code."""
    from scraper.report.summary import render_summary

    if not options.quiet and options.progress is not ProgressMode.JSON:
        if summary.idle:
            say(f"{summary.folder}: this run is finished; there is nothing left to do (--fresh starts over)")
        else:
            rendered = render_summary(summary.values)
            with errors_ignored():
                shown.console.print(rendered)
    return exit_code(summary, options.strict)


def exit_code(summary: Summary, strict: bool) -> int:
    """The documented exit code of a run that ended by itself or by a signal."""
    from scraper.engine.shutdown import CODES

    match summary.why:
        case "interrupted":
            say(f"interrupted: what was settled is saved in {summary.folder}; the same command goes on from there")
            return CODES.get(summary.stop.detail, INTERRUPT)
        case "bug":
            say(f"error: {summary.stop.detail}")
            say(BUG_REPORT)
            return BUG
    if summary.ok == 0:
        say(f"error: no seed could be fetched: {_first_reason(summary)}")
        return FAILED
    return FAILED if strict and summary.failed else OK


def _first_reason(summary: Summary) -> str:
    if refused := summary.values["seeds_refused"]:
        return clean("; ".join(refused), REASON_CHARS)
    outcomes = summary.values["pages"]["outcomes"]
    return f"{', '.join(outcomes)} (see {summary.folder / 'pages.jsonl'})" if outcomes else "nothing to ask for"


def loop_factory(debug: bool) -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop where it is installed; asyncio's own loop in debug mode, whose reports it makes better."""
    if debug:
        return None
    try:
        import uvloop
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory
