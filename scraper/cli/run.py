"""Runs a crawl or a download: event loop, signal handling, display, and the exit code for how it ended."""

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
from scraper.rundir.layout import RunLayout

if TYPE_CHECKING:
    from scraper.config.schema.crawl import CrawlConfig
    from scraper.crawler import Summary
    from scraper.engine.run_state import StopReason
    from scraper.report.terminal.download_progress import ListProgress

S = TypeVar("S")
S_co = TypeVar("S_co", covariant=True)

MAX_REASON_CHARS = 600  # of the message about seeds that were refused


@dataclass(frozen=True, slots=True)
class RunOptions:
    """The options that `crawl` and `download` share: display, log file and asyncio's debug mode."""

    progress: ProgressMode = ProgressMode.AUTO
    verbose: bool = False
    quiet: bool = False
    log_file: Path | None = None
    debug: bool = False

    @property
    def prints_summary(self) -> bool:
        """Whether to print the summary as text when the run has ended."""
        return not self.quiet and self.progress is not ProgressMode.JSON


class Runnable(Protocol[S_co]):
    """An opened `Crawler` or `Downloader`."""

    def stop(self, reason: StopReason | None = None) -> None:
        """Stop cleanly: requests in flight are finished and settled."""
        ...

    async def run(self) -> S_co:
        """Run until finished or stopped; return the summary."""
        ...

    async def aclose(self) -> None:
        """Close all outputs and connections."""
        ...


def run_with_display(
    options: RunOptions,
    work: Callable[[Display], Coroutine[Any, Any, S]],
    finish: Callable[[S, Display], int],
    list_progress: ListProgress | None = None,
) -> int:
    """Run `work` in an event loop with a display, pass its summary to `finish` and return the exit code of that.

    `list_progress` is given for downloads: the display then shows files of a list instead of pages. Raises what `work`
    raises.
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
                    # After SIGHUP the terminal is gone; writing to it must not hide how the run ended.
                    with ignore_terminal_errors():
                        shown.restore_terminal()
            return finish(summary, shown)
    except KeyboardInterrupt:  # before signal handlers were installed or after they were removed: no request is running
        echo_err("interrupted")
        return EXIT_INTERRUPTED


async def run_until_done(runnable: Runnable[S], shown: Display, debug: bool) -> S:
    """Run `runnable` until it is finished or a signal stops it, then close it."""
    from scraper.engine.signals import stop_on_signals

    # The handlers stay installed while closing: otherwise Ctrl-C would raise KeyboardInterrupt inside `aclose`.
    with stop_on_signals(runnable.stop, shown.restore_terminal), task_dump_on_signal(debug):
        async with aclosing(runnable):
            # All modules and parsed settings live until exit; the garbage collector need not scan them again.
            gc.freeze()
            return await runnable.run()


def exit_code_for_stop(stop: StopReason, kept: str) -> int | None:
    """Print a message and return the exit code if a signal or a bug ended the run; None if it ended by itself.

    `kept` says in the message which results are on disk.
    """
    from scraper.engine.signals import EXIT_CODES
    from scraper.model import StopKind

    match stop.kind:
        case StopKind.INTERRUPTED:
            echo_err(f"interrupted: {kept}; the same command goes on from there")
            return EXIT_CODES.get(stop.detail, EXIT_INTERRUPTED)
        case StopKind.LOGGED_OUT:
            echo_err(f"error: {stop.detail}; {kept}")
            return EXIT_FAILED
        case StopKind.BUG:
            echo_err(f"error: {stop.detail}")
            echo_err(BUG_MESSAGE)
            return EXIT_BUG
    return None


# Starts what a crawl needs (such as the demo's server) and yields the config to run.
PrepareConfig = Callable[["CrawlConfig"], AbstractAsyncContextManager["CrawlConfig"]]


@asynccontextmanager
async def unchanged(config: CrawlConfig) -> AsyncIterator[CrawlConfig]:
    """The default `prepare` of `run_crawl`: nothing to start, the config as loaded."""
    yield config


def run_crawl(
    config: CrawlConfig,
    options: RunOptions,
    *,
    base: Path,
    fresh: bool = False,
    strict: bool = False,
    retry_failed: bool = False,
    prepare: PrepareConfig = unchanged,
) -> int:
    """Run the crawl described by `config` and return the exit code.

    `base` is the folder that relative paths in the config start from. `fresh` deletes an earlier run's results first.
    `strict` makes failed pages exit code 1. `retry_failed` asks for them again. `prepare` is entered inside the event
    loop and may change the config.
    Raises the errors of `Crawler`, and `ConfigError` if events and items would both be written to standard output.
    """
    if options.progress is ProgressMode.JSON and not options.quiet and "stdout" in config.output.sinks:
        raise ConfigError(
            "--progress json and the stdout sink in output.sinks both write to standard output, where events and "
            "items could not be told apart: choose another --progress, or remove stdout from output.sinks"
        )

    async def work(shown: Display) -> Summary:
        from scraper.crawler import Crawler

        async with prepare(config) as ready:
            crawler = await Crawler.open(
                ready, fresh=fresh, listeners=shown.listeners, base=base, retry_failed=retry_failed
            )
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
    """The exit code of a crawl that has ended; prints a message if it was stopped or fetched nothing."""
    if (code := exit_code_for_stop(summary.stop, f"what was settled is saved in {summary.folder}")) is not None:
        return code
    if summary.ok == 0:
        echo_err(f"error: no seed could be fetched: {_failure_reason(summary)}")
        return EXIT_FAILED
    if left := summary.left:
        reasons = ", ".join(f"{reason} {count}" for reason, count in left.items())
        skipped = RunLayout(summary.folder).skipped
        echo_err(
            f"error: {sum(left.values())} URLs were left because of their hosts ({reasons}): {skipped} says why; "
            "the same command asks for them again"
        )
        return EXIT_FAILED
    return EXIT_FAILED if strict and summary.failed else EXIT_OK


def _failure_reason(summary: Summary) -> str:
    if refused := summary.values["seeds_refused"]:
        return clean("; ".join(refused), MAX_REASON_CHARS)
    outcomes = summary.values["pages"]["outcomes"]
    return (
        f"{', '.join(outcomes)} (see {RunLayout(summary.folder).pages})" if outcomes else "there was nothing to fetch"
    )


def loop_factory(debug: bool) -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop if it is installed. None, asyncio's own loop, in debug mode: its reports of slow callbacks say more."""
    if debug:
        return None
    try:
        import uvloop
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory
