"""POST: sent once, complete, with its type; over our transport and over httpx's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
import respx

from scraper.clock import Clock
from scraper.fetch.body_writer import SpoolSettings
from scraper.fetch.page_fetcher import FetchSettings, HttpFetcher
from scraper.model import MAX_CONTENT_BYTES, ErrorKind, Failure, Response
from scraper.testing.fakes import make_request
from scraper.testing.frontier_contract import make_post
from scraper.testing.local_server import LocalServer, RawHandler, ReceivedRequest, Reply
from scraper.transport.fast_transport import FastTransport

Transport = Callable[[], httpx.AsyncBaseTransport]
REAL_TRANSPORTS: dict[str, Transport] = {
    "own": FastTransport,
    "httpx": lambda: httpx.AsyncHTTPTransport(http1=True, trust_env=False),
}
over_real_sockets = pytest.mark.parametrize("transport", REAL_TRANSPORTS.values(), ids=REAL_TRANSPORTS)


@asynccontextmanager
async def fetcher(folder: Path, transport: httpx.AsyncBaseTransport, **changes: object) -> AsyncIterator[HttpFetcher]:
    settings = FetchSettings(SpoolSettings(folder, 100_000), **changes)  # type: ignore[arg-type]  # a test names fields
    made = HttpFetcher(settings, transport, clock=Clock(epoch=1_700_000_000.0), emit=lambda _: None)
    try:
        yield made
    finally:
        await made.aclose()


@over_real_sockets
@pytest.mark.parametrize("data", [b"", b'{"q":"\xc3\xa4"}', b"x" * MAX_CONTENT_BYTES], ids=["nothing", "json", "most"])
async def test_a_post_arrives_as_it_was_given(tmp_path: Path, transport: Transport, data: bytes) -> None:
    """Method, type, length and bytes; a GET beside it sends nothing."""
    async with LocalServer({"/api": Reply(200, b"{}")}) as site, fetcher(tmp_path, transport()) as made:
        assert isinstance(await made.fetch(make_post(site.url("/api"), data)), Response)
        assert isinstance(await made.fetch(make_request(site.url("/api"))), Response)
        post, get = site.requests
    assert (post.method, post.body, get.method, get.body) == ("POST", data, "GET", b"")
    assert post.headers.get_all("content-type") == ["application/json"]
    assert post.headers.get_all("content-length") == [str(len(data))]
    assert get.headers.get("content-type") is get.headers.get("content-length") is None


async def test_the_type_is_that_of_the_content(tmp_path: Path) -> None:
    """A configured Content-Type gives way; without a type of its own the configured one is sent."""
    router = respx.MockRouter()
    route = router.post("http://a.example/api").respond(200, text="{}")
    typed = make_post("http://a.example/api", b"1")
    configured = {"headers": {"content-type": "text/x"}, "in_scope": lambda _: True}
    async with fetcher(tmp_path, httpx.MockTransport(router.async_handler), **configured) as made:
        await made.fetch(typed)
        untyped = make_request("http://a.example/api", content=type(typed.content)(b"2"))  # type: ignore[misc]  # it has content
        await made.fetch(untyped)
    assert [call.request.headers["content-type"] for call in route.calls] == ["application/json", "text/x"]
    assert [call.request.content for call in route.calls] == [b"1", b"2"]


def closing_second_request() -> RawHandler:
    """Responds to the first request of a connection, reads the second and closes."""

    async def act(_: ReceivedRequest, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await writer.drain()
        await reader.readuntil(b"\r\n\r\n")

    return RawHandler(act)


@over_real_sockets
async def test_a_post_on_a_closed_connection_is_not_repeated(tmp_path: Path, transport: Transport) -> None:
    """RFC 9110 9.2.2: it is a temporary failure; the retry policy decides whether to post again."""
    async with LocalServer({"/api": closing_second_request()}) as site, fetcher(tmp_path, transport()) as made:
        assert isinstance(await made.fetch(make_request(site.url("/api"))), Response)
        outcome = await made.fetch(make_post(site.url("/api"), b"1"))
        assert isinstance(outcome, Failure)
        assert outcome.error in (ErrorKind.NETWORK, ErrorKind.TRUNCATED, ErrorKind.PROTOCOL)
        assert (outcome.permanent, outcome.request.content is not None) == (False, True)
        assert site.connections == 1


async def test_head_and_content_leave_in_one_write(tmp_path: Path) -> None:
    """Sent apart, the second would wait until the first is acknowledged."""
    pieces: list[int] = []

    async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pieces.append(len(await reader.read(65_536)))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(count, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, fetcher(tmp_path, FastTransport()) as made:
        request = make_post(f"http://127.0.0.1:{port}/api", b"0123456789")
        assert isinstance(await made.fetch(request), Response)
    assert len(pieces) == 1
    assert pieces[0] > 100
