"""What follows from the outcome of a fetch: a record, another attempt, a redirect to follow, or a skip.

Pure: it returns a decision, and the recorder does the I/O.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from scraper.engine.attempt_history import with_failed_attempt
from scraper.engine.mirror_routing import MirrorRouter
from scraper.engine.redirects import is_redirect, redirect_request
from scraper.model import (
    Denied,
    Done,
    Drop,
    ErrorKind,
    Failure,
    NotModified,
    Outcome,
    Request,
    Response,
    Retry,
)
from scraper.politeness.host_health import served_much
from scraper.politeness.retry import RetryPolicy
from scraper.urls.canonicalize import KeyRules
from scraper.urls.scope import Scope

CONNECTION_ERRORS = frozenset({ErrorKind.DNS, ErrorKind.CONNECT, ErrorKind.TLS})


@dataclass(frozen=True, slots=True)
class Settle:
    """Write a record of `outcome`; there will be no further attempt."""

    outcome: Response | Failure | NotModified


@dataclass(frozen=True, slots=True)
class Follow:
    """`response` is a redirect; its target is `request`."""

    response: Response
    request: Request


@dataclass(frozen=True, slots=True)
class RetryLater:
    """Queue `request` again for `at` (epoch seconds), because of `outcome`."""

    outcome: Response | Failure | NotModified
    at: float
    request: Request


Decision = Settle | RetryLater | Follow | Drop


class OutcomePolicy:
    """Decides by the rules of a run: its retry policy, its scope for redirects, and mirrors if there are any.

    `rng` is for the jitter of retries.
    """

    def __init__(
        self,
        retry: RetryPolicy,
        scope: Scope,
        key_rules: KeyRules,
        max_redirects: int,
        mirrors: MirrorRouter,
        rng: random.Random,
    ) -> None:
        self._retry, self._mirrors, self._rng = retry, mirrors, rng
        self._scope, self._key_rules, self._max_redirects = scope, key_rules, max_redirects

    def decide(self, queued: Request, outcome: Outcome, now: float, breaker_state: str = "closed") -> Decision:
        """What follows from `outcome`, which came at `now` (epoch seconds) of the request `queued` in the frontier.

        `breaker_state` is that of the host (`HostGate.breaker_state`).
        """
        # 1. Success, the usual case.
        if isinstance(outcome, Response) and outcome.status < 300:
            return Settle(outcome)
        # 2. Denied by a rule. A skip; but the target of a redirect was fetched before, and that must have a record.
        if isinstance(outcome, Denied):
            if not outcome.request.redirects:
                return Drop(str(outcome.reason), outcome.rule)
            detail = f"redirect refused: {outcome.rule}"
            outcome = Failure(outcome.request, outcome.reason, detail, started_at=now, permanent=True)
        # 3. A redirect.
        if isinstance(outcome, Response) and is_redirect(outcome):
            target = redirect_request(outcome, self._scope, self._key_rules, self._max_redirects)
            if isinstance(target, Request):
                return Follow(outcome, target)
            outcome = target
        # 4. All else may be tried again: at the same URL, or at a mirror.
        verdict = self._retry.decide(outcome, now, self._rng)
        retryable = self._retry.is_retryable(outcome)
        if retryable and breaker_state in ("open", "half-open") and _has_no_connection(outcome):
            # This request was the breaker's probe. That the host cannot be reached says nothing about the URL: an
            # outage must not use up its attempts. A response, even 500, may be the URL's own fault and counts.
            verdict = Retry(now, outcome.request)
        verdict = self._mirrors.next_attempt(outcome, verdict, now, retryable)
        if isinstance(verdict, Done):
            return Settle(outcome)
        # Behind what has not been tried yet: the next probe of an unhealthy host should be another URL. But what was
        # cut off after much of it had come keeps its place: to resume it is the surest probe, and ends its part file.
        behind = replace(verdict.request, priority=queued.priority + (not served_much(outcome)))
        return RetryLater(outcome, verdict.at, with_failed_attempt(behind, outcome, now, verdict.at))


def _has_no_connection(outcome: Response | Failure | NotModified) -> bool:
    return isinstance(outcome, Failure) and outcome.error in CONNECTION_ERRORS
