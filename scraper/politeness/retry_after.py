"""Retry-After and its absence: when a host asks us to come later, all requests to it wait.

A 429 or 503 is about the host, not about the URL that met it, so its wait holds for the whole host. Jitter only ever
makes the wait longer.
"""

from __future__ import annotations

import random
import re

from scraper.events import HostParked
from scraper.model import Failure, Headers, Outcome, Response
from scraper.politeness.http_date import parse_http_date
from scraper.politeness.rule import format_duration, parse_numbers

# A host that asks for more than a year is taken to mean a year.
MAX_RETRY_AFTER_SECONDS = 365 * 86400.0
# The wait after a 429 or 503 that does not say for how long; doubled at each incident, up to the maximum.
FIRST_BACKOFF_SECONDS = 5.0
MAX_BACKOFF_SECONDS = 3600.0
# After this long without an incident the host's incidents are forgotten.
INCIDENT_MEMORY_SECONDS = 1800.0
# How much longer than asked we wait at most, as a share of the wait: a fleet of crawlers must not return in step.
RETRY_AFTER_JITTER = 0.1
# Shorter waits emit no event.
MIN_REPORTED_WAIT_SECONDS = 5.0
# More incidents are not counted: the wait has long reached its maximum.
MAX_INCIDENTS = 1000

_DELAY_SECONDS = re.compile("[0-9]+")


def parse_retry_after(value: str, date: str | None, now: float) -> float | None:
    """How many seconds a Retry-After field asks for (RFC 9110 section 10.2.3), or None when it asks for nothing.

    `value` is digits or an HTTP-date. A date is compared with `date`, the response's own Date field, when that is
    valid, because the host's clock may differ from ours (`now`, epoch seconds). Zero, the past, signs, fractions and
    garbage are None. The result is at most `MAX_RETRY_AFTER_SECONDS`.
    """
    value = value.strip(" \t")
    if _DELAY_SECONDS.fullmatch(value):
        # Ten digits are at least three decades. The length is checked first: thousands of digits would be slow.
        wait = float(value) if len(value) < 10 else MAX_RETRY_AFTER_SECONDS
    else:
        until = parse_http_date(value, now)
        if until is None:
            return None
        sent = parse_http_date(date.strip(" \t"), now) if date is not None else None
        wait = until - (now if sent is None else sent)
    return min(wait, MAX_RETRY_AFTER_SECONDS) if wait > 0 else None


def longest_retry_after(headers: Headers, now: float) -> float | None:
    """The longest wait (seconds) that the Retry-After fields of a response ask for, or None."""
    values = headers.get_all("retry-after")
    if not values:
        return None
    date = headers.get("date")
    waits = [wait for value in values if (wait := parse_retry_after(value, date, now)) is not None]
    return max(waits, default=None)


def is_slow_down_status(status: int) -> bool:
    """Whether a response with `status` asks us to come later even without a Retry-After."""
    return status in (429, 503)


class HostBackoff:
    """Leaves a host alone for as long as it asks, or for a wait that doubles when it does not say.

    Retry-After is obeyed on redirects, 429 and 5xx. Without it a 429 or 503 is an incident that costs
    `FIRST_BACKOFF_SECONDS`, doubled with every further incident up to `MAX_BACKOFF_SECONDS`. Incidents are forgotten
    after `INCIDENT_MEMORY_SECONDS` without one. Responses that arrive during the wait belong to the same incident.

    A Retry-After above `max_retry_after` (seconds) is waited for in full too; the reason then begins with `deferred`.
    """

    __slots__ = ("_from_header", "_host", "_incidents", "_max_retry_after", "_until", "_wait")
    name = "slow-down"

    def __init__(self, host: str, max_retry_after: float) -> None:
        self._host, self._max_retry_after = host, max_retry_after
        self._until = 0.0
        self._wait = 0.0
        self._incidents = 0
        # Whether the wait is that of a Retry-After field, and not ours.
        self._from_header = False

    @property
    def exceeds_max(self) -> bool:
        """Whether the host asked for a wait above `max_retry_after`."""
        return self._from_header and self._wait > self._max_retry_after

    def on_start(self, now: float) -> None:
        """Starts do not matter to this rule."""

    def on_finish(
        self, outcome: Outcome, now: float, rng: random.Random, loop_lag: float = 0.0
    ) -> tuple[HostParked, ...]:
        """Begin to wait, if this response asks for it."""
        if isinstance(outcome, Response):
            status: int | None = outcome.status
            # The path of nearly all responses; a Retry-After on them has no meaning (RFC 9110 section 10.2.3).
            if outcome.status < 300:
                return ()
        elif isinstance(outcome, Failure):
            # A body that failed after its status line: the fields are there all the same.
            status = outcome.status
        else:
            return ()
        if status is None or not (300 <= status < 400 or status == 429 or status >= 500):
            return ()
        asked = longest_retry_after(outcome.headers, now)
        if asked is None and not is_slow_down_status(status):
            return ()
        return self._begin_wait(asked, now, rng)

    def _begin_wait(self, asked: float | None, now: float, rng: random.Random) -> tuple[HostParked, ...]:
        if now >= self._until:
            if now - self._until > INCIDENT_MEMORY_SECONDS:
                self._incidents = 0
            self._incidents = min(self._incidents + 1, MAX_INCIDENTS)
        wait = asked if asked is not None else self._default_wait()
        until = now + wait * (1.0 + RETRY_AFTER_JITTER * rng.random())
        # A wait that is already running is never shortened, and only a Retry-After makes it longer.
        if until <= self._until or (asked is None and now < self._until):
            return ()
        self._until, self._wait, self._from_header = until, wait, asked is not None
        return (HostParked(now, self._host, until, self.wait_reason()),) if wait >= MIN_REPORTED_WAIT_SECONDS else ()

    def _default_wait(self) -> float:
        # 60 doublings are far beyond the maximum; more would overflow a float in the end.
        return min(MAX_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 2.0 ** min(self._incidents - 1, 60))

    def ready_at(self) -> float:
        """The end of the present wait."""
        return self._until

    def wait_reason(self) -> str:
        """What the host asked for, or how long we wait without being told."""
        if not self._from_header:
            return f"slowed down: 429 or 503 without Retry-After, waiting {format_duration(self._wait)}"
        return f"{'deferred: ' if self.exceeds_max else ''}retry-after {format_duration(self._wait)}"

    def dump_state(self) -> list[float | int | str] | None:
        """The wait and the number of incidents."""
        return [self._until, self._wait, self._incidents, int(self._from_header)] if self._incidents else None

    def load_state(self, raw: object) -> None:
        """Restore the wait and the number of incidents."""
        if found := parse_numbers(raw, 4):
            self._until, self._wait = found[0], min(found[1], MAX_RETRY_AFTER_SECONDS)
            self._incidents = min(int(found[2]), MAX_INCIDENTS)
            self._from_header = bool(found[3])


def retry_after_of(outcome: Outcome, now: float) -> float | None:
    """The wait (seconds) that a 429 or 5xx asks for, or None: the least that a retry of this request must wait."""
    if not isinstance(outcome, Response | Failure) or outcome.status is None:
        return None
    if outcome.status != 429 and outcome.status < 500:
        return None
    return longest_retry_after(outcome.headers, now)
