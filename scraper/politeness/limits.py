"""How often and how many at once: the two limits a user sets for a host."""

from __future__ import annotations

import math

from scraper.model import Outcome
from scraper.politeness.rule import format_duration, parse_numbers


class RateLimiter:
    """Starts are never closer together than `interval` seconds (0 for no limit): GCRA with a burst of one.

    A token bucket would save up unused starts and spend them at once, which is what a host notices.
    """

    __slots__ = ("_ready", "interval_seconds")
    name = "rate"

    def __init__(self, interval: float) -> None:
        self.interval_seconds = interval
        self._ready = 0.0

    def on_start(self, now: float) -> None:
        """Charge one start; one that came early pushes the next one further out."""
        ready = self._ready
        self._ready = (now if now > ready else ready) + self.interval_seconds

    def on_finish(self, outcome: Outcome, now: float, *_: object) -> tuple[()]:
        """Finishes do not matter to a rate."""
        return ()

    def ready_at(self) -> float:
        """One interval after the last start."""
        return self._ready

    def wait_reason(self) -> str:
        """The interval."""
        return f"rate limit: one request every {format_duration(self.interval_seconds)}"

    def dump_state(self) -> list[float | int | str]:
        """The instant of the next start."""
        return [self._ready]

    def load_state(self, raw: object) -> None:
        """Take back the instant of the next start."""
        if found := parse_numbers(raw, 1):
            self._ready = found[0]


class ConcurrencyLimit:
    """At most `cap` requests are under way at once; None for no limit."""

    __slots__ = ("in_flight", "max_in_flight")
    name = "concurrency"

    def __init__(self, cap: int | None) -> None:
        self.max_in_flight = math.inf if cap is None else cap
        self.in_flight = 0

    def on_start(self, now: float) -> None:
        """One more is under way."""
        self.in_flight += 1

    def on_finish(self, outcome: Outcome, now: float, *_: object) -> tuple[()]:
        """One less is under way."""
        if self.in_flight:
            self.in_flight -= 1
        return ()

    def ready_at(self) -> float:
        """`math.inf` while the cap is reached: only a finish can change that."""
        return math.inf if self.in_flight >= self.max_in_flight else 0.0

    def wait_reason(self) -> str:
        """The cap."""
        return f"concurrency limit: {self.in_flight} requests under way"

    def dump_state(self) -> None:
        """Nothing is under way in a new process."""
        return

    def load_state(self, raw: object) -> None:
        """There is nothing to take back."""
