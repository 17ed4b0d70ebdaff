"""Samples what a run costs this process: CPU, memory, waiting for a core, and lateness of the event loop."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from types import TracebackType

from scraper.bench.measure.machine import cpu_wait_seconds, resident_bytes
from scraper.bench.measure.statistics import SteadyPart, interpolate, percentile
from scraper.clock import Clock, cpu_seconds, monotonic

# Interval between two samples.
SAMPLE_SECONDS = 0.01
# Sampling ends after so many samples, which are ten minutes.
MAX_SAMPLES = 60_000
# Memory is read only at every fifth sample, because it changes slowly.
SAMPLES_PER_MEMORY_READ = 5
IDLE_SAMPLES = 25


@dataclass(slots=True)
class ResourceMeter:
    """Takes samples while inside `async with`; each is a pair of time and value, in seconds.

    `timer_overhead` is how late timers of an idle loop fire, in seconds; it is subtracted from `lag`.
    """

    clock: Clock
    timer_overhead: float = 0.0
    cpu_samples: list[tuple[float, float]] = field(default_factory=list)
    cpu_wait_samples: list[tuple[float, float]] = field(default_factory=list)
    lateness_samples: list[tuple[float, float]] = field(default_factory=list)
    peak_bytes: int = 0
    base_bytes: int = 0
    _task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> ResourceMeter:
        """Start sampling."""
        self.base_bytes = self.peak_bytes = resident_bytes()
        self._sample(self.clock.now())
        self._task = asyncio.get_running_loop().create_task(self._sample_periodically(), name="meter")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop sampling."""
        assert self._task is not None
        self._task.cancel()
        await asyncio.wait([self._task])
        self._sample(self.clock.now())
        self.peak_bytes = max(self.peak_bytes, resident_bytes())

    async def _sample_periodically(self) -> None:
        clock = self.clock
        while len(self.lateness_samples) < MAX_SAMPLES:
            # `monotonic` because uvloop's own time is in whole milliseconds.
            begun = monotonic()
            await clock.sleep_until(clock.now() + SAMPLE_SECONDS)
            now = clock.now()
            self.lateness_samples.append((now, monotonic() - begun - SAMPLE_SECONDS))
            self._sample(now)
            if len(self.lateness_samples) % SAMPLES_PER_MEMORY_READ == 0:
                self.peak_bytes = max(self.peak_bytes, resident_bytes())

    def _sample(self, now: float) -> None:
        self.cpu_samples.append((now, cpu_seconds()))
        self.cpu_wait_samples.append((now, cpu_wait_seconds()))

    def cpu_wait(self, part: SteadyPart) -> float:
        """Seconds of `part` in which this process was ready to run but another program had its core."""
        return max(0.0, interpolate(self.cpu_wait_samples, part.end) - interpolate(self.cpu_wait_samples, part.start))

    def cpu_used(self, part: SteadyPart) -> float:
        """CPU seconds used in `part`."""
        return max(0.0, interpolate(self.cpu_samples, part.end) - interpolate(self.cpu_samples, part.start))

    def lag(self, part: SteadyPart) -> float | None:
        """The 99th percentile of the event loop's lateness in `part`, in seconds; None without a sample."""
        late = sorted(late for at, late in self.lateness_samples if part.start <= at <= part.end)
        return max(0.0, percentile(late, 0.99) - self.timer_overhead) if late else None


async def measure_timer_overhead(clock: Clock) -> float:
    """The median lateness of a timer while the event loop is otherwise idle, in seconds."""
    late = []
    for _ in range(IDLE_SAMPLES):
        begun = monotonic()
        await clock.sleep_until(clock.now() + SAMPLE_SECONDS)
        late.append(monotonic() - begun - SAMPLE_SECONDS)
    return percentile(sorted(late), 0.5)
