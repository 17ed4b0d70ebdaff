"""Whether a request is worth another try, and when."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, replace

from scraper.errors import ConfigError
from scraper.model import Done, ErrorKind, Failure, Outcome, Response, Retry
from scraper.politeness.retry_after import RETRY_AFTER_JITTER, retry_after_of

RETRYABLE_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524})
"""Answers that may differ next time. Not 501 and 505, which will not."""
RETRYABLE_ERRORS = frozenset(
    {ErrorKind.DNS, ErrorKind.CONNECT, ErrorKind.TIMEOUT, ErrorKind.NETWORK, ErrorKind.PROTOCOL, ErrorKind.TRUNCATED}
)
"""Errors that may pass. A name that is known not to exist is a permanent failure, and those are never retried."""
RETRY_ONCE_ERRORS = frozenset({ErrorKind.TLS, ErrorKind.DECODE})
"""Errors that rarely go away: a bad certificate, a broken content-coding."""


@dataclass(frozen=True, slots=True)
class RetrySettings:
    """How often and how patiently. Raises ConfigError for values that make no sense.

    `retries` further tries after a failure; `slowdowns` answers that only ask us to come later, which do not count
    as failures; `base` and `cap` (seconds) bound the pause, which doubles from `base`.
    """

    retries: int = 3
    slowdowns: int = 5
    base_delay: float = 1.0
    max_delay: float = 60.0

    def __post_init__(self) -> None:
        if min(self.retries, self.slowdowns) < 0:
            raise ConfigError("retries and slowdowns must not be negative")
        if not 0 <= self.base_delay <= self.max_delay < math.inf:
            raise ConfigError("the pause before a retry must be between 0 s and its cap")


class RetryPolicy:
    """Decides about retries: a retry is a date in the frontier, never a sleeping task."""

    __slots__ = ("_settings",)

    def __init__(self, settings: RetrySettings) -> None:
        self._settings = settings

    def decide(self, outcome: Outcome, now: float, rng: random.Random, not_before: float = 0.0) -> Done | Retry:
        """`Done` when the outcome stands, else a `Retry` of its request with the try counted.

        The pause is full jitter: uniform between zero and `base` doubled at each try, at most `cap`; never before
        the Retry-After of this answer, nor before `not_before` (epoch seconds: the host's own instant). An endless
        `not_before` is passed over: the frontier keeps such a host closed, and a request needs a real date.
        """
        wait = retry_after_of(outcome, now)
        request = outcome.request
        if _only_later(outcome, wait):
            if request.slowdowns >= self._settings.slowdowns:
                return Done()
            tries, again = request.slowdowns, replace(request, slowdowns=request.slowdowns + 1)
        else:
            if request.attempt >= self._limit(outcome):
                return Done()
            tries, again = request.attempt, replace(request, attempt=request.attempt + 1)
        at = now + rng.random() * min(self._settings.max_delay, self._settings.base_delay * 2.0 ** min(tries, 60))
        if wait is not None:
            at = max(at, now + wait * (1.0 + RETRY_AFTER_JITTER * rng.random()))
        return Retry(max(at, not_before) if not_before < math.inf else at, again)

    def is_retryable(self, outcome: Outcome) -> bool:
        """Whether this kind of outcome is one that another try may mend, however often it has been tried."""
        return self._limit(outcome) > 0

    def _limit(self, outcome: Outcome) -> int:
        """How many tries after the first this kind of outcome may have."""
        if isinstance(outcome, Response):
            return self._settings.retries if outcome.status in RETRYABLE_STATUSES else 0
        if not isinstance(outcome, Failure) or outcome.permanent:
            return 0
        if outcome.error in RETRYABLE_ERRORS:
            return self._settings.retries
        return min(1, self._settings.retries) if outcome.error in RETRY_ONCE_ERRORS else 0


def _only_later(outcome: Outcome, wait: float | None) -> bool:
    """Whether the answer only asks us to come later: 429, or 503 that says when."""
    return isinstance(outcome, Response) and (outcome.status == 429 or (outcome.status == 503 and wait is not None))
