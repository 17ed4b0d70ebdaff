"""The memory in which bodies wait to be written: one stretch for all of them, lent in pieces and given back.

A body that goes to the disk is received into a buffer, written from there, and the buffer is used again. Nothing is
allocated on the way, nothing copied, and no page of memory fetched anew from the system, which costs more than the
bytes that go through it. The larger a buffer, the less a byte costs: while one is written, the system receives on, and
the next read takes all of that at once. So few streams get large buffers, many get small ones.
"""

from __future__ import annotations

import mmap

BUFFERED = 8 * 1024 * 1024
"""Bytes of all bodies together that wait to be written."""
CELL = 128 * 1024
"""Buffers are 1, 2, 4, 8 or 16 of these."""
LARGEST, ENOUGH = 2 * 1024 * 1024, 512 * 1024
"""The largest buffer, and the one below which a stream would rather have a single one than two halves of it."""
LEAST = 64 * 1024
"""The buffer of a stream for which nothing is left: it is its own, beyond `BUFFERED`."""

_CELLS = BUFFERED // CELL


class Buffer:
    """`room` is its bearer's alone until it goes back to the stock. `cells` are the bits of the cells it is made of."""

    __slots__ = ("cells", "room")

    def __init__(self, room: memoryview, cells: int) -> None:
        self.room, self.cells = room, cells


class Stock:
    """`BUFFERED` bytes of memory. The system gives a page of it when it is first written to."""

    def __init__(self) -> None:
        self._memory = memoryview(mmap.mmap(-1, BUFFERED))
        self._lent = 0

    def lend(self, wanted: int) -> Buffer | None:
        """A buffer of at most `wanted` bytes, the largest there is; None when all of the memory is lent."""
        size = 1 << max(0, min(wanted, LARGEST) // CELL).bit_length() >> 1
        while size:
            run = (1 << size) - 1
            for first in range(0, _CELLS, size):
                if not self._lent & run << first:
                    self._lent |= run << first
                    return Buffer(self._memory[first * CELL : (first + size) * CELL], run << first)
            size >>= 1
        return None

    def take_back(self, buffer: Buffer) -> None:
        """Nobody reads or writes `buffer` any more."""
        assert buffer.cells & ~self._lent == 0, "a buffer goes back once"
        self._lent &= ~buffer.cells


def wanted(streams: int) -> int:
    """The size of buffer that each of `streams` should ask for."""
    fair = BUFFERED // streams
    return max(min(ENOUGH, fair), min(LARGEST, fair // 2))


def of_its_own() -> Buffer:
    """A buffer that belongs to no stock."""
    return Buffer(memoryview(bytearray(LEAST)), 0)
