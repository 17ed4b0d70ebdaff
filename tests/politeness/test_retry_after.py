"""Retry-After and the host-wide wait that follows from it."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.events import HostParked
from scraper.model import ErrorKind, Outcome
from scraper.politeness.retry_after import (
    MAX_BACKOFF_SECONDS,
    MAX_RETRY_AFTER_SECONDS,
    HostBackoff,
    parse_retry_after,
    retry_after_of,
)
from tests.politeness.outcomes import NOW, denied, failure, not_modified, page

SERVER_NOW = "Tue, 14 Nov 2023 22:00:00 GMT"
IN_AN_HOUR = "Tue, 14 Nov 2023 23:13:20 GMT"
VALUES = [
    ("seconds", "120", None, 120.0),
    ("surrounding blanks", " \t7 ", None, 7.0),
    ("leading zeros", "007", None, 7.0),
    ("zero", "0", None, None),
    ("negative", "-5", None, None),
    ("plus", "+5", None, None),
    ("fraction", "1.5", None, None),
    ("exponent", "1e3", None, None),
    ("unit", "5s", None, None),
    ("two values", "5, 6", None, None),
    ("hexadecimal", "0x10", None, None),
    ("underscore", "1_0", None, None),
    ("other digits", "١٢", None, None),
    ("word", "soon", None, None),
    ("empty", "", None, None),
    ("centuries", "9" * 10, None, MAX_RETRY_AFTER_SECONDS),
    ("absurd", "9" * 10_000, None, MAX_RETRY_AFTER_SECONDS),
    ("date", IN_AN_HOUR, None, 3600.0),
    ("date, against the response's own", IN_AN_HOUR, SERVER_NOW, 4400.0),
    ("date, against a bad one", IN_AN_HOUR, "yesterday", 3600.0),
    ("date, RFC 850", "Tuesday, 14-Nov-23 22:13:30 GMT", None, 10.0),
    ("date, asctime", "Tue Nov 14 22:13:30 2023", None, 10.0),
    ("past date", "Sun, 06 Nov 1994 08:49:37 GMT", None, None),
    ("this very second", "Tue, 14 Nov 2023 22:13:20 GMT", None, None),
    ("far date", "Fri, 31 Dec 9999 23:59:59 GMT", None, MAX_RETRY_AFTER_SECONDS),
]


@pytest.mark.parametrize(("value", "date", "wait"), [row[1:] for row in VALUES], ids=[row[0] for row in VALUES])
def test_retry_after_is_read_strictly(value: str, date: str | None, wait: float | None) -> None:
    """Digits or an HTTP-date against the response's own Date; all else, zero and the past ask for nothing."""
    assert parse_retry_after(value, date, NOW) == wait


@given(st.text(max_size=40) | st.from_regex(r"[0-9]{1,12}"), st.none() | st.text(max_size=40))
def test_any_text_is_a_positive_wait_or_none(value: str, date: str | None) -> None:
    """Whatever a server sends, the wait is None or between zero and `LONGEST`, and nothing is raised."""
    wait = parse_retry_after(value, date, NOW)
    assert wait is None or 0 < wait <= MAX_RETRY_AFTER_SECONDS


class NoJitterRandom(random.Random):
    """Dice that always fall on the lowest number: no jitter."""

    def random(self) -> float:
        return 0.0


NO_JITTER = NoJitterRandom()
ASKED = [
    ("429", page(429, {"Retry-After": "30"}), 30.0),
    ("503", page(503, {"Retry-After": "30"}), 30.0),
    ("502 that says when", page(502, {"Retry-After": "30"}), 30.0),
    ("redirect that says when", page(302, {"Retry-After": "30"}), 30.0),
    ("failure after a 429", failure(ErrorKind.TRUNCATED, {"Retry-After": "30"}, status=429), 30.0),
    ("several: the longest", page(429, {"Retry-After": "30", "retry-after": "90"}), 90.0),
    ("429 without", page(429), 0.5),
    ("503 with zero", page(503, {"Retry-After": "0"}), 0.5),
    ("429 with garbage", page(429, {"Retry-After": "soon"}), 0.5),
    ("200 with it", page(200, {"Retry-After": "30"}), None),
    ("404 with it", page(404, {"Retry-After": "30"}), None),
    ("403", page(403), None),
    ("500", page(500), None),
    ("redirect", page(302), None),
    ("time-out", failure(ErrorKind.TIMEOUT), None),
    ("304", not_modified({"Retry-After": "30"}), None),
    ("denied", denied(), None),
]


@pytest.mark.parametrize(("outcome", "wait"), [row[1:] for row in ASKED], ids=[row[0] for row in ASKED])
def test_which_answers_make_the_whole_host_wait(outcome: Outcome, wait: float | None) -> None:
    """Retry-After on 429, 5xx and redirects; 429 and 503 without it cost half a second; 403 costs nothing."""
    rule = HostBackoff("h", 3600)
    rule.on_finish(outcome, NOW, NO_JITTER)
    assert rule.ready_at() == (0.0 if wait is None else NOW + wait)


