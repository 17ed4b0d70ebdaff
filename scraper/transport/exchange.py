"""One request and its response, from the first byte of the head to the last byte of the body.

The connection fills the exchange, a task reads it. A body that fits `buffer_limit` is collected and wakes its task
once, when complete. With a larger body the task is woken at the head and then whenever it waits and something has come.
While `buffer_limit` bytes wait for the task, the connection does not read from the socket: that is the back-pressure.

`on_head` and `on_body` only store what has come. `notify`, `on_end` and `on_error` wake the task, which may run within
the call (eager_wakeup.py), so the connection calls one of these last.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Protocol

import httpx

from scraper.transport.disk_buffer import DiskBuffer
from scraper.transport.eager_wakeup import InlineFuture
from scraper.transport.errors import BodyTooLarge
from scraper.transport.http1_framing import ResponseHead

# Pieces smaller than this are joined to the previous one, so that a server that sends single bytes does not cost an
# object for each.
MIN_PIECE_BYTES = 2048


class ByteSource(Protocol):
    """What an exchange needs of the connection that fills it."""

    def resume_reading(self, exchange: Exchange) -> None:
        """Continue reading: the exchange has room again."""
        ...

    def cancel(self, exchange: Exchange) -> None:
        """The rest is not wanted: close the connection, unless the exchange is over already."""
        ...

    def get_extra_info(self, name: str) -> object:
        """The transport's information `name`, as asyncio's `get_extra_info`."""
        ...


class Exchange:
    """A response and its state. `read()` or `aiter_raw()` give the body as sent: chunks decoded, content-codings not.

    From the head: `status`, `headers` (order, case and repetition as sent) and `content_length` (bytes, None when not
    announced). `sent_at` and `head_at` are seconds of the event loop's clock; `received` counts body bytes so far.
    `streaming` says that the body is handed out while it arrives. With `stream` a body of unknown size is streamed from
    the head on; with `wake_inline` the reading task runs at once when the response is complete.
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

    def __repr__(self) -> str:
        if self.complete:
            state = "complete"
        elif self._error is not None:
            state = f"failed with {type(self._error).__name__}"
        elif self._head is None:
            state = "waiting for the head"
        else:
            state = "streaming" if self.streaming else "collecting"
        of_length = "" if self.content_length is None else f" of {self.content_length}"
        return f"<Exchange {self.method} {self.status or '-'} {state}, {self.received}{of_length} bytes received>"

    # -- for the task that reads

    @property
    def head(self) -> ResponseHead:
        """The parsed head of the response."""
        assert self._head is not None, "callers get an exchange only after its head came"
        return self._head

    @property
    def http_version(self) -> bytes:
        """`b"1.1"` or `b"1.0"`."""
        return self.head.version

    @property
    def peer(self) -> tuple[str, int] | None:
        """Address and port of the server."""
        name = self.get_extra_info("peername")
        return (str(name[0]), int(name[1])) if isinstance(name, tuple) else None

    def get_extra_info(self, name: str) -> object:
        """Information of the asyncio transport: `peername`, `sockname`, `ssl_object`, `cipher` ..."""
        return self._source.get_extra_info(name) if self._source is not None else None

    async def read(self) -> bytes:
        """The rest of the body, in memory as a whole: `max_body` is the bound. Errors as `aiter_raw`."""
        if self.complete:
            return self._take_buffered()
        return b"".join([piece async for piece in self.aiter_raw()])

    async def aiter_raw(self) -> AsyncGenerator[bytes, None]:
        """Iterate over the body as it arrives, like `httpx.Response.aiter_raw`.

        Raises `TruncatedResponse`, `BodyTooLarge`, `httpx.RemoteProtocolError`, `httpx.ReadError`, `httpx.ReadTimeout`
        or `DeadlineExceeded` when the body cannot be read to its end. Closing the iterator early closes the connection.
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

    async def read_into(self, buffer: DiskBuffer) -> AsyncGenerator[None, None]:
        """Receive the body into `buffer`, without a copy where possible; yield whenever `buffer.unread` has grown.

        The reader must make room (`DiskBuffer.swap`) before it asks for more. Errors and closing as `aiter_raw`.
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
                    self._disk_buffer = None  # bytes received meanwhile belong behind this piece
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
        """Stop reading. A body that was not read to its end closes the connection."""
        if not self.complete and self._error is None and self._source is not None:
            self._source.cancel(self)
            self._error = httpx.ReadError("the response was closed before its end")
            self._wakeup.wake()  # another task may be reading

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
        """The request was sent over `source`."""
        self._source = source
        self.sent_at = self._loop.time()

    async def wait_for_head(self) -> None:
        """Return when the head is there, and the body too if it fits `buffer_limit`. Errors as `aiter_raw`."""
        await self._wakeup
        # Streamed bytes that came before the error are delivered first.
        if self._error is not None and not (self.streaming and self._pieces):
            raise self._error

    def on_head(self, head: ResponseHead, length: int | None) -> None:
        """The final head came; `length` is the size of the body if known. Raises `BodyTooLarge`."""
        self._head = head
        self.status, self.headers, self.content_length = head.status, head.headers, head.content_length
        self.head_at = self._loop.time()
        if length is not None and self.max_body is not None and length > self.max_body:
            raise self._too_large_error(length)
        if self._stream if length is None else length > self._buffer_limit:
            self.streaming = True

    def on_body(self, piece: bytes) -> None:
        """Body bytes came. Raises `BodyTooLarge`."""
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
        """Where the next of `remaining` body bytes can be received; None when they must go through `on_body`."""
        buffer = self._disk_buffer
        return None if buffer is None or self._pieces else buffer.receive_view(remaining)

    def on_direct_read(self, size: int) -> None:
        """`size` body bytes were received into the last `direct_buffer`."""
        self.received += size
        if self._disk_buffer is not None:
            self._disk_buffer.mark_received(size)

    @property
    def is_full(self) -> bool:
        """Whether the connection should stop reading until the task has read."""
        return self._buffered_bytes >= self._buffer_limit or (
            self._disk_buffer is not None and self._disk_buffer.is_full
        )

    def notify(self) -> None:
        """Wake the task: something came."""
        self._wakeup.wake()

    def on_end(self) -> None:
        """The body is complete."""
        self.complete = True
        if self._wake_inline or self.streaming:
            self._wakeup.wake()
        else:
            self._wakeup.wake_soon()

    def on_error(self, error: Exception) -> None:
        """The exchange failed."""
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
