"""The circuit breaker: it stops asking a host that does not answer, and finds out when it does again.

    closed ----trip----> open ----probe----> half-open ----recover----> closed
       |                  ^  <---relapse/lose---'   |
       |                  |                         `----give_up----> dead
       '--refuse--> blocked ----recover----> closed

While closed, the breaker remembers the last `window` answers. It trips when at least `failures` have come and every
one of them failed, or when the window is full and at least `ratio` of it failed. The first rule is for hosts that
are down; it never speaks once anything in the window went well, because a few failures in a row among successes are
bad luck in ordering, and a breaker that trips on those costs pages.

Open, nothing is sent for `open` seconds, doubled at each opening up to `max_open`. What was still under way is
waited for, so that the one probe that follows is alone and its answer cannot be mistaken for a late one. After
`give_up` openings without a recovery that lasts the host is dead: it is not asked again in this run.

A host that answers 403 `refusals` times without one success refuses *us*. It is not slow and waiting does not help:
`blocked` stops rather than slows. A new run may give blocked and dead hosts another probe (`reset_given_up`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from scraper.errors import ConfigError
from scraper.events import BreakerClosed, BreakerHalfOpen, BreakerOpened, Event, HostParked
from scraper.model import Outcome
from scraper.politeness.host_health import HostHealth, health_of
from scraper.politeness.rule import format_duration, parse_numbers

MAX_WINDOW = 10_000
"""The largest window."""


class BreakerState(StrEnum):
    """Where a breaker stands."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"
    BLOCKED = "blocked"
    DEAD = "dead"


class BreakerSignal(StrEnum):
    """What can happen to a breaker."""

    TRIP = "trip"  # the window says the host is down
    PROBE = "probe"  # the cool-down is over and a request goes out
    RECOVER = "recover"  # enough probes, or a blocked host, went well
    RELAPSE = "relapse"  # the probe failed
    INCONCLUSIVE = "lose"  # the probe ended without a word about the host
    REFUSE = "refuse"  # 403 once too often
    GIVE_UP = "give_up"  # opened once too often
    RESET = "pardon"  # a new run tries again


TRANSITIONS: Mapping[tuple[BreakerState, BreakerSignal], BreakerState] = {
    (BreakerState.CLOSED, BreakerSignal.TRIP): BreakerState.OPEN,
    (BreakerState.CLOSED, BreakerSignal.REFUSE): BreakerState.BLOCKED,
    (BreakerState.CLOSED, BreakerSignal.GIVE_UP): BreakerState.DEAD,
    (BreakerState.OPEN, BreakerSignal.PROBE): BreakerState.HALF_OPEN,
    (BreakerState.HALF_OPEN, BreakerSignal.RECOVER): BreakerState.CLOSED,
    (BreakerState.HALF_OPEN, BreakerSignal.RELAPSE): BreakerState.OPEN,
    (BreakerState.HALF_OPEN, BreakerSignal.INCONCLUSIVE): BreakerState.OPEN,
    (BreakerState.HALF_OPEN, BreakerSignal.REFUSE): BreakerState.BLOCKED,
    (BreakerState.HALF_OPEN, BreakerSignal.GIVE_UP): BreakerState.DEAD,
    (BreakerState.BLOCKED, BreakerSignal.RECOVER): BreakerState.CLOSED,
    (BreakerState.BLOCKED, BreakerSignal.RESET): BreakerState.OPEN,
    (BreakerState.DEAD, BreakerSignal.RESET): BreakerState.OPEN,
}
"""Every legal step; any other pair is a bug and raises KeyError."""


@dataclass(frozen=True, slots=True)
class BreakerSettings:
    """When a breaker trips and how it recovers. Raises ConfigError for values that make no sense.

    `failures`, `window`, `successes` (good probes that close it), `refusals` and `give_up` (openings) are counts,
    `ratio` is a share from 0 to 1, `open` and `max_open` are seconds.
    """

    failures: int = 6
    ratio: float = 0.8
    window: int = 20
    open: float = 60.0
    max_open: float = 3600.0
    successes: int = 1
    refusals: int = 10
    give_up: int = 5

    def __post_init__(self) -> None:
        if min(self.failures, self.window, self.successes, self.refusals, self.give_up) < 1:
            raise ConfigError("breaker: failures, window, successes, refusals and give_up must be at least 1")
        if self.window > MAX_WINDOW:
            raise ConfigError(f"breaker: window must be at most {MAX_WINDOW}")
        if not 0 < self.ratio <= 1:
            raise ConfigError("breaker: ratio must be above 0 and at most 1")
        if not 0 < self.open <= self.max_open < math.inf:
            raise ConfigError("breaker: open must be above 0 s and at most max_open")


