"""Receive buffers for bodies that go to disk: one block of memory, handed out in pieces.

A body is received into a buffer, written to disk from there, and the buffer is used again. So nothing is allocated per
body, nothing is copied, and no memory page is requested from the kernel again, which costs more than the bytes that
pass through it. Large buffers are cheaper per byte: while one is written, the kernel keeps receiving, and the next read
gets all of that at once. So a few streams get large buffers, many streams get small ones.
"""

from __future__ import annotations

import mmap

# Size of the pool: bytes of all bodies together that wait to be written.
POOL_BYTES = 8 * 1024 * 1024
# The unit of allocation: a buffer has 1, 2, 4, 8 or 16 blocks.
BLOCK_BYTES = 128 * 1024
# The largest buffer; and the size below which one buffer per stream is faster than two of half the size.
MAX_BUFFER_BYTES, MIN_DOUBLE_BUFFER_BYTES = 2 * 1024 * 1024, 512 * 1024
# Buffer of a stream that found the pool empty. It is allocated separately, in addition to `POOL_BYTES`.
FALLBACK_BUFFER_BYTES = 64 * 1024

_BLOCK_COUNT = POOL_BYTES // BLOCK_BYTES


class Buffer:
    """A piece of the pool. `view` belongs to its user until `BufferPool.release`; `block_mask` has a bit for each of
    its blocks.
    """

    __slots__ = ("block_mask", "view")

    def __init__(self, room: memoryview, cells: int) -> None:
        self.view, self.block_mask = room, cells


class BufferPool:
    """`POOL_BYTES` of memory. The kernel provides a page only when it is first written to."""

    def __init__(self) -> None:
        self._memory = memoryview(mmap.mmap(-1, POOL_BYTES))
        self._used_mask = 0

    def acquire(self, max_bytes: int) -> Buffer | None:
        """The largest free buffer of at most `max_bytes` bytes; None when all memory is in use."""
        # In blocks: the largest power of two that fits `max_bytes`.
        size = 1 << max(0, min(max_bytes, MAX_BUFFER_BYTES) // BLOCK_BYTES).bit_length() >> 1
        while size:
            run = (1 << size) - 1
            # Aligned to its own size, so that free memory does not fragment into odd pieces (buddy allocation).
            for first in range(0, _BLOCK_COUNT, size):
                if not self._used_mask & run << first:
                    self._used_mask |= run << first
                    return Buffer(self._memory[first * BLOCK_BYTES : (first + size) * BLOCK_BYTES], run << first)
            size >>= 1
        return None

    def release(self, buffer: Buffer) -> None:
        """Return `buffer`. Nobody may read or write it any more."""
        assert buffer.block_mask & ~self._used_mask == 0, "a buffer is released once"
        self._used_mask &= ~buffer.block_mask


def buffer_size_for(streams: int) -> int:
    """The buffer size in bytes that each of `streams` should request."""
    fair = POOL_BYTES // streams
    # Two buffers per stream (one fills while the other is written), unless halves would become too small.
    return max(min(MIN_DOUBLE_BUFFER_BYTES, fair), min(MAX_BUFFER_BYTES, fair // 2))


def unpooled_buffer() -> Buffer:
    """A buffer of `FALLBACK_BUFFER_BYTES` outside any pool, for a stream that found the pool empty."""
    return Buffer(memoryview(bytearray(FALLBACK_BUFFER_BYTES)), 0)
