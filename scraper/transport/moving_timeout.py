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
CLOCK_GRANULARITY_SECONDS = 0.002


class MovingTimeout:
    """Calls `ended` when `due` (an instant of the loop's clock) has come. `due` may be moved to a later instant
    directly; for one that may be earlier there is `until`.
    """

    __slots__ = ("_loop", "_on_expired", "_timer", "_timer_at", "expires_at")

    def __init__(self, loop: asyncio.AbstractEventLoop, on_expired: Callable[[], None]) -> None:
        self.expires_at = math.inf
        self._loop = loop
        self._on_expired = on_expired
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = math.inf

    def set_expiry(self, due: float) -> None:
        """Let it end at `due`; `math.inf` is never."""
        self.expires_at = due
        if due < self._timer_at:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_at(due, self._on_timer)
            self._timer_at = due

    def cancel(self) -> None:
        """Wait no more."""
        self.expires_at = self._timer_at = math.inf
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _on_timer(self) -> None:
        self._timer = None
        self._timer_at = math.inf
        if self._loop.time() + CLOCK_GRANULARITY_SECONDS < self.expires_at:
            self.set_expiry(self.expires_at)
        else:
            self._on_expired()
