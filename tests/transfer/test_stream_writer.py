"""How much of all bodies together waits to be written."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import pytest

from scraper.clock import Clock
from scraper.events import Event
from scraper.fetch.body_writer import BodyLimitExceeded
from scraper.politeness.bandwidth import BandwidthLimiter
from scraper.testing.fakes import make_request
from scraper.transfer.attempt import DownloadAttempt
from scraper.transfer.byte_ranges import Segment
from scraper.transfer.entry_state import EntryState
from scraper.transfer.file_storage import FileStorage
from scraper.transfer.output_folder import OutputFolder
from scraper.transfer.part_metadata import PartMetadataStore
from scraper.transfer.stream_writer import StreamWriter
from scraper.transport.adapter import RawResponse
from scraper.transport.buffer_pool import MAX_BUFFER_BYTES
from scraper.transport.disk_buffer import SPARE_BYTES, DiskBuffer

PIECE = 64 * 1024


class Body:
    """A body of `count` pieces, the first of which comes when all streams have begun."""

    def __init__(self, count: int, barrier: asyncio.Barrier) -> None:
        self._count, self._barrier = count, barrier

    async def land(self, landing: DiskBuffer) -> AsyncIterator[None]:
        await self._barrier.wait()
        for _ in range(self._count):
            for _ in landing.copy_from(bytes(PIECE)):
                yield


@pytest.mark.parametrize("streams", [1, 4, 16, 64], ids=["one", "few", "many", "as many as fetchers"])
async def test_what_waits_to_be_written_is_bounded(tmp_path: Path, streams: int) -> None:
    """Streams share one stock of memory, and give back what they had when they end."""
    sizes: list[int] = []
    events: list[Event] = []
    folder = OutputFolder(tmp_path)
    storage = FileStorage(folder, PartMetadataStore(tmp_path / "notes"))
    clock = Clock()
    pouring = StreamWriter(storage, BandwidthLimiter(clock), None, emit=events.append, now=clock.now)
    barrier = asyncio.Barrier(streams)

    async def one(number: int) -> None:
        transfer = DownloadAttempt(
            make_request(f"http://h/{number}"), EntryState(number, 1, f"http://h/{number}", "f"), 0.0
        )
        answer = cast("RawResponse", Body(2 * MAX_BUFFER_BYTES // PIECE, barrier))

        def write(batch: memoryview, at: int) -> None:
            sizes.append(len(batch))

        await pouring.write_body(transfer, answer, Segment(0), write, b"", None)

    try:
        async with asyncio.TaskGroup() as group:
            for number in range(streams):
                group.create_task(one(number))
        assert sum(sizes) == streams * 2 * MAX_BUFFER_BYTES
        assert max(sizes) <= MAX_BUFFER_BYTES - SPARE_BYTES
        alone = len(sizes)
        barrier = asyncio.Barrier(1)
        await one(streams)
        assert sizes[alone] == MAX_BUFFER_BYTES - SPARE_BYTES, "those that have ended take no room"
        assert pouring._buffer_pool._used_mask == 0
    finally:
        await storage.aclose()
        folder.close()


async def test_a_body_that_grows_too_large_keeps_what_may_be_kept(tmp_path: Path) -> None:
    """It fails for its size, and what was written before lies where it belongs."""
    folder = OutputFolder(tmp_path)
    storage = FileStorage(folder, PartMetadataStore(tmp_path / "notes"))
    clock = Clock()
    limit = 3 * PIECE + 1
    pouring = StreamWriter(storage, BandwidthLimiter(clock), limit, emit=lambda _: None, now=clock.now)
    written: list[tuple[int, int]] = []
    share = Segment(0)
    try:
        transfer = DownloadAttempt(make_request("http://h/"), EntryState(0, 1, "http://h/", "f"), 0.0)
        answer = cast("RawResponse", Body(8, asyncio.Barrier(1)))
        with pytest.raises(BodyLimitExceeded):
            await pouring.write_body(
                transfer, answer, share, lambda batch, at: written.append((at, len(batch))), b"", None
            )
    finally:
        await storage.aclose()
        folder.close()
    assert written == [(0, 3 * PIECE)]
    assert share.written == share.at == 3 * PIECE


async def test_a_job_that_is_awaited_cannot_be_cancelled(tmp_path: Path) -> None:
    """A task that is cancelled while a thread works for it hears of that when the job is done."""
    folder = OutputFolder(tmp_path)
    storage = FileStorage(folder, PartMetadataStore(tmp_path / "notes"))
    go_on = threading.Event()
    try:
        task = asyncio.ensure_future(storage.run(go_on.wait))
        for _ in range(3):
            await asyncio.wait([task], timeout=0)
        task.cancel()
        await asyncio.wait([task], timeout=0.01)
        assert not task.done()
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task
    finally:
        go_on.set()
        await storage.aclose()
        folder.close()
