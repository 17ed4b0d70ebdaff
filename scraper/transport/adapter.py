"""The interface between fetchers and transports.

Fetchers use `RawTransport`: origin, target and header pairs in, a head and pieces of body out, and no object built that
nobody needs. `FastTransport` implements it natively. Any other httpx transport (HTTP/2, proxies, `httpx.MockTransport`,
respx) is wrapped in `HttpxAdapter`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable
from contextlib import aclosing
from typing import Protocol, TypedDict, Unpack, cast

import httpx

from scraper.transport.disk_buffer import DiskBuffer
from scraper.transport.errors import DeadlineExceeded
from scraper.transport.request_headers import RawHeaders
from scraper.transport.settings import Timeouts


class RequestOptions(TypedDict, total=False):
    """What may be given to `RawTransport.request` by keyword: limits of time, and the content to send."""

    timeouts: Timeouts | None
    content: bytes | None


class RawResponse(Protocol):
    """A response whose head has come. `sent_at` and `head_at` are seconds of the event loop's clock; `complete` says
    that the whole body is in memory, so that `read` does not wait.
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
        """Header fields as sent."""
        ...

    @property
    def http_version(self) -> bytes:
        """`b"1.1"`, `b"1.0"`, `b"2"` ..."""
        ...

    @property
    def content_length(self) -> int | None:
        """Size of the body in bytes as announced, None when it was not."""
        ...

    async def read(self) -> bytes:
        """The rest of the body, content-codings not decoded."""
        ...

    def aiter_raw(self) -> AsyncGenerator[bytes, None]:
        """Iterate over the body as it arrives. Raises the exceptions of httpx and errors.py."""
        ...

    def read_into(self, buffer: DiskBuffer) -> AsyncGenerator[None, None]:
        """Receive the body into `buffer`; yield when `unread` has grown; the reader makes room."""
        ...

    def close(self) -> Awaitable[None] | None:
        """Stop reading; a body not read to its end closes the connection. Await what is returned, if anything."""
        ...


class RawTransport(Protocol):
    """Sends requests."""

    async def request(
        self, method: str, origin: str, target: str, headers: RawHeaders, **options: Unpack[RequestOptions]
    ) -> RawResponse:
        """Send a request to `origin` for `target`; return when the head of the response has come.

        A request that is not idempotent is sent at most once (RFC 9110 9.2.2). Raises the exceptions of httpx and
        errors.py.
        """
        ...

    async def aclose(self) -> None:
        """Close every connection."""
        ...


def as_raw_transport(transport: httpx.AsyncBaseTransport | RawTransport) -> RawTransport:
    """`transport` itself if it is a raw transport, else wrapped in `HttpxAdapter`."""
    return transport if hasattr(transport, "request") else HttpxAdapter(transport)


class ExactUrl(httpx.URL):
    """A URL whose target is sent as given: httpx would normalize some paths.

    httpx's `target` extension does the same for a plain request, but it replaces the target of every request made on
    the way: behind a proxy `http://host/path` becomes `/path`, and `CONNECT host:443` becomes `CONNECT /path`.
    """

    def __init__(self, url: httpx.URL | str, target: bytes) -> None:
        super().__init__(url)
        self._target = target

    @property
    def raw_path(self) -> bytes:
        """Path and query of the request line."""
        return self._target


class HttpxAdapter:
    """A `RawTransport` over any httpx transport. The target is sent as given (`ExactUrl`)."""

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        self._transport = transport

    async def request(
        self, method: str, origin: str, target: str, headers: RawHeaders, **options: Unpack[RequestOptions]
    ) -> RawResponse:
        """As `RawTransport.request`; `timeouts.deadline` also holds while the body is read."""
        limits = options.get("timeouts") or Timeouts()
        phases = {"connect": limits.connect, "read": limits.read, "write": limits.write, "pool": limits.pool}
        request = httpx.Request(
            method,
            origin + target,
            headers=headers,
            content=options.get("content"),
            extensions={"timeout": phases},
        )
        request.url = ExactUrl(request.url, target.encode("ascii"))
        now = asyncio.get_running_loop().time()
        deadline = None if limits.deadline is None else now + limits.deadline
        try:
            async with asyncio.timeout_at(deadline) as timeout:
                response = await self._transport.handle_async_request(request)
        except TimeoutError:
            if timeout.expired():
                raise DeadlineExceeded(f"no response within {limits.deadline:g} s in all") from None
            raise
        return _HttpxResponse(response, now, deadline)

    async def aclose(self) -> None:
        """Close the wrapped transport."""
        await self._transport.aclose()


class _HttpxResponse:
    """An httpx response, read without decoding. `sent_at` includes connecting: httpx does not report it."""

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
        announced = self._response.headers.get("content-length", "")
        is_framed = "transfer-encoding" in self._response.headers
        return (
            int(announced)
            if announced.isascii() and announced.isdigit() and len(announced) < 20 and not is_framed
            else None
        )

    async def read(self) -> bytes:
        return b"".join([piece async for piece in self.aiter_raw()])

    async def aiter_raw(self) -> AsyncGenerator[bytes, None]:
        stream = cast(httpx.AsyncByteStream, self._response.stream).__aiter__()
        while True:
            # Around each piece and not around the loop: the timeout must not fire while the reader processes a piece.
            try:
                async with asyncio.timeout_at(self._deadline) as timeout:
                    piece = await anext(stream)
            except StopAsyncIteration:
                return
            except TimeoutError:
                if timeout.expired():
                    raise DeadlineExceeded("the response was not complete before its deadline") from None
                raise
            yield piece

    async def read_into(self, buffer: DiskBuffer) -> AsyncGenerator[None, None]:
        async with aclosing(self.aiter_raw()) as pieces:
            async for piece in pieces:
                for _ in buffer.copy_from(piece):
                    yield

    def close(self) -> Awaitable[None]:
        return cast(httpx.AsyncByteStream, self._response.stream).aclose()
