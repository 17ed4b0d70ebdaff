"""What a run costs this process: CPU, memory and the event loop's lateness, sampled while it runs."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from types import TracebackType

from scraper.bench.measure.machine import resident, waited
from scraper.bench.measure.statistics import Steady, interpolate, percentile
from scraper.clock import Clock, cpu_seconds, monotonic

TICK = 0.01
"""Seconds between two samples."""
MAX_TICKS = 60_000
"""Samples that are kept: ten minutes."""
MEMORY_EVERY = 5
"""Memory is read at every so many ticks."""
IDLE_TICKS = 25


@dataclass(slots=True)
class Meter:
    """Samples while inside `async with`. `overhead` is the lateness of an idle loop's timer, in seconds."""

    clock: Clock
    overhead: float = 0.0
    cpu: list[tuple[float, float]] = field(default_factory=list)
    waits: list[tuple[float, float]] = field(default_factory=list)
    late: list[tuple[float, float]] = field(default_factory=list)
    peak: int = 0
    base: int = 0
    _task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Meter:
        """Start to sample."""
        self.base = self.peak = resident()
        self._sample(self.clock.now())
        self._task = asyncio.get_running_loop().create_task(self._run(), name="meter")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop sampling."""
        assert self._task is not None
        self._task.cancel()
        await asyncio.wait([self._task])
        self._sample(self.clock.now())
        self.peak = max(self.peak, resident())

    async def _run(self) -> None:
        clock = self.clock
        while len(self.late) < MAX_TICKS:
            # The loop's own time has whole milliseconds in some loops.
            begun = monotonic()
            await clock.sleep_until(clock.now() + TICK)
            now = clock.now()
            self.late.append((now, monotonic() - begun - TICK))
            self._sample(now)
            if len(self.late) % MEMORY_EVERY == 0:
                self.peak = max(self.peak, resident())

    def _sample(self, now: float) -> None:
        self.cpu.append((now, cpu_seconds()))
        self.waits.append((now, waited()))

    def waited(self, part: Steady) -> float:
        """Seconds of a part of the run in which the event loop was ready and another program had its core."""
        return max(0.0, interpolate(self.waits, part.end) - interpolate(self.waits, part.start))

    def cpu_used(self, part: Steady) -> float:
        """CPU seconds used in a part of the run."""
        return max(0.0, interpolate(self.cpu, part.end) - interpolate(self.cpu, part.start))

    def lag(self, part: Steady) -> float | None:
        """The 99th percentile of the loop's lateness in a part of the run, in seconds; None without a sample."""
        late = sorted(late for at, late in self.late if part.start <= at <= part.end)
        return max(0.0, percentile(late, 0.99) - self.overhead) if late else None


async def timer_overhead(clock: Clock) -> float:
    """How late a timer of this event loop is when the loop has nothing else to do: the median, in seconds."""
    late = []
    for _ in range(IDLE_TICKS):
        begun = monotonic()
        await clock.sleep_until(clock.now() + TICK)
        late.append(monotonic() - begun - TICK)
    return percentile(sorted(late), 0.5)
