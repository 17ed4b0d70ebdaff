"""Common ways to fetch concurrently with plain httpx, which the scenarios compare with the engine.

One task per URL, or a few workers on one queue; bodies held in memory; retries after a fixed pause. Each lacks one
feature of the engine.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx

from scraper.bench.measure.resource_meter import ResourceMeter
from scraper.bench.measure.result import Sample
from scraper.bench.measure.statistics import percentile, steady_part
from scraper.clock import Clock

TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class NaiveRun:
    """The sample, the growth of memory in bytes, and for each URL the seconds from the start to its completion."""

    sample: Sample
    memory_growth_bytes: int
    completions: tuple[tuple[str, float], ...]


@dataclass(slots=True)
class NaiveClient:
    """A concurrent httpx client. `workers` share one queue; 0 starts a task for every URL.

    A failed fetch is repeated up to `retries` times, each `pause` seconds later. `timeout` is in seconds. `hold` keeps
    every body until the end, as code does that returns a list of pages.
    """

    workers: int = 0
    retries: int = 0
    pause: float = 1.0
    timeout: float = TIMEOUT_SECONDS
    hold: bool = False
    timer_overhead: float = 0.0
    _fetches: list[tuple[str, float, float]] = field(default_factory=list)
    _causes: dict[str, int] = field(default_factory=dict)
    _kept_bodies: list[bytes] = field(default_factory=list)
    _requests: int = 0

    async def run(self, urls: Sequence[str]) -> NaiveRun:
        """Fetch `urls` and measure it."""
        clock = Clock()
        started = clock.now()
        async with self._client() as client, ResourceMeter(clock, self.timer_overhead) as meter:
            if self.workers:
                await self._run_workers(client, urls, clock)
            else:
                async with asyncio.TaskGroup() as group:
                    for url in urls:
                        group.create_task(self._fetch_with_retries(client, url, clock))
        took = sorted(elapsed for _, elapsed, _ in self._fetches)
        ended = max((at for *_, at in self._fetches), default=started)
        at_once = self.workers or len(urls)
        part = steady_part([at for *_, at in self._fetches], at_once, started=started)
        window, used = part.end - part.start, meter.cpu_used(part)
        done = len(took)
        sample = Sample(
            pages=done,
            seconds=ended - started,
            rate=part.rate,
            p50=percentile(took, 0.5),
            p95=percentile(took, 0.95),
            p99=percentile(took, 0.99),
            errors=sum(self._causes.values()),
            requests=self._requests,
            cpu_ms=used / part.done * 1000 if part.done else 0.0,
            cpu_share=used / window if window > 0 else 0.0,
            cpu_wait_share=meter.cpu_wait(part) / window if window > 0 else 0.0,
            rss=meter.peak_bytes,
            lag=meter.lag(part),
            causes=dict(self._causes),
        )
        self._kept_bodies.clear()
        return NaiveRun(
            sample, meter.peak_bytes - meter.base_bytes, tuple((url, at - started) for url, _, at in self._fetches)
        )

    @asynccontextmanager
    async def _client(self) -> AsyncIterator[httpx.AsyncClient]:
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
        timeout = httpx.Timeout(self.timeout, pool=None)
        async with httpx.AsyncClient(limits=limits, timeout=timeout) as client:
            yield client

    async def _run_workers(self, client: httpx.AsyncClient, urls: Sequence[str], clock: Clock) -> None:
        waiting = iter(urls)

        async def work() -> None:
            for url in waiting:
                await self._fetch_with_retries(client, url, clock)

        async with asyncio.TaskGroup() as group:
            for _ in range(self.workers):
                group.create_task(work())

    async def _fetch_with_retries(self, client: httpx.AsyncClient, url: str, clock: Clock) -> None:
        begun = clock.now()
        word = ""
        for attempt in range(self.retries + 1):
            if attempt:
                await clock.sleep_until(clock.now() + self.pause)
            word = await self._fetch_once(client, url)
            if not word:
                break
        self._fetches.append((url, clock.now() - begun, clock.now()))
        if word:
            self._causes[word] = self._causes.get(word, 0) + 1

    async def _fetch_once(self, client: httpx.AsyncClient, url: str) -> str:
        self._requests += 1
        try:
            response = await client.get(url)
        except httpx.HTTPError as error:
            return type(error).__name__
        if self.hold:
            self._kept_bodies.append(response.content)
        return f"http_{response.status_code}" if response.status_code >= 400 else ""
