"""The conformance suite over our own frontiers, the SQLite one also with next to nothing held in RAM."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from scraper.frontier.sqlite.frontier import SqliteFrontier
from scraper.frontier.sqlite.settings import SqliteSettings
from scraper.testing.frontier_contract import DurableFrontierContract, FrontierContract, FrontierViewContract
from scraper.testing.memory_frontier import MemoryFrontier

TINY = SqliteSettings(max_host_rows=3, max_buffered_rows=5, known_cache_keys=4, skipped_cache_keys=1, prefetch_hosts=2)


class TestMemory(FrontierContract, FrontierViewContract):
    @asynccontextmanager
    async def open_frontier(self, folder: Path) -> AsyncIterator[MemoryFrontier]:
        frontier = MemoryFrontier()
        yield frontier
        await frontier.aclose()


class TestSqlite(DurableFrontierContract, FrontierViewContract):
    settings: SqliteSettings | None = None

    @asynccontextmanager
    async def open_frontier(self, folder: Path) -> AsyncIterator[SqliteFrontier]:
        async with await SqliteFrontier.open(folder / ".scrape" / "frontier.sqlite", self.settings) as frontier:
            yield frontier


class TestSqliteWithTinyBuffers(TestSqlite):
    settings = TINY


class TestSqliteWritingOnEvict(FrontierContract, FrontierViewContract):
    settings = SqliteSettings(write_only_on_evict=True)

    @asynccontextmanager
    async def open_frontier(self, folder: Path) -> AsyncIterator[SqliteFrontier]:
        async with await SqliteFrontier.open(folder / "queue.sqlite", self.settings) as frontier:
            yield frontier


class TestSqliteWritingOnEvictWithTinyBuffers(TestSqliteWritingOnEvict):
    settings = replace(TINY, write_only_on_evict=True)


class TestSqliteThatSurvivesPowerLoss(TestSqlite):
    settings = SqliteSettings(durability="power")
