"""A wait whose end moves with every byte, for the price of one timer.

Setting a timer for each wait would cost more than reading the bytes waited for. So the end of the wait, `due`, is
moved by an assignment; the timer fires where the end once was, compares, and is set anew. A request costs no timer
at all as long as waits do not get shorter.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

# uvloop's clock and timers know milliseconds: a timer may fire this much (seconds) before its instant.
CLOCK_GRAIN = 0.002


class Patience:
    """Calls `ended` when `due` (an instant of the loop's clock) has come. `due` may be moved to a later instant
    directly; for one that may be earlier there is `until`.
    """

    __slots__ = ("_at", "_ended", "_loop", "_timer", "due")

    def __init__(self, loop: asyncio.AbstractEventLoop, ended: Callable[[], None]) -> None:
        self.due = math.inf
        self._loop = loop
        self._ended = ended
        self._timer: asyncio.TimerHandle | None = None
        self._at = math.inf

    def until(self, due: float) -> None:
        """Let it end at `due`; `math.inf` is never."""
        self.due = due
        if due < self._at:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_at(due, self._fired)
            self._at = due

    def end(self) -> None:
        """Wait no more."""
        self.due = self._at = math.inf
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _fired(self) -> None:
        self._timer = None
        self._at = math.inf
        if self._loop.time() + CLOCK_GRAIN < self.due:
            self.until(self.due)
        else:
            self._ended()
