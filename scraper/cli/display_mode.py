"""How a run is shown: a display in a terminal, lines elsewhere, JSON for programs, or nothing."""

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


# Variables that make rich write as to a terminal where there is none.
TERMINAL_VARIABLES = ("FORCE_COLOR", "TTY_COMPATIBLE")


@dataclass(slots=True)
class Display:
    """What shows a run: the listeners to give to it, and the console for its summary."""

    mode: ProgressMode
    listeners: list[Listener] = field(default_factory=list)
    display: CrawlDisplay | DownloadDisplay | None = None
    _console: Console | None = None

    @property
    def console(self) -> Console:
        """Standard error for what is more than lines of text."""
        if self._console is None:
            from rich.console import Console  # not at the top: many runs end without having shown anything

            self._console = Console(stderr=True, highlight=False)
        return self._console

    def restore_terminal(self) -> None:
        """Leave the terminal as it was found; safe at any moment, also from a signal."""
        if self.display is not None:
            self.display.stop()


def stderr_may_be_terminal() -> bool:
    """Whether rich might call standard error a terminal. Where it would not, it need not be loaded to say so."""
    return any(name in os.environ for name in TERMINAL_VARIABLES) or (not sys.stderr.closed and sys.stderr.isatty())


@contextmanager
def open_display(
    mode: ProgressMode,
    *,
    verbose: bool = False,
    log_file: Path | None = None,
    list_progress: ListProgress | None = None,
) -> Iterator[Display]:
    """The screen for `mode`; `auto` is rich where standard error is a terminal and plain elsewhere.

    Progress and summary go to standard error, JSON to standard output. `log_file` gets a line for everything, with
    `verbose` down to single requests. With `goal` it is a download that is shown.
    Raises `SinkError` when the log file cannot be opened.
    """
    shown = Display(mode)
    if mode is ProgressMode.AUTO:
        lively = stderr_may_be_terminal() and shown.console.is_terminal and not shown.console.is_dumb_terminal
        shown.mode = ProgressMode.RICH if lively else ProgressMode.PLAIN
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