@given(st.integers(1, 10**6), st.integers(0, 2**32))
def test_jitter_only_makes_it_later(seconds: int, seed: int) -> None:
    """Never before the host said, and at most a tenth after."""
    rule = HostBackoff("h", 3600)
    rule.on_finish(page(429, {"Retry-After": str(seconds)}), NOW, random.Random(seed))
    assert NOW + seconds <= rule.ready_at() <= NOW + seconds * 1.1 + 1e-6


def test_without_a_header_each_incident_doubles_the_wait_up_to_an_hour() -> None:
    """0.5, 1, 2, ... seconds while nothing succeeds, and never more than `MAX_BACKOFF_SECONDS`."""
    rule, now, waits = HostBackoff("h", 3600), NOW, []
    for _ in range(15):
        rule.on_finish(page(429), now, NO_JITTER)
        waits.append(rule.ready_at() - now)
        now = rule.ready_at()
    assert waits == [min(MAX_BACKOFF_SECONDS, 0.5 * 2**n) for n in range(15)]


def test_answers_that_arrive_during_the_wait_belong_to_one_incident() -> None:
    """Four requests under way that all meet a 429 cost one wait, not four doublings."""
    rule = HostBackoff("h", 3600)
    for _ in range(4):
        rule.on_finish(page(429), NOW, NO_JITTER)
    assert rule.ready_at() == NOW + 0.5
    rule.on_finish(page(429), NOW + 0.5, NO_JITTER)
    assert rule.ready_at() == NOW + 1.5


def test_incidents_are_forgotten_after_half_an_hour_of_quiet() -> None:
    """After thirty minutes without one the curve starts again."""
    rule = HostBackoff("h", 3600)
    rule.on_finish(page(429), NOW, NO_JITTER)
    rule.on_finish(page(429), NOW + 5, NO_JITTER)
    late = rule.ready_at() + 1801
    rule.on_finish(page(429), late, NO_JITTER)
    assert rule.ready_at() == late + 0.5


def test_a_success_after_the_wait_ends_a_series_of_incidents() -> None:
    """The next one waits as the first did; a success during the wait belongs to what was sent before."""
    rule = HostBackoff("h", 3600)
    rule.on_finish(page(429), NOW, NO_JITTER)
    rule.on_finish(page(200), NOW + 0.2, NO_JITTER)
    rule.on_finish(page(429), NOW + 1, NO_JITTER)
    assert rule.ready_at() == NOW + 2
    rule.on_finish(page(200), NOW + 3, NO_JITTER)
    rule.on_finish(page(429), NOW + 4, NO_JITTER)
    assert rule.ready_at() == NOW + 4.5


def test_a_host_that_worked_is_asked_again_soon_after_its_quota_is_renewed() -> None:
    """A wait is at most a quarter of the time since the last success, so a minute's end is noticed within a quarter."""
    rule, now = HostBackoff("h", 3600), NOW + 10
    rule.on_finish(page(429), NOW, NO_JITTER)
    rule.on_finish(page(200), now, NO_JITTER)
    while now < NOW + 70:
        rule.on_finish(page(429), now, NO_JITTER)
        assert rule.ready_at() - now <= max(0.5, 0.25 * (now - NOW - 10)) + 1e-3
        now = rule.ready_at()
    assert now <= NOW + 85


def test_the_longest_of_several_waits_holds() -> None:
    """A shorter Retry-After that comes in later does not shorten the wait; a longer one extends it."""
    rule = HostBackoff("h", 3600)
    for seconds in ("60", "10", "90"):
        rule.on_finish(page(429, {"Retry-After": seconds}), NOW, NO_JITTER)
    assert rule.ready_at() == NOW + 90


def test_a_wait_above_the_limit_is_kept_in_full_and_reported() -> None:
    """Six hours are six hours: the host is deferred, never asked early."""
    rule = HostBackoff("h", 3600)
    events = rule.on_finish(page(503, {"Retry-After": "21600"}), NOW, NO_JITTER)
    assert events == (HostParked(NOW, "h", NOW + 21600, "deferred: retry-after 6 h"),)
    assert rule.ready_at() == NOW + 21600


def test_short_waits_are_not_reported() -> None:
    """An event is for waits of five seconds and more."""
    rule = HostBackoff("h", 3600)
    assert rule.on_finish(page(429, {"Retry-After": "4"}), NOW, NO_JITTER) == ()
    (event,) = rule.on_finish(page(429, {"Retry-After": "5"}), NOW, NO_JITTER)
    assert event.why == "retry-after 5 s"


NAMED = [
    ("429", page(429, {"Retry-After": "9"}), 9.0),
    ("500", page(500, {"Retry-After": "9"}), 9.0),
    ("404", page(404, {"Retry-After": "9"}), None),
    ("503 without", page(503), None),
    ("no status", failure(fields={"Retry-After": "9"}), None),
]


@pytest.mark.parametrize(("outcome", "wait"), [row[1:] for row in NAMED], ids=[row[0] for row in NAMED])
def test_what_a_retry_must_at_least_wait(outcome: Outcome, wait: float | None) -> None:
    """The answer's own Retry-After, when it is a 429 or 5xx."""
    assert retry_after_of(outcome, NOW) == wait
