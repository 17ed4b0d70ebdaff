"""The circuit breaker: it stops requests to a host that does not respond, and probes whether it has recovered.

    closed --trip----> open ----probe--> half-open --recover--> closed
       |                 ^ <-relapse, inconclusive-' |  |
       |                                             |  `--give_up--> dead
       '--refuse--> blocked --probe--> half-open     |
                       ^ <--------------refuse-------'

Closed: the breaker remembers the last `window` responses and trips by either of two rules:

1. At least `failures` responses have come and every one of them failed. This is for hosts that are down. It does not
   apply once anything in the window succeeded: a few failures in a row among successes are chance, and a breaker that
   trips on them loses pages.
2. The window is full and at least `ratio` of it failed.

Open: nothing is sent for `open` seconds, doubled at each opening up to `max_open`. Requests already in flight are
waited for, so that the one probe that follows is alone and its response cannot be mistaken for a late one.

Blocked: a host that responds 403 `refusals` times, and has responded nothing better since the start, refuses *us*. It
rests and is probed as an open one is. One success is proof that it does not: then 403 is about single URLs.

After `give_up` openings without a lasting recovery:

1. A host that responds, if only with errors, may have URLs that work: those waiting get a last chance, `last_chances`
   probes, `LAST_CHANCE_PAUSE` apart. Any sound response closes the breaker.
2. A host that does not respond, or whose last chances are used up, is given up: dead, or blocked for good. It gets no
   more requests in this run; a new run gives it another probe (`reset_given_up`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from scraper.errors import ConfigError
from scraper.events import BreakerClosed, BreakerHalfOpen, BreakerOpened, Event, HostParked
from scraper.model import Failure, Outcome, Response
from scraper.politeness.host_health import HostHealth, health_of
from scraper.politeness.rule import MAX_INSTANT, format_duration, parse_numbers

# The largest window, in responses: it bounds the integer that holds them and its stored text.
MAX_WINDOW = 10_000
# Seconds between the last chances of a host that responds with errors only.
LAST_CHANCE_PAUSE = 1.0


class BreakerState(StrEnum):
    """The states of a breaker. Values are stored with the host's state: do not change them."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"
    BLOCKED = "blocked"
    DEAD = "dead"


class BreakerSignal(StrEnum):
    """What moves a breaker from one state to another."""

    TRIP = "trip"  # the window says that the host is down
    PROBE = "probe"  # the cooldown is over and a request is sent
    RECOVER = "recover"  # enough probes, or a request to a blocked host, succeeded
    RELAPSE = "relapse"  # the probe failed
    INCONCLUSIVE = "inconclusive"  # the probe ended without saying anything about the host
    REFUSE = "refuse"  # `refusals` responses with 403, and nothing better
    GIVE_UP = "give_up"  # `give_up` openings without a lasting recovery, and no last chance
    RESET = "reset"  # a new run tries again


# Every legal step; any other pair is a bug and raises KeyError.
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
    (BreakerState.BLOCKED, BreakerSignal.PROBE): BreakerState.HALF_OPEN,
    (BreakerState.BLOCKED, BreakerSignal.RESET): BreakerState.OPEN,
    (BreakerState.DEAD, BreakerSignal.RESET): BreakerState.OPEN,
}


@dataclass(frozen=True, slots=True)
class BreakerSettings:
    """When a breaker trips and how it recovers. Raises `ConfigError` for values that make no sense.

    `failures`, `window`, `successes` (good probes that close it), `refusals` (None: 403 never blocks), `give_up`
    (openings) and `last_chances` are counts, `ratio` is a share from 0 to 1, `open` and `max_open` are seconds.
    """

    failures: int = 6
    ratio: float = 0.8
    window: int = 20
    open: float = 60.0
    max_open: float = 3600.0
    successes: int = 1
    refusals: int | None = 10
    give_up: int = 5
    last_chances: int = 100

    def __post_init__(self) -> None:
        if min(self.failures, self.window, self.successes, self.refusals or 1, self.give_up) < 1 or self.refusals == 0:
            raise ConfigError("breaker: failures, window, successes, refusals and give_up must be at least 1")
        if self.last_chances < 0:
            raise ConfigError("breaker: last_chances must not be negative")
        if self.window > MAX_WINDOW:
            raise ConfigError(f"breaker: window must be at most {MAX_WINDOW}")
        if not 0 < self.ratio <= 1:
            raise ConfigError("breaker: ratio must be above 0 and at most 1")
        if not 0 < self.open <= self.max_open < math.inf:
            raise ConfigError("breaker: open must be above 0 s and at most max_open")


