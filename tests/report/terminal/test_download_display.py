"""The progress of a download, in words and as a display."""

from __future__ import annotations

import io
from types import SimpleNamespace

import pytest
from rich.console import Console

from scraper.downloads.list_counts import ListCounts
from scraper.events import (
    BytesReceived,
    CrawlEnded,
    CrawlStarted,
    Event,
    FetchFinished,
    FetchStarted,
    HostParked,
    PageSettled,
)
from scraper.report.terminal.download_display import DownloadDisplay
from scraper.report.terminal.download_progress import DownloadLines, DownloadTracker, snapshot_text

NOW = 1_700_000_000.0


def test_the_display_has_a_line_for_the_bar_and_one_for_the_words() -> None:
    """How many of how many stands below the bar, on any width."""
    goal = SimpleNamespace(
        lines=10,
        complete=2,
        complete_bytes=500,
        bad_lines=0,
        repeated=0,
        skipped=0,
        unnamed=0,
        fully_read=True,
        expected_lines=0,
    )
    for width in (40, 110):
        console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
        console.print(DownloadDisplay(console, goal).render())
        assert isinstance(console.file, io.StringIO)
        bar, words = console.file.getvalue().splitlines()[:2]
        assert "of 10" not in bar
        assert words.startswith("2 of 10")


@pytest.mark.parametrize(
    ("lines", "expected", "ended", "of"),
    [(10, 0, False, "10+"), (10, 500, False, "500"), (600, 500, False, "600+"), (498, 500, True, "498")],
    ids=["of unknown length", "counted", "longer than it was counted", "read to its end"],
)
def test_of_how_many(lines: int, expected: int, ended: bool, of: str) -> None:
    """The list's length is what was counted, until reading it knows better."""
    goal = ListCounts(lines=lines, expected_lines=expected, fully_read=ended)
    assert DownloadTracker(goal).snapshot().lines_text == of


def test_progress_in_words() -> None:
    """How many of how many, bytes, speed, failures, time left, hosts in back-off; a line every ten seconds."""
    goal = SimpleNamespace(
        lines=10,
        complete=2,
        complete_bytes=500,
        bad_lines=1,
        repeated=0,
        skipped=0,
        unnamed=0,
        fully_read=False,
        expected_lines=0,
    )
    out = io.StringIO()
    lines, watch = DownloadLines(out, goal), DownloadTracker(goal)
    story: list[Event] = [
        CrawlStarted(NOW, "download", "out", False, 0, 0, 4, None),
        FetchStarted(NOW + 1, "https://h/a", "h", 0, "f"),
        FetchFinished(NOW + 2, "https://h/a", "h", 200, None, "", 1.0, 1000, "file"),
        PageSettled(NOW + 2, "https://h/a", "h", "ok", 0, 0, 0),
        FetchStarted(NOW + 3, "https://h/b", "h", 0, "f"),
        BytesReceived(NOW + 4, "https://h/b", "h", 2_000_000, 4_000_000),
        HostParked(NOW + 5, "slow", NOW + 60, "asked to wait"),
        FetchFinished(NOW + 11, "https://h/c", "h", 404, "http", "", 1.0, 0, "file"),
        CrawlEnded(NOW + 12, "finished", ""),
    ]
    for event in story:
        lines(event)
        watch(event)
    words = snapshot_text(watch.snapshot())
    for part in ("4 of 10+", "1 failed", "1 in flight", "1 hosts in back-off", "ETA "):
        assert part in words
    told = out.getvalue().splitlines()
    assert sum(" of 10+" in line for line in told) == 2
    assert any("https://h/c" in line for line in told)
