"""Our HTTP/1.1 under httpx's types: `FastTransport` is an httpx transport, and has a shorter entrance for the crawl.

`exchange` asks without building an httpx object; `handle_async_request` is the same path with httpx's types around it.
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
from scraper.transport.dialer import Dialer, named, parse_origin
from scraper.transport.errors import (
    AddressRefused,
    BodyTooLarge,
    DeadlinePassed,
    ResolveFailed,
    Stale,
    TlsError,
    Truncated,
)
from scraper.transport.exchange import Exchange
from scraper.transport.http1_framing import Fields, frame_content, request_head
from scraper.transport.pool import Pool
from scraper.transport.resolver import Resolver, SystemResolver
from scraper.transport.settings import Timeouts, TransportSettings

__all__ = [
    "AddressGuard",
    "AddressRefused",
    "BodyTooLarge",
    "DeadlinePassed",
    "Exchange",
    "FastTransport",
    "ResolveFailed",
    "Stale",
    "Timeouts",
    "TlsError",
    "TransportSettings",
    "Truncated",
]

Content = bytes | AsyncIterable[bytes]

# RFC 9110 9.2.2: asking twice means the same as asking once.
IDEMPOTENT = frozenset(("GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"))
# Bytes handed to the socket at once; between two pieces the server's pace is waited for.
SEND_PIECE = 64 * 1024
# What httpx's users call a property of the connection, and what asyncio calls it.
ASYNCIO_NAMES = {"server_addr": "peername", "client_addr": "sockname", "ssl_object": "ssl_object", "socket": "socket"}
# Seconds that `aclose` waits for sockets to close; they do at once unless the loop is in trouble.
CLOSING_TIME = 5.0
# Connections up to which answers are worked on a step at a time for all of them (`wake.py`).
FEW = 32


class FastTransport(httpx.AsyncBaseTransport):
    """HTTP/1.1 over TCP and TLS, with a pool.

    `guard` decides which addresses may be connected to; without one, every address may, as in any HTTP client.
    `resolver` and `ssl_context` replace the system's resolver and the default context (certificates verified unless
    `settings.verify_tls` is off). Belongs to the event loop it is first used in.
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
            ttl=s.dns_ttl, failure_ttl=s.dns_failure_ttl, names=s.dns_names, threads=s.dns_threads
        )
        self.pool: Pool[Connection] = Pool(total=s.max_connections, per_host=s.max_per_host)
        self._dialer = Dialer(s, guard, self._resolver, self, ssl_context)
        self._open: set[Connection] = set()
        self._all_gone: Future[None] | None = None
        self._closed = False

    # -- the crawl's entrance

    async def exchange(
        self,
        method: str,
        origin: str,
        target: str,
        headers: Fields,
        *,
        timeouts: Timeouts | None = None,
        max_body: int | None = None,
        content: Content | None = None,
        eager: bool = False,
        server_name: str | None = None,
    ) -> Exchange:
        """Ask `origin` (`scheme://host[:port]`) for `target` (path and query); return the answer.

        `headers` are sent as they are; Host and the framing of `content` are added when they lack. The body is whole
        in memory when it fits `settings.window`, else it streams: `Exchange.read` and `pieces` do not care. With
        `eager` a body of unknown size is streamed from the head on. `max_body` is bytes on the wire. `server_name` is
        the name that TLS asks for and that the certificate must prove, where it is not the origin's; such connections
        are kept apart, and `max_per_host` counts them apart.
        An exchange must be read to its end or closed.

        Raises the exceptions of faults.py and httpx: `ConnectError`, `ConnectTimeout`, `PoolTimeout`, `ReadError`,
        `ReadTimeout`, `WriteTimeout`, `RemoteProtocolError`, and for a request that cannot be said
        `LocalProtocolError` or `UnsupportedProtocol`; `RuntimeError` after `aclose`.
        """
        if self._closed:
            raise RuntimeError("the transport is closed")
        timeouts = timeouts or self._settings.timeouts
        limit = self._settings.max_body if max_body is None else max_body
        length = None
        if content is not None:
            headers, length = frame_content(headers, len(content) if isinstance(content, bytes) else None)
        site = parse_origin(origin)
        head = request_head(method, target, headers, site.key)
        if server_name is not None and site.tls:
            origin = named(origin, server_name)
        if isinstance(content, bytes) and len(content) <= SEND_PIECE:
            # In one write: of two small ones the second would wait until the first is acknowledged (RFC 896).
            head, content = head + content, None
        loop = get_running_loop()
        deadline = math.inf if timeouts.deadline is None else loop.time() + timeouts.deadline
        connection = self.pool.take(origin)
        may_repeat = method in IDEMPOTENT and (content is None or isinstance(content, bytes))
        while True:
            if connection is None:
                connection = await self._connect(origin, timeouts, deadline)
            many = self.pool.open > FEW
            answer = Exchange(method, loop, window=self._settings.window, max_body=limit, eager=eager, prompt=many)
            try:
                connection.begin(answer, head, timeouts, deadline, whole=content is None)
                if content is not None:
                    await _send(connection, answer, content, length)
                await answer.headed()
            except Stale:
                if not may_repeat:
                    raise
                may_repeat = False
                connection = None
            except BaseException:
                connection.abandon(answer)
                raise
            else:
                return answer

    async def _connect(self, origin: str, timeouts: Timeouts, deadline: float) -> Connection:
        now = get_running_loop().time()
        until = deadline if timeouts.pool is None else min(deadline, now + timeouts.pool)
        try:
            connection = await self.pool.place(origin, None if until == math.inf else until)
        except httpx.PoolTimeout:
            if until == deadline:
                raise DeadlinePassed("the deadline of the exchange passed before a connection was free") from None
            raise
        if connection is not None:
            return connection
        try:
            connection = await self._dialer.dial(origin, timeouts.connect, deadline)
        except BaseException:
            self.pool.vacate(origin)
            raise
        if connection.connected:
            self._open.add(connection)
        if self._closed:  # while it was being opened
            connection.close()
            self.pool.vacate(origin)
            raise httpx.ConnectError("the transport was closed")
        return connection

    # -- what connections tell

    def freed(self, connection: Connection) -> None:
        """An exchange is over."""
        self.pool.freed(connection)

    def died(self, connection: Connection) -> None:
        """An idle connection has closed."""
        self.pool.died(connection)

    def gone(self, connection: Connection) -> None:
        """A socket is closed."""
        self._open.discard(connection)
        if self._all_gone is not None and not self._open and not self._all_gone.done():
            self._all_gone.set_result(None)

    # -- httpx's entrance

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send `request`; see `httpx.AsyncBaseTransport`.

        Of its extensions `timeout` (httpx's four phases, seconds), `deadline` (seconds), `max_body` (bytes) and
        `sni_hostname` (the name for TLS, where it is not the URL's) are understood. The response's extensions are
        `http_version`, `reason_phrase` and `network_stream`, whose `get_extra_info` knows `server_addr`,
        `client_addr` and `ssl_object`. Errors as `exchange`.
        """
        url = request.url
        origin = f"{url.scheme}://{url.netloc.decode('ascii')}"
        answer = await self.exchange(
            request.method,
            origin,
            url.raw_path.decode("ascii"),
            request.headers.raw,
            timeouts=self._timeouts(request.extensions),
            max_body=request.extensions.get("max_body"),
            content=_content(request),
            eager=True,
            server_name=_server_name(request.extensions),
        )
        return httpx.Response(
            status_code=answer.status,
            headers=answer.headers,
            stream=_BodyStream(answer),
            extensions={
                "http_version": b"HTTP/" + answer.http_version,
                "reason_phrase": answer.head.reason,
                "network_stream": _NetworkStream(answer),
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
        """Close every connection; what is on its way fails. Calling it twice does nothing more."""
        self._closed = True
        self._resolver.close()
        self.pool.drain()
        for connection in list(self._open):
            connection.close()
        if self._open:
            self._all_gone = self._all_gone or get_running_loop().create_future()
            await wait([self._all_gone], timeout=CLOSING_TIME)


async def _send(connection: Connection, answer: Exchange, content: Content, length: int | None) -> None:
    """Send the content of a request: `length` bytes, or chunks when it is None. Stops when the answer is over."""
    if isinstance(content, bytes):
        pieces = [content[i : i + SEND_PIECE] for i in range(0, len(content), SEND_PIECE)]
        await connection.send(answer, pieces)
    else:
        sent = 0
        iterator = aiter(content)
        try:
            async for piece in iterator:
                sent += len(piece)
                if length is not None and sent > length:
                    raise httpx.LocalProtocolError(f"the request's body is longer than the {length} bytes announced")
                if piece:
                    framed = [piece] if length is not None else [b"%x\r\n" % len(piece), piece, b"\r\n"]
                    await connection.send(answer, framed)
                if answer.over:
                    return
        finally:
            if (close := getattr(iterator, "aclose", None)) is not None:
                await close()
        if length is None:
            await connection.send(answer, [b"0\r\n\r\n"])
        elif sent < length:
            raise httpx.LocalProtocolError(f"the request's body is {sent} bytes, {length} were announced")
    if not answer.over:
        connection.finish_sending()


def _content(request: httpx.Request) -> Content | None:
    """What there is to send. A body in memory is bytes, so that it can be sent twice."""
    if isinstance(request.stream, httpx.ByteStream):
        return request.read() or None
    return cast("AsyncIterable[bytes]", request.stream)


def _server_name(extensions: dict[str, object]) -> str | None:
    name = extensions.get("sni_hostname")
    return name.decode("ascii", "replace") if isinstance(name, bytes) else cast("str | None", name)


class _BodyStream(httpx.AsyncByteStream):
    """A body as httpx wants it."""

    def __init__(self, answer: Exchange) -> None:
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._answer.pieces():
            yield piece

    async def aclose(self) -> None:
        self._answer.close()


class _NetworkStream:
    """What httpx's users ask of the connection beneath a response."""

    def __init__(self, answer: Exchange) -> None:
        self._answer = answer

    def get_extra_info(self, name: str) -> object:
        """`server_addr`, `client_addr`, `ssl_object` or `socket`; None for other names."""
        return self._answer.property_of(ASYNCIO_NAMES[name]) if name in ASYNCIO_NAMES else None
