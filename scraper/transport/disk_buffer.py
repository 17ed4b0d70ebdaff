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

_EMPTY_VIEW = memoryview(b"")
SPARE_BYTES = 4096
"""Bytes behind the limit. A page, so that a file's batches begin at pages, which costs its file system least."""


class DiskBuffer:
    """A body's bytes that are not with the disk yet, in `buffer`."""

    __slots__ = ("_accepted", "_batch_start", "_buffer", "_limit", "_received", "_view")

    def __init__(self, buffer: Buffer) -> None:
        self._buffer: Buffer | None = None
        self._view = _EMPTY_VIEW
        self._limit = self._batch_start = self._accepted = self._received = 0
        self.swap(buffer)

    # -- for the connection

    def receive_view(self, remaining: int) -> memoryview | None:
        """Where the next bytes of a body may go of which `left` are to come; None while there is no room."""
        filled, limit = self._received, self._limit
        if filled >= limit:
            return None
        return self._view[filled : limit + 1 if remaining == limit - filled else limit]

    def mark_received(self, size: int) -> None:
        """`size` bytes of the body have come into the room."""
        self._received += size

    @property
    def is_full(self) -> bool:
        """Whether there is no room."""
        return self._received >= self._limit

    def copy_from(self, piece: bytes) -> Iterator[None]:
        """Copy a piece that came by another way; after each step its reader must make room where there is none."""
        left = memoryview(piece)
        while left:
            size = min(len(left), self._limit - self._received)
            assert size, "whoever reads a full landing turns it"
            self._view[self._received : self._received + size] = left[:size]
            self._received += size
            left = left[size:]
            yield

    # -- for the reader

    @property
    def unread(self) -> memoryview:
        """What has come since the reader last kept or dropped something."""
        return self._view[self._accepted : self._received]

    def discard(self, size: int) -> None:
        """The first `size` fresh bytes are not wanted. Nothing may have been kept before."""
        assert self._batch_start == self._accepted, "what is dropped comes first"
        self._batch_start += size
        self._accepted += size

    def accept(self, size: int) -> None:
        """The first `size` fresh bytes belong to the batch."""
        self._accepted += size

    @property
    def batch_is_full(self) -> bool:
        """Whether the batch is to be written now, and the landing turned."""
        return self._accepted >= self._limit

    def detach(self) -> tuple[memoryview, Buffer | None]:
        """What was kept, and the buffer it is in, None if that went before. There is no room until the next `turn`."""
        batch, buffer = self._view[self._batch_start : self._accepted], self._buffer
        self._buffer, self._view = None, _EMPTY_VIEW
        self._limit = self._batch_start = self._accepted = self._received = 0
        return batch, buffer

    def swap(self, buffer: Buffer) -> None:
        """Go on in `buffer`."""
        self._buffer, self._view = buffer, buffer.view
        self._limit = len(buffer.view) - SPARE_BYTES
