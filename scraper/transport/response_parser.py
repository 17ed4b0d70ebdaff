"""One answer as its bytes come in: where its head ends, how its body ends, and whether another may follow.

`_step` is what takes the next bytes:

    _read_head    gather until the empty line; 1xx heads are counted and passed over; then one of
    _read_sized_body  a body of known size: counting is all there is to do, no parser sees these bytes
    _read_chunks  llhttp undoes the chunks (`framing.ChunkedDecoder`)
    _read_until_close  a body that ends with the connection

No I/O and no clock; what there is to know goes into the exchange. A connection is used again only if both sides said
so, the answer ended exactly where its framing says, and no byte came after. A single surplus byte speaks against it:
it would be read as the beginning of the next answer, and a server (or whoever stands between) could choose what the
next request gets to see.
"""

from __future__ import annotations

from collections.abc import Callable

import httpx

from scraper.transport.errors import StaleConnection, TruncatedResponse
from scraper.transport.exchange import Exchange
from scraper.transport.http1_framing import BODILESS_STATUSES, ChunkedDecoder, ResponseHead, find_head_end, parse_head
from scraper.transport.settings import TransportSettings

_STATUS_LINE_START = b"HTTP/1."
# Heads are looked for in this many bytes first, so that the body behind them is not copied twice.
FIRST_HEAD_SCAN_BYTES = 2048

BytesLike = bytes | memoryview


