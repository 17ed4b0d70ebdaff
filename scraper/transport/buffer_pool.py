"""The memory in which bodies wait to be written: one stretch for all of them, lent in pieces and given back.

A body that goes to the disk is received into a buffer, written from there, and the buffer is used again. Nothing is
allocated on the way, nothing copied, and no page of memory fetched anew from the system, which costs more than the
bytes that go through it. The larger a buffer, the less a byte costs: while one is written, the system receives on, and
the next read takes all of that at once. So few streams get large buffers, many get small ones.
"""

from __future__ import annotations

import mmap

POOL_BYTES = 8 * 1024 * 1024
"""Bytes of all bodies together that wait to be written."""
BLOCK_BYTES = 128 * 1024
"""Buffers are 1, 2, 4, 8 or 16 of these."""
MAX_BUFFER_BYTES, MIN_DOUBLE_BUFFER_BYTES = 2 * 1024 * 1024, 512 * 1024
"""The largest buffer, and the one below which a stream would rather have a single one than two halves of it."""
FALLBACK_BUFFER_BYTES = 64 * 1024
"""The buffer of a stream for which nothing is left: it is its own, beyond `POOL_BYTES`."""

_BLOCK_COUNT = POOL_BYTES // BLOCK_BYTES


class Buffer:
    """`room` is its bearer's alone until it goes back to the stock. `cells` are the bits of the cells it is made of."""

    __slots__ = ("block_mask", "view")

    def __init__(self, room: memoryview, cells: int) -> None:
        self.view, self.block_mask = room, cells


class BufferPool:
    """`POOL_BYTES` bytes of memory. The system gives a page of it when it is first written to."""

    def __init__(self) -> None:
        self._memory = memoryview(mmap.mmap(-1, POOL_BYTES))
        self._used_mask = 0

    def acquire(self, max_bytes: int) -> Buffer | None:
        """A buffer of at most `wanted` bytes, the largest there is; None when all of the memory is lent."""
        size = 1 << max(0, min(max_bytes, MAX_BUFFER_BYTES) // BLOCK_BYTES).bit_length() >> 1
        while size:
            run = (1 << size) - 1
            for first in range(0, _BLOCK_COUNT, size):
                if not self._used_mask & run << first:
                    self._used_mask |= run << first
                    return Buffer(self._memory[first * BLOCK_BYTES : (first + size) * BLOCK_BYTES], run << first)
            size >>= 1
        return None

    def release(self, buffer: Buffer) -> None:
        """Nobody reads or writes `buffer` any more."""
        assert buffer.block_mask & ~self._used_mask == 0, "a buffer goes back once"
        self._used_mask &= ~buffer.block_mask


def buffer_size_for(streams: int) -> int:
    """The size of buffer that each of `streams` should ask for."""
    fair = POOL_BYTES // streams
    return max(min(MIN_DOUBLE_BUFFER_BYTES, fair), min(MAX_BUFFER_BYTES, fair // 2))


def unpooled_buffer() -> Buffer:
    """A buffer that belongs to no stock."""
    return Buffer(memoryview(bytearray(FALLBACK_BUFFER_BYTES)), 0)
