"""A small HTTP/1.1 server on loopback whose responses are set by the test, including violations of the protocol.

    async with Site({"/": Reply(body=b"<a href=/x>x</a>"), "/x": [Reply(503), Reply()], "/bad": reset}) as site:
        site.url("/x")                     # http://127.0.0.1:PORT/x
        [request.target for request in site.requests]

A route is a `Reply`; a list of routes for the first, second ... time (the last one stays); an async function from
`Asked` to a route; or a `RawHandler` that owns the connection and may write, stall or reset as it likes. `"*"` catches
what
no other route matches; without it that is a 404. The server uses real sockets and needs an ordinary event loop: the
clock of a virtual loop would not wait for its responses.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from types import TracebackType
from typing import TypeAlias

from scraper.model import Headers

MAX_HEAD_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """One request as received: `at` is the loop's time, `connection` the number of its connection, from 1."""

    at: float
    connection: int
    method: str
    target: str
    headers: Headers
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Reply:
    """A valid response. `delay` is in seconds before the head, `pause` before each piece of the body.

    `body` may be a sequence of pieces; with `chunked` each becomes a chunk. Content-Length is added unless
    `chunked` is set or `headers` state one; `close` ends the connection after it.
    """

    status: int = 200
    body: bytes | Sequence[bytes] = b""
    headers: Mapping[str, str] | Sequence[tuple[str, str]] = ()
    delay: float = 0.0
    pause: float = 0.0
    chunked: bool = False
    close: bool = False

    def head(self) -> bytes:
        """The status line and the headers, as sent."""
        fields = list(self.headers.items() if isinstance(self.headers, Mapping) else self.headers)
        names = {name.lower() for name, _ in fields}
        if self.chunked:
            fields.append(("Transfer-Encoding", "chunked"))
        elif "content-length" not in names and self.status not in (204, 304):
            fields.append(("Content-Length", str(sum(map(len, self.pieces())))))
        if "content-type" not in names and self.body:
            fields.append(("Content-Type", "text/html; charset=utf-8"))
        if self.close:
            fields.append(("Connection", "close"))
        lines = [
            f"HTTP/1.1 {self.status} {_reason_phrase(self.status)}",
            *(f"{name}: {value}" for name, value in fields),
        ]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    def pieces(self) -> Sequence[bytes]:
        """The body, in the pieces in which it is sent."""
        return [self.body] if isinstance(self.body, bytes) else self.body


@dataclass(frozen=True, slots=True)
class RawHandler:
    """Owns the connection after a request: `act` reads and writes what it likes; the connection is closed after it."""

    handle: Callable[[ReceivedRequest, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


Route: TypeAlias = Reply | RawHandler | Callable[[ReceivedRequest], Awaitable["Route"]] | Sequence["Route"]


async def _reset_connection(_: ReceivedRequest, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    # SO_LINGER with zero seconds makes the kernel send RST instead of FIN.
    sock: socket.socket = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _never_respond(_: ReceivedRequest, reader: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
    await reader.read(1)  # until the client gives up or the site closes


# Resets the connection instead of responding.
reset_connection = RawHandler(_reset_connection)

# Reads the request and never responds.
never_respond = RawHandler(_never_respond)


def send_raw(*pieces: bytes, pause: float = 0.0, then: RawHandler | None = None) -> RawHandler:
    """Sends exactly these bytes, `pause` seconds apart, then runs `then` or closes the connection."""

    async def act(request: ReceivedRequest, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause)
        if then is not None:
            await then.handle(request, reader, writer)

    return RawHandler(act)


@dataclass(eq=False)
class LocalServer:
    """Serves `routes` on a free port of 127.0.0.1 while entered; `requests` has all requests, in order.

    With `tls` it speaks HTTPS; with another `address`, 0.0.0.0 perhaps, it is there for all of 127/8. An exception in a
    route's function ends the `async with` block and is raised from it in an exception group. `connections` counts how
    many were opened.
    """

    routes: Mapping[str, Route]
    tls: ssl.SSLContext | None = None
    address: str = "127.0.0.1"
    requests: list[ReceivedRequest] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    _times_requested: dict[str, int] = field(default_factory=dict)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def url(self, path: str = "/", host: str = "127.0.0.1") -> str:
        """The absolute URL of `path` here; `host` may be another name for loopback."""
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}{path}"

    def requests_for(self, path: str) -> list[ReceivedRequest]:
        """The requests for `path`, in order."""
        return [request for request in self.requests if request.target.partition("?")[0] == path]

    async def __aenter__(self) -> LocalServer:
        self._group = asyncio.TaskGroup()
        self._server = await asyncio.start_server(
            self._accept, self.address, 0, ssl=self.tls, limit=MAX_HEAD_BYTES, backlog=1024
        )
        self.port = self._server.sockets[0].getsockname()[1]
        await self._group.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        try:
            await self._group.__aexit__(kind, error, trace)
        finally:
            await self._server.wait_closed()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        name = f"connection-{self.connections}"
        try:
            task = self._group.create_task(self._serve_connection(reader, writer, self.connections), name=name)
        except RuntimeError:  # the server is being closed
            writer.transport.abort()
            return
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve_connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        closed = False
        try:
            with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                while await self._respond(await _read_request(reader, number), reader, writer):
                    pass
                writer.close()
                await writer.wait_closed()
                closed = True
        finally:
            if not closed:  # after `wait_closed` the transport may have no event loop left, and `abort` would fail
                writer.transport.abort()

    async def _respond(
        self, request: ReceivedRequest, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Respond to one request; return whether the connection stays open."""
        self.requests.append(request)
        route = self._find_route(request)
        while not isinstance(route, (Reply, RawHandler)):
            route = await route(request) if callable(route) else self._next_route(request.target, route)
        if isinstance(route, RawHandler):
            await route.handle(request, reader, writer)
            return False
        await _send_reply(route, request, writer)
        return not route.close and (request.headers.get("connection") or "").lower() != "close"

    def _find_route(self, request: ReceivedRequest) -> Route:
        path = request.target.partition("?")[0]
        for name in (request.target, path, "*"):
            if name in self.routes:
                return self.routes[name]
        return Reply(404, b"not found")

    def _next_route(self, target: str, routes: Sequence[Route]) -> Route:
        turn = self._times_requested.get(target, 0)
        self._times_requested[target] = turn + 1
        return routes[min(turn, len(routes) - 1)]


async def _read_request(reader: asyncio.StreamReader, connection: int) -> ReceivedRequest:
    head = await reader.readuntil(b"\r\n\r\n")
    at = asyncio.get_running_loop().time()
    line, *rest = head[:-4].split(b"\r\n")
    method, target, _ = line.decode("latin-1").split(" ", 2)
    headers = Headers([(name, value.strip()) for name, _, value in (field.partition(b":") for field in rest)])
    body = await reader.readexactly(int(headers.get("content-length") or 0))
    return ReceivedRequest(at, connection, method, target, headers, body)


async def _send_reply(reply: Reply, request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(reply.delay)
    writer.write(reply.head())
    if request.method != "HEAD" and reply.status not in (204, 304):
        for piece in reply.pieces():
            if reply.pause:
                await writer.drain()
                await asyncio.sleep(reply.pause)
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece) if reply.chunked else piece)
            await writer.drain()
        if reply.chunked:
            writer.write(b"0\r\n\r\n")
    await writer.drain()


def _reason_phrase(status: int) -> str:
    with suppress(ValueError):
        return HTTPStatus(status).phrase
    return "Unknown"
