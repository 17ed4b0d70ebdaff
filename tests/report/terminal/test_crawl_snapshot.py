"""Numbers that displays compute from the state of a crawl."""

from __future__ import annotations

import math

import pytest

from scraper.events import Event
from scraper.report.stats import Stats
from scraper.report.terminal.crawl_snapshot import CrawlSnapshot
from tests.report.sample_crawl import GOOD, T0, host, page, sampled, started


def snapshot(*events: Event, waiting: int = 40, wait: float = 0.0, sample: bool = True) -> CrawlSnapshot:
    """The state after `events` and, with `sample`, a sample of the queues."""
    stats = Stats()
    for event in events:
        stats(event)
    queues = sampled(T0 + 10, host(T0 + 10, GOOD, wait=wait, waiting=waiting), waiting=waiting) if sample else None
    return CrawlSnapshot(stats.snapshot(), T0 + 10, queues, waiting_before=3)


def test_known_are_settled_and_unsettled_urls() -> None:
    """Settled, waiting, delayed, in flight, and awaiting their record."""
    state = snapshot(started(known=100), *page(T0, f"https://{GOOD}/"))
    assert (state.done, state.known) == (101, 101 + 40 + 2 + 5 + 3)


def test_before_the_first_sample_the_queue_of_the_start_counts() -> None:
    """What an earlier session left is known at once; nothing tells yet how long it takes."""
    state = snapshot(started(known=100), sample=False)
    assert (state.known, state.eta) == (103, None)


@pytest.mark.parametrize(("limit", "total"), [(None, 151), (120, 120), (50, 101)], ids=["none", "above", "reached"])
def test_the_expected_total_is_at_most_the_limit(limit: int | None, total: int) -> None:
    """But never less than what is done."""
    assert snapshot(started(known=100, max_pages=limit), *page(T0, f"https://{GOOD}/")).expected_total == total


def test_a_host_without_a_next_request_has_not_given_up_while_one_is_in_flight() -> None:
    """Its next start may depend on that request, so its URLs still count."""
    state = snapshot(started(), *page(T0, f"https://{GOOD}/"), wait=math.inf)
    assert state.eta is not None
    assert state.eta > 0
