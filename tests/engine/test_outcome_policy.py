"""What follows from each outcome: a record, a retry, a redirect, or a skip."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from scraper.engine.outcome_policy import Decision, Follow, OutcomePolicy, RetryLater, Settle
from scraper.model import Denied, Drop, ErrorKind, Failure, Hop, NotModified, Outcome, Request
from scraper.politeness.retry import RetryPolicy, RetrySettings
from scraper.testing.fakes import make_headers, make_request, make_response
from scraper.testing.virtual_loop import virtual_run
from scraper.urls.canonicalize import KeyRules
from scraper.urls.scope import Scope, ScopeSettings
from tests.engine.harness import EPOCH
from tests.engine.parts import A, B, FakeMirrorPolicy, Parts

SEED = make_request(f"{A}/")
LAST_ATTEMPT = make_request(f"{A}/", attempt=3)
REDIRECTED = make_request(f"{A}/new", redirects=(Hop(f"{A}/", 301),))


def decide(
    outcome: Outcome,
    breaker_state: str = "closed",
    queued: Request = SEED,
    policy: FakeMirrorPolicy | None = None,
    *,
    has_answered: bool = False,
) -> Decision:
    """The decision of a crawl of host A with three retries and at most two redirects."""
    parts = Parts(policy=policy)
    scope = Scope(ScopeSettings(), [SEED.url])
    outcome_policy = OutcomePolicy(
        RetryPolicy(RetrySettings(retries=3)), scope, KeyRules(), 2, parts.mirrors, random.Random(1)
    )
    return outcome_policy.decide(queued, outcome, EPOCH, breaker_state, has_answered=has_answered)


def location(target: str, request: Request = SEED) -> Outcome:
    return make_response(request, status=302, headers={"Location": target})


def is_settled(decision: Decision) -> bool:
    return isinstance(decision, Settle)


def is_failure(kind: ErrorKind) -> Callable[[Decision], bool]:
    def check(decision: Decision) -> bool:
        return isinstance(decision, Settle) and isinstance(decision.outcome, Failure) and decision.outcome.error is kind

    return check


def is_retry(attempt: int) -> Callable[[Decision], bool]:
    return lambda decision: isinstance(decision, RetryLater) and decision.request.attempt == attempt


@pytest.mark.parametrize(
    ("outcome", "breaker", "expected"),
    [
        (make_response(SEED), "closed", is_settled),
        (make_response(SEED, status=404), "closed", is_settled),
        (NotModified(SEED, make_headers({})), "closed", is_settled),
        (make_response(SEED, status=500), "closed", is_retry(1)),
        (make_response(LAST_ATTEMPT, status=500), "closed", is_settled),
        (make_response(SEED, status=429), "closed", is_retry(0)),
        (Failure(SEED, ErrorKind.TIMEOUT, ""), "closed", is_retry(1)),
        (Failure(SEED, ErrorKind.DNS, "", permanent=True), "closed", is_failure(ErrorKind.DNS)),
        (Failure(LAST_ATTEMPT, ErrorKind.CONNECT, ""), "closed", is_failure(ErrorKind.CONNECT)),
        (Failure(LAST_ATTEMPT, ErrorKind.CONNECT, ""), "open", is_retry(3)),
        (Failure(LAST_ATTEMPT, ErrorKind.CONNECT, ""), "half-open", is_retry(3)),
        (Failure(LAST_ATTEMPT, ErrorKind.TIMEOUT, ""), "open", is_retry(3)),
        (Failure(LAST_ATTEMPT, ErrorKind.TIMEOUT, "", received=9), "open", is_failure(ErrorKind.TIMEOUT)),
        (make_response(LAST_ATTEMPT, status=502), "open", is_retry(3)),
        (make_response(LAST_ATTEMPT, status=502), "closed", is_settled),
        (make_response(LAST_ATTEMPT, status=500), "open", is_settled),
        (location("/x"), "closed", lambda found: isinstance(found, Follow) and found.request.url.href == f"{A}/x"),
        (location("ftp://a.example/"), "closed", is_failure(ErrorKind.SCHEME)),
        (location(f"{B}/", make_request(f"{A}/1", depth=1)), "closed", is_failure(ErrorKind.SCOPE)),
        (make_response(SEED, status=300), "closed", is_settled),
        (Denied(SEED, ErrorKind.ROBOTS, "line 2"), "closed", lambda found: found == Drop("robots", "line 2")),
        (Denied(REDIRECTED, ErrorKind.ROBOTS, "line 2"), "closed", is_failure(ErrorKind.ROBOTS)),
    ],
    ids=[
        "success",
        "404",
        "304",
        "500",
        "500 for the last time",
        "429",
        "timeout",
        "no such name",
        "refused for the last time",
        "refused while the breaker is open",
        "refused by a probe",
        "timeout while the breaker is open",
        "timeout of a body while the breaker is open",
        "502 by a probe",
        "502 for the last time",
        "500 by a probe",
        "redirect",
        "redirect to another scheme",
        "redirect out of scope",
        "300 without a target",
        "denied",
        "denied after a redirect",
    ],
)
@virtual_run
async def test_what_follows(outcome: Outcome, breaker: str, expected: Callable[[Decision], bool]) -> None:
    """An outage uses up no attempts, and a redirect has a record also when its target is denied."""
    assert expected(decide(outcome, breaker))


@pytest.mark.parametrize("kind", [ErrorKind.CONNECT, ErrorKind.TLS, ErrorKind.DNS])
@pytest.mark.parametrize("has_answered", [True, False])
@virtual_run
async def test_an_outage_is_not_charged_to_the_url(kind: ErrorKind, has_answered: bool) -> None:
    """A host that has responded and cannot be reached any more: no attempt is counted, whatever the error says."""
    outcome = Failure(LAST_ATTEMPT, kind, "", permanent=kind is not ErrorKind.CONNECT)
    decision = decide(outcome, has_answered=has_answered)
    assert is_retry(3)(decision) if has_answered else is_failure(kind)(decision)


@virtual_run
async def test_a_retry_goes_behind_what_was_not_tried_yet() -> None:
    """By the priority in the queue, whatever a hook made of it; and it keeps the attempt that failed."""
    decision = decide(make_response(SEED, status=500), queued=make_request(f"{A}/", priority=7))
    assert isinstance(decision, RetryLater)
    assert decision.request.priority == 8
    assert [attempt.status for attempt in decision.request.failed_attempts] == [500]


@virtual_run
async def test_a_failure_is_retried_at_its_mirror_at_once() -> None:
    """Also a permanent one."""
    policy = FakeMirrorPolicy({"a.example": "b.example"})
    decision = decide(make_response(SEED, status=404), policy=policy)
    assert isinstance(decision, RetryLater)
    assert (decision.at, decision.request.url.href) == (EPOCH, f"{B}/")
