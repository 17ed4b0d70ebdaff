"""The transport beneath `httpx.AsyncClient`."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator

import httpx
import pytest

from scraper.transport.errors import BodyTooLarge, DeadlineExceeded
from scraper.transport.fast_transport import FastTransport
from scraper.transport.settings import TransportSettings
from tests.transport.servers import RawServer, chunked_response, each_loop, ok_response, pause, raw_server, responding


async def small_site(seen: RawServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Redirects, cookies, basic auth, an echo, a gzipped page."""
    while True:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        seen.requests.append(head.encode("latin-1"))
        lower = head.lower()
        path = head.split(" ")[1]
        if "content-length: " in lower:
            sent = await reader.readexactly(int(lower.split("content-length: ")[1].split("\r\n")[0]))
        elif "transfer-encoding: chunked" in lower:
            sent = await reader.readuntil(b"0\r\n\r\n")
        else:
            sent = b""
        if path == "/from":
            writer.write(b"HTTP/1.1 302 Found\r\nLocation: /to?x=1\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n")
        elif path == "/private" and "authorization: basic" not in lower:
            writer.write(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")
        elif path == "/gzip":
            writer.write(ok_response(gzip.compress(b"zipped " * 1000), "Content-Encoding: gzip"))
        elif path == "/echo":
            writer.write(ok_response(sent))
        else:
            cookie = lower.split("cookie: ")[1].split("\r\n")[0] if "cookie: " in lower else "none"
            writer.write(ok_response(f"{path} {cookie}".encode()))


@each_loop
async def test_redirects_cookies_auth_and_content_codings_work() -> None:
    """httpx's client works as over its own transport, on one connection."""
    async with raw_server(small_site) as server:
        async with httpx.AsyncClient(
            transport=FastTransport(), base_url=server.origin, follow_redirects=True
        ) as client:
            response = await client.get("/from")
            assert (response.text, len(response.history)) == ("/to?x=1 a=b", 1)
            assert (await client.get("/private")).status_code == 401
            assert (await client.get("/private", auth=("u", "p"))).status_code == 200
            assert (await client.get("/gzip")).text == "zipped " * 1000
            assert (await client.post("/echo", json={"a": 1})).json() == {"a": 1}
            assert b'name="f"' in (await client.post("/echo", files={"f": b"content"})).content
            assert (await client.head("/x")).status_code == 200
        assert server.connections == 1


@each_loop
async def test_a_streamed_upload_arrives_in_chunks() -> None:
    """An async generator needs no length."""

    async def pieces() -> AsyncIterator[bytes]:
        yield b"ab"
        yield b"cd"

    async with raw_server(small_site) as server, httpx.AsyncClient(transport=FastTransport()) as client:
        response = await client.post(f"{server.origin}/echo", content=pieces())
        assert response.content == b"2\r\nab\r\n2\r\ncd\r\n0\r\n\r\n"


@each_loop
async def test_a_response_tells_where_it_came_from() -> None:
    """httpx's extensions are there."""
    async with (
        raw_server(responding(b"HTTP/1.1 404 Not Here\r\nX: 1\r\nX: 2\r\nContent-Length: 0\r\n\r\n")) as server,
        httpx.AsyncClient(transport=FastTransport()) as client,
    ):
        response = await client.get(server.origin)
        assert (response.http_version, response.reason_phrase) == ("HTTP/1.1", "Not Here")
        assert response.headers.get_list("x") == ["1", "2"]
        stream = response.extensions["network_stream"]
        assert stream.get_extra_info("server_addr") == ("127.0.0.1", server.port)
        assert stream.get_extra_info("nonsense") is None


@each_loop
async def test_a_stream_is_handed_out_as_it_comes() -> None:
    """The response is there with its head; what has come can be read while the rest has not."""

    async def script(seen: RawServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        await pause(0.01)
        writer.write(b"1\r\na\r\n")
        await asyncio.Event().wait()

    transport = FastTransport()
    async with raw_server(script) as server, httpx.AsyncClient(transport=transport) as client:
        async with client.stream("GET", server.origin) as response:
            async for piece in response.aiter_raw():
                assert piece == b"a"
                break
        assert transport.pool.slots_used == 0


@each_loop
async def test_raw_bytes_stay_raw() -> None:
    """The transport undoes chunks and leaves content codings alone."""
    zipped = gzip.compress(b"hello")
    said = chunked_response(zipped).replace(b"200 OK\r\n", b"200 OK\r\nContent-Encoding: gzip\r\n")
    async with raw_server(responding(said)) as server, httpx.AsyncClient(transport=FastTransport()) as client:
        async with client.stream("GET", server.origin) as response:
            assert b"".join([piece async for piece in response.aiter_raw()]) == zipped
        assert (await client.get(server.origin)).text == "hello"


@each_loop
async def test_each_phase_has_httpx_s_timeout() -> None:
    """`timeout=` of the client is obeyed, and the deadline and size of the extensions."""

    async def script(seen: RawServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.Event().wait()

    settings = TransportSettings(max_per_host=1)
    async with (
        raw_server(script) as server,
        raw_server(responding(ok_response(b"x" * 100))) as other,
        httpx.AsyncClient(transport=FastTransport(settings)) as client,
    ):
        with pytest.raises(httpx.ReadTimeout) as caught:
            await client.get(server.origin, timeout=0.03)
        assert caught.value.request.url.port == server.port
        with pytest.raises(DeadlineExceeded):
            await client.get(server.origin, extensions={"deadline": 0.03})
        with pytest.raises(BodyTooLarge):
            await client.get(other.origin, extensions={"max_body": 99})
        busy = asyncio.create_task(client.get(server.origin, timeout=None))
        await pause(0.01)
        with pytest.raises(httpx.PoolTimeout):
            await client.get(server.origin, timeout=httpx.Timeout(2, pool=0.03))
        busy.cancel()
        with pytest.raises(asyncio.CancelledError):
            await busy


@each_loop
async def test_an_unusual_host_is_reached() -> None:
    """IPv6 literals and user-info in the URL."""
    async with (
        raw_server(responding(ok_response(b"hi"))) as server,
        httpx.AsyncClient(transport=FastTransport()) as client,
    ):
        assert (await client.get(f"http://u:p@127.0.0.1:{server.port}/")).text == "hi"
        with pytest.raises(httpx.ConnectError):
            await client.get("http://[::1]:1/")
