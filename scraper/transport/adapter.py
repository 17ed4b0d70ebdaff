"""The seam between the fetcher and what carries its requests.

`RawTransport` is what the fetcher speaks: origin, target and header pairs in, a head and pieces of body out, no
object built that nobody asks for. Our own HTTP/1.1 transport speaks it natively. Any other httpx transport (HTTP/2,
proxies, `httpx.MockTransport`, respx) is put behind `HttpxAdapter`, which speaks it for them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable
from contextlib import aclosing
from typing import Protocol, cast

import httpx

from scraper.transport.disk_buffer import DiskBuffer
from scraper.transport.errors import DeadlineExceeded
from scraper.transport.settings import Timeouts

RawHeaders = list[tuple[bytes, bytes]]


class RawResponse(Protocol):
    """A response whose head is here. `sent_at` and `head_at` are seconds on the event loop's clock.

    `complete` says that the body is here as a whole, so that `read` does not wait.
    """

    complete: bool
    sent_at: float
    head_at: float

    @property
    def status(self) -> int:
        """The status code."""
        ...

    @property
    def headers(self) -> RawHeaders:
        """Header fields as they came."""
        ...

    @property
    def http_version(self) -> bytes:
        """`b"1.1"`, `b"1.0"`, `b"2"` ..."""
        ...

    @property
    def content_length(self) -> int | None:
        """The body's size in bytes as announced, None when it was not."""
        ...

    async def read(self) -> bytes:
        """The rest of the body, before content-codings are undone."""
        ...

    def aiter_raw(self) -> AsyncIterator[bytes]:
        """The body in pieces as they come. Raises httpx's exceptions and those of faults.py."""
        ...

    def read_into(self, buffer: DiskBuffer) -> AsyncIterator[None]:
        """The body into `landing`, yielding when something has come; whoever reads makes room. Raises as `pieces`."""
        ...

    def close(self) -> Awaitable[None] | None:
        """Let go; a body not read to its end costs the connection. If something is returned, await it."""
        ...


class RawTransport(Protocol):
    """Carries requests."""

    async def request(
        self,
        method: str,
        origin: str,
        target: str,
        headers: RawHeaders,
        *,
        timeouts: Timeouts | None = None,
        content: bytes | None = None,
    ) -> RawResponse:
        """Ask `origin` for `target`, sending `content`; return when the head is here.

        What is not idempotent is sent at most once (RFC 9110 9.2.2). Raises httpx's exceptions and those of faults.py.
        """
        ...

    async def aclose(self) -> None:
        """Close every connection."""
        ...


def as_raw_transport(transport: httpx.AsyncBaseTransport | RawTransport) -> RawTransport:
    """`transport` itself when it is a raw transport, else behind `HttpxAdapter`."""
    return transport if hasattr(transport, "request") else HttpxAdapter(transport)


class HttpxAdapter:
    """Speaks lean for any httpx transport. The target is sent as it stands: httpx would spell some paths anew."""

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        self._transport = transport

    async def request(
        self,
        method: str,
        origin: str,
        target: str,
        headers: RawHeaders,
        *,
        timeouts: Timeouts | None = None,
        content: bytes | None = None,
    ) -> RawResponse:
        """As `RawTransport.exchange`; `timeouts.deadline` holds for the body's pieces too."""
        limits = timeouts or Timeouts()
        phases = {"connect": limits.connect, "read": limits.read, "write": limits.write, "pool": limits.pool}
        request = httpx.Request(
            method,
            origin + target,
            headers=headers,
            content=content,
            extensions={"timeout": phases, "target": target.encode("ascii")},
        )
        now = asyncio.get_running_loop().time()
        deadline = None if limits.deadline is None else now + limits.deadline
        try:
            async with asyncio.timeout_at(deadline) as watch:
                response = await self._transport.handle_async_request(request)
        except TimeoutError:
            if watch.expired():
                raise DeadlineExceeded(f"no answer within {limits.deadline:g} s in all") from None
            raise
        return _HttpxResponse(response, now, deadline)

    async def aclose(self) -> None:
        """Close the transport behind it."""
        await self._transport.aclose()


class _HttpxResponse:
    """An httpx response, read as it came over the wire. `sent_at` includes connecting: httpx does not tell."""

    def __init__(self, response: httpx.Response, sent_at: float, deadline: float | None) -> None:
        self._response = response
        self._deadline = deadline
        self.complete = False
        self.sent_at = sent_at
        self.head_at = asyncio.get_running_loop().time()

    @property
    def status(self) -> int:
        return self._response.status_code

    @property
    def headers(self) -> RawHeaders:
        return self._response.headers.raw

    @property
    def http_version(self) -> bytes:
        version: bytes = self._response.extensions.get("http_version", b"HTTP/1.1")
        return version.removeprefix(b"HTTP/")

    @property
    def content_length(self) -> int | None:
        stated = self._response.headers.get("content-length", "")
        is_framed = "transfer-encoding" in self._response.headers
        return int(stated) if stated.isascii() and stated.isdigit() and len(stated) < 20 and not is_framed else None

    async def read(self) -> bytes:
        return b"".join([piece async for piece in self.aiter_raw()])

    async def aiter_raw(self) -> AsyncIterator[bytes]:
        stream = cast(httpx.AsyncByteStream, self._response.stream).__aiter__()
        while True:
            # Around each piece and not around the loop: a timeout must not strike while the reader is at work.
            try:
                async with asyncio.timeout_at(self._deadline) as watch:
                    piece = await anext(stream)
            except StopAsyncIteration:
                return
            except TimeoutError:
                if watch.expired():
                    raise DeadlineExceeded("the response was not complete before its deadline") from None
                raise
            yield piece

    async def read_into(self, buffer: DiskBuffer) -> AsyncIterator[None]:
        async with aclosing(cast("AsyncGenerator[bytes, None]", self.aiter_raw())) as pieces:
            async for piece in pieces:
                for _ in buffer.copy_from(piece):
                    yield

    def close(self) -> Awaitable[None]:
        return cast(httpx.AsyncByteStream, self._response.stream).aclose()
