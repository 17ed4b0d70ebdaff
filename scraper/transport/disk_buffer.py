"""Where a body that goes to the disk arrives: the connection fills a buffer at one end, its reader takes at the other.

    0 ........ kept ........ filled ........ limit .. end
      batch         fresh           room

The connection receives straight into `room` (`Exchange.land`). The reader looks at what is `fresh`, keeps it or drops
it, and when the buffer is `due`, has the batch written and goes on in another buffer (`turn`). What holds it together:

- Bytes are received only behind `filled` and read only before it, and a buffer is not `due` before it is full. So a
  batch that is being written is never written to.
- A buffer is its landing's alone, and goes back to the stock only when its batch is written (pouring.py). What other
  bodies have left in it lies behind `filled`, where nobody reads.
- The room ends at `limit`, but never where the body ends: there must be room for a byte that does not belong to it, or
  it would be taken for the beginning of the next answer (incoming.py). For that there is a page behind `limit`.
"""

from __future__ import annotations

from collections.abc import Iterator

from scraper.transport.buffer_pool import Buffer

_NOWHERE = memoryview(b"")
SPARE = 4096
"""Bytes behind the limit. A page, so that a file's batches begin at pages, which costs its file system least."""


class Landing:
    """A body's bytes that are not with the disk yet, in `buffer`."""

    __slots__ = ("_buffer", "_filled", "_first", "_kept", "_limit", "_room")

    def __init__(self, buffer: Buffer) -> None:
        self._buffer: Buffer | None = None
        self._room = _NOWHERE
        self._limit = self._first = self._kept = self._filled = 0
        self.turn(buffer)

    # -- for the connection

    def room(self, left: int) -> memoryview | None:
        """Where the next bytes of a body may go of which `left` are to come; None while there is no room."""
        filled, limit = self._filled, self._limit
        if filled >= limit:
            return None
        return self._room[filled : limit + 1 if left == limit - filled else limit]

    def landed(self, size: int) -> None:
        """`size` bytes of the body have come into the room."""
        self._filled += size

    @property
    def full(self) -> bool:
        """Whether there is no room."""
        return self._filled >= self._limit

    def take_in(self, piece: bytes) -> Iterator[None]:
        """Copy a piece that came by another way; after each step its reader must make room where there is none."""
        left = memoryview(piece)
        while left:
            size = min(len(left), self._limit - self._filled)
            assert size, "whoever reads a full landing turns it"
            self._room[self._filled : self._filled + size] = left[:size]
            self._filled += size
            left = left[size:]
            yield

    # -- for the reader

    @property
    def fresh(self) -> memoryview:
        """What has come since the reader last kept or dropped something."""
        return self._room[self._kept : self._filled]

    def drop(self, size: int) -> None:
        """The first `size` fresh bytes are not wanted. Nothing may have been kept before."""
        assert self._first == self._kept, "what is dropped comes first"
        self._first += size
        self._kept += size

    def keep(self, size: int) -> None:
        """The first `size` fresh bytes belong to the batch."""
        self._kept += size

    @property
    def due(self) -> bool:
        """Whether the batch is to be written now, and the landing turned."""
        return self._kept >= self._limit

    def hand_over(self) -> tuple[memoryview, Buffer | None]:
        """What was kept, and the buffer it is in, None if that went before. There is no room until the next `turn`."""
        batch, buffer = self._room[self._first : self._kept], self._buffer
        self._buffer, self._room = None, _NOWHERE
        self._limit = self._first = self._kept = self._filled = 0
        return batch, buffer

    def turn(self, buffer: Buffer) -> None:
        """Go on in `buffer`."""
        self._buffer, self._room = buffer, buffer.room
        self._limit = len(buffer.room) - SPARE
