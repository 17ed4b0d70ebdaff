"""HTTP/1.1 for httpx: `FastTransport` is an httpx transport with a second, shorter entry point for the crawler.

`request` sends a request without building httpx objects; `handle_async_request` is the same path with httpx's types
around it.
"""

from __future__ import annotations

import math
import ssl
from asyncio import Future, get_running_loop, wait
from collections.abc import AsyncIterable, AsyncIterator
from typing import cast

import httpx

from scraper.transport.address_guard import AddressGuard
from scraper.transport.connection import Connection
from scraper.transport.dialer import Dialer, parse_origin, pool_key
from scraper.transport.errors import (
    AddressRefused,
    BodyTooLarge,
    DeadlineExceeded,
    ResolveError,
    StaleConnection,
    TlsError,
    TruncatedResponse,
)
from scraper.transport.exchange import Exchange
from scraper.transport.http1_framing import encode_request_head, frame_content
from scraper.transport.pool import ConnectionPool
from scraper.transport.request_headers import RawHeaders
from scraper.transport.resolver import Resolver, SystemResolver
from scraper.transport.settings import Timeouts, TransportSettings

__all__ = [
    "AddressGuard",
    "AddressRefused",
    "BodyTooLarge",
    "DeadlineExceeded",
    "Exchange",
    "FastTransport",
    "ResolveError",
    "StaleConnection",
    "Timeouts",
    "TlsError",
    "TransportSettings",
    "TruncatedResponse",
]

Content = bytes | AsyncIterable[bytes]

# RFC 9110 9.2.2: sending such a request twice has the same effect as sending it once.
IDEMPOTENT_METHODS = frozenset(("GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"))
# Bytes written to the socket at once; between two pieces we wait until the send buffer has room.
SEND_PIECE_BYTES = 64 * 1024
# httpx's names for properties of a connection, and asyncio's.
EXTRA_INFO_NAMES = {
    "server_addr": "peername",
    "client_addr": "sockname",
    "ssl_object": "ssl_object",
    "socket": "socket",
}
# Seconds that `aclose` waits for sockets to close. They close in the next loop iteration, unless the loop is blocked.
CLOSE_TIMEOUT_SECONDS = 5.0
# With more open connections than this, a task runs within the callback that brings its response (eager_wakeup.py).
INLINE_WAKE_ABOVE = 32


