"""One request's answer, from the first byte of its head to the last of its body.

The connection fills it, a task empties it. A body that fits the window is gathered and wakes its task once, when it
is whole; of a larger one the task is woken at the head and then whenever it waits and something comes. While the
window is full the connection does not read: that is the back-pressure.

`on_head` and `on_body` only note what has come. The task is woken by `rouse`, `on_end` and `on_error`, and runs within
them (`wake.py`): the connection calls one of these last.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Protocol

import httpx

from scraper.transport.disk_buffer import Landing
from scraper.transport.eager_wakeup import Wake
from scraper.transport.errors import BodyTooLarge
from scraper.transport.http1_framing import Head

# Pieces below this size are joined to their neighbour: a dripping server must not buy an object with every byte.
SMALL_PIECE = 2048


class Source(Protocol):
    """What an exchange asks of the connection that fills it."""

    def resume(self, exchange: Exchange) -> None:
        """Read on: the buffer has room again."""
        ...

    def abandon(self, exchange: Exchange) -> None:
        """Nobody wants the rest: close the connection, unless the exchange is over already."""
        ...

    def property_of(self, name: str) -> object:
        """What the transport knows under `name` (asyncio's `get_extra_info`)."""
        ...


class Exchange:
    """A response. `read()` or `pieces()` give its body as it came: undone from chunks, not from content codings.

    `status`, `headers` (as they came: order, case and repetition kept) and `length` (bytes of the body as announced by
    Content-Length, None when it was not) are those of the head. `sent_at` and `head_at` are seconds on the event loop's
    clock; `received` counts body bytes so far. `streaming` says that whoever asked gets the body as it comes, `full`
    that `window` bytes of it or more wait to be read. With `prompt` whoever asked goes on as soon as it is complete.
    """

    __slots__ = (
        "_buffered",
        "_eager",
        "_error",
        "_head",
        "_landing",
        "_loop",
        "_pieces",
        "_prompt",
        "_source",
        "_wake",
        "_window",
        "complete",
        "head_at",
        "headers",
        "length",
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
        window: int,
        max_body: int | None,
        eager: bool = False,
        prompt: bool = True,
    ) -> None:
        self.method = method
        self.max_body = max_body
        self.complete = False
        self.received = 0
        self.sent_at = self.head_at = 0.0
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.length: int | None = None
        self.trailers: list[tuple[bytes, bytes]] = []
        self._head: Head | None = None
        self._window = window
        self._eager = eager
        self.streaming = False
        self._pieces: list[bytes] = []
        self._buffered = 0
        self._landing: Landing | None = None
        self._error: Exception | None = None
        self._loop = loop
        self._prompt = prompt
        self._wake = Wake(loop)
        self._source: Source | None = None

    # -- for whoever asked

    @property
    def head(self) -> Head:
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
        name = self.property_of("peername")
        return (str(name[0]), int(name[1])) if isinstance(name, tuple) else None

    def property_of(self, name: str) -> object:
        """What the transport knows under `name`: `peername`, `sockname`, `ssl_object`, `cipher` ..."""
        return self._source.property_of(name) if self._source is not None else None

    async def read(self) -> bytes:
        """The rest of the body. It is in memory as a whole: `max_body` is the bound. Errors as `pieces`."""
        if self.complete:
            return self._take()
        return b"".join([piece async for piece in self.pieces()])

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body in pieces as they come.

        Raises `Truncated`, `BodyTooLarge`, `httpx.RemoteProtocolError`, `httpx.ReadError`, `httpx.ReadTimeout` or
        `DeadlinePassed` when it cannot be read to its end. Closing the iterator early closes the connection.
        """
        try:
            while True:
                if self._pieces:
                    yield self._take()
                elif self.complete:
                    return
                elif self._error is not None:
                    raise self._error
                else:
                    await self._wake
        finally:
            self.close()

    async def land(self, landing: Landing) -> AsyncIterator[None]:
        """The body into `landing`, without a copy where the connection can; yields when something has come.

        Whoever reads makes room before asking for more. Errors and closing as `pieces`.
        """
        self._landing = landing
        try:
            while True:
                if landing.fresh:
                    yield
                elif self._pieces:
                    piece = b"".join(self._pieces)
                    self._pieces.clear()
                    self._buffered = 0
                    self._landing = None  # what comes meanwhile belongs behind this
                    for _ in landing.take_in(piece):
                        yield
                    self._landing = landing
                elif self.complete:
                    return
                elif self._error is not None:
                    raise self._error
                else:
                    if self._source is not None:
                        self._source.resume(self)
                    await self._wake
        finally:
            self._landing = None
            self.close()

    def close(self) -> None:
        """Let go. A body that was not read to its end costs the connection."""
        if not self.complete and self._error is None and self._source is not None:
            self._source.abandon(self)
            self._error = httpx.ReadError("the response was closed before its end")
            self._wake.ring()  # whoever reads in another task

    def _take(self) -> bytes:
        pieces = self._pieces
        piece = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        self._buffered = 0
        if not self.complete and self._source is not None:
            self._source.resume(self)
        return piece

    # -- for the connection

    def begin(self, source: Source) -> None:
        """The request is on its way over `source`."""
        self._source = source
        self.sent_at = self._loop.time()

    async def headed(self) -> None:
        """Return when the head is here, and the body too if it fits the window. Errors as `pieces`."""
        await self._wake
        if self._error is not None and not (self.streaming and self._pieces):
            raise self._error

    def on_head(self, head: Head, length: int | None) -> None:
        """The final head has come; `length` is the body's size if known. Raises `BodyTooLarge`."""
        self._head = head
        self.status, self.headers, self.length = head.status, head.headers, head.length
        self.head_at = self._loop.time()
        if length is not None and self.max_body is not None and length > self.max_body:
            raise self._too_large(length)
        if self._eager if length is None else length > self._window:
            self.streaming = True

    def on_body(self, piece: bytes) -> None:
        """Body bytes have come. Raises `BodyTooLarge`."""
        size = len(piece)
        self.received += size
        if self.max_body is not None and self.received > self.max_body:
            raise self._too_large(None)
        pieces = self._pieces
        if size < SMALL_PIECE and pieces and len(pieces[-1]) < SMALL_PIECE:
            pieces[-1] += piece
        else:
            pieces.append(piece)
        self._buffered += size
        if self._buffered >= self._window:
            self.streaming = True

    def room(self, left: int) -> memoryview | None:
        """Where the next of `left` body bytes may be received; None when they must go through `on_body`."""
        landing = self._landing
        return None if landing is None or self._pieces else landing.room(left)

    def on_landed(self, size: int) -> None:
        """Body bytes have come into the room that was last given."""
        self.received += size
        if self._landing is not None:
            self._landing.landed(size)

    @property
    def full(self) -> bool:
        """Whether reading should wait for whoever asked."""
        return self._buffered >= self._window or (self._landing is not None and self._landing.full)

    def rouse(self) -> None:
        """Let whoever asked see what has come."""
        self._wake.ring()

    def on_end(self) -> None:
        """The body is complete."""
        self.complete = True
        if self._prompt or self.streaming:
            self._wake.ring()
        else:
            self._wake.ring_soon()

    def on_error(self, error: Exception) -> None:
        """The exchange has failed."""
        self._error = error
        self._wake.ring()

    @property
    def over(self) -> bool:
        """Whether nothing more will come."""
        return self.complete or self._error is not None

    def _too_large(self, length: int | None) -> BodyTooLarge:
        said = f"{length} bytes announced" if length is not None else "more bytes came"
        limit = self.max_body or 0
        return BodyTooLarge(f"body too large: {said}, {limit} allowed", limit=limit)
