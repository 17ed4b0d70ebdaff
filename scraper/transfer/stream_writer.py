"""Brings a body that streams to the disk: one buffer is written in a thread while the next one is filled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing

from scraper.events import Event
from scraper.fetch.body_writer import BodyLimitExceeded
from scraper.fetch.response_body import ProgressReporter
from scraper.politeness.bandwidth import BandwidthLimiter
from scraper.transfer.attempt import DownloadAttempt
from scraper.transfer.byte_ranges import Segment
from scraper.transfer.file_storage import FileStorage
from scraper.transport.adapter import RawResponse
from scraper.transport.buffer_pool import POOL_BYTES, Buffer, BufferPool, buffer_size_for, unpooled_buffer
from scraper.transport.disk_buffer import DiskBuffer
from scraper.transport.errors import TruncatedResponse

MAX_THROTTLED_BUFFER_BYTES = 256 * 1024
"""The largest buffer of a stream that is held back: it sleeps for all that came into it at once."""

WriteAtOffset = Callable[[memoryview, int], None]
"""Writes a batch at a byte of a file, in a thread. Raises `OSError`."""


class OverlapMismatch(Exception):  # noqa: N818  names what was found
    """What came again is not what the part holds."""


class StreamWriter:
    """Writes bodies into parts, as fast as `pace` permits; `max_bytes` (None: no cap) bounds a file."""

    def __init__(
        self,
        storage: FileStorage,
        bandwidth: BandwidthLimiter,
        max_bytes: int | None,
        *,
        emit: Callable[[Event], None],
        now: Callable[[], float],
    ) -> None:
        self._storage, self._bandwidth = storage, bandwidth
        self._max_bytes = max_bytes
        self._emit, self._now = emit, now
        self._buffer_pool = BufferPool()
        self._stream_count = 0

    def check_size(self, size: int | None) -> None:
        """Raises `BodyLimitExceeded` for a file of `size` bytes that may not be as large."""
        limit = self._max_bytes
        if size is not None and limit is not None and size > limit:
            raise BodyLimitExceeded(limit, decoded=False)

    async def write_body(
        self,
        transfer: DownloadAttempt,
        response: RawResponse,
        segment: Segment,
        write: WriteAtOffset,
        overlap: bytes,
        total: int | None,
    ) -> None:
        """Bring the body to its place, its first bytes compared with `seen`, up to the end of its `share`.

        What came is kept, however it ends. `write` puts a batch at a byte of the file, `total` is what the file
        will have. Raises `OverlapMismatch`, `BodyLimitExceeded`, what `RawResponse.pieces` raises, and as
        `Storage.translated`.
        """
        pace, host = self._bandwidth, transfer.request.url.host
        progress = ProgressReporter(transfer.request.url, total, self._emit, self._now)
        self._stream_count += 1
        landing = DiskBuffer(self._acquire_buffer() or unpooled_buffer())
        writer = _BatchWriter(self._storage, self._buffer_pool, transfer.order.path, write, segment)
        try:
            async with aclosing(response.read_into(landing)) as arrivals:
                async for _ in arrivals:
                    if overlap:
                        overlap = _drop_overlap(landing, overlap)
                    size = len(landing.unread)
                    # What comes behind the end of a share that was divided is another stream's.
                    over = segment.stop < segment.end and size >= segment.remaining
                    if over:
                        size = segment.remaining
                    transfer.received += size
                    self.check_size(segment.at + size)
                    segment.at += size
                    landing.accept(size)
                    if not pace.unlimited:
                        transfer.held += await pace.throttle(host, size)
                    if landing.batch_is_full:
                        await writer.start(landing)
                        if not self._can_double_buffer or (buffer := self._acquire_buffer()) is None:
                            await writer.wait()
                            buffer = self._acquire_buffer() or unpooled_buffer()
                        landing.swap(buffer)
                    progress.report(segment.at - segment.start)
                    if over:
                        break
            if overlap:
                raise TruncatedResponse("the answer ended within what is here already")
        finally:
            self._stream_count -= 1
            try:
                await writer.start(landing)
                await writer.wait()
            finally:
                writer.close(landing)
            progress.report(segment.at - segment.start, last=True)

    @property
    def _can_double_buffer(self) -> bool:
        """Whether every stream can fill one buffer while another is written."""
        return 2 * self._stream_count * self._buffer_bytes <= POOL_BYTES

    @property
    def _buffer_bytes(self) -> int:
        """Bytes of buffer that a stream asks for."""
        size = buffer_size_for(self._stream_count)
        return size if self._bandwidth.unlimited else min(size, MAX_THROTTLED_BUFFER_BYTES)

    def _acquire_buffer(self) -> Buffer | None:
        return self._buffer_pool.acquire(self._buffer_bytes)


class _BatchWriter:
    """Writes one batch at a time of what `share` is about, and gives its buffer back to `stock`."""

    __slots__ = ("_buffer", "_path", "_share", "_stock", "_storage", "_until", "_write", "_writing")

    def __init__(
        self, storage: FileStorage, stock: BufferPool, path: str, write: WriteAtOffset, share: Segment
    ) -> None:
        self._storage, self._stock, self._path = storage, stock, path
        self._write, self._share = write, share
        self._writing: asyncio.Future[None] | None = None
        self._buffer: Buffer | None = None
        self._until = share.written

    async def start(self, landing: DiskBuffer) -> None:
        """When the batch before is written, begin with that of `landing`, which ends where the share is now."""
        await self.wait()
        batch, self._buffer = landing.detach()
        if batch:
            self._until = self._share.at
            self._writing = self._storage.disk.run(self._write, batch, self._until - len(batch))

    async def wait(self) -> None:
        """Return when the batch is written. Raises as `Storage.translated`, then and whenever it is called again."""
        if self._writing is not None:
            await self._storage.with_disk_errors(self._writing, self._path)
            self._share.written = self._until
        self._writing = None
        self._release_buffer()

    def close(self, landing: DiskBuffer) -> None:
        """Give back what is left, after `end`."""
        assert self._writing is None or self._writing.done(), "its buffer is being read"
        self._release_buffer()
        _, self._buffer = landing.detach()
        self._release_buffer()

    def _release_buffer(self) -> None:
        if self._buffer is not None:
            self._stock.release(self._buffer)
            self._buffer = None


def _drop_overlap(landing: DiskBuffer, seen: bytes) -> bytes:
    """Drop from what is fresh what is here already; what of `seen` is still to come. Raises `OverlapMismatch`."""
    fresh = landing.unread
    common = min(len(fresh), len(seen))
    if fresh[:common] != seen[:common]:
        raise OverlapMismatch
    landing.discard(common)
    return seen[common:]
