"""How much of all bodies together waits to be written."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import pytest

from scraper.clock import Clock
from scraper.events import Event
from scraper.fetch.body_writer import BodyLimitExceeded
from scraper.model import EntryState
from scraper.politeness.bandwidth import BandwidthLimiter
from scraper.testing.fakes import make_request
from scraper.transfer.attempt import DownloadAttempt
from scraper.transfer.byte_ranges import Segment
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

    async def read_into(self, buffer: DiskBuffer) -> AsyncIterator[None]:
        await self._barrier.wait()
        for _ in range(self._count):
            for _ in buffer.copy_from(bytes(PIECE)):
                yield


@pytest.mark.parametrize("streams", [1, 4, 16, 64], ids=["one", "few", "many", "as many as fetchers"])
async def test_what_waits_to_be_written_is_bounded(tmp_path: Path, streams: int) -> None:
    """Streams share one stock of memory, and give back what they had when they end."""
    sizes: list[int] = []
    events: list[Event] = []
    folder = OutputFolder(tmp_path)
    storage = FileStorage(folder, PartMetadataStore(tmp_path / "notes"))
    clock = Clock()
    writer = StreamWriter(storage, BandwidthLimiter(clock), None, emit=events.append, now=clock.now)
    barrier = asyncio.Barrier(streams)

    async def one(number: int) -> None:
        attempt = DownloadAttempt(
            make_request(f"http://h/{number}"), EntryState(number, 1, f"http://h/{number}", "f"), 0.0
        )
        answer = cast("RawResponse", Body(2 * MAX_BUFFER_BYTES // PIECE, barrier))

        def write(batch: memoryview, at: int) -> None:
            sizes.append(len(batch))

        await writer.write_body(attempt, answer, Segment(0), write, b"", None)

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
        assert writer._buffer_pool._used_mask == 0
    finally:
        await storage.aclose()
        folder.close()


async def test_a_body_that_grows_too_large_keeps_what_may_be_kept(tmp_path: Path) -> None:
    """It fails for its size, and what was written before alters where it belongs."""
    folder = OutputFolder(tmp_path)
    storage = FileStorage(folder, PartMetadataStore(tmp_path / "notes"))
    clock = Clock()
    limit = 3 * PIECE + 1
    writer = StreamWriter(storage, BandwidthLimiter(clock), limit, emit=lambda _: None, now=clock.now)
    written: list[tuple[int, int]] = []
    share = Segment(0)
    try:
        attempt = DownloadAttempt(make_request("http://h/"), EntryState(0, 1, "http://h/", "f"), 0.0)
        answer = cast("RawResponse", Body(8, asyncio.Barrier(1)))
        with pytest.raises(BodyLimitExceeded):
            await writer.write_body(
                attempt, answer, share, lambda batch, at: written.append((at, len(batch))), b"", None
            )
    finally:
        await storage.aclose()
        folder.close()
    assert written == [(0, 3 * PIECE)]
    assert share.written == share.position == 3 * PIECE
