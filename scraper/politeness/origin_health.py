"""The health of a host's origins: one circuit breaker for each.

Politeness is about the machine, so rate and concurrency are of a host (a name with its port). Health is about a
service: on one name http may work while nothing listens for https. So what an origin's failures cost, they cost the
URLs of that origin. A host name has at most two origins, http and https.

Nearly every host has one origin in a run. Then its breaker holds back the whole host, like any other rule. Once both
are known to be in use (`is_mixed`) neither does: the dispatcher asks `ready_at_of` for each request.
"""

from __future__ import annotations

import math
import random

from scraper.events import Event
from scraper.model import Outcome
from scraper.politeness.circuit_breaker import BreakerSettings, BreakerState, CircuitBreaker

# How many values `CircuitBreaker.dump_state` has.
BREAKER_STATE_LENGTH = 7


class OriginHealth:
    """The breakers of a host's origins, as one rule of its gate. An origin is named as in `Url.origin`."""

    __slots__ = ("_breakers", "_host", "_settings", "is_mixed", "origin")
    name = "breaker"

    def __init__(self, settings: BreakerSettings | None, host: str) -> None:
        self._settings, self._host = settings or BreakerSettings(), host
        # The origin that was met first; "" before that.
        self.origin = ""
        self.is_mixed = False
        # One for each origin, the first one's first.
        self._breakers: dict[str, CircuitBreaker] = {"": CircuitBreaker(self._settings, host)}

    def of(self, origin: str) -> CircuitBreaker:
        """The breaker of `origin`; with "" that of the origin met first."""
        found = self._breakers.get(origin or self.origin)
        return self.meet(origin) if found is None else found

    def meet(self, origin: str) -> CircuitBreaker:
        """The breaker of an origin that a request is for. With a second one the host is mixed."""
        if not self.origin:
            self.origin = origin
            self._breakers = {origin: self._breakers[""]}
        elif origin not in self._breakers:
            self.is_mixed = True
            self._breakers[origin] = CircuitBreaker(self._settings, origin)
        return self._breakers[origin]

    def on_start(self, now: float, origin: str = "") -> None:
        """Count a request to `origin`."""
        self.of(origin).on_start(now)

    def on_finish(
        self, outcome: Outcome, now: float, rng: random.Random | None = None, loop_lag: float = 0.0
    ) -> tuple[Event, ...]:
        """Count an outcome for the origin of its request."""
        origin = outcome.request.url.origin
        breaker = self._breakers.get(origin)
        return (self.meet(origin) if breaker is None else breaker).on_finish(outcome, now)

    def ready_at(self) -> float:
        """The breaker's instant while the host has one origin; with two, `math.inf` when both are given up, else 0."""
        if self.is_mixed:
            return math.inf if self._all_given_up() else 0.0
        return self._breakers[self.origin].ready_at()

    def ready_at_of(self, origin: str) -> float:
        """From when `origin` may be requested: see `CircuitBreaker.ready_at`."""
        return self.of(origin).ready_at()

    @property
    def worst(self) -> CircuitBreaker:
        """The breaker that is farthest from closed: what is shown of the host."""
        return max(self._breakers.values(), key=lambda breaker: _SEVERITY[breaker.state])

    @property
    def given_up_reason(self) -> str:
        """`host_dead` or `blocked` when every origin of the host was given up; else empty."""
        return given_up_word(self._breakers[self.origin]) if self._all_given_up() else ""

    def _all_given_up(self) -> bool:
        # A mixed host with one breaker has a second origin that was never asked.
        known = len(self._breakers) == 1 + self.is_mixed
        return known and all(breaker.given_up for breaker in self._breakers.values())

    def wait_reason(self) -> str:
        """The state of the worst breaker, in words."""
        return self.worst.wait_reason()

    def reset_given_up(self, now: float) -> None:
        """Let origins that were given up be probed again from `now` on."""
        for breaker in self._breakers.values():
            breaker.reset_given_up(now)

    def dump_state(self) -> list[float | int | str] | None:
        """For each origin the state of its breaker, and its name; None while there is nothing to remember."""
        states = {origin: breaker.dump_state() for origin, breaker in self._breakers.items()}
        if not any(states.values()):
            return None
        found: list[float | int | str] = []
        for origin, state in states.items():
            found += state or _FRESH_STATE
            found.append(origin)
        return found

    def load_state(self, raw: object) -> None:
        """Restore what `dump_state` returned, or the state of one breaker that earlier versions stored."""
        if not isinstance(raw, list):
            return
        length = BREAKER_STATE_LENGTH + 1
        if len(raw) < length:
            self._breakers[self.origin].load_state(raw)
            return
        if len(raw) not in (length, 2 * length):
            return
        for at in range(0, len(raw), length):
            origin = raw[at + BREAKER_STATE_LENGTH]
            if isinstance(origin, str) and (origin or not at):
                breaker = self.meet(origin) if origin else self._breakers[""]
                breaker.load_state(raw[at : at + BREAKER_STATE_LENGTH])


_FRESH_STATE: list[float | int | str] = [BreakerState.CLOSED, 0.0, 0, 0, 0, "0", 0]
_SEVERITY = {
    BreakerState.CLOSED: 0,
    BreakerState.HALF_OPEN: 1,
    BreakerState.OPEN: 2,
    BreakerState.BLOCKED: 3,
    BreakerState.DEAD: 4,
}


def given_up_word(breaker: CircuitBreaker) -> str:
    """`host_dead`, `blocked`, or nothing while its origin may be requested in this run."""
    if breaker.dead:
        return "host_dead"
    return "blocked" if breaker.blocked else ""
