"""Summaries of sample crawls, as values and as rendered in a terminal."""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console

from scraper.events import Event
from scraper.report.stats import Stats
from scraper.report.summary import build_summary
from scraper.report.terminal.summary_screen import render_summary
from tests.report.sample_crawl import GOOD, SLOW


def summary_of(events: list[Event], **changes: Any) -> dict[str, Any]:
    stats = Stats()
    for event in events:
        stats(event)
    counts: dict[str, Any] = {
        "outcomes": {"ok": 120, "http_404": 7, "timeout": 9, "sitemap_ok": 1},
        "hosts": {GOOD: {"ok": 120, "http_404": 7, "sitemap_ok": 1}, SLOW: {"timeout": 9}},
        "items": 118,
        "size": 3_600_000,
        "waiting": 0,
        "outputs": {"pages": "out/books/pages.jsonl", "items": "out/books/items.jsonl"},
    }
    return build_summary(stats.snapshot(), **{**counts, **changes})


def rendered(summary: dict[str, Any], width: int = 80) -> str:
    console = Console(record=True, width=width, file=io.StringIO())
    console.print(render_summary(summary))
    return console.export_text()
