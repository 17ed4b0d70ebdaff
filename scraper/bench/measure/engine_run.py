"""Measures one run of the engine: a `Crawler` on a generated config, observed through its events.

It is a complete crawl: it parses pages, writes records and keeps its state on disk, in a temporary folder. A page
counts when it is fetched, parsed and recorded, at the time of its `PageSettled` event.
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

# A politeness section that never delays a request. `per_host` has to be added.
UNLIMITED_POLITENESS: Mapping[str, Any] = {"robots": "ignore", "adaptive": False}


@dataclass(slots=True)
class MeasurementListener:
    """Collects the events of one run. All times are the clock's seconds.

    Its memory grows with the number of pages, which is bounded in a benchmark.
    """

    settled_at: list[float] = field(default_factory=list)
    fetched_at: list[float] = field(default_factory=list)
    fetch_seconds: list[float] = field(default_factory=list)
    causes: dict[str, int] = field(default_factory=dict)
    # URL -> rule of robots.txt that forbids it.
    refused_by_robots: dict[str, str] = field(default_factory=dict)
    # Host -> time at which its latest page was settled.
    last_settled_at: dict[str, float] = field(default_factory=dict)
    retries: int = 0

    def __call__(self, event: Event) -> None:
        """Record one event."""
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
    """The result of one run: the sample, the events it was computed from, and whether the run was stopped early."""

    sample: Sample
    events: MeasurementListener
    interrupted: bool
    started_at: float = 0.0
    # Peak resident memory minus that before the run.
    memory_growth_bytes: int = 0
    refused_requests: tuple[int, ...] = ()
    received_requests: tuple[int, ...] = ()
    # Most requests within `BURST_WINDOW_SECONDS`; like the two fields above, one count for each host of the target.
    max_bursts: tuple[int, ...] = ()


def bench_config(
    urls: Sequence[str],
    concurrency: int,
    *,
    politeness: Mapping[str, Any] | None = None,
    limits: Mapping[str, Any] | None = None,
    **sections: Any,
) -> dict[str, Any]:
    """The config of one measurement: fetches exactly `urls` and follows no links.

    Without `politeness` requests are not limited. Use that for the bundled server only.
    """
    unlimited = {**UNLIMITED_POLITENESS, "per_host": {"rate": None, "concurrency": concurrency}}
    return {
        "name": "bench",
        "seeds": list(urls),
        "scope": {"mode": "host", "allow": ["[?&]copy="], "traps": {"max_params": None, "max_length": None}},
        "limits": {"concurrency": concurrency, "retries": 0, **(limits or {})},
        "politeness": politeness if politeness is not None else unlimited,
        "sitemaps": "off",
        **sections,
    }


class EngineBench:
    """Runs and measures configs, one after the other.

    `timer_overhead` is how late timers of the idle loop fire, in seconds; `target` the bundled server, None for other
    servers; `cores` the number of CPU cores. `stop` ends the current run and prevents further ones.
    """

    def __init__(self, timer_overhead: float, target: TargetProcess | None = None, cores: int = 1) -> None:
        self.timer_overhead, self.target, self.cores = timer_overhead, target, cores
        self.stopped = False
        self._crawler: Crawler | None = None

    def stop(self) -> None:
        """Stop the current run cleanly, and all later ones."""
        self.stopped = True
        if self._crawler is not None:
            self._crawler.stop(StopReason(StopKind.INTERRUPTED, "stopped"))

    async def measure(self, values: Mapping[str, Any], ramp: int) -> EngineRun:
        """Crawl with the config `values` and measure it, without its first and last `ramp` pages.

        Raises the errors of `Crawler`.
        """
        # Created together with the crawler's own clock, so that their times can be compared.
        listener, clock, target = MeasurementListener(), Clock(), self.target
        with tempfile.TemporaryDirectory(prefix="scrape-bench-") as folder:
            complete = {**values, "output": {"folder": str(Path(folder) / "out")}}
            async with Crawler(complete, listeners=[listener]) as crawler:
                before = await target.reset() if target else None
                self._crawler = crawler
                started = clock.now()
                try:
                    async with ResourceMeter(clock, self.timer_overhead) as meter:
                        summary = await crawler.run()
                finally:
                    self._crawler = None
                ended = max(listener.settled_at, default=clock.now())
                after = await target.state() if target else None
        part = steady_part(listener.settled_at, ramp, started=started)
        window = part.end - part.start
        took = sorted(listener.fetch_seconds)
        inside = [
            e for at, e in zip(listener.fetched_at, listener.fetch_seconds, strict=True) if part.start <= at <= part.end
        ]
        used = meter.cpu_used(part)
        sample = Sample(
            pages=len(listener.settled_at),
            seconds=ended - started,
            rate=part.rate,
            p50=percentile(took, 0.5),
            p95=percentile(took, 0.95),
            p99=percentile(took, 0.99),
            errors=sum(listener.causes.values()),
            requests=sum(after.requests) if after else len(listener.fetch_seconds),
            in_flight=sum(inside) / window if window > 0 else 0.0,
            cpu_ms=used / part.done * 1000 if part.done else 0.0,
            cpu_share=used / window if window > 0 else 0.0,
            cpu_wait_share=meter.cpu_wait(part) / window if window > 0 else 0.0,
            server_cpu=(after.cpu - before.cpu) / (clock.now() - started) if before and after else None,
            rss=meter.peak_bytes,
            lag=meter.lag(part),
            causes=listener.causes,
        )
        counts = (after.refused, after.requests, after.burst) if after else ((), (), ())
        interrupted = self.stopped or summary.why == StopKind.INTERRUPTED
        return EngineRun(sample, listener, interrupted, started, meter.peak_bytes - meter.base_bytes, *counts)