class CircuitBreaker:
    """The circuit breaker of one origin; the head of this file explains it. `state` is where it stands now.

    `answered`: it has responded, if only with an error, since the start.
    """

    __slots__ = (
        "_chances_used",
        "_cooldown_until",
        "_good_probes",
        "_half_open_at",
        "_host",
        "_in_flight",
        "_openings",
        "_refusals",
        "_settings",
        "_succeeded",
        "_window_bits",
        "_window_count",
        "_window_mask",
        "answered",
        "state",
    )
    name = "breaker"

    def __init__(self, settings: BreakerSettings, host: str) -> None:
        self._settings, self._host = settings, host
        self.state = BreakerState.CLOSED
        # The window is an integer with one bit a response: the latest is the lowest bit, 1 is a failure.
        self._window_bits = 0
        self._window_mask = (1 << settings.window) - 1
        self._window_count = 0
        self._refusals = 0
        # Openings since the last recovery that lasted a whole window: each one doubles the cooldown.
        self._openings = 0
        self._chances_used = 0
        # Whether anything but robots.txt has succeeded since the start: its 200 says nothing about the pages.
        self._succeeded = False
        self.answered = False
        self._cooldown_until = 0.0
        self._good_probes = 0
        self._in_flight = 0
        # When the probe was sent, until that is reported with the probe's outcome.
        self._half_open_at: float | None = None

    def __repr__(self) -> str:
        failed, count = self._window_bits.bit_count(), self._window_count
        return (
            f"<CircuitBreaker {self._host} {self.state}: {failed} of {count} failed, {self._openings} openings, "
            f"{self._refusals} refusals, {self._in_flight} in flight>"
        )

    @property
    def dead(self) -> bool:
        """The host was given up: `ready_at` is `math.inf` for the rest of the run."""
        return self.state is BreakerState.DEAD

    @property
    def blocked(self) -> bool:
        """The host refuses us with 403, and was given up for it."""
        return self.state is BreakerState.BLOCKED and self._cooldown_until == math.inf

    @property
    def given_up(self) -> bool:
        """Dead or blocked for the rest of the run."""
        return self.dead or self.blocked

    def on_start(self, now: float) -> None:
        """Count a request in flight; the first one after the cooldown is the probe."""
        self._in_flight += 1
        # A request that started before the cooldown ended is no probe, nor is one beside late ones: their responses
        # could not be told apart.
        resting = self.state in (BreakerState.OPEN, BreakerState.BLOCKED)
        if resting and self._in_flight == 1 and now >= self._cooldown_until:
            self._apply(BreakerSignal.PROBE)
            self._half_open_at = now

    def on_finish(self, outcome: Outcome, now: float, *_: object) -> tuple[Event, ...]:
        """Count one outcome; return the events of the step it causes, if any."""
        if self._in_flight:
            self._in_flight -= 1
        state = self.state
        health = health_of(outcome)
        # There are four cases:
        # 1. Closed: the outcome enters the window.
        # 2. Half-open: it is the probe's.
        # 3. Blocked: a success unblocks the host; anything else changes nothing.
        # 4. Open or dead: a late outcome of a request sent before the opening, which has been judged already.
        if state is BreakerState.CLOSED:
            if health == "success" and not self._window_bits and not self._openings:
                # The path of nearly all responses: nothing to shift, nothing to compare.
                if not self._succeeded:
                    self._note_answer(outcome, health)
                self._refusals = 0
                if self._window_count < self._settings.window:
                    self._window_count += 1
                return ()
            self._note_answer(outcome, health)
            return self._count_in_window(health, now, answered=_is_answer(outcome))
        self._note_answer(outcome, health)
        if state is BreakerState.HALF_OPEN:
            return self._pending_half_open_event() + self._on_probe_result(health, now, answered=_is_answer(outcome))
        if state is BreakerState.BLOCKED and health == "success":
            self._refusals = 0
            return self._recover(now)
        return ()

    def _note_answer(self, outcome: Outcome, health: HostHealth) -> None:
        if health in ("success", "answered", "refused"):
            self.answered = True
            if health == "success" and outcome.request.kind != "robots":
                self._succeeded = True

    def _count_in_window(self, health: HostHealth, now: float, *, answered: bool) -> tuple[Event, ...]:
        if health == "unknown":
            return ()
        if health == "refused":
            return self._count_refusal(now)
        if health == "success":
            self._refusals = 0
        settings = self._settings
        self._window_bits = (self._window_bits << 1 | (health == "failed")) & self._window_mask
        self._window_count = min(self._window_count + 1, settings.window)
        failed, count = self._window_bits.bit_count(), self._window_count
        # A window smaller than `failures` could never hold that many: then a full window of failures is enough.
        if failed == count and count >= min(settings.failures, settings.window):
            return self._open(now, f"{failed} failures and no success", answered=answered)
        if count == settings.window:
            if failed >= settings.ratio * count:
                return self._open(now, f"{failed} failures in the last {count} responses", answered=answered)
            # A whole window without tripping: the recovery has lasted.
            self._openings = self._chances_used = 0
        return ()

    def _count_refusal(self, now: float) -> tuple[Event, ...]:
        limit = self._settings.refusals
        if limit is None or self._succeeded:
            return ()
        self._refusals += 1
        if self._refusals < limit:
            return ()
        reason = self._refusal_text()
        if events := self._rest(BreakerSignal.REFUSE, now, reason, answered=True):
            return events
        self._apply(BreakerSignal.REFUSE)
        self._cooldown_until = math.inf
        return (BreakerOpened(now, self._host, math.inf, reason, self._openings),)

    def _refusal_text(self) -> str:
        return f"blocked: the host answered 403 {self._refusals} times without one success"

    def _on_probe_result(self, health: HostHealth, now: float, *, answered: bool) -> tuple[Event, ...]:
        if health == "unknown":
            self._apply(BreakerSignal.INCONCLUSIVE)
            return ()
        if health == "failed":
            return self._open(now, "the probe failed", answered=answered)
        if health == "refused":
            # The host responds again, if only with 403: that is for the count of refusals to judge.
            if events := self._count_refusal(now):
                return events
        elif health == "success":
            self._refusals = 0
        self._good_probes += 1
        return self._recover(now) if self._good_probes >= self._settings.successes else ()

    def _open(self, now: float, reason: str, *, answered: bool) -> tuple[Event, ...]:
        half_open = self.state is BreakerState.HALF_OPEN
        signal = BreakerSignal.RELAPSE if half_open else BreakerSignal.TRIP
        if events := self._rest(signal, now, reason, answered=answered):
            return events
        self._apply(BreakerSignal.GIVE_UP)
        return (HostParked(now, self._host, math.inf, self.wait_reason()),)

    def _rest(self, signal: BreakerSignal, now: float, reason: str, *, answered: bool) -> tuple[Event, ...]:
        """Rest before the next probe, and say so; nothing is returned, and nothing is done, when it is time to give up.

        `answered`: the host has responded, so that another URL may fare better.
        """
        self._clear_window()
        settings = self._settings
        if self._openings < settings.give_up:
            self._apply(signal)
            self._openings += 1
            self._cooldown_until = now + self._cooldown()
        elif answered and self._chances_used < settings.last_chances:
            self._apply(signal)
            self._chances_used += 1
            self._cooldown_until = now + LAST_CHANCE_PAUSE
            reason = f"last chance {self._chances_used} of {settings.last_chances} for the URLs that wait: {reason}"
        else:
            return ()
        return (BreakerOpened(now, self._host, self._cooldown_until, reason, self._openings),)

    def _cooldown(self) -> float:
        """Seconds of cooldown that go with the present number of openings."""
        # 60 doublings are far beyond any `max_open`; more would overflow a float in the end.
        doublings = min(max(0, self._openings - 1), 60)
        return min(self._settings.max_open, self._settings.open * 2.0**doublings)

    def _recover(self, now: float) -> tuple[Event, ...]:
        self._apply(BreakerSignal.RECOVER)
        self._clear_window()
        return (BreakerClosed(now, self._host),)

    def _pending_half_open_event(self) -> tuple[Event, ...]:
        # `on_start` returns no events, so the start of a probe is reported with its end.
        at, self._half_open_at = self._half_open_at, None
        return () if at is None else (BreakerHalfOpen(at, self._host),)

    def reset_given_up(self, now: float) -> None:
        """Let a dead or blocked host be probed from `now` on, its openings forgotten; others stay as they are."""
        if self.state in (BreakerState.DEAD, BreakerState.BLOCKED):
            self._apply(BreakerSignal.RESET)
            self._openings = self._refusals = self._chances_used = 0
            self._cooldown_until = now

    def _apply(self, signal: BreakerSignal) -> None:
        self.state = TRANSITIONS[self.state, signal]

    def _clear_window(self) -> None:
        self._window_bits = self._window_count = self._good_probes = 0

    def ready_at(self) -> float:
        """0 while closed; the end of the cooldown while open or blocked; `math.inf` during the probe and given up."""
        state = self.state
        if state is BreakerState.CLOSED:
            return 0.0
        if state is BreakerState.DEAD or self._in_flight:
            return math.inf
        return self._cooldown_until

    def wait_reason(self) -> str:
        """The state in words for the user."""
        match self.state:
            case BreakerState.BLOCKED:
                return self._refusal_text()
            case BreakerState.DEAD:
                return f"host_dead: given up after {self._openings} openings of its breaker"
            case BreakerState.HALF_OPEN:
                return "breaker half-open: one probe is under way"
            case _ if self._chances_used and self._openings >= self._settings.give_up:
                return f"breaker open: last chance {self._chances_used} of {self._settings.last_chances}"
            case _:
                return f"breaker open: opening {self._openings}, {format_duration(self._cooldown())} of cooldown"

    def dump_state(self) -> list[float | int | str] | None:
        """Everything but the requests in flight."""
        counts = self._window_count or self._openings or self._refusals or self.answered
        if self.state is BreakerState.CLOSED and not counts:
            return None
        # A probe in flight is lost with the process: the next process sends another one.
        state = BreakerState.OPEN if self.state is BreakerState.HALF_OPEN else self.state
        return [
            state,
            min(self._cooldown_until, MAX_INSTANT),
            self._openings,
            self._refusals,
            self._window_count,
            format(self._window_bits, "x"),
            # One number: 0 it has not responded, 1 it has, 2 with a success; plus 3 for each last chance.
            self.answered + self._succeeded + 3 * self._chances_used,
        ]

    def load_state(self, raw: object) -> None:
        """Restore the state, the window and the counts. Versions before 0.2 stored all but the last number."""
        if isinstance(raw, list) and len(raw) == 6:
            raw = [*raw, 0]
        if not isinstance(raw, list) or len(raw) != 7 or raw[0] not in _RESTORABLE_STATES:
            return
        found = parse_numbers(raw[1:5], 4)
        bits = _parse_hexadecimal(raw[5])
        answers = parse_numbers(raw[6:], 1)
        if found is None or bits is None or answers is None:
            return
        self.state = BreakerState(raw[0])
        self._cooldown_until = found[0] if found[0] < MAX_INSTANT else math.inf
        self._chances_used, best = divmod(int(answers[0]), 3)
        self.answered, self._succeeded = best > 0, best > 1
        self._openings, self._refusals = int(found[1]), int(found[2])
        self._window_count = min(int(found[3]), self._settings.window)
        # When the window is smaller than in the last run, the latest responses are the ones to keep.
        self._window_bits = bits & self._window_mask & ((1 << self._window_count) - 1)


def _is_answer(outcome: Outcome) -> bool:
    """Whether the host has responded, if only with a status line."""
    return isinstance(outcome, Response) or (isinstance(outcome, Failure) and outcome.status is not None)


# Half-open is never stored: see `dump_state`.
_RESTORABLE_STATES = (BreakerState.CLOSED, BreakerState.OPEN, BreakerState.BLOCKED, BreakerState.DEAD)


def _parse_hexadecimal(text: object) -> int | None:
    if not isinstance(text, str) or not 1 <= len(text) <= MAX_WINDOW // 4:
        return None
    try:
        # int() would also take signs, blanks, underscores and a 0x in front.
        return int(text, 16) if text.isalnum() else None
    except ValueError:
        return None
