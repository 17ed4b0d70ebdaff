"""A simple sequential loop with plain httpx: the baseline of the benchmark.

    with httpx.Client() as client:
        for url in urls:
            response = client.get(url)
            text = response.text

It is deliberately not optimized. It runs in a thread, so that Ctrl-C and the display keep working; nothing else runs at
the same time.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import httpx

from scraper.bench.measure.machine import resident_bytes
from scraper.bench.measure.result import Sample
from scraper.bench.measure.statistics import percentile
from scraper.clock import cpu_seconds, monotonic

TIMEOUT_SECONDS = 30.0


@dataclass(slots=True)
class SequentialLoop:
    """Fetches with one client for all requests, or with `fresh_client` with a new one for each.

    `min_gap_seconds` is the least time between two requests to one host, for servers of other people. `user_agent`
    replaces that of httpx.
    """

    fresh_client: bool = False
    min_gap_seconds: float = 0.0
    timeout: float = TIMEOUT_SECONDS
    user_agent: str | None = None
    stopped: threading.Event = field(default_factory=threading.Event)

    async def run(self, urls: Sequence[str]) -> Sample:
        """Fetch `urls` one after the other and measure it."""
        work = asyncio.get_running_loop().run_in_executor(None, self._fetch_all, urls)
        try:
            # A thread cannot be cancelled: set `stopped` and wait for it.
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            self.stopped.set()
            await asyncio.wait([work])
            raise

    def _fetch_all(self, urls: Sequence[str]) -> Sample:
        took: list[float] = []
        causes: dict[str, int] = {}
        with httpx.Client(timeout=self.timeout, follow_redirects=True, headers=self._headers()) as client:
            started, cpu = monotonic(), cpu_seconds()
            self._fetch_each(urls, self._get_once if self.fresh_client else client.get, took, causes)
        seconds, used = monotonic() - started, cpu_seconds() - cpu
        took.sort()
        done = len(took)
        return Sample(
            pages=done,
            seconds=seconds,
            rate=done / seconds if seconds > 0 else 0.0,
            p50=percentile(took, 0.5),
            p95=percentile(took, 0.95),
            p99=percentile(took, 0.99),
            errors=sum(causes.values()),
            requests=done,
            in_flight=sum(took) / seconds if seconds > 0 else 0.0,
            cpu_ms=used / done * 1000 if done else 0.0,
            cpu_share=used / seconds if seconds > 0 else 0.0,
            rss=resident_bytes(),
            causes=causes,
        )

    def _headers(self) -> dict[str, str]:
        return {"User-Agent": self.user_agent} if self.user_agent else {}

    def _get_once(self, url: str) -> httpx.Response:
        return httpx.get(url, timeout=self.timeout, follow_redirects=True, headers=self._headers())

    def _fetch_each(
        self,
        urls: Sequence[str],
        get: Callable[[str], httpx.Response],
        took: list[float],
        causes: dict[str, int],
    ) -> None:
        latest: dict[str, float] = {}
        for url in urls:
            if self.min_gap_seconds:
                host = url.split("/", 3)[2]
                self.stopped.wait(max(0.0, latest.get(host, 0.0) + self.min_gap_seconds - monotonic()))
                latest[host] = monotonic()
            if self.stopped.is_set():
                return
            begun = monotonic()
            try:
                response = get(url)
                _ = response.text
                word = f"http_{response.status_code}" if response.status_code >= 400 else ""
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                word = type(error).__name__
            took.append(monotonic() - begun)
            if word:
                causes[word] = causes.get(word, 0) + 1
