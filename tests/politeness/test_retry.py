"""Which requests are tried again, how often and when."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.errors import ConfigError
from scraper.model import Done, ErrorKind, Outcome, Retry
from scraper.politeness.retry import MAX_OUTAGE_ATTEMPTS, RetryPolicy, RetrySettings
from tests.politeness.outcomes import NOW, denied, failure, not_modified, page, request

POLICY = RetryPolicy(RetrySettings())
RNG = random.Random(4)


def tries(outcome_of: object, policy: RetryPolicy = POLICY) -> tuple[int, int]:
    """How often an outcome that never changes is retried: as failures, as slow-downs."""
    assert callable(outcome_of)
    asked = request()
    for _ in range(50):
        verdict = policy.decide(outcome_of(asked), NOW, RNG)
        if isinstance(verdict, Done):
            return asked.attempt, asked.slowdowns
        asked = verdict.request
    raise AssertionError("retried without end")


STATUSES = [
    *((status, (3, 0)) for status in (408, 425, 500, 502, 503, 504, 520, 521, 522, 523, 524)),
    (429, (0, 5)),
    *((status, (0, 0)) for status in (200, 204, 301, 400, 401, 403, 404, 410, 451, 501, 505, 525)),
]


@pytest.mark.parametrize(("status", "count"), STATUSES, ids=str)
def test_how_often_each_status_is_retried(status: int, count: tuple[int, int]) -> None:
    """Three times what may differ next time, five times a 429, never the rest."""
    assert tries(lambda asked: page(status, of=asked)) == count


def test_503_that_says_when_is_a_slow_down() -> None:
    """It asks to come later, so it has the other budget; without a date it is a failure."""
    assert tries(lambda asked: page(503, {"Retry-After": "5"}, of=asked)) == (0, 5)


ERRORS = [
    *((kind, 3) for kind in (ErrorKind.CONNECT, ErrorKind.TIMEOUT, ErrorKind.NETWORK, ErrorKind.PROTOCOL)),
    *((kind, 3) for kind in (ErrorKind.TRUNCATED, ErrorKind.TLS)),
    (ErrorKind.DECODE, 1),
    *((kind, 0) for kind in (ErrorKind.TOO_LARGE, ErrorKind.REDIRECT, ErrorKind.SCOPE, ErrorKind.ROBOTS)),
    *((kind, 0) for kind in (ErrorKind.CHECKSUM, ErrorKind.IO, ErrorKind.OTHER, ErrorKind.ADDRESS)),
]


@pytest.mark.parametrize(("kind", "count"), ERRORS, ids=str)
def test_how_often_each_error_is_retried(kind: ErrorKind, count: int) -> None:
    """Three times what the network does, once what rarely goes away, never what is ours."""
    assert tries(lambda asked: failure(kind, of=asked)) == (count, 0)


@pytest.mark.parametrize("outcome", [failure(permanent=True), not_modified(), denied()], ids=["permanent", "304", "no"])
def test_what_is_settled_is_never_retried(outcome: Outcome) -> None:
    """A permanent failure, a 304 and a refusal of ours stand."""
    assert POLICY.decide(outcome, NOW, RNG) == Done()


def test_without_retries_a_failure_stands() -> None:
    """`retries: 0` is none, for DNS and TLS too; slow-downs have a budget of their own."""
    policy = RetryPolicy(RetrySettings(retries=0, slowdowns=2))
    assert tries(lambda asked: failure(of=asked), policy) == (0, 0)
    assert tries(lambda asked: failure(ErrorKind.DNS, of=asked), policy) == (0, 0)
    assert tries(lambda asked: page(429, of=asked), policy) == (0, 2)


def test_failures_and_slow_downs_do_not_share_a_budget() -> None:
    """A request that failed three times may still be asked to come later, and the other way round."""
    tried = request(attempt=3)
    verdict = POLICY.decide(page(429, of=tried), NOW, RNG)
    assert isinstance(verdict, Retry)
    assert (verdict.request.attempt, verdict.request.slowdowns) == (3, 1)
    verdict = POLICY.decide(page(500, of=request(slowdowns=5)), NOW, RNG)
    assert isinstance(verdict, Retry)
    assert (verdict.request.attempt, verdict.request.slowdowns) == (1, 5)


@given(st.integers(0, 200), st.integers(0, 2**32))
def test_the_pause_is_at_least_half_of_its_cap(attempt: int, seed: int) -> None:
    """1 s doubled at each try, never above 60 s; half of it is jitter, so a restart of a second meets no three tries."""
    policy = RetryPolicy(RetrySettings(retries=1000))
    verdict = policy.decide(failure(of=request(attempt=attempt)), NOW, random.Random(seed))
    assert isinstance(verdict, Retry)
    longest = min(60.0, 2.0**attempt)
    assert 0.5 * longest <= verdict.at - NOW + 1e-6
    assert verdict.at - NOW <= longest + 1e-6


def test_the_pause_uses_its_whole_range() -> None:
    """Jitter spreads: over many random numbers the delays lie in both halves of the range."""
    pauses = [
        verdict.at - NOW
        for seed in range(100)
        if isinstance(verdict := POLICY.decide(failure(of=request(attempt=2)), NOW, random.Random(seed)), Retry)
    ]
    assert min(pauses) < 2.5 < 3.5 < max(pauses)


def test_an_outage_of_the_host_uses_up_no_attempts() -> None:
    """The pauses grow with what was tried, up to the cap; without retries, and in the end, there is none."""
    asked = request(attempt=3)
    for earlier, shortest, longest in ((0, 0.5, 1.0), (3, 4.0, 8.0), (100, 30.0, 60.0)):
        verdict = POLICY.decide_in_outage(failure(of=asked), earlier, NOW, RNG)
        assert isinstance(verdict, Retry)
        assert verdict.request == asked
        assert shortest <= verdict.at - NOW <= longest
    assert POLICY.decide_in_outage(failure(of=asked), MAX_OUTAGE_ATTEMPTS, NOW, RNG) == Done()
    assert RetryPolicy(RetrySettings(retries=0)).decide_in_outage(failure(), 0, NOW, RNG) == Done()


def test_an_absurd_retry_after_gives_the_request_no_absurd_date() -> None:
    """Its host is left alone for that year; a request dated to its end would keep the run open."""
    verdict = POLICY.decide(page(503, {"Retry-After": "31536000"}), NOW, RNG)
    assert isinstance(verdict, Retry)
    assert verdict.at <= NOW + 1


@given(st.integers(0, 2**32))
def test_a_retry_is_never_before_retry_after_nor_before_the_host_opens(seed: int) -> None:
    """The answer's own Retry-After and the host's instant are lower bounds."""
    answer = page(429, {"Retry-After": "120"})
    verdict = POLICY.decide(answer, NOW, random.Random(seed))
    assert isinstance(verdict, Retry)
    assert NOW + 120 <= verdict.at <= NOW + 133
    verdict = POLICY.decide(answer, NOW, random.Random(seed), NOW + 500)
    assert isinstance(verdict, Retry)
    assert verdict.at == NOW + 500


def test_a_host_that_is_closed_without_end_does_not_make_a_date_of_never() -> None:
    """The frontier keeps the host closed; the request waits with a real date."""
    verdict = POLICY.decide(failure(), NOW, RNG, math.inf)
    assert isinstance(verdict, Retry)
    assert verdict.at <= NOW + 1


@pytest.mark.parametrize(
    "wrong", [{"retries": -1}, {"slowdowns": -1}, {"base_delay": 99}, {"max_delay": math.inf}], ids=str
)
def test_settings_without_sense_are_refused(wrong: dict[str, float]) -> None:
    """Negative budgets and a base delay above the maximum are ConfigErrors."""
    with pytest.raises(ConfigError):
        RetrySettings(**wrong)  # type: ignore[arg-type]
