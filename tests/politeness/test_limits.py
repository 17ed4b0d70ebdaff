"""Rate and concurrency: each rule by itself."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from scraper.politeness.limits import ConcurrencyLimit, RateLimiter
from tests.politeness.outcomes import NOW, page


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
