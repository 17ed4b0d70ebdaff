"""The summary of a run in the terminal."""

from __future__ import annotations

import pytest

from scraper.events import CrawlEnded
from tests.report.sample_crawl import EVIL, GOOD, SLOW, T0, crawl, page, started
from tests.report.summaries import rendered, summary_of


def test_the_rendered_summary_shows_all_that_matters() -> None:
    """Why it ended, how much, how fast, what failed, which hosts, and where the outputs are, in 80 columns."""
    text = rendered(summary_of(crawl()))
    for part in (
        "books: finished (all known URLs are settled)",
        "136 settled, 120 ok, 16 failed",
        "1 settled, 1 ok, 0 failed",
        "118, 1 rejected",
        "3.60 MB",
        "21s",
        "1.0 pages/s",
        "p50 200ms",
        "failed: timeout 9, http_404 7",
        "skipped: scope 1",
        f"breaker openings (1): {SLOW} 1",
        "opened 1x",
        "items: out/books/items.jsonl",
    ):
        assert part in text
    assert all(len(line) <= 80 for line in text.splitlines())


def test_many_hosts_and_words_are_cut_short() -> None:
    """The screen shows ten hosts and a dozen words, and says how many more there are."""
    summary = summary_of(
        crawl(), hosts={f"h{n:04}": {"ok": n} for n in range(500)}, skipped={f"r{n}": 1 for n in range(40)}
    )
    text = rendered(summary)
    assert "490 others" in text
    assert "and 28 more" in text


@pytest.mark.parametrize(
    ("ended", "words"),
    [
        (
            CrawlEnded(T0 + 9, "interrupted", ""),
            "interrupted (it was interrupted; the same command continues from here)",
        ),
        (CrawlEnded(T0 + 9, "disk", "pages.jsonl: the disk is full"), "disk (pages.jsonl: the disk is full)"),
        (CrawlEnded(T0 + 9, "other", ""), "books: other"),
    ],
)
def test_the_headline_says_why_it_ended(ended: CrawlEnded, words: str) -> None:
    """The reason is reported with its meaning, or with the detail that came with it."""
    text = rendered(summary_of([started(), *page(T0, f"https://{GOOD}/"), ended], waiting=40), 120)
    assert words in text
    assert "40 waiting" in text


def test_hostile_names_are_plain_text() -> None:
    """Neither markup nor control characters of a host or a reason reach the console."""
    text = rendered(summary_of(crawl(), hosts={EVIL: {"ok": 1}, "b": {EVIL: 2}}, skipped={EVIL: 1}), 200)
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "[red]x[/red]" in text
