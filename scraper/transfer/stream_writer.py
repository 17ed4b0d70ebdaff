"""Brings a body that streams to the disk: one buffer is written in a thread while the next one is filled."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import cast

from scraper.events import BytesReceived, Event
from scraper.fetch.body_writer import TooLarge
from scraper.model import Request
from scraper.politeness.bandwidth_gate import Pace
from scraper.transfer.attempt import Transfer
from scraper.transfer.byte_ranges import Share
from scraper.transfer.file_storage import Storage
from scraper.transport.adapter import LeanAnswer
from scraper.transport.buffer_pool import BUFFERED, Buffer, Stock, of_its_own, wanted
from scraper.transport.disk_buffer import Landing
from scraper.transport.errors import Truncated

TOLD = 1024 * 1024
"""Bytes of a file of which its progress is told."""
PACED = 256 * 1024
"""The largest buffer of a stream that is held back: it sleeps for all that came into it at once."""

Write = Callable[[memoryview, int], None]
"""Writes a batch at a byte of a file, in a thread. Raises `OSError`."""


class OverlapDiffers(Exception):  # noqa: N818  names what was found
    """What came again is not what the part holds."""


class Pouring:
    """Writes bodies into parts, as fast as `pace` permits; `max_bytes` (None: no cap) bounds a file."""

    def __init__(
        self,
        storage: Storage,
        pace: Pace,
        max_bytes: int | None,
        *,
        emit: Callable[[Event], None],
        now: Callable[[], float],
    ) -> None:
        self._storage, self._pace = storage, pace
        self._max_bytes = max_bytes
        self._emit, self._now = emit, now
        self._stock = Stock()
        self._streams = 0

    def check_size(self, size: int | None) -> None:
        """Raises `TooLarge` for a file of `size` bytes that may not be as large."""
        limit = self._max_bytes
        if size is not None and limit is not None and size > limit:
            raise TooLarge(limit, decoded=False)

    async def pour(
        self, transfer: Transfer, answer: LeanAnswer, share: Share, write: Write, seen: bytes, total: int | None
    ) -> None:
        """Bring the body to its place, its first bytes compared with `seen`, up to the end of its `share`.

        What came is kept, however it ends. `write` puts a batch at a byte of the file, `total` is what the file
        will have. Raises `OverlapDiffers`, `TooLarge`, what `LeanAnswer.pieces` raises, and as `Storage.translated`.
        """
        pace, host = self._pace, transfer.request.url.host
        progress = _Progress(transfer.request, total, self._emit, self._now)
        self._streams += 1
        landing = Landing(self._buffer() or of_its_own())
        writer = _Writer(self._storage, self._stock, transfer.order.path, write, share)
        try:
            async with aclosing(cast("AsyncGenerator[None, None]", answer.land(landing))) as arrivals:
                async for _ in arrivals:
                    if seen:
                        seen = _compare(landing, seen)
                    size = len(landing.fresh)
                    # What comes behind the end of a share that was divided is another stream's.
                    over = share.stop < share.end and size >= share.left
                    if over:
                        size = share.left
                    transfer.received += size
                    self.check_size(share.at + size)
                    share.at += size
                    landing.keep(size)
                    if not pace.free:
                        transfer.held += await pace.keep(host, size)
                    if landing.due:
                        await writer.begin(landing)
                        if not self._two_each or (buffer := self._buffer()) is None:
                            await writer.end()
                            buffer = self._buffer() or of_its_own()
                        landing.turn(buffer)
                    progress.tell(share.at - share.start)
                    if over:
                        break
            if seen:
                raise Truncated("the answer ended within what is here already")
        finally:
            self._streams -= 1
            try:
                await writer.begin(landing)
                await writer.end()
            finally:
                writer.close(landing)
            progress.tell(share.at - share.start, last=True)

    @property
    def _two_each(self) -> bool:
        """Whether every stream can fill one buffer while another is written."""
        return 2 * self._streams * self._size <= BUFFERED

    @property
    def _size(self) -> int:
        """Bytes of buffer that a stream asks for."""
        size = wanted(self._streams)
        return size if self._pace.free else min(size, PACED)

    def _buffer(self) -> Buffer | None:
        return self._stock.lend(self._size)


class _Writer:
    """Writes one batch at a time of what `share` is about, and gives its buffer back to `stock`."""

    __slots__ = ("_buffer", "_path", "_share", "_stock", "_storage", "_until", "_write", "_writing")

    def __init__(self, storage: Storage, stock: Stock, path: str, write: Write, share: Share) -> None:
        self._storage, self._stock, self._path = storage, stock, path
        self._write, self._share = write, share
        self._writing: asyncio.Future[None] | None = None
        self._buffer: Buffer | None = None
        self._until = share.written

    async def begin(self, landing: Landing) -> None:
        """When the batch before is written, begin with that of `landing`, which ends where the share is now."""
        await self.end()
        batch, self._buffer = landing.hand_over()
        if batch:
            self._until = self._share.at
            self._writing = self._storage.disk.run(self._write, batch, self._until - len(batch))

    async def end(self) -> None:
        """Return when the batch is written. Raises as `Storage.translated`, then and whenever it is called again."""
        if self._writing is not None:
            await self._storage.translated(self._writing, self._path)
            self._share.written = self._until
        self._writing = None
        self._give_back()

    def close(self, landing: Landing) -> None:
        """Give back what is left, after `end`."""
        assert self._writing is None or self._writing.done(), "its buffer is being read"
        self._give_back()
        _, self._buffer = landing.hand_over()
        self._give_back()

    def _give_back(self) -> None:
        if self._buffer is not None:
            self._stock.take_back(self._buffer)
            self._buffer = None


class _Progress:
    """Tells of every further MiB of a large file."""

    __slots__ = ("_emit", "_now", "_told", "_total", "_url")

    def __init__(
        self, request: Request, total: int | None, emit: Callable[[Event], None], now: Callable[[], float]
    ) -> None:
        self._url, self._emit, self._now = request.url, emit, now
        self._total = total
        self._told = 0

    def tell(self, received: int, last: bool = False) -> None:
        """`received` bytes have come in this answer so far."""
        new = received - self._told
        if new >= TOLD or (last and self._told and new):
            self._told = received
            self._emit(BytesReceived(self._now(), self._url.href, self._url.host, new, self._total))


def _compare(landing: Landing, seen: bytes) -> bytes:
    """Drop from what is fresh what is here already; what of `seen` is still to come. Raises `OverlapDiffers`."""
    fresh = landing.fresh
    common = min(len(fresh), len(seen))
    if fresh[:common] != seen[:common]:
        raise OverlapDiffers
    landing.drop(common)
    return seen[common:]
