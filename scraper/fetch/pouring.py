"""Brings a body that streams to the disk: a batch is written in a thread while the next one arrives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import cast

from scraper.events import BytesReceived, Event
from scraper.fetch.body import TooLarge
from scraper.fetch.faults import Truncated
from scraper.fetch.lean import LeanAnswer
from scraper.fetch.pace import Pace
from scraper.fetch.ranges import Share
from scraper.fetch.storage import Storage
from scraper.fetch.transfer import Transfer
from scraper.model import Request

BATCH = 1024 * 1024
"""Bytes that are written at once, at most: see `BUFFERED`."""
SMALLEST_BATCH = 64 * 1024
BUFFERED = 8 * 1024 * 1024
"""Bytes of all bodies together that wait to be written: with many streams at once their batches are smaller."""

Write = Callable[[list[bytes], int], None]
"""Writes pieces at a byte of a file, in a thread. Raises `OSError`."""


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
        self._streams = 0

    @property
    def _batch(self) -> int:
        """Bytes that a stream gathers before it writes them; while they are written, as many may gather again."""
        return max(SMALLEST_BATCH, min(BATCH, BUFFERED // (2 * self._streams)))

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
        storage, path = self._storage, transfer.order.path
        batch: list[bytes] = []
        size = 0
        writing: asyncio.Future[None] | None = None
        progress = _Progress(transfer.request, total, self._emit, self._now)
        self._streams += 1
        try:
            async with aclosing(cast("AsyncGenerator[bytes, None]", answer.pieces())) as pieces:
                async for piece in pieces:
                    if seen:
                        piece, seen = _compare(piece, seen)
                    # What comes behind the end of a share that was divided is another stream's.
                    over = share.stop < share.end and len(piece) >= share.left
                    if over:
                        piece = piece[: share.left]
                    share.at += len(piece)
                    transfer.received += len(piece)
                    self.check_size(share.at)
                    batch.append(piece)
                    size += len(piece)
                    if not self._pace.free:
                        transfer.held += await self._pace.keep(transfer.request.url.host, len(piece))
                    if size >= self._batch:
                        if writing is not None:
                            await storage.translated(writing, path)
                            share.written = share.at - size
                        writing, batch, size = storage.disk.run(write, batch, share.at - size), [], 0
                        progress.tell(share.at - share.start)
                    if over:
                        break
            if seen:
                raise Truncated("the answer ended within what is here already")
        finally:
            self._streams -= 1
            if writing is not None:
                await storage.translated(writing, path)
                share.written = share.at - size
            if batch:
                await storage.translated(storage.disk.run(write, batch, share.at - size), path)
                share.written = share.at
            progress.tell(share.at - share.start, last=True)


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
        if new >= BATCH or (last and self._told and new):
            self._told = received
            self._emit(BytesReceived(self._now(), self._url.href, self._url.host, new, self._total))


def _compare(piece: bytes, seen: bytes) -> tuple[bytes, bytes]:
    """What of `piece` is new, and what of `seen` is still to come. Raises `OverlapDiffers`."""
    common = min(len(piece), len(seen))
    if piece[:common] != seen[:common]:
        raise OverlapDiffers
    return piece[common:], seen[common:]
