"""`HttpxAdapter`: any httpx transport as a `RawTransport`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import httpx
import pytest

from scraper.transport.adapter import HttpxAdapter, as_raw_transport
from scraper.transport.buffer_pool import Buffer
from scraper.transport.disk_buffer import SPARE_BYTES, DiskBuffer
from scraper.transport.errors import DeadlineExceeded
from scraper.transport.fast_transport import FastTransport
from scraper.transport.settings import Timeouts


class Pieces(httpx.AsyncByteStream):
    """A body in pieces; with `hangs` the last one never comes."""

    def __init__(self, *pieces: bytes, hangs: bool = False) -> None:
        self.pieces, self.hangs, self.closed = pieces, hangs, False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            yield piece
        if self.hangs:
            await asyncio.Event().wait()

    async def aclose(self) -> None:
        self.closed = True


def adapter_for(response: httpx.Response) -> tuple[HttpxAdapter, list[httpx.Request]]:
    """An adapter whose transport always returns `response`, and the requests it gets."""
    requests: list[httpx.Request] = []

    def respond(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return response

    return HttpxAdapter(httpx.MockTransport(respond)), requests


async def test_our_transport_needs_no_adapter() -> None:
    """Only transports without `request` are wrapped."""
    transport = FastTransport()
    assert as_raw_transport(transport) is transport
    assert isinstance(as_raw_transport(httpx.MockTransport(lambda _: httpx.Response(200))), HttpxAdapter)


async def test_a_request_is_passed_on_as_given() -> None:
    """The target is not normalized; timeouts become httpx's four phases; content is sent."""
    adapter, requests = adapter_for(httpx.Response(200))
    timeouts = Timeouts(connect=1, read=2, write=3, pool=4)
    await adapter.request("POST", "http://a.example", "/a|b?{x}", [(b"X", b"y")], timeouts=timeouts, content=b"hi")
    (request,) = requests
    assert request.url.raw_path == b"/a|b?{x}"
    assert request.extensions["timeout"] == {"connect": 1, "read": 2, "write": 3, "pool": 4}
    assert (request.method, request.headers["x"], request.content) == ("POST", "y", b"hi")


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Content-Length": "5"}, 5),
        ({}, None),
        ({"Content-Length": "-5"}, None),
        ({"Content-Length": "\u0665"}, None),
        ({"Content-Length": "9" * 20}, None),
        ({"Content-Length": "5", "Transfer-Encoding": "chunked"}, None),
    ],
    ids=["announced", "not announced", "negative", "not ascii", "too long", "chunked"],
)
async def test_the_announced_length_is_a_number_or_unknown(headers: dict[str, str], expected: int | None) -> None:
    """`content_length` never trusts what is not a plain number."""
    encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
    adapter, _ = adapter_for(httpx.Response(200, headers=encoded, stream=Pieces(b"hello")))
    response = await adapter.request("GET", "http://a.example", "/", [])
    assert response.content_length == expected
    assert await response.read() == b"hello"


async def test_a_body_is_copied_into_the_buffer() -> None:
    """`read_into` works as for our own transport, only with a copy."""
    adapter, _ = adapter_for(httpx.Response(200, stream=Pieces(b"he", b"llo")))
    response = await adapter.request("GET", "http://a.example", "/", [])
    buffer = DiskBuffer(Buffer(memoryview(bytearray(2 * SPARE_BYTES)), 0))
    async with aclosing(response.read_into(buffer)) as arrivals:
        async for _ in arrivals:
            buffer.accept(len(buffer.unread))
    assert bytes(buffer.detach()[0]) == b"hello"


async def test_the_deadline_holds_for_the_body() -> None:
    """A body that never ends meets the deadline of its request, and closing it closes the stream."""
    stream = Pieces(b"x", hangs=True)
    adapter, _ = adapter_for(httpx.Response(200, stream=stream))
    response = await adapter.request("GET", "http://a.example", "/", [], timeouts=Timeouts(deadline=0.02))
    with pytest.raises(DeadlineExceeded):
        await response.read()
    closing = response.close()
    assert closing is not None
    await closing
    assert stream.closed
