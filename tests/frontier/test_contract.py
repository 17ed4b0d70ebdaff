"""The conformance suite over our own frontiers, the SQLite one also with next to nothing held in RAM."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from scraper.frontier.memory import MemoryFrontier
from scraper.frontier.sqlite.frontier import SqliteFrontier
from scraper.frontier.sqlite.settings import SqliteSettings
from scraper.testing.frontier_contract import DurableFrontierContract, FrontierContract, LedgerContract

TINY = SqliteSettings(host_rows=3, window_rows=5, known_keys=4, skipped_keys=1, early_hosts=2)


class TestMemory(FrontierContract, LedgerContract):
    @asynccontextmanager
    async def open_frontier(self, folder: Path) -> AsyncIterator[MemoryFrontier]:
        frontier = MemoryFrontier()
        yield frontier
        await frontier.aclose()


class TestSqlite(DurableFrontierContract, LedgerContract):
    settings: SqliteSettings | None = None

    @asynccontextmanager
    async def open_frontier(self, folder: Path) -> AsyncIterator[SqliteFrontier]:
        async with await SqliteFrontier.open(folder / ".scrape" / "frontier.sqlite", self.settings) as frontier:
            yield frontier


class TestSqliteWithTinyWindows(TestSqlite):
    settings = TINY


class TestLazySqlite(FrontierContract, LedgerContract):
    settings = SqliteSettings(lazy=True)

    @asynccontextmanager
    async def open_frontier(self, folder: Path) -> AsyncIterator[SqliteFrontier]:
        async with await SqliteFrontier.open(folder / "queue.sqlite", self.settings) as frontier:
            yield frontier


class TestLazySqliteWithTinyWindows(TestLazySqlite):
    settings = replace(TINY, lazy=True)


class TestSqliteThatSurvivesPowerLoss(TestSqlite):
    settings = SqliteSettings(durability="power")
