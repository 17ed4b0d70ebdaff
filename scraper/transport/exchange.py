"""One request's answer, from the first byte of its head to the last of its body.

The connection fills it, a task empties it. A body that fits the window is gathered and wakes its task once, when it
is whole; of a larger one the task is woken at the head and then whenever it waits and something comes. While the
window is full the connection does not read: that is the back-pressure.

`on_head` and `on_body` only note what has come. The task is woken by `notify`, `on_end` and `on_error`, and runs within
them (`wake.py`): the connection calls one of these last.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Protocol

import httpx

from scraper.transport.disk_buffer import DiskBuffer
from scraper.transport.eager_wakeup import InlineFuture
from scraper.transport.errors import BodyTooLarge
from scraper.transport.http1_framing import ResponseHead

# Pieces below this size are joined to their neighbour: a dripping server must not buy an object with every byte.
MIN_PIECE_BYTES = 2048


class ByteSource(Protocol):
    """What an exchange asks of the connection that fills it."""

    def resume_reading(self, exchange: Exchange) -> None:
        """Read on: the buffer has room again."""
        ...

    def cancel(self, exchange: Exchange) -> None:
        """Nobody wants the rest: close the connection, unless the exchange is over already."""
        ...

    def get_extra_info(self, name: str) -> object:
        """What the transport knows under `name` (asyncio's `get_extra_info`)."""
        ...


class Exchange:
    """A response. `read()` or `pieces()` give its body as it came: undone from chunks, not from content codings.

    `status`, `headers` (as they came: order, case and repetition kept) and `length` (bytes of the body as announced by
    Content-Length, None when it was not) are those of the head. `sent_at` and `head_at` are seconds on the event loop's
    clock; `received` counts body bytes so far. `streaming` says that whoever asked gets the body as it comes, `full`
    that `window` bytes of it or more wait to be read. With `wake_inline` whoever asked goes on as soon as it is
    complete.
    """

    __slots__ = (
        "_buffer_limit",
        "_buffered_bytes",
        "_disk_buffer",
        "_error",
        "_head",
        "_loop",
        "_pieces",
        "_source",
        "_stream",
        "_wake_inline",
        "_wakeup",
        "complete",
        "content_length",
        "head_at",
        "headers",
        "max_body",
        "method",
        "received",
        "sent_at",
        "status",
        "streaming",
        "trailers",
    )

    def __init__(
        self,
        method: str,
        loop: asyncio.AbstractEventLoop,
        *,
        buffer_limit: int,
        max_body: int | None,
        stream: bool = False,
        wake_inline: bool = True,
    ) -> None:
        self.method = method
        self.max_body = max_body
        self.complete = False
        self.received = 0
        self.sent_at = self.head_at = 0.0
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.content_length: int | None = None
        self.trailers: list[tuple[bytes, bytes]] = []
        self._head: ResponseHead | None = None
        self._buffer_limit = buffer_limit
        self._stream = stream
        self.streaming = False
        self._pieces: list[bytes] = []
        self._buffered_bytes = 0
        self._disk_buffer: DiskBuffer | None = None
        self._error: Exception | None = None
        self._loop = loop
        self._wake_inline = wake_inline
        self._wakeup = InlineFuture(loop)
        self._source: ByteSource | None = None

    # -- for whoever asked

    @property
    def head(self) -> ResponseHead:
        """The response's head."""
        assert self._head is not None, "an exchange is handed out with its head"
        return self._head

    @property
    def http_version(self) -> bytes:
        """`b"1.1"` or `b"1.0"`."""
        return self.head.version

    @property
    def peer(self) -> tuple[str, int] | None:
        """The address and port that answered."""
        name = self.get_extra_info("peername")
        return (str(name[0]), int(name[1])) if isinstance(name, tuple) else None

    def get_extra_info(self, name: str) -> object:
        """What the transport knows under `name`: `peername`, `sockname`, `ssl_object`, `cipher` ..."""
        return self._source.get_extra_info(name) if self._source is not None else None

    async def read(self) -> bytes:
        """The rest of the body. It is in memory as a whole: `max_body` is the bound. Errors as `pieces`."""
        if self.complete:
            return self._take_buffered()
        return b"".join([piece async for piece in self.aiter_raw()])

    async def aiter_raw(self) -> AsyncIterator[bytes]:
        """The body in pieces as they come.

        Raises `TruncatedResponse`, `BodyTooLarge`, `httpx.RemoteProtocolError`, `httpx.ReadError`, `httpx.ReadTimeout`
        or
        `DeadlineExceeded` when it cannot be read to its end. Closing the iterator early closes the connection.
        """
        try:
            while True:
                if self._pieces:
                    yield self._take_buffered()
                elif self.complete:
                    return
                elif self._error is not None:
                    raise self._error
                else:
                    await self._wakeup
        finally:
            self.close()

    async def read_into(self, buffer: DiskBuffer) -> AsyncIterator[None]:
        """The body into `landing`, without a copy where the connection can; yields when something has come.

        Whoever reads makes room before asking for more. Errors and closing as `pieces`.
        """
        self._disk_buffer = buffer
        try:
            while True:
                if buffer.unread:
                    yield
                elif self._pieces:
                    piece = b"".join(self._pieces)
                    self._pieces.clear()
                    self._buffered_bytes = 0
                    self._disk_buffer = None  # what comes meanwhile belongs behind this
                    for _ in buffer.copy_from(piece):
                        yield
                    self._disk_buffer = buffer
                elif self.complete:
                    return
                elif self._error is not None:
                    raise self._error
                else:
                    if self._source is not None:
                        self._source.resume_reading(self)
                    await self._wakeup
        finally:
            self._disk_buffer = None
            self.close()

    def close(self) -> None:
        """Let go. A body that was not read to its end costs the connection."""
        if not self.complete and self._error is None and self._source is not None:
            self._source.cancel(self)
            self._error = httpx.ReadError("the response was closed before its end")
            self._wakeup.wake()  # whoever reads in another task

    def _take_buffered(self) -> bytes:
        pieces = self._pieces
        piece = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        self._buffered_bytes = 0
        if not self.complete and self._source is not None:
            self._source.resume_reading(self)
        return piece

    # -- for the connection

    def start(self, source: ByteSource) -> None:
        """The request is on its way over `source`."""
        self._source = source
        self.sent_at = self._loop.time()

    async def wait_for_head(self) -> None:
        """Return when the head is here, and the body too if it fits the window. Errors as `pieces`."""
        await self._wakeup
        if self._error is not None and not (self.streaming and self._pieces):
            raise self._error

    def on_head(self, head: ResponseHead, length: int | None) -> None:
        """The final head has come; `length` is the body's size if known. Raises `BodyTooLarge`."""
        self._head = head
        self.status, self.headers, self.content_length = head.status, head.headers, head.content_length
        self.head_at = self._loop.time()
        if length is not None and self.max_body is not None and length > self.max_body:
            raise self._too_large_error(length)
        if self._stream if length is None else length > self._buffer_limit:
            self.streaming = True

    def on_body(self, piece: bytes) -> None:
        """Body bytes have come. Raises `BodyTooLarge`."""
        size = len(piece)
        self.received += size
        if self.max_body is not None and self.received > self.max_body:
            raise self._too_large_error(None)
        pieces = self._pieces
        if size < MIN_PIECE_BYTES and pieces and len(pieces[-1]) < MIN_PIECE_BYTES:
            pieces[-1] += piece
        else:
            pieces.append(piece)
        self._buffered_bytes += size
        if self._buffered_bytes >= self._buffer_limit:
            self.streaming = True

    def direct_buffer(self, remaining: int) -> memoryview | None:
        """Where the next of `left` body bytes may be received; None when they must go through `on_body`."""
        landing = self._disk_buffer
        return None if landing is None or self._pieces else landing.receive_view(remaining)

    def on_direct_read(self, size: int) -> None:
        """Body bytes have come into the room that was last given."""
        self.received += size
        if self._disk_buffer is not None:
            self._disk_buffer.mark_received(size)

    @property
    def is_full(self) -> bool:
        """Whether reading should wait for whoever asked."""
        return self._buffered_bytes >= self._buffer_limit or (
            self._disk_buffer is not None and self._disk_buffer.is_full
        )

    def notify(self) -> None:
        """Let whoever asked see what has come."""
        self._wakeup.wake()

    def on_end(self) -> None:
        """The body is complete."""
        self.complete = True
        if self._wake_inline or self.streaming:
            self._wakeup.wake()
        else:
            self._wakeup.wake_soon()

    def on_error(self, error: Exception) -> None:
        """The exchange has failed."""
        self._error = error
        self._wakeup.wake()

    @property
    def is_finished(self) -> bool:
        """Whether nothing more will come."""
        return self.complete or self._error is not None

    def _too_large_error(self, length: int | None) -> BodyTooLarge:
        said = f"{length} bytes announced" if length is not None else "more bytes came"
        limit = self.max_body or 0
        return BodyTooLarge(f"body too large: {said}, {limit} allowed", limit=limit)
