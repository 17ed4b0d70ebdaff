"""How much of all bodies together waits to be written."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import pytest

from scraper.clock import Clock
from scraper.events import Event
from scraper.fetch.folder import Folder
from scraper.fetch.lean import LeanAnswer
from scraper.fetch.notes import Notes
from scraper.fetch.pace import Pace
from scraper.fetch.pouring import BATCH, BUFFERED, SMALLEST_BATCH, Pouring
from scraper.fetch.ranges import Share
from scraper.fetch.storage import Storage
from scraper.fetch.transfer import Transfer
from scraper.lists.order import Order
from scraper.testing.fakes import make_request

PIECE = 64 * 1024


class Body:
    """A body of `count` pieces, the first of which comes when all streams have begun."""

    def __init__(self, count: int, barrier: asyncio.Barrier) -> None:
        self._count, self._barrier = count, barrier

    async def pieces(self) -> AsyncIterator[bytes]:
        await self._barrier.wait()
        for _ in range(self._count):
            yield bytes(PIECE)


@pytest.mark.parametrize(
    ("streams", "batch"),
    [(1, BATCH), (4, BATCH), (16, BUFFERED // 32), (64, SMALLEST_BATCH)],
    ids=["one", "few", "many", "as many as fetchers"],
)
async def test_what_waits_to_be_written_is_bounded(tmp_path: Path, streams: int, batch: int) -> None:
    """Batches are smaller the more streams there are, so that two of each stay within one bound."""
    sizes: list[int] = []
    events: list[Event] = []
    folder = Folder(tmp_path)
    storage = Storage(folder, Notes(tmp_path / "notes"))
    clock = Clock()
    pouring = Pouring(storage, Pace(clock), None, emit=events.append, now=clock.now)
    barrier = asyncio.Barrier(streams)

    async def one(number: int) -> None:
        transfer = Transfer(make_request(f"http://h/{number}"), Order(number, 1, f"http://h/{number}", "f"), 0.0)
        answer = cast("LeanAnswer", Body(2 * BATCH // PIECE, barrier))

        def write(pieces: list[bytes], at: int) -> None:
            sizes.append(sum(map(len, pieces)))

        await pouring.pour(transfer, answer, Share(0), write, b"", None)

    try:
        async with asyncio.TaskGroup() as group:
            for number in range(streams):
                group.create_task(one(number))
        assert sum(sizes) == streams * 2 * BATCH
        alone = len(sizes)
        barrier = asyncio.Barrier(1)
        await one(streams)
        assert sizes[alone] == BATCH, "those that have ended take no room"
    finally:
        await storage.aclose()
        folder.close()
    assert sizes[0] == batch
    assert 2 * streams * sizes[0] <= max(BUFFERED, 2 * streams * SMALLEST_BATCH)
