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
    Failure,
    NotModified,
    Outcome,
    Request,
    Response,
)
from scraper.politeness.host_health import is_outage, is_unreached
from scraper.politeness.retry import RetryPolicy
from scraper.urls.canonicalize import KeyRules
from scraper.urls.scope import Scope


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

    def decide(
        self,
        queued: Request,
        outcome: Outcome,
        now: float,
        breaker_state: str = "closed",
        *,
        has_answered: bool = False,
    ) -> Decision:
        """What follows from `outcome`, which came at `now` (epoch seconds) of the request `queued` in the frontier.

        `breaker_state` is that of the origin (`HostGate.breaker_state_of`), `has_answered` whether it ever responded.
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
        # The host's trouble is not charged to its URLs: an outage costs time and no pages. Two cases:
        # a. The breaker is open, so this was its probe. A response like 500 may be the URL's own fault, and counts.
        # b. A host that has responded cannot be reached any more. The breaker decides for how long that is tried.
        in_trouble = breaker_state in ("open", "half-open") and is_outage(outcome)
        if in_trouble or (has_answered and is_unreached(outcome)):
            retryable = True
            earlier = outcome.request.failed_attempts
            verdict = self._retry.decide_in_outage(outcome, earlier[-1].number if earlier else 0, now, self._rng)
        verdict = self._mirrors.next_attempt(outcome, verdict, now, retryable)
        if isinstance(verdict, Done):
            return Settle(outcome)
        # Behind what has not been tried yet: the next probe of an unhealthy host should be another URL.
        behind = replace(verdict.request, priority=queued.priority + 1)
        return RetryLater(outcome, verdict.at, with_failed_attempt(behind, outcome, now, verdict.at))