class FastTransport(httpx.AsyncBaseTransport):
    """HTTP/1.1 over TCP and TLS, with a connection pool.

    `guard` decides which addresses may be connected to; without one every address may, as in any HTTP client.
    `resolver` and `ssl_context` replace the system's resolver and the default context (which verifies certificates
    unless `settings.verify_tls` is off). An instance belongs to the event loop it is first used in.
    """

    def __init__(
        self,
        settings: TransportSettings | None = None,
        *,
        guard: AddressGuard | None = None,
        resolver: Resolver | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._settings = s = settings or TransportSettings()
        self._resolver = resolver or SystemResolver(
            ttl=s.dns_ttl, failure_ttl=s.dns_failure_ttl, cache_size=s.dns_cache_size, threads=s.dns_threads
        )
        self.pool: ConnectionPool[Connection] = ConnectionPool(total=s.max_connections, per_host=s.max_per_host)
        self._dialer = Dialer(s, guard, self._resolver, self, ssl_context)
        self._open_connections: set[Connection] = set()
        self._all_closed: Future[None] | None = None
        self._closed = False

    # -- the entry point of the crawler

    async def request(
        self,
        method: str,
        origin: str,
        target: str,
        headers: RawHeaders,
        *,
        timeouts: Timeouts | None = None,
        max_body: int | None = None,
        content: Content | None = None,
        stream: bool = False,
        sni_hostname: str | None = None,
    ) -> Exchange:
        """Send a request to `origin` (`scheme://host[:port]`) for `target` (path and query); return when the head came.

        `headers` are sent as given; Host and the framing of `content` are added when missing. A body that fits
        `settings.buffer_limit` is in memory as a whole when this returns, a larger one is streamed; `Exchange.read` and
        `aiter_raw` work for both. With `stream` a body of unknown size is streamed from the head on. `max_body` bounds
        the bytes on the wire. `sni_hostname` is the name that the certificate must prove, if it is not the origin's
        host; such connections are pooled apart, and `max_per_host` counts them apart. An exchange must be read to its
        end or closed.

        Raises the exceptions of errors.py and httpx: `ConnectError`, `ConnectTimeout`, `PoolTimeout`, `ReadError`,
        `ReadTimeout`, `WriteTimeout`, `RemoteProtocolError`; `LocalProtocolError` or `UnsupportedProtocol` for a
        request that cannot be written as HTTP/1.1; `RuntimeError` after `aclose`.
        """
        if self._closed:
            raise RuntimeError("the transport is closed")
        timeouts = timeouts or self._settings.timeouts
        limit = self._settings.max_body if max_body is None else max_body
        length = None
        if content is not None:
            headers, length = frame_content(headers, len(content) if isinstance(content, bytes) else None)
        parsed = parse_origin(origin)
        head = encode_request_head(method, target, headers, parsed.authority)
        if sni_hostname is not None and parsed.tls:
            origin = pool_key(origin, sni_hostname)
        if isinstance(content, bytes) and len(content) <= SEND_PIECE_BYTES:
            # In one write: a second small write would wait for the acknowledgement of the first (Nagle, RFC 896).
            head, content = head + content, None
        loop = get_running_loop()
        deadline = math.inf if timeouts.deadline is None else loop.time() + timeouts.deadline
        connection = self.pool.take_idle(origin)
        may_repeat = method in IDEMPOTENT_METHODS and (content is None or isinstance(content, bytes))
        while True:
            if connection is None:
                connection = await self._connect(origin, timeouts, deadline)
            wake_inline = self.pool.slots_used > INLINE_WAKE_ABOVE
            exchange = Exchange(
                method,
                loop,
                buffer_limit=self._settings.buffer_limit,
                max_body=limit,
                stream=stream,
                wake_inline=wake_inline,
            )
            try:
                connection.send_request(exchange, head, timeouts, deadline, request_complete=content is None)
                if content is not None:
                    await _send_content(connection, exchange, content, length)
                await exchange.wait_for_head()
            except StaleConnection:
                # The server closed a kept-alive connection as we wrote. Repeat once, on a connection that
                # `acquire_slot` opens: other idle ones may be just as stale.
                if not may_repeat:
                    raise
                may_repeat = False
                connection = None
            except BaseException:
                connection.cancel(exchange)
                raise
            else:
                return exchange

    async def _connect(self, origin: str, timeouts: Timeouts, deadline: float) -> Connection:
        now = get_running_loop().time()
        until = deadline if timeouts.pool is None else min(deadline, now + timeouts.pool)
        try:
            connection = await self.pool.acquire_slot(origin, None if until == math.inf else until)
        except httpx.PoolTimeout:
            if until == deadline:
                raise DeadlineExceeded("the deadline passed before a connection was free") from None
            raise
        if connection is not None:
            return connection
        try:
            connection = await self._dialer.dial(origin, timeouts.connect, deadline)
        except BaseException:
            self.pool.release_slot(origin)
            raise
        if connection.is_connected:
            self._open_connections.add(connection)
        if self._closed:  # `aclose` was called while it was being opened
            connection.close()
            self.pool.release_slot(origin)
            raise httpx.ConnectError("the transport was closed")
        return connection

    # -- called by connections

    def on_released(self, connection: Connection) -> None:
        """`ConnectionOwner`: an exchange is over."""
        self.pool.release(connection)

    def on_idle_closed(self, connection: Connection) -> None:
        """`ConnectionOwner`: an idle connection has closed."""
        self.pool.remove_closed(connection)

    def on_closed(self, connection: Connection) -> None:
        """`ConnectionOwner`: a socket is closed."""
        self._open_connections.discard(connection)
        if self._all_closed is not None and not self._open_connections and not self._all_closed.done():
            self._all_closed.set_result(None)

    # -- the entry point of httpx

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send `request`; see `httpx.AsyncBaseTransport`.

        Request extensions: `timeout` (httpx's four phases, seconds), `deadline` (seconds for the whole), `max_body`
        (bytes) and `sni_hostname` (name for TLS, if it is not the URL's host). Response extensions: `http_version`,
        `reason_phrase` and `network_stream`, whose `get_extra_info` knows `server_addr`, `client_addr` and
        `ssl_object`. Errors as `request`.
        """
        url = request.url
        origin = f"{url.scheme}://{url.netloc.decode('ascii')}"
        exchange = await self.request(
            request.method,
            origin,
            url.raw_path.decode("ascii"),
            request.headers.raw,
            timeouts=self._timeouts(request.extensions),
            max_body=request.extensions.get("max_body"),
            content=_request_content(request),
            stream=True,
            sni_hostname=_sni_hostname(request.extensions),
        )
        return httpx.Response(
            status_code=exchange.status,
            headers=exchange.headers,
            stream=_BodyStream(exchange),
            extensions={
                "http_version": b"HTTP/" + exchange.http_version,
                "reason_phrase": exchange.head.reason,
                "network_stream": _NetworkStream(exchange),
            },
        )

    def _timeouts(self, extensions: dict[str, object]) -> Timeouts:
        own = self._settings.timeouts
        given = extensions.get("timeout")
        deadline = cast("float | None", extensions.get("deadline", own.deadline))
        if not isinstance(given, dict):
            return own if deadline == own.deadline else Timeouts(own.connect, own.read, own.write, own.pool, deadline)
        return Timeouts(given.get("connect"), given.get("read"), given.get("write"), given.get("pool"), deadline)

    async def aclose(self) -> None:
        """Close every connection; requests in flight fail. May be called twice."""
        self._closed = True
        self._resolver.close()
        self.pool.close()
        for connection in list(self._open_connections):
            connection.close()
        if self._open_connections:
            self._all_closed = self._all_closed or get_running_loop().create_future()
            await wait([self._all_closed], timeout=CLOSE_TIMEOUT_SECONDS)


async def _send_content(connection: Connection, exchange: Exchange, content: Content, length: int | None) -> None:
    """Send the content of a request: `length` bytes, or chunks when None. Stops when the exchange is over."""
    if isinstance(content, bytes):
        pieces = [content[i : i + SEND_PIECE_BYTES] for i in range(0, len(content), SEND_PIECE_BYTES)]
        await connection.send_body(exchange, pieces)
    else:
        sent = 0
        iterator = aiter(content)
        try:
            async for piece in iterator:
                sent += len(piece)
                if length is not None and sent > length:
                    raise httpx.LocalProtocolError(f"the request's body is longer than the {length} bytes announced")
                if piece:
                    chunks = [piece] if length is not None else [b"%x\r\n" % len(piece), piece, b"\r\n"]
                    await connection.send_body(exchange, chunks)
                if exchange.is_finished:
                    return
        finally:
            if (close := getattr(iterator, "aclose", None)) is not None:
                await close()
        if length is None:
            await connection.send_body(exchange, [b"0\r\n\r\n"])
        elif sent < length:
            raise httpx.LocalProtocolError(f"the request's body is {sent} bytes, {length} were announced")
    if not exchange.is_finished:
        connection.finish_sending()


def _request_content(request: httpx.Request) -> Content | None:
    """The content to send. A body in memory is returned as bytes, so that it can be sent a second time."""
    if isinstance(request.stream, httpx.ByteStream):
        return request.read() or None
    return cast("AsyncIterable[bytes]", request.stream)


def _sni_hostname(extensions: dict[str, object]) -> str | None:
    name = extensions.get("sni_hostname")
    return name.decode("ascii", "replace") if isinstance(name, bytes) else cast("str | None", name)


class _BodyStream(httpx.AsyncByteStream):
    """The body as an httpx stream."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._exchange.aiter_raw():
            yield piece

    async def aclose(self) -> None:
        self._exchange.close()


class _NetworkStream:
    """The connection of a response, as httpx exposes it."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def get_extra_info(self, name: str) -> object:
        """`server_addr`, `client_addr`, `ssl_object` or `socket`; None for other names."""
        return self._exchange.get_extra_info(EXTRA_INFO_NAMES[name]) if name in EXTRA_INFO_NAMES else None
