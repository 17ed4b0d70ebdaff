"""The buffer between a connection and a file: the connection fills it at one end, the reader takes from the other.

    0 ........ accepted ........ received ........ limit .. end
       batch             unread            free

The connection receives straight into the free part (`Exchange.read_into`). The reader looks at `unread`, accepts or
discards it, and when `batch_is_full`, has the batch written and continues in another buffer (`swap`). Invariants:

- Bytes are received only behind `received` and read only before it, and a batch is written only when the buffer is
  full. So memory that is being written to disk is never received into.
- The buffer has one user and returns to the pool only after its batch was written (stream_writer.py). Leftovers of
  other bodies lie behind `received`, where nobody reads.
- The free part ends at `limit`, but never exactly where the body ends: there must be room for one byte too many.
  Otherwise a surplus byte would be taken for the start of the next response (response_parser.py). `SPARE_BYTES` behind
  `limit` keep that room.
"""

from __future__ import annotations

from collections.abc import Iterator

from scraper.transport.buffer_pool import Buffer

_EMPTY_VIEW = memoryview(b"")
# Bytes kept free behind `limit`. One memory page, so that batches start at page boundaries: fastest for file systems.
SPARE_BYTES = 4096


class DiskBuffer:
    """Received bytes of one body that are not yet on disk."""

    __slots__ = ("_accepted", "_batch_start", "_buffer", "_limit", "_received", "_view")

    def __init__(self, buffer: Buffer) -> None:
        self._buffer: Buffer | None = None
        self._view = _EMPTY_VIEW
        self._limit = self._batch_start = self._accepted = self._received = 0
        self.swap(buffer)

    # -- for the connection

    def receive_view(self, remaining: int) -> memoryview | None:
        """Where to receive next, when `remaining` bytes of the body are still to come; None when the buffer is full."""
        received, limit = self._received, self._limit
        if received >= limit:
            return None
        # One byte more when the body would end exactly at the limit: see the third invariant.
        return self._view[received : limit + 1 if remaining == limit - received else limit]

    def mark_received(self, size: int) -> None:
        """Record that `size` bytes of the body were received into the view."""
        self._received += size

    @property
    def is_full(self) -> bool:
        """Whether nothing can be received before the next `swap`."""
        return self._received >= self._limit

    def copy_from(self, piece: bytes) -> Iterator[None]:
        """Copy `piece`, which was received elsewhere. At each step the reader must `swap` a full buffer."""
        left = memoryview(piece)
        while left:
            size = min(len(left), self._limit - self._received)
            assert size, "the reader must swap a full buffer"
            self._view[self._received : self._received + size] = left[:size]
            self._received += size
            left = left[size:]
            yield

    # -- for the reader

    @property
    def unread(self) -> memoryview:
        """What was received since the reader last accepted or discarded something."""
        return self._view[self._accepted : self._received]

    def discard(self, size: int) -> None:
        """Drop the first `size` unread bytes. Only allowed before anything was accepted."""
        assert self._batch_start == self._accepted, "only leading bytes can be discarded"
        self._batch_start += size
        self._accepted += size

    def accept(self, size: int) -> None:
        """Add the first `size` unread bytes to the batch."""
        self._accepted += size

    @property
    def batch_is_full(self) -> bool:
        """Whether the batch must be written now, and the buffer swapped."""
        return self._accepted >= self._limit

    def detach(self) -> tuple[memoryview, Buffer | None]:
        """The batch and its buffer (None if it was detached before). Nothing can be received until the next `swap`."""
        batch, buffer = self._view[self._batch_start : self._accepted], self._buffer
        self._buffer, self._view = None, _EMPTY_VIEW
        self._limit = self._batch_start = self._accepted = self._received = 0
        return batch, buffer

    def swap(self, buffer: Buffer) -> None:
        """Continue in `buffer`."""
        self._buffer, self._view = buffer, buffer.view
        self._limit = len(buffer.view) - SPARE_BYTES
