"""Runs a crawl or a download in an event loop, under signals, and turns how it ended into an exit code."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from scraper.cli.display_mode import Display, ProgressMode, open_display
from scraper.cli.exit_codes import (
    BUG_MESSAGE,
    EXIT_BUG,
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    EXIT_OK,
    echo_err,
    ignore_terminal_errors,
    open_missing_streams,
)
from scraper.cli.task_dump import task_dump_on_signal
from scraper.errors import ConfigError
from scraper.report.text.sanitize import clean

if TYPE_CHECKING:
    from scraper.config.schema.crawl import CrawlConfig
    from scraper.crawler import Summary
    from scraper.engine.run_state import StopReason
    from scraper.report.terminal.download_progress import ListProgress

S = TypeVar("S")
S_co = TypeVar("S_co", covariant=True)

MAX_REASON_CHARS = 600


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How a run is shown and watched, whatever it does."""

    progress: ProgressMode = ProgressMode.AUTO
    verbose: bool = False
    quiet: bool = False
    log_file: Path | None = None
    debug: bool = False

    @property
    def prints_summary(self) -> bool:
        """Whether the summary is told in words."""
        return not self.quiet and self.progress is not ProgressMode.JSON


class Runnable(Protocol[S_co]):
    """What is open and can be run: a crawler, a downloader."""

    def stop(self, reason: StopReason | None = None) -> None:
        """Ask for a clean end."""
        ...

    async def run(self) -> S_co:
        """Run to the end and return the summary."""
        ...

    async def aclose(self) -> None:
        """Close everything."""
        ...


def run_with_display(
    options: RunOptions,
    work: Callable[[Display], Coroutine[Any, Any, S]],
    finish: Callable[[S, Display], int],
    list_progress: ListProgress | None = None,
) -> int:
    """Do `work` in an event loop with a screen, then `conclude` its summary; return the exit code.

    With `goal` it is a download that is shown. Raises what `work` raises.
    """
    open_missing_streams()
    mode = ProgressMode.NONE if options.quiet else options.progress
    try:
        with open_display(
            mode, verbose=options.verbose, log_file=options.log_file, list_progress=list_progress
        ) as shown:
            with asyncio.Runner(debug=options.debug, loop_factory=loop_factory(options.debug)) as runner:
                try:
                    summary = runner.run(work(shown))
                finally:
                    with ignore_terminal_errors():  # the terminal may be what ended the run
                        shown.restore_terminal()
            return finish(summary, shown)
    except KeyboardInterrupt:  # before the run listened to signals, or after: nothing is under way
        echo_err("interrupted")
        return EXIT_INTERRUPTED


async def run_until_done(runnable: Runnable[S], shown: Display, debug: bool) -> S:
    """Run what was opened, stopped by signals, and close it."""
    from scraper.engine.signals import stop_on_signals

    # Around the closing, too: an interrupt in the middle of it must not tear it apart.
    with stop_on_signals(runnable.stop, shown.restore_terminal), task_dump_on_signal(debug):
        async with aclosing(runnable):
            gc.freeze()
            return await runnable.run()


def exit_code_for_stop(stop: StopReason, kept: str) -> int | None:
    """The exit code of a run that did not end by itself, after a sentence about what is `kept`; None when it did."""
    from scraper.engine.signals import EXIT_CODES
    from scraper.model import StopKind

    match stop.kind:
        case StopKind.INTERRUPTED:
            echo_err(f"interrupted: {kept}; the same command goes on from there")
            return EXIT_CODES.get(stop.detail, EXIT_INTERRUPTED)
        case StopKind.BUG:
            echo_err(f"error: {stop.detail}")
            echo_err(BUG_MESSAGE)
            return EXIT_BUG
    return None


PrepareConfig = Callable[["CrawlConfig"], AbstractAsyncContextManager["CrawlConfig"]]


@asynccontextmanager
async def unchanged(config: CrawlConfig) -> AsyncIterator[CrawlConfig]:
    """No preparation: the config is run as it was loaded."""
    yield config


def run_crawl(
    config: CrawlConfig,
    options: RunOptions,
    *,
    base: Path,
    fresh: bool = False,
    strict: bool = False,
    prepare: PrepareConfig = unchanged,
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

    async def work(shown: Display) -> Summary:
        from scraper.crawler import Crawler

        async with prepare(config) as ready:
            crawler = await Crawler.open(ready, fresh=fresh, listeners=shown.listeners, base=base)
            return await run_until_done(crawler, shown, options.debug)

    def conclude(summary: Summary, shown: Display) -> int:
        if options.prints_summary:
            _print_summary(summary, shown)
        return exit_code(summary, strict)

    return run_with_display(options, work, conclude)


def _print_summary(summary: Summary, shown: Display) -> None:
    from scraper.report.terminal.summary_screen import render_summary

    if summary.idle:
        echo_err(f"{summary.folder}: this run is finished; there is nothing left to do (--fresh starts over)")
    else:
        rendered = render_summary(summary.values)
        with ignore_terminal_errors():
            shown.console.print(rendered)


def exit_code(summary: Summary, strict: bool) -> int:
    """The documented exit code of a run that ended by itself or by a signal."""
    if (code := exit_code_for_stop(summary.stop, f"what was settled is saved in {summary.folder}")) is not None:
        return code
    if summary.ok == 0:
        echo_err(f"error: no seed could be fetched: {_failure_reason(summary)}")
        return EXIT_FAILED
    return EXIT_FAILED if strict and summary.failed else EXIT_OK


def _failure_reason(summary: Summary) -> str:
    if refused := summary.values["seeds_refused"]:
        return clean("; ".join(refused), MAX_REASON_CHARS)
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
