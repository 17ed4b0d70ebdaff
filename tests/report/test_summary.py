from __future__ import annotations

import math
from pathlib import Path

import orjson
import pytest

from scraper.errors import SinkError
from scraper.events import BreakerOpened
from scraper.report.summary import MAX_TOP_HOSTS, write_summary
from tests.report.sample_crawl import GOOD, SLOW, T0, crawl
from tests.report.summaries import rendered, summary_of


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


def test_the_changes_of_breakers_are_reported_in_order() -> None:
    """Open until when and why, half-open, closed; blocked for good has no end."""
    blocked = BreakerOpened(T0 + 30, GOOD, math.inf, "403s", 1)
    steps = summary_of([*crawl(), blocked])["breaker_steps"]
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
    """When the frontier has counted what was skipped, its counts are reported."""
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
    """Sitemaps and files are reported beside the pages, and what was looked for in vain says so."""
    outcomes = {"ok": 300, "sitemap_none": 3, "file_ok": 2, "file_http_404": 1}
    text = rendered(summary_of(crawl(), outcomes=outcomes))
    assert "pages     300 settled, 300 ok, 0 failed" in text
    assert "sitemaps  3 settled, 3 ok, 0 failed (3 not there)" in text
    assert "files     3 settled, 2 ok, 1 failed" in text
