"""The adaptive throttle: nothing for a healthy host, more and more for one that gets slower."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.model import ErrorKind, Outcome
from scraper.politeness.throttle import MAX_DELAY_SECONDS, AdaptiveThrottle
from tests.politeness.outcomes import NOW, denied, failure, not_modified, page

RNG = random.Random(1)


def feed_latency(throttle: AdaptiveThrottle, latency: float, count: int, *, lag: float = 0.0) -> AdaptiveThrottle:
    for _ in range(count):
        throttle.on_finish(page(ttfb=latency), NOW, RNG, lag)
    return throttle


CALM = [
    ("loopback, 64 connections, one busy core", 64, 0.064, 0.02),
    ("a loop that is late by most of the latency", 64, 0.9, 0.8),
    ("an ordinary site", 4, 0.2, 0.0),
    ("a distant or slow site that is always so", 4, 3.0, 0.0),
    ("a slow site and no cap", None, 2.0, 0.0),
]


@pytest.mark.parametrize(("cap", "latency", "lag"), [row[1:] for row in CALM], ids=[row[0] for row in CALM])
def test_a_host_that_is_as_usual_is_never_throttled(cap: int | None, latency: float, lag: float) -> None:
    """From the first answer to the thousandth the pause is exactly zero, jittered by half or not."""
    throttle, rng = AdaptiveThrottle(cap), random.Random(2)
    for _ in range(1000):
        throttle.on_start(NOW)
        throttle.on_finish(page(ttfb=latency * rng.uniform(0.5, 1.5)), NOW, rng, lag)
        assert (throttle.delay_seconds, throttle.ready_at()) == (0.0, 0.0)


def test_a_crawl_of_loopback_at_full_speed_is_not_slowed() -> None:
    """A closed loop of 64 requests on one saturated core (0.6 ms a page, stalls of 150 ms) meets no pause at all."""
    throttle, rng, now = AdaptiveThrottle(64), random.Random(3), NOW
    sent = [now] * 64
    for turn in range(20_000):
        now += 0.0006 + (0.15 if turn % 500 == 0 else 0.0)
        throttle.on_finish(page(ttfb=now - sent[turn % 64]), now, rng, 0.0)
        assert throttle.ready_at() <= now
        throttle.on_start(now)
        sent[turn % 64] = now


def test_a_quick_robots_txt_does_not_set_the_measure_for_pages() -> None:
    """One answer in 10 ms before pages that all take 800 ms makes no page late."""
    throttle = feed_latency(AdaptiveThrottle(4), 0.01, 1)
    for _ in range(200):
        feed_latency(throttle, 0.8, 1)
        assert throttle.delay_seconds <= 0.8 / 4
    assert throttle.delay_seconds == 0.0


def test_what_is_mostly_our_own_lag_is_not_held_against_the_host() -> None:
    """While the loop is late by more than half of a latency, no answer makes the pause longer."""
    throttle = feed_latency(AdaptiveThrottle(4), 0.2, 20)
    feed_latency(throttle, 3.0, 100, lag=1.6)
    assert throttle.delay_seconds == 0.0


def test_a_host_that_gets_slower_is_asked_less_often() -> None:
    """Ten times the usual latency with a cap of four means about one request at a time."""
    throttle = feed_latency(AdaptiveThrottle(4), 0.3, 20)
    feed_latency(throttle, 3.0, 40)
    assert 2.0 < throttle.delay_seconds <= 3.1
    throttle.on_start(NOW)
    assert throttle.ready_at() == NOW + throttle.delay_seconds
    assert "usually in 0.5" in throttle.wait_reason() or "usually in 0.4" in throttle.wait_reason()


def test_the_pause_grows_with_the_latency() -> None:
    """Twice as slow is never a shorter pause."""
    pauses = [
        feed_latency(feed_latency(AdaptiveThrottle(8), 0.2, 20), latency, 15).delay_seconds
        for latency in (0.2, 0.5, 1.0, 2.0, 4.0, 8.0)
    ]
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1] > 1.0) == (0.0, True)


def test_it_sets_in_without_a_jump() -> None:
    """At the edge the pause is what the cap enforces anyhow: latency divided by the cap."""
    throttle = feed_latency(AdaptiveThrottle(8), 0.4, 50)
    while not throttle.delay_seconds:
        throttle.on_finish(page(ttfb=1.2), NOW, RNG)
    assert throttle.delay_seconds == pytest.approx(throttle._latency / 8, rel=0.1)


def test_a_host_that_recovers_is_left_at_full_speed_again() -> None:
    """The pause goes back to exactly zero within some thirty good answers."""
    throttle = feed_latency(feed_latency(AdaptiveThrottle(4), 0.2, 20), 4.0, 20)
    assert throttle.delay_seconds > 1.0
    assert feed_latency(throttle, 0.2, 40).delay_seconds == 0.0


def test_what_stays_slow_becomes_usual_in_the_end() -> None:
    """A host that moved further away for good is not throttled for ever."""
    assert feed_latency(feed_latency(AdaptiveThrottle(4), 0.5, 20), 1.5, 3000).delay_seconds == 0.0


def test_one_time_out_is_no_verdict_but_several_are() -> None:
    """An outlier is clipped; time-outs in a row slow the host down."""
    throttle = feed_latency(AdaptiveThrottle(4), 0.2, 20)
    late = failure(ErrorKind.TIMEOUT, elapsed=30.0)
    throttle.on_finish(late, NOW, RNG)
    assert throttle.delay_seconds == 0.0
    for _ in range(4):
        throttle.on_finish(late, NOW, RNG)
    assert throttle.delay_seconds > 0.5


QUICK_ERRORS: list[tuple[str, Outcome]] = [
    ("500", page(500, ttfb=0.001)),
    ("404", page(404, ttfb=0.001)),
    ("301", page(301, ttfb=0.001)),
    ("connect", failure(elapsed=0.001)),
    ("denied", denied()),
]


@pytest.mark.parametrize("outcome", [row[1] for row in QUICK_ERRORS], ids=[row[0] for row in QUICK_ERRORS])
def test_an_answer_that_is_not_2xx_never_shortens_the_pause(outcome: Outcome) -> None:
    """Errors are often quick, and a broken host would otherwise be asked faster and faster."""
    throttle = feed_latency(feed_latency(AdaptiveThrottle(4), 0.2, 20), 4.0, 20)
    before = throttle.delay_seconds
    for _ in range(50):
        throttle.on_finish(outcome, NOW, RNG)
    assert throttle.delay_seconds == before


def test_304_counts_as_a_good_answer() -> None:
    """A host that answers 304 quickly has recovered."""
    throttle = feed_latency(feed_latency(AdaptiveThrottle(4), 0.2, 20), 4.0, 20)
    for _ in range(40):
        throttle.on_finish(not_modified(elapsed=0.1), NOW, RNG)
    assert throttle.delay_seconds == 0.0


@given(st.lists(st.tuples(st.floats(0, 1e6), st.booleans(), st.floats(0, 10)), max_size=60))
def test_the_pause_is_always_a_number_within_its_bounds(answers: list[tuple[float, bool, float]]) -> None:
    """Whatever is measured, the pause lies between zero and a minute, and survives a restart."""
    throttle = AdaptiveThrottle(4)
    for latency, well, lag in answers:
        throttle.on_finish(page(200 if well else 500, ttfb=latency), NOW, RNG, lag)
        assert 0.0 <= throttle.delay_seconds <= MAX_DELAY_SECONDS
        assert not math.isnan(throttle.ready_at())
    again = AdaptiveThrottle(4)
    again.load_state(throttle.dump_state())
    assert again.delay_seconds == pytest.approx(throttle.delay_seconds, abs=1e-3)
