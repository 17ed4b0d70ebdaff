from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any

import orjson
import pytest
from rich.console import Console

from scraper.errors import SinkError
from scraper.events import BreakerOpened, CrawlEnded, Event
from scraper.report.stats import Stats
from scraper.report.summary import MAX_TOP_HOSTS, build_summary, write_summary
from scraper.report.terminal.summary_screen import render_summary
from tests.report.sample_crawl import EVIL, GOOD, SLOW, T0, crawl, page, started


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


def test_the_summary_has_totals_of_the_run_and_numbers_of_the_session() -> None:
    """Pages, items, bytes and hosts are the run's; times, rates, retries and latencies are the session's."""
    summary = summary_of(crawl())
    assert (summary["name"], summary["why"], summary["resumed"]) == ("books", "finished", False)
    assert (summary["started_at"], summary["ended_at"]) == ("2023-11-14T22:13:20.000Z", "2023-11-14T22:13:41.200Z")
    assert summary["duration_s"] == 21.2
    assert summary["pages"] == {
        "settled": 137,
        "ok": 121,
        "failed": 16,
        "waiting": 0,
        "outcomes": {"ok": 120, "timeout": 9, "http_404": 7, "sitemap_ok": 1},
        "kinds": {
            "page": {"settled": 136, "ok": 120, "failed": 16},
            "sitemap": {"settled": 1, "ok": 1, "failed": 0},
        },
    }
    assert (summary["items"], summary["bytes"]) == (118, 3_600_000)
    assert summary["rate"] == {"pages_per_s": 0.99, "bytes_per_s": 31132}
    assert summary["hosts"][SLOW] == {"settled": 9, "ok": 0, "failed": 9, "outcomes": {"timeout": 9}}
    assert summary["breaker_openings"] == {"total": 1, "hosts": {SLOW: 1}}
    assert summary["skipped"] == {"scope": 1}
    assert summary["session"]["retries"] == 1
    assert summary["session"]["latency_s"]["max"] == 0.2
    assert summary["outputs"]["pages"] == "out/books/pages.jsonl"


def test_the_changes_of_breakers_are_told_in_order() -> None:
    """Open until when and why, half-open, closed; blocked for good has no end."""
    blocked = BreakerOpened(T0 + 30, GOOD, math.inf, "403s", 1)
    steps = summary_of([*crawl(), blocked])["breaker_transitions"]
    assert [step["state"] for step in steps] == ["open", "half-open", "closed", "blocked"]
    assert {step["host"] for step in steps[:3]} == {SLOW}
    assert steps[0]["until"] > steps[0]["at"]
    assert (steps[3]["host"], steps[3]["until"], steps[3]["why"]) == (GOOD, None, "403s")


def test_only_the_busiest_hosts_have_an_entry_and_the_rest_a_sum() -> None:
    """However many hosts, the summary is bounded, and no page is missing from its sums."""
    hosts = {f"h{n:05}.example": {"ok": n, "timeout": 1} for n in range(5_000)}
    summary = summary_of(crawl(), hosts=hosts)
    assert len(summary["hosts"]) == MAX_TOP_HOSTS
    assert next(iter(summary["hosts"])) == "h04999.example"
    assert summary["other_hosts"]["count"] == 4_900
    total = summary["other_hosts"]["settled"] + sum(host["settled"] for host in summary["hosts"].values())
    assert total == sum(n + 1 for n in range(5_000))


def test_skipped_of_the_whole_run_replace_those_of_the_session() -> None:
    """When the frontier has counted what was skipped, its counts are told."""
    assert summary_of(crawl(), skipped={"depth": 3, "deny": 9})["skipped"] == {"deny": 9, "depth": 3}


def test_a_run_without_any_event_has_a_summary() -> None:
    """A run that ended before it began can be summed up."""
    summary = summary_of([], outcomes={}, hosts={})
    assert summary["rate"] == {"pages_per_s": 0.0, "bytes_per_s": 0}
    assert "0 settled" in rendered(summary)


def test_it_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    """The file is replaced in one step; when it cannot be, the old one stays and nothing lies about."""
    path = tmp_path / "summary.json"
    write_summary(path, summary_of(crawl()))
    assert orjson.loads(path.read_bytes()) == summary_of(crawl())
    write_summary(path, {"name": "second"})
    assert orjson.loads(path.read_bytes()) == {"name": "second"}
    (tmp_path / "folder").mkdir()
    with pytest.raises(SinkError, match="folder cannot be written"):
        write_summary(tmp_path / "folder", {"name": "third"})
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["folder", "summary.json"]


def test_a_sitemap_that_is_not_there_is_no_page() -> None:
    """Sitemaps and files are told beside the pages, and what was looked for in vain says so."""
    outcomes = {"ok": 300, "sitemap_none": 3, "file_ok": 2, "file_http_404": 1}
    text = rendered(summary_of(crawl(), outcomes=outcomes))
    assert "pages     300 settled, 300 ok, 0 failed" in text
    assert "sitemaps  3 settled, 3 ok, 0 failed (3 not there)" in text
    assert "files     3 settled, 2 ok, 1 failed" in text


def test_the_rendered_summary_tells_all_that_matters() -> None:
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
    """The reason is told with its meaning, or with the detail that came with it."""
    text = rendered(summary_of([started(), *page(T0, f"https://{GOOD}/"), ended], waiting=40), 120)
    assert words in text
    assert "40 waiting" in text


def test_hostile_names_are_plain_text() -> None:
    """Neither markup nor control characters of a host or a reason reach the console."""
    text = rendered(summary_of(crawl(), hosts={EVIL: {"ok": 1}, "b": {EVIL: 2}}, skipped={EVIL: 1}), 200)
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "[red]x[/red]" in text
