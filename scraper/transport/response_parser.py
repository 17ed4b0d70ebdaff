"""Parses the responses of one connection: where a head ends, how its body ends, and whether another may follow.

`_read_step` is the method that takes the next bytes:

    _read_head          gather until the empty line; skip 1xx heads; then one of
    _read_sized_body    a body of known size: bytes are only counted, no parser sees them
    _read_chunked_body  llhttp decodes the chunks (`http1_framing.ChunkedDecoder`)
    _read_until_close   a body that ends with the connection

No I/O and no clock; results go into the `Exchange`. A connection is reused only if both sides said so, the response
ended exactly where its framing says, and not one more byte came. A surplus byte would be read as the start of the next
response, and so a server (or a proxy in between) could choose what the next request receives.
"""

from __future__ import annotations

from collections.abc import Callable

import httpx

from scraper.transport.errors import StaleConnection, TruncatedResponse
from scraper.transport.exchange import Exchange
from scraper.transport.http1_framing import BODILESS_STATUSES, ChunkedDecoder, ResponseHead, find_head_end, parse_head
from scraper.transport.settings import TransportSettings

_STATUS_LINE_START = b"HTTP/1."
# The end of a head is searched in this many bytes first: most heads fit, and the body behind is then copied only once.
FIRST_HEAD_SCAN_BYTES = 2048

BytesLike = bytes | memoryview


class ResponseParser:
    """Parses one response after the other. `persistent` says whether the connection may carry another request,
    `keepalive_timeout` for how many seconds the server last promised to keep it open (None: no promise).
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

    def __repr__(self) -> str:
        if self._exchange is None:
            state = "between responses"
        elif self._read_step is ResponseParser._read_head:
            state = f"in a head, {len(self._pending_head)} bytes pending"
        elif self._read_step is ResponseParser._read_chunked_body:
            state = "in a chunked body"
        elif self._read_step is ResponseParser._read_sized_body:
            state = f"in a body, {self._body_left} bytes left"
        else:
            state = "in a body that ends with the connection"
        return f"<ResponseParser {state}>"

    def start_response(self, exchange: Exchange) -> None:
        """The next bytes belong to the response of `exchange`."""
        self._exchange = exchange
        self._read_step = ResponseParser._read_head
        self._interim_count = 0

    def end_response(self) -> None:
        """The exchange is over, completed or failed."""
        self._exchange = self._chunked_decoder = None
        self._pending_head.clear()

    def feed(self, data: BytesLike) -> bool:
        """Parse the next bytes; return whether the response is complete. `data` may be reused afterwards: what is kept
        is copied.

        Raises `httpx.RemoteProtocolError` (including `BodyTooLarge`) when the connection cannot be used any more.
        """
        return self._read_step(self, data)

    def direct_buffer(self) -> memoryview | None:
        """Where the next body bytes can be received without a copy; None when they must go through `feed`."""
        if self._read_step is not ResponseParser._read_sized_body or self._exchange is None:
            return None
        return self._exchange.direct_buffer(self._body_left)

    def on_direct_read(self, size: int) -> bool:
        """`size` bytes were received into the last `direct_buffer`; return whether the response is complete."""
        left = self._body_left
        if size > left:
            self.persistent = False
            size = left
        self._body_left = left = left - size
        if self._exchange is not None:
            self._exchange.on_direct_read(size)
        return not left

    def on_connection_lost(self, exc: Exception | None, *, responses_completed: int) -> Exception | None:
        """The error that the end of the connection means for the response; None when the response is complete by it.

        `exc` is the cause, None when the peer closed in an orderly way. `responses_completed` counts earlier responses
        on this connection: if there were any and no byte of this one came, the request may be repeated
        (`StaleConnection`).
        """
        step = self._read_step
        if step is ResponseParser._read_until_close and exc is None:
            return None
        if step is ResponseParser._read_head and not self._pending_head and not self._interim_count:
            if responses_completed:
                return StaleConnection("the server closed a kept-alive connection without a response")
            if exc is None:
                return httpx.RemoteProtocolError("the server closed the connection without a response")
            return httpx.ReadError(f"the connection broke before a response came: {exc}")
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
        """The head that ends in `data`, and the bytes behind it; None while incomplete (the bytes are kept)."""
        pending = self._pending_head
        if not pending:
            raw = bytes(data[:FIRST_HEAD_SCAN_BYTES])
            end = find_head_end(raw)
            if 0 < end <= self._settings.max_head:
                return raw[:end], data[end:]
        # The empty line may have begun in the last three bytes of what came before.
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
        """Raise `httpx.RemoteProtocolError` if the gathered bytes cannot become a head."""
        pending = self._pending_head
        if not pending.startswith(_STATUS_LINE_START[: len(pending)]):
            raise httpx.RemoteProtocolError(f"not an HTTP/1.1 response: it begins with {bytes(pending[:24])!r}")
        if len(pending) > self._settings.max_head:
            raise httpx.RemoteProtocolError(f"a response head of more than {self._settings.max_head} bytes")

    def _skip_interim(self, head: ResponseHead) -> None:
        """An interim response (1xx, RFC 9110 15.2): the final one follows."""
        self._interim_count += 1
        if head.status == 101:
            raise httpx.RemoteProtocolError("the server switched protocols without a request")
        if self._interim_count > self._settings.max_interim_responses:
            raise httpx.RemoteProtocolError(f"more than {self._settings.max_interim_responses} interim responses")

    def _begin_body(self, head: ResponseHead, data: BytesLike) -> bool:
        """Choose how the body ends (RFC 9112 6.3) and parse what has come of it."""
        exchange = self._exchange
        assert exchange is not None, "heads are parsed only during an exchange"
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
