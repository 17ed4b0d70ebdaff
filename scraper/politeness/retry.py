"""Whether a request is worth another attempt, and when."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, replace

from scraper.errors import ConfigError
from scraper.model import Done, ErrorKind, Failure, Outcome, Response, Retry
from scraper.politeness.retry_after import RETRY_AFTER_JITTER, retry_after_of

# Responses that may differ next time. Not 501 and 505: those say that the server never will do it. 520 to 524 are
# Cloudflare's words for an origin that does not respond.
RETRYABLE_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524})
# Errors that may pass. A name that does not exist (NXDOMAIN) is a permanent `Failure`, and those are never retried.
RETRYABLE_ERRORS = frozenset(
    {
        ErrorKind.DNS,
        ErrorKind.CONNECT,
        ErrorKind.TLS,
        ErrorKind.TIMEOUT,
        ErrorKind.NETWORK,
        ErrorKind.PROTOCOL,
        ErrorKind.TRUNCATED,
    }
)
# Errors that rarely go away: a broken content coding.
RETRY_ONCE_ERRORS = frozenset({ErrorKind.DECODE})
# Attempts of one request that an outage of its host may take. The breaker gives the host up long before.
MAX_OUTAGE_ATTEMPTS = 200


@dataclass(frozen=True, slots=True)
class RetrySettings:
    """How often to retry, and after what delay. Raises `ConfigError` for values that make no sense.

    `retries` is the number of further attempts after a failure. `slowdowns` is the number of responses that only ask
    us to come later; they do not count as failures. `base_delay` and `max_delay` (seconds) bound the delay, which
    doubles from `base_delay`. A Retry-After above `max_retry_after` (seconds) does not delay the retry: its host is
    left alone for all of it anyway (`HostGate.long_wait`).
    """

    retries: int = 3
    slowdowns: int = 5
    base_delay: float = 1.0
    max_delay: float = 60.0
    max_retry_after: float = 3600.0

    def __post_init__(self) -> None:
        if min(self.retries, self.slowdowns) < 0:
            raise ConfigError("retries and slowdowns must not be negative")
        if not 0 <= self.base_delay <= self.max_delay < math.inf:
            raise ConfigError("the pause before a retry must be between 0 s and its cap")


class RetryPolicy:
    """Decides about retries: a retry is a due time in the frontier, never a sleeping task."""

    __slots__ = ("_settings",)

    def __init__(self, settings: RetrySettings) -> None:
        self._settings = settings

    def decide(self, outcome: Outcome, now: float, rng: random.Random, not_before: float = 0.0) -> Done | Retry:
        """`Done` when the outcome is final, else a `Retry` of its request with the attempt counted.

        The delay doubles from `base_delay` at each attempt, at most to `max_delay`. Half of it is jitter: retries must
        not come all at once, but a short restart of the host must not meet all attempts either.
        The retry is never before the Retry-After of this response, nor before `not_before` (epoch seconds: when the
        host may get a request). An infinite `not_before` is ignored: the frontier keeps such a host parked, and a
        request needs a real due time.
        """
        wait = retry_after_of(outcome, now)
        request = outcome.request
        # There are two budgets: a response that only asks us to wait does not use up the attempts for failures.
        if _only_asks_to_wait(outcome, wait):
            if request.slowdowns >= self._settings.slowdowns:
                return Done()
            attempts, retry = request.slowdowns, replace(request, slowdowns=request.slowdowns + 1)
        else:
            if request.attempt >= self._max_retries(outcome):
                return Done()
            attempts, retry = request.attempt, replace(request, attempt=request.attempt + 1)
        at = now + self._delay(attempts, rng)
        if wait is not None and wait <= self._settings.max_retry_after:
            at = max(at, now + wait * (1.0 + RETRY_AFTER_JITTER * rng.random()))
        return Retry(max(at, not_before) if not_before < math.inf else at, retry)

    def decide_in_outage(self, outcome: Outcome, earlier_attempts: int, now: float, rng: random.Random) -> Done | Retry:
        """As `decide`, for an outcome that is the host's fault and not its URL's: no attempt is counted."""
        if not self._settings.retries or earlier_attempts >= MAX_OUTAGE_ATTEMPTS:
            return Done()
        return Retry(now + self._delay(earlier_attempts, rng), outcome.request)

    def _delay(self, attempts: int, rng: random.Random) -> float:
        # 60 doublings are far beyond any `max_delay`; more would overflow a float in the end.
        longest = min(self._settings.max_delay, self._settings.base_delay * 2.0 ** min(attempts, 60))
        return longest * (0.5 + 0.5 * rng.random())

    def is_retryable(self, outcome: Outcome) -> bool:
        """Whether another attempt may help with this kind of outcome, however many there were."""
        return self._max_retries(outcome) > 0

    def _max_retries(self, outcome: Outcome) -> int:
        """How many attempts after the first one this kind of outcome may have."""
        if isinstance(outcome, Response):
            return self._settings.retries if outcome.status in RETRYABLE_STATUSES else 0
        if not isinstance(outcome, Failure) or outcome.permanent:
            return 0
        if outcome.error in RETRYABLE_ERRORS:
            return self._settings.retries
        return min(1, self._settings.retries) if outcome.error in RETRY_ONCE_ERRORS else 0


def _only_asks_to_wait(outcome: Outcome, wait: float | None) -> bool:
    """Whether the response only asks us to come later: 429, or 503 with a Retry-After."""
    return isinstance(outcome, Response) and (outcome.status == 429 or (outcome.status == 503 and wait is not None))
