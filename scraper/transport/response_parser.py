"""One answer as its bytes come in: where its head ends, how its body ends, and whether another may follow.

`_step` is what takes the next bytes:

    _read_head    gather until the empty line; 1xx heads are counted and passed over; then one of
    _read_length  a body of known size: counting is all there is to do, no parser sees these bytes
    _read_chunks  llhttp undoes the chunks (`framing.Chunks`)
    _read_to_end  a body that ends with the connection

No I/O and no clock; what there is to know goes into the exchange. A connection is used again only if both sides said
so, the answer ended exactly where its framing says, and no byte came after. A single surplus byte speaks against it:
it would be read as the beginning of the next answer, and a server (or whoever stands between) could choose what the
next request gets to see.
"""

from __future__ import annotations

from collections.abc import Callable

import httpx

from scraper.transport.errors import Stale, Truncated
from scraper.transport.exchange import Exchange
from scraper.transport.http1_framing import NO_BODY, Chunks, Head, find_head, read_head
from scraper.transport.settings import TransportSettings

_BEGINNING = b"HTTP/1."
# Heads are looked for in this many bytes first, so that the body behind them is not copied twice.
HEAD = 2048

Bytes = bytes | memoryview


class Incoming:
    """Reads one answer after the other. `persistent` says whether the connection may carry another one,
    `idle` for how many seconds the server last promised to wait for it.
    """

    __slots__ = ("_chunks", "_exchange", "_interim", "_left", "_pending", "_settings", "_step", "idle", "persistent")

    def __init__(self, settings: TransportSettings) -> None:
        self.persistent = False
        self.idle: float | None = None
        self._settings = settings
        self._exchange: Exchange | None = None
        self._step: Callable[[Incoming, Bytes], bool] = Incoming._read_head
        self._pending = bytearray()
        self._interim = 0
        self._left = 0
        self._chunks: Chunks | None = None

    def begin(self, exchange: Exchange) -> None:
        """From now on bytes belong to the answer of `exchange`."""
        self._exchange = exchange
        self._step = Incoming._read_head
        self._interim = 0

    def end(self) -> None:
        """The exchange is over, one way or another."""
        self._exchange = self._chunks = None
        self._pending.clear()

    def feed(self, data: Bytes) -> bool:
        """Take the next bytes; answer whether the answer is complete. What is kept of `data` is copied.

        Raises `httpx.RemoteProtocolError` (`BodyTooLarge` among them) when the connection is of no more use.
        """
        return self._step(self, data)

    def room(self) -> memoryview | None:
        """Where the next bytes can be received so that nobody needs to move them; None when they go to `feed`."""
        if self._step is not Incoming._read_length or self._exchange is None:
            return None
        return self._exchange.room(self._left)

    def landed(self, size: int) -> bool:
        """`size` bytes have come into the room that was last given; answer whether the answer is complete."""
        left = self._left
        if size > left:
            self.persistent = False
            size = left
        self._left = left = left - size
        if self._exchange is not None:
            self._exchange.on_landed(size)
        return not left

    def cut_off(self, exc: Exception | None, *, served: int) -> Exception | None:
        """What the end of the connection (`exc`: not the peer's wish) means for the answer; None when it completes it.

        `served` is how many answers the connection has carried before.
        """
        step = self._step
        if step is Incoming._read_to_end and exc is None:
            return None
        if step is Incoming._read_head and not self._pending and not self._interim:
            if served:
                return Stale("the server closed a kept-alive connection without answering")
            if exc is None:
                return httpx.RemoteProtocolError("the server closed the connection without answering")
            return httpx.ReadError(f"the connection broke before an answer came: {exc}")
        if exc is not None:
            return httpx.ReadError(f"the connection broke within the response: {exc}")
        if step is Incoming._read_head:
            return Truncated("truncated: the connection ended within the response head")
        if step is Incoming._read_chunks:
            return Truncated("truncated: the connection ended within a chunked body")
        return Truncated(f"truncated: {self._left} bytes of the body are missing")

    # -- the head

    def _read_head(self, data: Bytes) -> bool:
        while (found := self._cut_head(data)) is not None:
            raw, data = found
            head = read_head(raw, self._settings.max_headers)
            if head.status >= 200:
                return self._begin_body(head, data)
            self._pass_over(head)
            if not data:
                break
        return False

    def _cut_head(self, data: Bytes) -> tuple[bytes, Bytes] | None:
        """The head that ends in `data`, and what follows it. None while its end is to come; what is here is kept."""
        pending = self._pending
        if not pending:
            raw = bytes(data[:HEAD])
            end = find_head(raw)
            if 0 < end <= self._settings.max_head:
                return raw[:end], data[end:]
        start = max(0, len(pending) - 3)
        pending += data
        end = find_head(pending, start)
        if not 0 < end <= self._settings.max_head:
            self._check_beginning()
            return None
        raw, rest = bytes(pending[:end]), bytes(pending[end:])
        pending.clear()
        return raw, rest

    def _check_beginning(self) -> None:
        """Whether what is gathered can become a head."""
        pending = self._pending
        if not pending.startswith(_BEGINNING[: len(pending)]):
            raise httpx.RemoteProtocolError(f"not an HTTP/1.1 response: it begins with {bytes(pending[:24])!r}")
        if len(pending) > self._settings.max_head:
            raise httpx.RemoteProtocolError(f"a response head of more than {self._settings.max_head} bytes")

    def _pass_over(self, head: Head) -> None:
        """An interim answer (RFC 9110 15.2): the final one is still to come."""
        self._interim += 1
        if head.status == 101:
            raise httpx.RemoteProtocolError("the server switched protocols without being asked")
        if self._interim > self._settings.max_interim:
            raise httpx.RemoteProtocolError(f"more than {self._settings.max_interim} interim responses")

    def _begin_body(self, head: Head, data: Bytes) -> bool:
        """Choose how the body ends (RFC 9112 6.3) and take what has come of it."""
        exchange = self._exchange
        assert exchange is not None, "only a busy connection reads a head"
        self.persistent = head.persistent
        if head.idle is not None:
            self.idle = head.idle
        length = head.length
        if exchange.method == "HEAD" or head.status in NO_BODY:
            length = 0
        elif head.chunked:
            length = None
            self._chunks = Chunks()
            self._step = Incoming._read_chunks
        elif length is None:
            self.persistent = False
            self._step = Incoming._read_to_end
        exchange.on_head(head, length)
        if length is not None:
            self._left = length
            self._step = Incoming._read_length
            return self._read_length(data)
        return bool(data) and self._step(self, data)

    # -- the body

    def _read_length(self, data: Bytes) -> bool:
        left = self._left
        if len(data) > left:
            self.persistent = False
            data = data[:left]
        self._left = left = left - len(data)
        self._pass_on(data)
        return not left

    def _read_chunks(self, data: Bytes) -> bool:
        chunks = self._chunks
        assert chunks is not None, "set together with this step"
        self._pass_on(chunks.feed(data))
        if not chunks.done:
            return False
        if chunks.trailing:
            self.persistent = False
        if self._exchange is not None:
            self._exchange.trailers = chunks.trailers
        return True

    def _read_to_end(self, data: Bytes) -> bool:
        self._pass_on(data)
        return False

    def _pass_on(self, body: Bytes) -> None:
        if body and self._exchange is not None:
            self._exchange.on_body(bytes(body))
