"""Rate, concurrency, crawl-delay and page budget: each rule by itself."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.model import ErrorKind, Outcome, RequestKind
from scraper.politeness.crawl_delay import CrawlDelay
from scraper.politeness.host_budget import PageBudget
from scraper.politeness.limits import ConcurrencyLimit, RateLimiter
from scraper.politeness.rule import format_duration
from tests.politeness.outcomes import NOW, denied, failure, not_modified, page, request


@given(st.lists(st.floats(0, 10), min_size=1, max_size=50), st.sampled_from([0.0, 0.1, 0.5, 3.0]))
def test_starts_are_never_closer_than_the_interval_whatever_was_saved_up(pauses: list[float], interval: float) -> None:
    """Idle time is not saved: after any pause the next two starts are an interval apart."""
    rule, now, last = RateLimiter(interval), NOW, -math.inf
    for pause in pauses:
        now = max(now + pause, rule.ready_at())
        assert now - last >= interval - 1e-6
        rule.on_start(now)
        last = now


def test_an_early_start_is_paid_for_by_the_next_one() -> None:
    """Two starts at once cost two intervals, so the mean rate holds even when somebody did not ask."""
    rule = RateLimiter(1.0)
    rule.on_start(NOW)
    rule.on_start(NOW)
    assert rule.ready_at() == NOW + 2


def test_the_cap_closes_the_host_until_a_finish() -> None:
    """With the cap reached `ready_at` is endless, and one finish opens the host at once."""
    rule = ConcurrencyLimit(2)
    rule.on_start(NOW)
    assert rule.ready_at() <= NOW
    rule.on_start(NOW)
    assert rule.ready_at() == math.inf
    rule.on_finish(page(), NOW)
    assert rule.ready_at() <= NOW


def test_without_a_cap_nothing_closes() -> None:
    """None is no limit."""
    rule = ConcurrencyLimit(None)
    for _ in range(1000):
        rule.on_start(NOW)
    assert rule.ready_at() <= NOW


def test_a_finish_without_a_start_is_not_counted() -> None:
    """The count of requests under way never falls below zero, which would raise the cap."""
    rule = ConcurrencyLimit(1)
    rule.on_finish(page(), NOW)
    rule.on_start(NOW)
    assert rule.ready_at() == math.inf


def test_crawl_delay_counts_from_the_start_that_learned_of_it() -> None:
    """The request for robots.txt itself is the first start; the next is a delay later, and alone."""
    rule = CrawlDelay("h", 30, "slow")
    rule.on_start(NOW)
    rule.set_delay(7, NOW + 1)
    assert rule.ready_at() == math.inf
    rule.on_finish(page(), NOW + 2)
    assert rule.ready_at() == NOW + 7


@pytest.mark.parametrize("asked", [None, 0, -1, math.nan, math.inf], ids=str)
def test_a_crawl_delay_that_is_none_objects_to_nothing(asked: float | None) -> None:
    """Nothing, zero and what is no sane number take the rule away."""
    rule = CrawlDelay("h", 30, "slow")
    rule.set_delay(5, NOW)
    rule.on_start(NOW)
    assert rule.set_delay(asked, NOW) == ()
    assert rule.ready_at() == 0


def test_a_long_crawl_delay_is_obeyed_in_full_by_default() -> None:
    """`slow` never goes faster than the site asked for."""
    rule = CrawlDelay("h", 30, "slow")
    rule.set_delay(600, NOW)
    rule.on_start(NOW)
    rule.on_finish(page(), NOW + 1)
    assert (rule.ready_at(), rule.skips_host) == (NOW + 600, False)


def test_a_long_crawl_delay_ends_the_host_when_asked_to_skip() -> None:
    """`skip` closes the host for good and says so once."""
    rule = CrawlDelay("h", 30, "skip")
    assert rule.set_delay(30, NOW) == ()
    (told,) = rule.set_delay(31, NOW)
    assert (told.until, rule.skips_host, rule.ready_at()) == (math.inf, True, math.inf)
    assert "more than max_crawl_delay" in told.why
    assert rule.set_delay(31, NOW) == ()


PAGES: list[tuple[str, Outcome, bool]] = [
    ("200", page(200), True),
    ("304", not_modified(), True),
    ("404", page(404), True),
    ("redirect", page(301), False),
    ("429", page(429), False),
    ("503", page(503), False),
    ("time-out", failure(ErrorKind.TIMEOUT), False),
    ("denied", denied(), False),
]


@pytest.mark.parametrize(("outcome", "counts"), [row[1:] for row in PAGES], ids=[row[0] for row in PAGES])
def test_what_counts_as_a_page_of_the_host(outcome: Outcome, counts: bool) -> None:
    """Complete answers to requests for pages count; redirects, what is retried and robots.txt do not."""
    rule = PageBudget("h", None)
    rule.on_start(NOW)
    rule.on_finish(outcome, NOW)
    assert rule.pages == counts


@pytest.mark.parametrize("kind", ["file", "sitemap", "robots"])
def test_files_sitemaps_and_robots_txt_are_no_pages(kind: RequestKind) -> None:
    """The budget is for pages alone."""
    rule = PageBudget("h", 1)
    rule.on_finish(page(of=request(kind=kind)), NOW)
    assert not rule.used_up


def test_the_budget_is_never_overshot_and_failures_give_their_place_back() -> None:
    """Requests under way hold a place each; the host is spent, once and told, when all gave pages."""
    rule = PageBudget("h", 2)
    rule.on_start(NOW)
    assert rule.ready_at() <= NOW
    rule.on_start(NOW)
    assert (rule.ready_at(), rule.used_up) == (math.inf, False)
    assert rule.on_finish(failure(), NOW) == ()
    assert rule.ready_at() <= NOW
    assert rule.on_finish(page(), NOW) == ()
    rule.on_start(NOW)
    (told,) = rule.on_finish(page(), NOW)
    assert (told.until, told.why) == (math.inf, "max_pages_per_host: 2 of 2 pages fetched")
    assert (rule.ready_at(), rule.used_up) == (math.inf, True)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.5, "0.5 s"), (90, "90 s"), (900, "15 min"), (3600, "1 h"), (21600, "6 h"), (5400, "90 min")],
    ids=str,
)
def test_lengths_of_time_are_said_for_people(seconds: float, said: str) -> None:
    """Seconds, minutes or hours, whichever reads best."""
    assert format_duration(seconds) == said
