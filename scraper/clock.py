"""Time: the one module of the package that reads a clock or sleeps.

Rules receive `now` as an argument; the engine has a `Clock`. `now()` is in epoch seconds, so that an instant keeps its
meaning after a resume and on another machine. It is anchored once to the event loop's monotonic time, so it never
steps back while a process runs. On `testing.virtual_loop` the same class runs on virtual time: it only reads the loop.
"""

from __future__ import annotations

import asyncio
import time


class Clock:
    """Epoch seconds that never step back, and the sleep that goes with them.

    Must be made inside a running event loop. `epoch` is the instant of its creation (seconds since 1970-01-01 UTC);
    without it the system clock is read once.
    """

    __slots__ = ("_anchor", "_loop_time")

    def __init__(self, epoch: float | None = None) -> None:
        loop = asyncio.get_running_loop()
        self._loop_time = loop.time
        self._anchor = (time.time() if epoch is None else epoch) - loop.time()

    def now(self) -> float:
        """The current instant in epoch seconds."""
        return self._anchor + self._loop_time()

    async def sleep_until(self, instant: float) -> None:
        """Return at `instant` (epoch seconds), at once if it has passed."""
        await asyncio.sleep(max(0.0, instant - self.now()))

    async def yield_to_loop(self) -> None:
        """Let every other task that is ready run once."""
        await asyncio.sleep(0)


def cpu_seconds() -> float:
    """CPU seconds this process has used, user and system."""
    return time.process_time()


def wall_time() -> float:
    """The system's clock in epoch seconds: for file names and records made outside a running loop."""
    return time.time()


def monotonic() -> float:
    """Seconds on a clock that never steps back: for durations measured outside a running loop."""
    return time.monotonic()