class ResponseParser:
    """Reads one answer after the other. `persistent` says whether the connection may carry another one,
    `idle` for how many seconds the server last promised to wait for it.
    """

    __slots__ = (
        "_body_left",
        "_chunked_decoder",
        "_exchange",
        "_interim_count",
        "_pending_head",
        "_read_step",
        "_settings",
        "keepalive_timeout",
        "persistent",
    )

    def __init__(self, settings: TransportSettings) -> None:
        self.persistent = False
        self.keepalive_timeout: float | None = None
        self._settings = settings
        self._exchange: Exchange | None = None
        self._read_step: Callable[[ResponseParser, BytesLike], bool] = ResponseParser._read_head
        self._pending_head = bytearray()
        self._interim_count = 0
        self._body_left = 0
        self._chunked_decoder: ChunkedDecoder | None = None

    def start_response(self, exchange: Exchange) -> None:
        """From now on bytes belong to the answer of `exchange`."""
        self._exchange = exchange
        self._read_step = ResponseParser._read_head
        self._interim_count = 0

    def end_response(self) -> None:
        """The exchange is over, one way or another."""
        self._exchange = self._chunked_decoder = None
        self._pending_head.clear()

    def feed(self, data: BytesLike) -> bool:
        """Take the next bytes; answer whether the answer is complete. What is kept of `data` is copied.

        Raises `httpx.RemoteProtocolError` (`BodyTooLarge` among them) when the connection is of no more use.
        """
        return self._read_step(self, data)

    def direct_buffer(self) -> memoryview | None:
        """Where the next bytes can be received so that nobody needs to move them; None when they go to `feed`."""
        if self._read_step is not ResponseParser._read_sized_body or self._exchange is None:
            return None
        return self._exchange.direct_buffer(self._body_left)

    def on_direct_read(self, size: int) -> bool:
        """`size` bytes have come into the room that was last given; answer whether the answer is complete."""
        left = self._body_left
        if size > left:
            self.persistent = False
            size = left
        self._body_left = left = left - size
        if self._exchange is not None:
            self._exchange.on_direct_read(size)
        return not left

    def on_connection_lost(self, exc: Exception | None, *, responses_completed: int) -> Exception | None:
        """What the end of the connection (`exc`: not the peer's wish) means for the answer; None when it completes it.

        `served` is how many answers the connection has carried before.
        """
        step = self._read_step
        if step is ResponseParser._read_until_close and exc is None:
            return None
        if step is ResponseParser._read_head and not self._pending_head and not self._interim_count:
            if responses_completed:
                return StaleConnection("the server closed a kept-alive connection without answering")
            if exc is None:
                return httpx.RemoteProtocolError("the server closed the connection without answering")
            return httpx.ReadError(f"the connection broke before an answer came: {exc}")
        if exc is not None:
            return httpx.ReadError(f"the connection broke within the response: {exc}")
        if step is ResponseParser._read_head:
            return TruncatedResponse("truncated: the connection ended within the response head")
        if step is ResponseParser._read_chunked_body:
            return TruncatedResponse("truncated: the connection ended within a chunked body")
        return TruncatedResponse(f"truncated: {self._body_left} bytes of the body are missing")

    # -- the head

    def _read_head(self, data: BytesLike) -> bool:
        while (found := self._split_head(data)) is not None:
            raw, data = found
            head = parse_head(raw, self._settings.max_header_fields)
            if head.status >= 200:
                return self._begin_body(head, data)
            self._skip_interim(head)
            if not data:
                break
        return False

    def _split_head(self, data: BytesLike) -> tuple[bytes, BytesLike] | None:
        """The head that ends in `data`, and what follows it. None while its end is to come; what is here is kept."""
        pending = self._pending_head
        if not pending:
            raw = bytes(data[:FIRST_HEAD_SCAN_BYTES])
            end = find_head_end(raw)
            if 0 < end <= self._settings.max_head:
                return raw[:end], data[end:]
        start = max(0, len(pending) - 3)
        pending += data
        end = find_head_end(pending, start)
        if not 0 < end <= self._settings.max_head:
            self._check_partial_head()
            return None
        raw, rest = bytes(pending[:end]), bytes(pending[end:])
        pending.clear()
        return raw, rest

    def _check_partial_head(self) -> None:
        """Whether what is gathered can become a head."""
        pending = self._pending_head
        if not pending.startswith(_STATUS_LINE_START[: len(pending)]):
            raise httpx.RemoteProtocolError(f"not an HTTP/1.1 response: it begins with {bytes(pending[:24])!r}")
        if len(pending) > self._settings.max_head:
            raise httpx.RemoteProtocolError(f"a response head of more than {self._settings.max_head} bytes")

    def _skip_interim(self, head: ResponseHead) -> None:
        """An interim answer (RFC 9110 15.2): the final one is still to come."""
        self._interim_count += 1
        if head.status == 101:
            raise httpx.RemoteProtocolError("the server switched protocols without being asked")
        if self._interim_count > self._settings.max_interim_responses:
            raise httpx.RemoteProtocolError(f"more than {self._settings.max_interim_responses} interim responses")

    def _begin_body(self, head: ResponseHead, data: BytesLike) -> bool:
        """Choose how the body ends (RFC 9112 6.3) and take what has come of it."""
        exchange = self._exchange
        assert exchange is not None, "only a busy connection reads a head"
        self.persistent = head.persistent
        if head.keepalive_timeout is not None:
            self.keepalive_timeout = head.keepalive_timeout
        length = head.content_length
        if exchange.method == "HEAD" or head.status in BODILESS_STATUSES:
            length = 0
        elif head.chunked:
            length = None
            self._chunked_decoder = ChunkedDecoder()
            self._read_step = ResponseParser._read_chunked_body
        elif length is None:
            self.persistent = False
            self._read_step = ResponseParser._read_until_close
        exchange.on_head(head, length)
        if length is not None:
            self._body_left = length
            self._read_step = ResponseParser._read_sized_body
            return self._read_sized_body(data)
        return bool(data) and self._read_step(self, data)

    # -- the body

    def _read_sized_body(self, data: BytesLike) -> bool:
        left = self._body_left
        if len(data) > left:
            self.persistent = False
            data = data[:left]
        self._body_left = left = left - len(data)
        self._deliver(data)
        return not left

    def _read_chunked_body(self, data: BytesLike) -> bool:
        chunks = self._chunked_decoder
        assert chunks is not None, "set together with this step"
        self._deliver(chunks.feed(data))
        if not chunks.done:
            return False
        if chunks.has_surplus:
            self.persistent = False
        if self._exchange is not None:
            self._exchange.trailers = chunks.trailers
        return True

    def _read_until_close(self, data: BytesLike) -> bool:
        self._deliver(data)
        return False

    def _deliver(self, body: BytesLike) -> None:
        if body and self._exchange is not None:
            self._exchange.on_body(bytes(body))
