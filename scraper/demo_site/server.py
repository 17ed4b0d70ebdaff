"""A small HTTP/1.1 server on asyncio for loopback: keep-alive, pipelining, and deliberate faults.

It is an `asyncio.Protocol` instead of streams: one callback per request, so that the server is never the bottleneck of
a benchmark.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate
from hashlib import blake2b
from http import HTTPStatus
from typing import Literal, cast

from scraper.clock import Clock

# Maximum size of a request head; also of pipelined data that is buffered while a response is delayed.
MAX_HEAD_BYTES = 16 * 1024
# Further connections are closed at once.
MAX_CONNECTIONS = 4096


class SiteRequest:
    """One request: method, target (path and query) and headers, with names in lower case."""

    __slots__ = ("headers", "method", "target")

    def __init__(self, method: str, target: str, headers: dict[str, str]) -> None:
        self.method, self.target, self.headers = method, target, headers


@dataclass(slots=True)
class SiteResponse:
    """One response. `delay` is seconds before it is sent; `fault` breaks it on the way.

    `truncate` announces the whole body, sends half of it and closes; `reset` closes the connection with a TCP reset.
    """

    status: int = 200
    body: bytes = b""
    content_type: str = "text/html; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()
    delay: float = 0.0
    fault: Literal["none", "truncate", "reset"] = "none"
    etag: str = ""
    # The status line and all headers except Date, rendered once in `__post_init__`.
    head: bytes = b""

    def __post_init__(self) -> None:
        lines = [f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}", "Server: shop"]
        if self.status == 200:
            self.etag = f'"{blake2b(self.body, digest_size=8).hexdigest()}"'
            lines.append(f"ETag: {self.etag}")
        if self.status != 304:
            lines += [f"Content-Type: {self.content_type}", f"Content-Length: {len(self.body)}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        self.head = "\r\n".join(lines).encode("latin-1") + b"\r\n"


RespondFunction = Callable[[SiteRequest], SiteResponse]

NOT_MODIFIED = SiteResponse(304)
BAD_REQUEST = SiteResponse(400, b"bad request\n", "text/plain", (("Connection", "close"),))
METHOD_NOT_ALLOWED = SiteResponse(
    405, b"GET and HEAD only\n", "text/plain", (("Allow", "GET, HEAD"), ("Connection", "close"))
)
HEADERS_TOO_LARGE = SiteResponse(431, b"request head too large\n", "text/plain", (("Connection", "close"),))


class SiteServer:
    """Listens on one port of 127.0.0.1 and sends what `respond` returns for each request.

    Every response is delayed by `latency` seconds plus `jitter` seconds times `random_share()`, a number in 0..1.
    """

    def __init__(
        self, respond: RespondFunction, latency: float, jitter: float, random_share: Callable[[], float]
    ) -> None:
        self.respond, self.latency, self.jitter, self.random_share = respond, latency, jitter, random_share
        self.connections: set[_Connection] = set()
        self.requests = 0
        self._server: asyncio.Server | None = None
        self._date = (-1, b"")

    async def listen(self, port: int) -> int:
        """Start listening and return the port; 0 picks a free one. Raises OSError if the port is in use."""
        self._clock = Clock()
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), "127.0.0.1", port, backlog=1024)
        return cast(int, self._server.sockets[0].getsockname()[1])

    def date_line(self) -> bytes:
        """The Date header and the end of the head. Cached, because it changes only once a second."""
        second = int(self._clock.now())
        if self._date[0] != second:
            self._date = (second, f"Date: {formatdate(second, usegmt=True)}\r\n\r\n".encode())
        return self._date[1]

    async def aclose(self) -> None:
        """Stop listening and drop every connection."""
        if self._server is None:
            return
        server, self._server = self._server, None
        server.close()
        for connection in list(self.connections):
            connection.abort()
        await server.wait_closed()


class _Connection(asyncio.Protocol):
    def __init__(self, server: SiteServer) -> None:
        self._server = server
        self._buffer = b""
        self._timer: asyncio.TimerHandle | None = None
        self._closing = False
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if len(self._server.connections) >= MAX_CONNECTIONS:
            self._transport.abort()
        else:
            self._server.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.connections.discard(self)
        if self._timer is not None:
            self._timer.cancel()

    def abort(self) -> None:
        """Close the connection at once, even in the middle of a response."""
        self._transport.abort()

    def pause_writing(self) -> None:
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        if self._closing:
            return
        self._buffer += data
        if self._timer is None:
            self._process_buffer()
        elif len(self._buffer) > MAX_HEAD_BYTES:
            self._transport.pause_reading()

    def _process_buffer(self) -> None:
        """Handle the complete requests in the buffer, up to one with a delay: responses must keep their order."""
        while not self._closing and self._timer is None:
            head, end, rest = self._buffer.partition(b"\r\n\r\n")
            if not end:
                if len(self._buffer) > MAX_HEAD_BYTES:
                    self._send(HEADERS_TOO_LARGE, bodyless=False)
                return
            self._buffer = rest
            self._handle_request(head)

    def _handle_request(self, head: bytes) -> None:
        server = self._server
        server.requests += 1
        request = parse_head(head)
        if request is None:
            self._send(BAD_REQUEST, bodyless=False)
            return
        if request.method not in ("GET", "HEAD"):
            self._send(METHOD_NOT_ALLOWED, bodyless=False)
            return
        response = server.respond(request)
        self._closing = request.headers.get("connection", "").lower() == "close"
        if response.etag and request.headers.get("if-none-match") == response.etag:
            response = NOT_MODIFIED
        delay = response.delay + server.latency + (server.jitter * server.random_share() if server.jitter else 0.0)
        if delay > 0:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(delay, self._send_delayed, response, request.method == "HEAD")
        else:
            self._send(response, bodyless=request.method == "HEAD")

    def _send_delayed(self, response: SiteResponse, bodyless: bool) -> None:
        self._timer = None
        if self._transport.is_closing():
            return
        self._send(response, bodyless)
        self._transport.resume_reading()
        self._process_buffer()

    def _send(self, response: SiteResponse, bodyless: bool) -> None:
        transport = self._transport
        if response.fault == "reset":
            # SO_LINGER with zero seconds makes the kernel send RST instead of FIN.
            sock = transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._closing = True
            transport.abort()
            return
        body = b"" if bodyless else response.body
        if response.fault == "truncate":
            body = body[: len(body) // 2]
            self._closing = True
        transport.write(b"".join((response.head, self._server.date_line(), body)))
        if self._closing or response.status in (400, 405, 431):
            self._closing = True
            transport.close()


def parse_head(head: bytes) -> SiteRequest | None:
    """Parse request line and headers (RFC 9112 sections 3 and 5); None if they are malformed."""
    first, *lines = head.decode("latin-1").split("\r\n")
    parts = first.split(" ")
    if len(parts) != 3 or not parts[1].startswith("/") or not parts[2].startswith("HTTP/1."):
        return None
    headers = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            return None
        headers[name.strip().lower()] = value.strip()
    if parts[2] == "HTTP/1.0":
        headers.setdefault("connection", "close")
    return SiteRequest(parts[0], parts[1], headers)
