"""Reads pages: small ones where they are, large ones in another process, so that the event loop never stalls."""

from __future__ import annotations

import asyncio
import multiprocessing
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor

from scraper.clock import Clock
from scraper.extract.interface import Extractor
from scraper.model import Harvest, Page

READ_SECONDS = 120.0
"""Longest time one large page may take in the pool."""
POOL_SIZE = 1

_extractor: Extractor | None = None


def _prepare(extractor: Extractor) -> None:
    global _extractor  # the pool's own process: it has one extractor for life
    _extractor = extractor


def _extract(page: Page) -> Harvest:
    assert _extractor is not None
    return _extractor.extract(page)


class PageReader:
    """Gives pages to the extractor. `large` (bytes) is the size from which the pool is used; it starts when needed."""

    def __init__(self, extractor: Extractor, large: int, clock: Clock) -> None:
        self._extractor = extractor
        self._large = large
        self._clock = clock
        self._pool: ProcessPoolExecutor | None = None
        self.slowest = 0.0
        """Seconds the last page took on the event loop."""

    async def read(self, page: Page) -> Harvest:
        """Extract links and items. Whatever goes wrong with the page itself is in the harvest's `problem`."""
        if page.body.size < self._large and page.body.path is None:
            started = self._clock.now()
            harvest = self._extractor.extract(page)
            self.slowest = self._clock.now() - started
            return harvest
        self.slowest = 0.0
        return await self._read_in_pool(page)

    async def _read_in_pool(self, page: Page) -> Harvest:
        if self._pool is None:
            context = multiprocessing.get_context("spawn")  # a fork would copy our threads' locks
            self._pool = ProcessPoolExecutor(POOL_SIZE, context, initializer=_prepare, initargs=(self._extractor,))
        try:
            async with asyncio.timeout(READ_SECONDS):
                return await asyncio.get_running_loop().run_in_executor(self._pool, _extract, page)
        except TimeoutError:
            self._abandon()
            return Harvest(problem=f"reading the page took longer than {READ_SECONDS:.0f} s and was ended")
        except BrokenExecutor:
            self._abandon()
            return Harvest(problem="the process that read this page died")

    def _abandon(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None
            for child in multiprocessing.active_children():
                child.terminate()

    async def aclose(self) -> None:
        """End the pool."""
        if self._pool is not None:
            pool, self._pool = self._pool, None
            await asyncio.to_thread(pool.shutdown, wait=True, cancel_futures=True)
