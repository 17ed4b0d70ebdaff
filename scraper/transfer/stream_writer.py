"""Writes a response body to disk while it arrives: a thread writes one buffer while the connection fills the next."""

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

# The largest buffer of a throttled stream. After a buffer the stream sleeps for all bytes that came into it at once; a
# larger one would make long pauses.
MAX_THROTTLED_BUFFER_BYTES = 256 * 1024

# Writes bytes at an offset of a file. Called in a thread; raises `OSError`.
WriteAtOffset = Callable[[memoryview, int], None]


class OverlapMismatch(Exception):  # noqa: N818  read as a result, not as a mistake: the file has changed at the server
    """Bytes that were requested again differ from those in the unfinished file."""


class StreamWriter:
    """Writes bodies into unfinished files, no faster than `bandwidth` allows.

    `max_bytes` bounds one file; None is no limit. All streams share one buffer pool.
    """

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
        """Raise `BodyLimitExceeded` when a file of `size` bytes (None: unknown) is larger than allowed."""
        limit = self._max_bytes
        if size is not None and limit is not None and size > limit:
            raise BodyLimitExceeded(limit, decoded=False)

    async def write_body(
        self,
        attempt: DownloadAttempt,
        response: RawResponse,
        segment: Segment,
        write: WriteAtOffset,
        overlap: bytes,
        total: int | None,
    ) -> None:
        """Write the body of `response` to the range of `segment`, and update the segment as bytes arrive.

        The body must begin with the bytes `overlap`, which are not written again. `total` is the length of the whole
        file, for progress events. What has arrived is written whether this returns, raises or is cancelled.

        Raises `OverlapMismatch`; `BodyLimitExceeded`; `TruncatedResponse`; what `RawResponse.read_into` raises;
        `SinkError` and `FileWriteError` for disk errors.
        """
        bandwidth, host = self._bandwidth, attempt.request.url.host
        progress = ProgressReporter(attempt.request.url, total, self._emit, self._now)
        self._stream_count += 1
        buffer = DiskBuffer(self._acquire_buffer() or unpooled_buffer())
        writer = _BatchWriter(self._storage, self._buffer_pool, attempt.entry.path, write, segment)
        try:
            async with aclosing(response.read_into(buffer)) as arrivals:
                async for _ in arrivals:
                    if overlap:
                        overlap = _drop_overlap(buffer, overlap)
                    size = len(buffer.unread)
                    # Another stream has taken over the end of this segment: keep nothing behind `stop`.
                    is_cut = segment.stop < segment.body_end and size >= segment.remaining
                    if is_cut:
                        size = segment.remaining
                    attempt.received += size
                    self.check_size(segment.position + size)
                    segment.position += size
                    buffer.accept(size)
                    if not bandwidth.unlimited:
                        attempt.throttled_for += await bandwidth.throttle(host, size)
                    if buffer.batch_is_full:
                        # Waits for the batch before this one, so at most one write is under way for each stream.
                        await writer.start(buffer)
                        if not self._can_double_buffer or (spare := self._acquire_buffer()) is None:
                            # Not enough memory to receive during the write: wait, then use the buffer it frees.
                            await writer.wait()
                            spare = self._acquire_buffer() or unpooled_buffer()
                        buffer.swap(spare)
                    progress.report(segment.position - segment.start)
                    if is_cut:
                        break
            if overlap:
                raise TruncatedResponse("the response ended within the bytes that were received before")
        finally:
            self._stream_count -= 1
            try:
                await writer.start(buffer)
                await writer.wait()
            finally:
                writer.close(buffer)
            progress.report(segment.position - segment.start, last=True)

    @property
    def _can_double_buffer(self) -> bool:
        """Whether the pool is large enough for two buffers for each stream."""
        return 2 * self._stream_count * self._buffer_bytes <= POOL_BYTES

    @property
    def _buffer_bytes(self) -> int:
        """The size of the next buffer that a stream takes."""
        size = buffer_size_for(self._stream_count)
        return size if self._bandwidth.unlimited else min(size, MAX_THROTTLED_BUFFER_BYTES)

    def _acquire_buffer(self) -> Buffer | None:
        return self._buffer_pool.acquire(self._buffer_bytes)


class _BatchWriter:
    """Writes the batches of one stream, one at a time, and returns their buffers to `pool`.

    `segment.written` moves only when a write has returned: the metadata must never claim bytes that are not there.
    """

    __slots__ = ("_batch_end", "_buffer", "_path", "_pool", "_segment", "_storage", "_write", "_writing")

    def __init__(
        self, storage: FileStorage, pool: BufferPool, path: str, write: WriteAtOffset, segment: Segment
    ) -> None:
        self._storage, self._pool, self._path = storage, pool, path
        self._write, self._segment = write, segment
        self._writing: asyncio.Future[None] | None = None
        # What the thread reads from; not to be used again before `_writing` is done.
        self._buffer: Buffer | None = None
        self._batch_end = segment.written

    async def start(self, buffer: DiskBuffer) -> None:
        """Wait for the batch before, then start to write the one in `buffer`, which ends at the segment's position."""
        await self.wait()
        batch, self._buffer = buffer.detach()
        if batch:
            self._batch_end = self._segment.position
            self._writing = self._storage.disk.run(self._write, batch, self._batch_end - len(batch))

    async def wait(self) -> None:
        """Return when the batch is written. Raises `SinkError` and `FileWriteError`, and again if called again."""
        if self._writing is not None:
            await self._storage.with_disk_errors(self._writing, self._path)
            self._segment.written = self._batch_end
        self._writing = None
        self._release_buffer()

    def close(self, buffer: DiskBuffer) -> None:
        """Return all buffers to the pool, after `wait`."""
        assert self._writing is None or self._writing.done(), "the thread still reads the buffer"
        self._release_buffer()
        _, self._buffer = buffer.detach()
        self._release_buffer()

    def _release_buffer(self) -> None:
        if self._buffer is not None:
            self._pool.release(self._buffer)
            self._buffer = None


def _drop_overlap(buffer: DiskBuffer, overlap: bytes) -> bytes:
    """Compare the unread bytes with `overlap` and discard them; return the part of `overlap` still to be compared.

    Raises `OverlapMismatch`.
    """
    unread = buffer.unread
    common = min(len(unread), len(overlap))
    if unread[:common] != overlap[:common]:
        raise OverlapMismatch
    buffer.discard(common)
    return overlap[common:]
