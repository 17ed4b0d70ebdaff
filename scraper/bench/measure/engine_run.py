"""One measurement of the product's own engine: a `Crawler` on a generated config, watched from outside.

Nothing of the crawl is left out: it parses pages, writes records and keeps its state on disk, in a temporary folder. A
page counts when it is fetched, read and recorded, at the instant of its `PageSettled`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scraper.bench.measure.resource_meter import ResourceMeter
from scraper.bench.measure.result import Sample
from scraper.bench.measure.statistics import percentile, steady_part
from scraper.bench.measure.target_process import TargetProcess
from scraper.clock import Clock
from scraper.crawler import Crawler
from scraper.engine.run_state import StopReason
from scraper.events import Event, FetchFinished, PageSettled, RetryPlanned, Skipped
from scraper.model import StopKind

UNLIMITED_POLITENESS: Mapping[str, Any] = {"robots": "ignore", "adaptive": False}
"""Politeness that never holds a request back; the rate and the concurrency of hosts are set beside it."""


@dataclass(slots=True)
class MeasurementListener:
    """A listener that keeps what a measurement needs. It grows with the pages of one measurement, which are bounded."""

    settled_at: list[float] = field(default_factory=list)
    fetched_at: list[float] = field(default_factory=list)
    fetch_seconds: list[float] = field(default_factory=list)
    causes: dict[str, int] = field(default_factory=dict)
    refused_by_robots: dict[str, str] = field(default_factory=dict)
    """URLs that robots.txt keeps from us, with the rule."""
    last_settled_at: dict[str, float] = field(default_factory=dict)
    """When a host's latest page was settled."""
    retries: int = 0

    def __call__(self, event: Event) -> None:
        """Take one event."""
        if isinstance(event, FetchFinished):
            if event.kind != "robots":
                self.fetched_at.append(event.at)
                self.fetch_seconds.append(event.elapsed)
        elif isinstance(event, PageSettled):
            self.settled_at.append(event.at)
            self.last_settled_at[event.host] = event.at
            if event.outcome != "ok":
                self.causes[event.outcome] = self.causes.get(event.outcome, 0) + 1
        elif isinstance(event, RetryPlanned):
            self.retries += 1
        elif isinstance(event, Skipped) and event.reason == "robots":
            self.refused_by_robots[event.url] = event.rule


@dataclass(frozen=True, slots=True)
class EngineRun:
    """What one run gave: the sample, the tally behind it, and whether the run was broken off."""

    sample: Sample
    events: MeasurementListener
    interrupted: bool
    started_at: float = 0.0
    memory_growth_bytes: int = 0
    """Bytes of memory that the run took beside what the process had before."""
    refused_requests: tuple[int, ...] = ()
    received_requests: tuple[int, ...] = ()
    max_bursts: tuple[int, ...] = ()
    """What each of our hosts counted: requests turned away, requests, and most of them in a tenth of a second."""


def bench_config(
    urls: Sequence[str],
    concurrency: int,
    *,
    politeness: Mapping[str, Any] | None = None,
    limits: Mapping[str, Any] | None = None,
    **sections: Any,
) -> dict[str, Any]:
    """The config of one measurement: exactly `urls`, nothing that their pages link to.

    Without `politeness` nothing holds a request back: on the bundled server that is allowed.
    """
    free = {**UNLIMITED_POLITENESS, "per_host": {"rate": None, "concurrency": concurrency}}
    return {
        "name": "bench",
        "seeds": list(urls),
        "scope": {"mode": "host", "allow": ["[?&]copy="], "traps": {"max_params": None, "max_length": None}},
        "limits": {"concurrency": concurrency, "retries": 0, **(limits or {})},
        "politeness": politeness if politeness is not None else free,
        "sitemaps": "off",
        **sections,
    }


class EngineBench:
    """Measures configs one after the other, on a machine of `cores`.

    `overhead` is the idle loop's timer lateness, in seconds. `stop` breaks off the run under way and all after it.
    """

    def __init__(self, timer_overhead: float, target: TargetProcess | None = None, cores: int = 1) -> None:
        self.timer_overhead, self.target, self.cores = timer_overhead, target, cores
        self.stopped = False
        self._crawler: Crawler | None = None

    def stop(self) -> None:
        """End the run under way cleanly."""
        self.stopped = True
        if self._crawler is not None:
            self._crawler.stop(StopReason(StopKind.INTERRUPTED, "stopped"))

    async def measure(self, values: Mapping[str, Any], ramp: int) -> EngineRun:
        """Run `values` as a config and measure it; the first and last `ramp` pages are its ramps.

        Raises the errors of `Crawler`.
        """
        # A clock of this moment, as the crawler makes one: both then mean the same by "now".
        tally, clock, stage = MeasurementListener(), Clock(), self.target
        with tempfile.TemporaryDirectory(prefix="scrape-bench-") as folder:
            complete = {**values, "output": {"folder": str(Path(folder) / "out")}}
            async with Crawler(complete, listeners=[tally]) as crawler:
                before = await stage.reset() if stage else None
                self._crawler = crawler
                started = clock.now()
                try:
                    async with ResourceMeter(clock, self.timer_overhead) as meter:
                        summary = await crawler.run()
                finally:
                    self._crawler = None
                ended = max(tally.settled_at, default=clock.now())
                after = await stage.state() if stage else None
        part = steady_part(tally.settled_at, ramp, started=started)
        window = part.end - part.start
        took = sorted(tally.fetch_seconds)
        inside = [
            e for at, e in zip(tally.fetched_at, tally.fetch_seconds, strict=True) if part.start <= at <= part.end
        ]
        used = meter.cpu_used(part)
        sample = Sample(
            pages=len(tally.settled_at),
            seconds=ended - started,
            rate=part.rate,
            p50=percentile(took, 0.5),
            p95=percentile(took, 0.95),
            p99=percentile(took, 0.99),
            errors=sum(tally.causes.values()),
            requests=sum(after.requests) if after else len(tally.fetch_seconds),
            in_flight=sum(inside) / window if window > 0 else 0.0,
            cpu_ms=used / part.done * 1000 if part.done else 0.0,
            cpu_share=used / window if window > 0 else 0.0,
            starved=meter.cpu_wait(part) / window if window > 0 else 0.0,
            server_cpu=(after.cpu - before.cpu) / (clock.now() - started) if before and after else None,
            rss=meter.peak_bytes,
            lag=meter.lag(part),
            causes=tally.causes,
        )
        counts = (after.refused, after.requests, after.burst) if after else ((), (), ())
        broken_off = self.stopped or summary.why == StopKind.INTERRUPTED
        return EngineRun(sample, tally, broken_off, started, meter.peak_bytes - meter.base_bytes, *counts)
