"""How a run is shown: a live display in a terminal, plain lines elsewhere, JSON lines for programs, or nothing."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from scraper.events import Listener

if TYPE_CHECKING:
    from rich.console import Console

    from scraper.report.terminal.crawl_display import CrawlDisplay
    from scraper.report.terminal.download_display import DownloadDisplay
    from scraper.report.terminal.download_progress import ListProgress


class ProgressMode(StrEnum):
    """The values of `--progress`."""

    AUTO = "auto"
    RICH = "rich"
    PLAIN = "plain"
    JSON = "json"
    NONE = "none"


# Environment variables that make rich treat any output as a terminal.
TERMINAL_VARIABLES = ("FORCE_COLOR", "TTY_COMPATIBLE")


@dataclass(slots=True)
class Display:
    """The listeners that show a run, and the console for its summary. `mode` is never AUTO."""

    mode: ProgressMode
    listeners: list[Listener] = field(default_factory=list)
    display: CrawlDisplay | DownloadDisplay | None = None
    _console: Console | None = None

    @property
    def console(self) -> Console:
        """A rich console on standard error, created on first use."""
        if self._console is None:
            from rich.console import Console  # imported late: plain and quiet runs never need rich

            self._console = Console(stderr=True, highlight=False)
        return self._console

    def restore_terminal(self) -> None:
        """Stop the live display and restore the terminal. Safe to call at any time, also from a signal handler."""
        if self.display is not None:
            self.display.stop()


def stderr_may_be_terminal() -> bool:
    """Whether rich might treat standard error as a terminal. If not, rich need not be imported to find out."""
    return any(name in os.environ for name in TERMINAL_VARIABLES) or (not sys.stderr.closed and sys.stderr.isatty())


@contextmanager
def open_display(
    mode: ProgressMode,
    *,
    verbose: bool = False,
    log_file: Path | None = None,
    list_progress: ListProgress | None = None,
) -> Iterator[Display]:
    """Open the display for `mode`; AUTO means RICH if standard error is a terminal, else PLAIN.

    Progress and summary are written to standard error, JSON to standard output. `log_file` gets every event, single
    requests only if `verbose`. `list_progress` is given for downloads. Raises `SinkError` if the log file cannot be
    opened.
    """
    shown = Display(mode)
    if mode is ProgressMode.AUTO:
        # A dumb terminal (TERM=dumb) cannot move the cursor.
        can_redraw = stderr_may_be_terminal() and shown.console.is_terminal and not shown.console.is_dumb_terminal
        shown.mode = ProgressMode.RICH if can_redraw else ProgressMode.PLAIN
    with ExitStack() as stack:
        if log_file is not None:
            from scraper.report.log_file import LogFile

            level = logging.DEBUG if verbose else logging.INFO
            shown.listeners.append(stack.enter_context(LogFile(log_file, level)))
        match shown.mode:
            case ProgressMode.RICH:
                from scraper.report.terminal.crawl_display import CrawlDisplay
                from scraper.report.terminal.download_display import DownloadDisplay

                display = (
                    CrawlDisplay(shown.console)
                    if list_progress is None
                    else DownloadDisplay(shown.console, list_progress)
                )
                display.start()
                stack.callback(display.stop)
                shown.display = display
                shown.listeners.append(display)
            case ProgressMode.PLAIN:
                from scraper.report.terminal.download_progress import DownloadLines
                from scraper.report.terminal.plain_lines import PlainLines

                lines = PlainLines if list_progress is None else partial(DownloadLines, list_progress=list_progress)
                shown.listeners.append(lines(sys.stderr, verbose=verbose))
            case ProgressMode.JSON:
                from scraper.report.json_lines import JsonLines

                shown.listeners.append(JsonLines(sys.stdout))
        yield shown
