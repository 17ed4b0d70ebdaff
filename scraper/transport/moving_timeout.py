"""A timeout that moves with every received byte, at the price of one timer.

Setting a timer for each wait would cost more than reading the bytes. So the expiry is moved by assigning `expires_at`;
the timer fires at the old instant, compares, and is set again. As long as timeouts do not get shorter, a request sets
no timer at all.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

# uvloop's clock and timers have millisecond resolution: a timer may fire this many seconds early.
CLOCK_GRANULARITY_SECONDS = 0.002


class MovingTimeout:
    """Calls `on_expired` at `expires_at` (an instant of the loop's clock). Assign `expires_at` directly to move it
    later; use `set_expiry` when it may become earlier.
    """

    __slots__ = ("_loop", "_on_expired", "_timer", "_timer_at", "expires_at")

    def __init__(self, loop: asyncio.AbstractEventLoop, on_expired: Callable[[], None]) -> None:
        self.expires_at = math.inf
        self._loop = loop
        self._on_expired = on_expired
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = math.inf

    def set_expiry(self, due: float) -> None:
        """Expire at the instant `due`; `math.inf` is never."""
        self.expires_at = due
        if due < self._timer_at:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_at(due, self._on_timer)
            self._timer_at = due

    def cancel(self) -> None:
        """Never expire."""
        self.expires_at = self._timer_at = math.inf
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _on_timer(self) -> None:
        self._timer = None
        self._timer_at = math.inf
        # The expiry was moved meanwhile: wait for the rest.
        if self._loop.time() + CLOCK_GRANULARITY_SECONDS < self.expires_at:
            self.set_expiry(self.expires_at)
        else:
            self._on_expired()
