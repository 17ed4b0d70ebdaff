"""What every politeness rule is: it watches starts and finishes, and says from when its host may be asked again."""

from __future__ import annotations

import random
from typing import Protocol

from scraper.events import Event
from scraper.model import Outcome


class HostRule(Protocol):
    """One reason to wait. `HostGate` holds one of each kind per host and takes the latest of their instants.

    Instants are epoch seconds. A rule keeps no clock: `now` never steps back between calls. None of the methods
    raises, and none waits.
    """

    name: str
    """A word unique among the rules: the rule's key in a host's note."""

    def on_start(self, now: float) -> None:
        """A request to the host is being sent."""
        ...

    def on_finish(self, outcome: Outcome, now: float, rng: random.Random, loop_lag: float) -> tuple[Event, ...]:
        """A request ended; return what is worth telling.

        `loop_lag` is how late (seconds) the event loop ran its callbacks of late: part of every measured latency
        is ours and not the host's.
        """
        ...

    def ready_at(self) -> float:
        """From when this rule lets the host be asked: 0.0 for no objection, `math.inf` until something changes."""
        ...

    def wait_reason(self) -> str:
        """What holds the host back, in words for the user; only asked while `ready_at` lies ahead."""
        ...

    def dump_state(self) -> list[float | int | str] | None:
        """What must survive the process, as plain JSON values; None when there is nothing to remember."""
        ...

    def load_state(self, raw: object) -> None:
        """Take back what `state` gave. Anything else is passed over: the rule then starts afresh."""
        ...


MAX_INSTANT = 1e11
"""The latest instant a note may name (in the year 5138): whatever lies beyond is junk."""


def parse_numbers(raw: object, count: int, highest: float = MAX_INSTANT) -> list[float] | None:
    """`raw` as exactly `count` numbers from 0 to `top`, or None when it is anything else."""
    if not isinstance(raw, list) or len(raw) != count:
        return None
    for value in raw:
        # NaN fails the comparison, and a bool is a number to isinstance.
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= highest:
            return None
    return [float(value) for value in raw]


def format_duration(seconds: float) -> str:
    """A length of time for people: `0.5 s`, `90 s`, `15 min`, `6 h`."""
    if seconds >= 7200 or seconds == 3600:
        return f"{seconds / 3600:.3g} h"
    if seconds >= 120:
        return f"{seconds / 60:.3g} min"
    return f"{seconds:.3g} s"
