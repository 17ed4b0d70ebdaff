from __future__ import annotations

from collections.abc import Callable

import pytest

from scraper.events import BytesReceived, CrawlEnded, Event, FetchStarted, Skipped
from scraper.report.stats import OTHERS_KEY, HostCount, Stats, StatsSnapshot, is_failure
from tests.report.sample_crawl import GOOD, SLOW, T0, crawl, finished, page, sampled, started


def counted(events: list[Event], host_limit: int = 100) -> StatsSnapshot:
    stats = Stats(host_limit)
    for event in events:
        stats(event)
    return stats.snapshot()


@pytest.mark.parametrize(
    ("read", "expected"),
    [
        (lambda s: (s.name, s.why, s.ended, s.concurrency), ("books", "finished", True, 64)),
        (lambda s: (s.settled, s.ok, s.failed), (21, 20, 1)),
        (lambda s: s.outcomes, {"ok": 20, "http_404": 1}),
        (lambda s: s.fetches, 22),
        (lambda s: s.statuses, {"2xx": 20, "4xx": 1}),
        (lambda s: s.errors, {"http": 1, "timeout": 1}),
        (lambda s: s.size, 22 * 30_000),
        (lambda s: (s.retries, s.parked, s.openings, s.breakers), (1, 1, 1, {SLOW: 1})),
        (lambda s: (s.items, s.rejected), (20, 1)),
        (lambda s: (s.replaced, s.warnings, s.events_lost), (1, 1, 12)),
        (lambda s: s.skipped, {"scope": 1}),
        (lambda s: s.robots, {"rules": 1, "unreachable": 1}),
        (lambda s: round(s.duration, 3), 21.2),
        (lambda s: round(s.latency["p50"], 1), 0.2),
        (lambda s: s.hosts[GOOD], HostCount(fetches=21, ok=20, failed=1, items=20, size=630_000)),
        (lambda s: s.hosts[SLOW], HostCount(fetches=1, retries=1, size=30_000, openings=1)),
    ],
    ids=lambda value: "" if callable(value) else None,
)
def test_everything_that_happens_is_counted(read: Callable[[StatsSnapshot], object], expected: object) -> None:
    """Each number of a snapshot is what the events of a whole crawl add up to."""
    assert read(counted(crawl())) == expected


def test_before_the_first_event_all_is_nought() -> None:
    """A snapshot can be taken at any time."""
    assert Stats().snapshot() == StatsSnapshot(latency={"p50": 0.0, "p90": 0.0, "p99": 0.0, "max": 0.0})


def test_hosts_beyond_the_limit_are_counted_together() -> None:
    """The table of hosts is bounded; nothing is lost from its sums."""
    events = [event for n in range(50) for event in page(T0 + n, f"https://h{n}.example/", f"h{n}.example")]
    hosts = counted(events, host_limit=10).hosts
    assert len(hosts) == 11
    assert hosts[OTHERS_KEY].ok == 40
    assert sum(count.fetches for count in hosts.values()) == 50


def test_reasons_beyond_the_limit_are_counted_together() -> None:
    """Words are bounded, too: a hook may invent a reason for every URL."""
    skipped = counted([Skipped(T0, "u", f"reason {n}", "") for n in range(2_000)]).skipped
    assert sum(skipped.values()) == 2_000
    assert len(skipped) == 501


def test_rates_are_of_the_last_seconds() -> None:
    """One page a second is one page a second; the large body's bytes count when they come, and once."""
    events: list[Event] = [started()]
    for second in range(30):
        events += page(T0 + second, f"https://{GOOD}/{second}")
    snapshot = counted(events)
    assert snapshot.pages_per_second == pytest.approx(1.0, rel=0.1)
    assert snapshot.bytes_per_second == pytest.approx(30_000, rel=0.1)

    big = [BytesReceived(T0 + n, "big", GOOD, 6_000, 30_000) for n in range(5)]
    snapshot = counted([*big, finished(T0 + 5, "big")])
    assert snapshot.bytes_per_second == pytest.approx(30_000 / 5, rel=0.01)
    assert snapshot.size == 30_000


def test_in_flight_follows_starts_and_ends_and_is_corrected_by_samples() -> None:
    """A fetch whose end was never told is forgotten at the next sample."""
    asked: list[Event] = [FetchStarted(T0, f"u{n}", GOOD, 0, "f") for n in range(3)]
    assert counted([*asked, finished(T0, "u0")]).in_flight == 2
    assert counted([*asked, sampled(T0 + 1, in_flight=1)]).in_flight == 1
    assert counted([finished(T0, "robots.txt")]).in_flight == 0


def test_a_snapshot_does_not_change_afterwards() -> None:
    """What was handed out is a copy."""
    stats = Stats()
    for event in page(T0, f"https://{GOOD}/"):
        stats(event)
    before = stats.snapshot()
    for event in [*page(T0, f"https://{GOOD}/2"), CrawlEnded(T0 + 9, "finished", "")]:
        stats(event)
    assert (before.ok, before.outcomes, before.hosts[GOOD].ok, before.ended) == (1, {"ok": 1}, 1, False)


@pytest.mark.parametrize(
    ("outcome", "failed"),
    [
        ("ok", False),
        ("redirect", True),
        ("not_followed", False),
        ("duplicate", False),
        ("sitemap_ok", False),
        ("http_404", True),
        ("timeout", True),
        ("sitemap_http_404", True),
    ],
)
def test_which_outcomes_are_failures(outcome: str, failed: bool) -> None:
    """A page that was known already, or led nowhere by its own word, has not failed; a loop of redirects has."""
    assert is_failure(outcome) is failed
