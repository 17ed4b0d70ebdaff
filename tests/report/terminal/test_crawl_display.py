"""The live display of a crawl, and the events it takes."""

from __future__ import annotations

import io

from rich.console import Console

from scraper.events import CrawlEnded, Event
from scraper.report.terminal.crawl_display import CrawlDisplay
from tests.report.sample_crawl import crawl


def shown(events: list[Event], width: int = 80, height: int = 24, color: bool = False) -> str:
    """What the display of these events looks like."""
    out = io.StringIO()
    console = Console(file=out, width=width, height=height, force_terminal=color, no_color=not color)
    progress = CrawlDisplay(console)
    for event in events:
        progress(event)
    console.print(progress.render())
    return out.getvalue()


def running() -> list[Event]:
    return [event for event in crawl() if not isinstance(event, CrawlEnded)]


def test_the_live_display_starts_stops_and_leaves_nothing_behind() -> None:
    """It draws in a terminal, stops twice without harm, and shows the cursor again."""
    out = io.StringIO()
    with CrawlDisplay(Console(file=out, width=80, height=24, force_terminal=True)) as progress:
        for event in running():
            progress(event)
    progress.stop()
    assert "books" in out.getvalue()
    assert out.getvalue().rfind("\x1b[?25h") > out.getvalue().rfind("\x1b[?25l")
