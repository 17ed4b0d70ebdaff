"""Runs a crawl or a download in an event loop, under signals, and turns how it ended into an exit code."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from scraper.cli.display_mode import ProgressMode, Screen, screen
from scraper.cli.exit_codes import BUG, BUG_REPORT, FAILED, INTERRUPT, OK, errors_ignored, fill_streams, say
from scraper.cli.task_dump import watching
from scraper.errors import ConfigError
from scraper.report.text.sanitize import clean

if TYPE_CHECKING:
    from scraper.config.schema.crawl import CrawlConfig
    from scraper.crawler import Summary
    from scraper.engine.run_state import Floor, Stop
    from scraper.report.terminal.download_progress import Goal

S = TypeVar("S")
S_co = TypeVar("S_co", covariant=True)

REASON_CHARS = 600


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How a run is shown and watched, whatever it does."""

    progress: ProgressMode = ProgressMode.AUTO
    verbose: bool = False
    quiet: bool = False
    log_file: Path | None = None
    debug: bool = False

    @property
    def told(self) -> bool:
        """Whether the summary is told in words."""
        return not self.quiet and self.progress is not ProgressMode.JSON


class Running(Protocol[S_co]):
    """What is open and can be run: a crawler, a downloader."""

    @property
    def floor(self) -> Floor:
        """The running engine's shared state."""
        ...

    async def run(self) -> S_co:
        """Run to the end and return the summary."""
        ...

    async def aclose(self) -> None:
        """Close everything."""
        ...


def run_shown(
    options: RunOptions,
    work: Callable[[Screen], Coroutine[Any, Any, S]],
    conclude: Callable[[S, Screen], int],
    goal: Goal | None = None,
) -> int:
    """Do `work` in an event loop with a screen, then `conclude` its summary; return the exit code.

    With `goal` it is a download that is shown. Raises what `work` raises.
    """
    fill_streams()
    mode = ProgressMode.NONE if options.quiet else options.progress
    try:
        with screen(mode, verbose=options.verbose, log_file=options.log_file, goal=goal) as shown:
            with asyncio.Runner(debug=options.debug, loop_factory=loop_factory(options.debug)) as runner:
                try:
                    summary = runner.run(work(shown))
                finally:
                    with errors_ignored():  # the terminal may be what ended the run
                        shown.leave()
            return conclude(summary, shown)
    except KeyboardInterrupt:  # before the run listened to signals, or after: nothing is under way
        say("interrupted")
        return INTERRUPT


async def run_to_its_end(running: Running[S], shown: Screen, debug: bool) -> S:
    """Run what was opened, stopped by signals, and close it."""
    from scraper.engine.signals import signals_stop

    # Around the closing, too: an interrupt in the middle of it must not tear it apart.
    with signals_stop(running.floor, shown.leave), watching(debug):
        async with aclosing(running):
            gc.freeze()
            return await running.run()


def code_of_stop(stop: Stop, kept: str) -> int | None:
    """The exit code of a run that did not end by itself, after a sentence about what is `kept`; None when it did."""
    from scraper.engine.signals import CODES

    match stop.why:
        case "interrupted":
            say(f"interrupted: {kept}; the same command goes on from there")
            return CODES.get(stop.detail, INTERRUPT)
        case "bug":
            say(f"error: {stop.detail}")
            say(BUG_REPORT)
            return BUG
    return None


Prepare = Callable[["CrawlConfig"], AbstractAsyncContextManager["CrawlConfig"]]


@asynccontextmanager
async def as_it_is(config: CrawlConfig) -> AsyncIterator[CrawlConfig]:
    """No preparation: the config is run as it was loaded."""
    yield config


def run_crawl(
    config: CrawlConfig,
    options: RunOptions,
    *,
    base: Path,
    fresh: bool = False,
    strict: bool = False,
    prepare: Prepare = as_it_is,
) -> int:
    """Run `config` to its end and return the exit code.

    `prepare` may start what the crawl needs inside its event loop (the demo's site) and change the config. Raises the
    errors of `Crawler`, and `ConfigError` when events and items would both go to standard output.
    """
    if options.progress is ProgressMode.JSON and not options.quiet and "stdout" in config.output.sinks:
        raise ConfigError(
            "--progress json and the stdout in output.sinks both write to standard output, where nobody could tell "
            "events from items: choose another --progress, or take stdout out of output.sinks"
        )

    async def work(shown: Screen) -> Summary:
        from scraper.crawler import Crawler

        async with prepare(config) as ready:
            crawler = await Crawler.open(ready, fresh=fresh, listeners=shown.listeners, base=base)
            return await run_to_its_end(crawler, shown, options.debug)

    def conclude(summary: Summary, shown: Screen) -> int:
        if options.told:
            _render(summary, shown)
        return exit_code(summary, strict)

    return run_shown(options, work, conclude)


def _render(summary: Summary, shown: Screen) -> None:
    from scraper.report.terminal.summary_screen import render_summary

    if summary.idle:
        say(f"{summary.folder}: this run is finished; there is nothing left to do (--fresh starts over)")
    else:
        rendered = render_summary(summary.values)
        with errors_ignored():
            shown.console.print(rendered)


def exit_code(summary: Summary, strict: bool) -> int:
    """The documented exit code of a run that ended by itself or by a signal."""
    if (code := code_of_stop(summary.stop, f"what was settled is saved in {summary.folder}")) is not None:
        return code
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
