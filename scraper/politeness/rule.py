"""The interface of a politeness rule: it observes starts and finishes and says when its host may get a request."""

from __future__ import annotations

import random
from typing import Protocol

from scraper.events import Event
from scraper.model import Outcome


class PolitenessRule(Protocol):
    """One reason to wait. `HostGate` holds one of each kind per host and takes the latest of their instants.

    Instants are epoch seconds. A rule has no clock: `now` is an argument and never steps back between calls. No method
    raises or waits.
    """

    # Unique among the rules: the rule's key in the stored state of a host. Do not change it.
    name: str

    def on_start(self, now: float) -> None:
        """A request to the host is being sent."""
        ...

    def on_finish(self, outcome: Outcome, now: float, rng: random.Random, loop_lag: float) -> tuple[Event, ...]:
        """A request ended; return the events to emit.

        `loop_lag` is how late (seconds) the event loop has recently run its callbacks: that part of a measured latency
        is ours and not the host's.
        """
        ...

    def ready_at(self) -> float:
        """From when this rule allows a request: 0.0 for no objection, `math.inf` until something changes."""
        ...

    def wait_reason(self) -> str:
        """What holds the host back, in words for the user; only called while `ready_at` is in the future."""
        ...

    def dump_state(self) -> list[float | int | str] | None:
        """What must survive the process, as plain JSON values; None when there is nothing to remember."""
        ...

    def load_state(self, raw: object) -> None:
        """Restore what `dump_state` returned. Anything else is ignored: the rule then starts fresh."""
        ...


# The latest instant (epoch seconds, in the year 5138) that stored state may hold: anything beyond is junk.
MAX_INSTANT = 1e11


def parse_numbers(raw: object, count: int, highest: float = MAX_INSTANT) -> list[float] | None:
    """`raw` as exactly `count` numbers from 0 to `highest`, or None when it is anything else."""
    if not isinstance(raw, list) or len(raw) != count:
        return None
    for value in raw:
        # NaN fails the comparison. A bool has to be excluded: to isinstance it is an int.
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
