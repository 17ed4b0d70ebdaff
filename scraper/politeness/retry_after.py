"""Retry-After and its absence: the host asks us to come later, and all of us do.

A 429 or 503 is about the host, not about the URL that met it, so its wait holds for the whole host. Jitter only ever
makes it later.
"""

from __future__ import annotations

import random
import re

from scraper.events import HostParked
from scraper.model import Failure, Headers, Outcome, Response
from scraper.politeness.http_date import parse_http_date
from scraper.politeness.rule import format_duration, parse_numbers

_DIGITS = re.compile("[0-9]+")

MAX_RETRY_AFTER_SECONDS = 365 * 86400.0
"""Seconds; a host that asks for more than a year is taken to mean a year."""
FIRST_BACKOFF_SECONDS = 5.0
"""Seconds to leave a host alone that answers 429 or 503 without saying for how long; doubled at each incident."""
MAX_BACKOFF_SECONDS = 3600.0
"""Seconds; where that doubling ends."""
INCIDENT_MEMORY_SECONDS = 1800.0
"""Seconds without an incident after which a host's incidents are forgotten."""
RETRY_AFTER_JITTER = 0.1
"""How much later than asked we come at most, as a share of the wait."""
MIN_REPORTED_WAIT_SECONDS = 5.0
"""Seconds of wait from which it is an event."""
MAX_INCIDENTS = 1000


def parse_retry_after(value: str, date: str | None, now: float) -> float | None:
    """How many seconds a Retry-After field asks for (RFC 9110 section 10.2.3), or None when it asks for nothing.

    `value` is digits or an HTTP-date; a date counts from `date`, the response's own Date field, when that is one,
    because the host's clock may differ from ours (`now`, epoch seconds). Zero, the past, signs, fractions and
    garbage are None. At most `LONGEST`.
    """
    value = value.strip(" \t")
    if _DIGITS.fullmatch(value):
        # Ten digits are three centuries; int() refuses absurd lengths.
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
    """Whether an answer with `status` asks us to come later even without saying when."""
    return status in (429, 503)


class HostBackoff:
    """Leaves a host alone for as long as it asks, or for a while that doubles when it does not say.

    Retry-After is obeyed on redirects, 429 and 5xx. Without it 429 and 503 cost `FIRST_BACKOFF_SECONDS`, doubled with
    every
    further incident up to `MAX_BACKOFF_SECONDS`; incidents are forgotten after `INCIDENT_MEMORY_SECONDS`. Answers that
    arrive while we wait
    belong to the same incident. A Retry-After above `longest` (seconds) is kept in full too, and told: `deferred`.
    """

    __slots__ = ("_host", "_incidents", "_longest", "_named", "_until", "_wait")
    name = "slow-down"

    def __init__(self, host: str, max_retry_after: float) -> None:
        self._host, self._longest = host, max_retry_after
        self._until = 0.0
        self._wait = 0.0
        self._incidents = 0
        self._named = False

    def deferred(self, now: float) -> bool:
        """The host asked for a wait longer than `longest`, and it is not over."""
        return self._too_long() and now < self._until

    def _too_long(self) -> bool:
        return self._named and self._wait > self._longest

    def on_start(self, now: float) -> None:
        """Starts do not matter to this rule."""

    def on_finish(
        self, outcome: Outcome, now: float, rng: random.Random, loop_lag: float = 0.0
    ) -> tuple[HostParked, ...]:
        """Wait, if this answer asks for it."""
        if isinstance(outcome, Response):
            status: int | None = outcome.status
            if outcome.status < 300:
                return ()
        elif isinstance(outcome, Failure):
            status = outcome.status
        else:
            return ()
        if status is None or not (300 <= status < 400 or status == 429 or status >= 500):
            return ()
        named = longest_retry_after(outcome.headers, now)
        if named is None and not is_slow_down_status(status):
            return ()
        return self._incident(named, now, rng)

    def _incident(self, named: float | None, now: float, rng: random.Random) -> tuple[HostParked, ...]:
        if now >= self._until:
            if now - self._until > INCIDENT_MEMORY_SECONDS:
                self._incidents = 0
            self._incidents = min(self._incidents + 1, MAX_INCIDENTS)
        wait = named if named is not None else self._curve()
        until = now + wait * (1.0 + RETRY_AFTER_JITTER * rng.random())
        if until <= self._until or (named is None and now < self._until):
            return ()
        self._until, self._wait, self._named = until, wait, named is not None
        return (HostParked(now, self._host, until, self.wait_reason()),) if wait >= MIN_REPORTED_WAIT_SECONDS else ()

    def _curve(self) -> float:
        return min(MAX_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 2.0 ** min(self._incidents - 1, 60))

    def ready_at(self) -> float:
        """The end of the present wait."""
        return self._until

    def wait_reason(self) -> str:
        """What was asked for."""
        if not self._named:
            return f"slowed down: 429 or 503 without Retry-After, waiting {format_duration(self._wait)}"
        return f"{'deferred: ' if self._too_long() else ''}retry-after {format_duration(self._wait)}"

    def dump_state(self) -> list[float | int | str] | None:
        """The wait, and how many there were."""
        return [self._until, self._wait, self._incidents, int(self._named)] if self._incidents else None

    def load_state(self, raw: object) -> None:
        """Take back the wait, and how many there were."""
        if found := parse_numbers(raw, 4):
            self._until, self._wait = found[0], min(found[1], MAX_RETRY_AFTER_SECONDS)
            self._incidents = min(int(found[2]), MAX_INCIDENTS)
            self._named = bool(found[3])


def retry_after_of(outcome: Outcome, now: float) -> float | None:
    """The wait (seconds) a 429 or 5xx names, or None: what a retry of this very request must at least keep."""
    if not isinstance(outcome, Response | Failure) or outcome.status is None:
        return None
    if outcome.status != 429 and outcome.status < 500:
        return None
    return longest_retry_after(outcome.headers, now)
