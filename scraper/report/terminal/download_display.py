"""The live display of a download in a terminal: a listener that draws four times a second."""

from __future__ import annotations

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.text import Text

from scraper.clock import monotonic
from scraper.events import Event
from scraper.report.terminal.download_progress import DownloadTracker, FileProgress, ListProgress, snapshot_text
from scraper.report.text.event_text import describe, is_problem
from scraper.report.text.formatting import bytes_text, duration_text
from scraper.report.text.sanitize import clean

FRAMES_PER_SECOND = 4
MAX_NAME_CHARS = 60


class DownloadDisplay:
    """A listener with a live display on `console`, from `start` to `stop`, which erases it."""

    def __init__(self, console: Console, list_progress: ListProgress) -> None:
        self._tracker = DownloadTracker(list_progress)
        self._problem = ""
        self._began = monotonic()
        self._live = Live(
            console=console, get_renderable=self.render, refresh_per_second=FRAMES_PER_SECOND, transient=True
        )

    def __call__(self, event: Event) -> None:
        """Process one event; frames are drawn by rich's thread."""
        self._tracker(event)
        if is_problem(event):
            self._problem = describe(event).text

    def render(self) -> RenderableType:
        """The current frame."""
        picture = self._tracker.snapshot()
        rows: list[RenderableType] = [
            Padding(
                ProgressBar(total=max(1, picture.lines), completed=picture.done), 0
            ),  # a bar itself does not end its line
            _styled_line(f"{snapshot_text(picture)}, {duration_text(monotonic() - self._began)} so far", "bold"),
        ]
        rows += [_styled_line("  " + _file_text(transfer), "dim") for transfer in picture.active]
        rows += [_styled_line(f"  paused: {clean(host)}", "yellow") for host in picture.waiting_hosts[:3]]
        if self._problem:
            rows.append(_styled_line(f"! {self._problem}", "yellow"))
        return Group(*rows)

    def start(self) -> None:
        """Start drawing."""
        self._live.start()

    def stop(self) -> None:
        """Stop drawing and clear the display; calling it twice does nothing more."""
        self._live.stop()


def _file_text(transfer: FileProgress) -> str:
    name = clean(transfer.url)
    name = name if len(name) <= MAX_NAME_CHARS else "..." + name[3 - MAX_NAME_CHARS :]
    if transfer.total:
        share = 100 * transfer.received // transfer.total
        return f"{name}  {bytes_text(transfer.received)} of {bytes_text(transfer.total)} ({share}%)"
    return f"{name}  {bytes_text(transfer.received)}" if transfer.received else name


def _styled_line(text: str, style: str) -> Text:
    return Text(text, style=style, no_wrap=True, overflow="ellipsis")