class CircuitBreaker:
    """The circuit breaker of one host; see the head of this file."""

    __slots__ = (
        "_bits",
        "_good",
        "_half_open_at",
        "_host",
        "_in_flight",
        "_mask",
        "_openings",
        "_refusals",
        "_seen",
        "_settings",
        "_until",
        "state",
    )
    name = "breaker"

    def __init__(self, settings: BreakerSettings, host: str) -> None:
        self._settings, self._host = settings, host
        self.state = BreakerState.CLOSED
        # The window is an integer: one bit an answer, the latest lowest, 1 for a failure.
        self._bits = 0
        self._mask = (1 << settings.window) - 1
        self._seen = 0
        self._refusals = 0
        self._openings = 0
        self._until = 0.0
        self._good = 0
        self._in_flight = 0
        self._half_open_at: float | None = None

    @property
    def dead(self) -> bool:
        """The host was given up: `ready_at` is `math.inf` for the rest of the run."""
        return self.state is BreakerState.DEAD

    @property
    def blocked(self) -> bool:
        """The host refuses us with 403."""
        return self.state is BreakerState.BLOCKED

    def on_start(self, now: float) -> None:
        """One more is under way; the first one after the cool-down is the probe."""
        self._in_flight += 1
        if self.state is BreakerState.OPEN and self._in_flight == 1 and now >= self._until:
            self._step(BreakerSignal.PROBE)
            self._half_open_at = now

    def on_finish(self, outcome: Outcome, now: float, *_: object) -> tuple[Event, ...]:
        """Count one answer."""
        if self._in_flight:
            self._in_flight -= 1
        state = self.state
        health = health_of(outcome)
        if state is BreakerState.CLOSED:
            if health == "success" and not self._bits and not self._openings:
                # The way nearly all answers go.
                self._refusals = 0
                if self._seen < self._settings.window:
                    self._seen += 1
                return ()
            return self._count(health, now)
        if state is BreakerState.HALF_OPEN:
            return self._told_half_open() + self._probed(health, now)
        if state is BreakerState.BLOCKED and health == "success":
            self._refusals = 0
            return self._recover(now)
        # Open or dead: a late answer to what was sent before. It has been judged already.
        return ()

    def _count(self, health: HostHealth, now: float) -> tuple[Event, ...]:
        if health == "void":
            return ()
        if health == "refused":
            return self._refused(now)
        if health == "success":
            self._refusals = 0
        settings = self._settings
        self._bits = (self._bits << 1 | (health == "failed")) & self._mask
        self._seen = min(self._seen + 1, settings.window)
        failed, seen = self._bits.bit_count(), self._seen
        if failed == seen and seen >= min(settings.failures, settings.window):
            return self._open(now, f"{failed} failures and no success")
        if seen == settings.window:
            if failed >= settings.ratio * seen:
                return self._open(now, f"{failed} failures in the last {seen} answers")
            # A whole window without tripping: the recovery has lasted.
            self._openings = 0
        return ()

    def _refused(self, now: float) -> tuple[Event, ...]:
        self._refusals += 1
        if self._refusals < self._settings.refusals:
            return ()
        self._step(BreakerSignal.REFUSE)
        return (BreakerOpened(now, self._host, math.inf, self.wait_reason(), self._openings),)

    def _probed(self, health: HostHealth, now: float) -> tuple[Event, ...]:
        if health == "void":
            self._step(BreakerSignal.INCONCLUSIVE)
            return ()
        if health == "failed":
            return self._open(now, "the probe failed")
        if health == "refused":
            # The host speaks again, if only to refuse: that is counted where refusals are.
            told = self._refused(now)
            if told:
                return told
        elif health == "success":
            self._refusals = 0
        self._good += 1
        return self._recover(now) if self._good >= self._settings.successes else ()

    def _open(self, now: float, why: str) -> tuple[Event, ...]:
        self._forget()
        if self._openings >= self._settings.give_up:
            self._step(BreakerSignal.GIVE_UP)
            return (HostParked(now, self._host, math.inf, self.wait_reason()),)
        self._step(BreakerSignal.RELAPSE if self.state is BreakerState.HALF_OPEN else BreakerSignal.TRIP)
        self._openings += 1
        self._until = now + self._rest()
        return (BreakerOpened(now, self._host, self._until, why, self._openings),)

    def _rest(self) -> float:
        """Seconds of rest that go with the present number of openings."""
        doublings = min(max(0, self._openings - 1), 60)
        return min(self._settings.max_open, self._settings.open * 2.0**doublings)

    def _recover(self, now: float) -> tuple[Event, ...]:
        self._step(BreakerSignal.RECOVER)
        self._forget()
        return (BreakerClosed(now, self._host),)

    def _told_half_open(self) -> tuple[Event, ...]:
        # A start has no way to tell, so the probe's departure is told with its return.
        at, self._half_open_at = self._half_open_at, None
        return () if at is None else (BreakerHalfOpen(at, self._host),)

    def reset_given_up(self, now: float) -> None:
        """Let a dead or blocked host be probed from `now`, its openings forgotten; others stay as they are."""
        if self.state in (BreakerState.DEAD, BreakerState.BLOCKED):
            self._step(BreakerSignal.RESET)
            self._openings = self._refusals = 0
            self._until = now

    def _step(self, signal: BreakerSignal) -> None:
        self.state = TRANSITIONS[self.state, signal]

    def _forget(self) -> None:
        self._bits = self._seen = self._good = 0

    def ready_at(self) -> float:
        """0 while closed; the end of the cool-down while open; `math.inf` while the probe is out, blocked or dead."""
        state = self.state
        if state is BreakerState.CLOSED:
            return 0.0
        if state in (BreakerState.BLOCKED, BreakerState.DEAD) or self._in_flight:
            return math.inf
        return self._until

    def wait_reason(self) -> str:
        """The state in words."""
        match self.state:
            case BreakerState.BLOCKED:
                return f"blocked: the host answered 403 {self._refusals} times without one success"
            case BreakerState.DEAD:
                return f"host_dead: given up after {self._openings} openings of its breaker"
            case BreakerState.HALF_OPEN:
                return "breaker half-open: one probe is under way"
            case _:
                return f"breaker open: opening {self._openings}, {format_duration(self._rest())} of rest"

    def dump_state(self) -> list[float | int | str] | None:
        """Everything but what is under way."""
        if self.state is BreakerState.CLOSED and not (self._seen or self._openings or self._refusals):
            return None
        # A probe that was under way is lost with the process: it is sent again.
        state = BreakerState.OPEN if self.state is BreakerState.HALF_OPEN else self.state
        return [state, self._until, self._openings, self._refusals, self._seen, format(self._bits, "x")]

    def load_state(self, raw: object) -> None:
        """Take back the state, the window and the counts."""
        if not isinstance(raw, list) or len(raw) != 6 or raw[0] not in _RESTORABLE:
            return
        found = parse_numbers(raw[1:5], 4)
        bits = _hexadecimal(raw[5])
        if found is None or bits is None:
            return
        self.state = BreakerState(raw[0])
        self._until = found[0]
        self._openings, self._refusals = int(found[1]), int(found[2])
        self._seen = min(int(found[3]), self._settings.window)
        # With a smaller window than before, the latest answers are the ones to keep.
        self._bits = bits & self._mask & ((1 << self._seen) - 1)


_RESTORABLE = (BreakerState.CLOSED, BreakerState.OPEN, BreakerState.BLOCKED, BreakerState.DEAD)


def _hexadecimal(text: object) -> int | None:
    if not isinstance(text, str) or not 1 <= len(text) <= MAX_WINDOW // 4:
        return None
    try:
        return int(text, 16) if text.isalnum() else None
    except ValueError:
        return None
