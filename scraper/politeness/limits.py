"""The two limits that a user sets for a host: requests per second, and requests at once."""

from __future__ import annotations

import math

from scraper.model import Outcome
from scraper.politeness.rule import format_duration, parse_numbers


class RateLimiter:
    """Starts are never closer together than `interval_seconds` (0 for no limit): GCRA with a burst of one.

    A token bucket would save up unused starts and spend them at once, and a burst is what a host notices.
    """

    __slots__ = ("_next_start", "interval_seconds")
    name = "rate"

    def __init__(self, interval_seconds: float) -> None:
        self.interval_seconds = interval_seconds
        self._next_start = 0.0

    def on_start(self, now: float) -> None:
        """Charge one start. A start that came too early delays the next one further, so the mean rate holds."""
        next_start = self._next_start
        self._next_start = (now if now > next_start else next_start) + self.interval_seconds

    def on_finish(self, outcome: Outcome, now: float, *_: object) -> tuple[()]:
        """Finishes do not matter to a rate."""
        return ()

    def ready_at(self) -> float:
        """One interval after the last start."""
        return self._next_start

    def wait_reason(self) -> str:
        """The interval."""
        return f"rate limit: one request every {format_duration(self.interval_seconds)}"

    def dump_state(self) -> list[float | int | str]:
        """The instant of the next start."""
        return [self._next_start]

    def load_state(self, raw: object) -> None:
        """Restore the instant of the next start."""
        if found := parse_numbers(raw, 1):
            self._next_start = found[0]


class ConcurrencyLimit:
    """At most `max_in_flight` requests at once; None for no limit."""

    __slots__ = ("in_flight", "max_in_flight")
    name = "concurrency"

    def __init__(self, max_in_flight: int | None) -> None:
        self.max_in_flight = math.inf if max_in_flight is None else max_in_flight
        self.in_flight = 0

    def on_start(self, now: float) -> None:
        """One request more in flight."""
        self.in_flight += 1

    def on_finish(self, outcome: Outcome, now: float, *_: object) -> tuple[()]:
        """One request less in flight."""
        # Below zero the count would raise the limit.
        if self.in_flight:
            self.in_flight -= 1
        return ()

    def ready_at(self) -> float:
        """`math.inf` while the limit is reached: only a finish can change that."""
        return math.inf if self.in_flight >= self.max_in_flight else 0.0

    def wait_reason(self) -> str:
        """How many requests are in flight."""
        return f"concurrency limit: {self.in_flight} requests under way"

    def dump_state(self) -> None:
        """Nothing is in flight in a new process."""
        return

    def load_state(self, raw: object) -> None:
        """There is nothing to restore."""
