"""The transport against servers that send exactly the bytes of a test, on asyncio's loop and on uvloop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import pairwise
from time import monotonic

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scraper.transport.address_guard import AddressGuard
from scraper.transport.errors import (
    AddressRefused,
    BodyTooLarge,
    DeadlineExceeded,
    ResolveError,
    StaleConnection,
    TruncatedResponse,
)
from scraper.transport.fast_transport import FastTransport
from scraper.transport.resolver import Address
from scraper.transport.settings import Timeouts, TransportSettings
from tests.transport.servers import (
    RawServer,
    Script,
    chunked_response,
    each_loop,
    ok_response,
    pause,
    raw_server,
    responding,
    wait_until,
)

OK_LINE = b"HTTP/1.1 200 OK\r\n"
SHORT_TIMEOUTS = Timeouts(connect=2, read=2, write=2, pool=2, deadline=5)


async def fetch(transport: FastTransport, origin: str, method: str = "GET", target: str = "/") -> bytes:
    response = await transport.request(method, origin, target, [], timeouts=SHORT_TIMEOUTS)
    return await response.read()


def idle_connections(transport: FastTransport) -> int:
    return transport.pool.idle_count


# (bytes from the server, the body, whether the connection is kept)
READABLE_RESPONSES = {
    "length": (ok_response(b"hello"), b"hello", True),
    "empty": (ok_response(b""), b"", True),
    "chunked": (chunked_response(b"he", b"llo"), b"hello", True),
    "chunked with trailers": (chunked_response(b"hello", trailers=b"A: b\r\n"), b"hello", True),
    "chunked, nothing in it": (chunked_response(), b"", True),
    "connection: close": (ok_response(b"hello", "Connection: close"), b"hello", False),
    "HTTP/1.0 kept alive": (
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhi",
        b"hi",
        True,
    ),
    "HTTP/1.0": (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", b"hi", False),
    "204": (b"HTTP/1.1 204 No Content\r\n\r\n", b"", True),
    "204 with a length": (b"HTTP/1.1 204 No Content\r\nContent-Length: 7\r\n\r\n", b"", True),
    "304 with a length": (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", b"", True),
    "after 100": (b"HTTP/1.1 100 Continue\r\n\r\n" + ok_response(b"hi"), b"hi", True),
    "after 102 and 103": (
        b"HTTP/1.1 102 P\r\n\r\nHTTP/1.1 103 E\r\nLink: </a>\r\n\r\n" + ok_response(b"hi"),
        b"hi",
        True,
    ),
    "lone LF": (b"HTTP/1.1 200 OK\nContent-Length: 2\n\nhi", b"hi", False),
    "one surplus byte": (ok_response(b"hello") + b"!", b"hello", False),
    "a surplus answer": (ok_response(b"hello") + ok_response(b"poison"), b"hello", False),
    "surplus after chunks": (chunked_response(b"hello") + ok_response(b"poison"), b"hello", False),
    "surplus line break after chunks": (chunked_response(b"hello") + b"\r\n", b"hello", False),
    "surplus after 204": (b"HTTP/1.1 204 No Content\r\n\r\nhi", b"", False),
}

MALFORMED_RESPONSES = {
    "not HTTP": b"SSH-2.0-OpenSSH_9.2\r\n",
    "HTTP/0.9": b"<html>hello</html>",
    "HTTP/2": b"HTTP/2.0 200 OK\r\n\r\n",
    "switching protocols": b"HTTP/1.1 101 S\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    "length and chunks": OK_LINE + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
    "two lengths": OK_LINE + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    "bad chunk": OK_LINE + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    "an endless head": OK_LINE + b"A: " + b"b" * 70_000,
    "many fields": OK_LINE + b"A: b\r\n" * 300 + b"\r\n",
    "a storm of 1xx": b"HTTP/1.1 103 E\r\n\r\n" * 17 + ok_response(b"hi"),
}

TRUNCATED_RESPONSES = {
    "in the status line": b"HTTP/1.1 2",
    "in the head": OK_LINE + b"Content-Len",
    "after a 1xx": b"HTTP/1.1 100 Continue\r\n\r\n",
    "in a body": OK_LINE + b"Content-Length: 10\r\n\r\nhello",
    "before a body": OK_LINE + b"Content-Length: 10\r\n\r\n",
    "in a chunk": OK_LINE + b"Transfer-Encoding: chunked\r\n\r\na\r\nhello",
    "before the last chunk": OK_LINE + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    "in the trailers": OK_LINE + b"Transfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n",
}


@pytest.mark.parametrize(("said", "body", "kept"), READABLE_RESPONSES.values(), ids=READABLE_RESPONSES.keys())
@each_loop
async def test_a_response_ends_where_its_framing_says(said: bytes, body: bytes, kept: bool) -> None:
    """The body is exact, and the connection is reused only if that is safe."""
    async with raw_server(responding(said, ok_response(b"second"))) as server, FastTransport() as transport:
        assert await fetch(transport, server.origin) == body
        assert idle_connections(transport) == (1 if kept else 0)
        again = await fetch(transport, server.origin)
        assert again == (b"second" if kept else body)
        assert server.connections == (1 if kept else 2)


@each_loop
async def test_a_body_without_framing_ends_with_the_connection() -> None:
    """RFC 9112 6.3, item 8."""
    async with raw_server(responding(OK_LINE + b"\r\nhello", then_close=True)) as server, FastTransport() as transport:
        assert await fetch(transport, server.origin) == b"hello"
        assert idle_connections(transport) == 0


@each_loop
async def test_the_response_to_head_has_no_body_whatever_it_says() -> None:
    """Its Content-Length announces no bytes to wait for, not even against `max_body`."""
    said = OK_LINE + b"Content-Length: 5000\r\n\r\n"
    async with raw_server(responding(said, said, ok_response(b"hi"))) as server, FastTransport() as transport:
        assert await fetch(transport, server.origin, "HEAD") == b""
        response = await transport.request("HEAD", server.origin, "/", [], max_body=10)
        assert (response.content_length, await response.read()) == (5000, b"")
        assert await fetch(transport, server.origin) == b"hi"
        assert server.connections == 1


@pytest.mark.parametrize("said", MALFORMED_RESPONSES.values(), ids=MALFORMED_RESPONSES.keys())
@each_loop
async def test_what_is_not_http_1_is_a_protocol_error_at_once(said: bytes) -> None:
    """Nobody waits for a timeout, and the connection is closed."""
    async with raw_server(responding(said)) as server, FastTransport() as transport:
        with pytest.raises(httpx.RemoteProtocolError) as caught:
            await fetch(transport, server.origin)
        assert not isinstance(caught.value, TruncatedResponse)
        assert (transport.pool.slots_used, idle_connections(transport)) == (0, 0)


@pytest.mark.parametrize("said", TRUNCATED_RESPONSES.values(), ids=TRUNCATED_RESPONSES.keys())
@each_loop
async def test_a_response_that_ends_too_early_is_truncated(said: bytes) -> None:
    """It is never taken for a short response."""
    async with raw_server(responding(said, then_close=True)) as server, FastTransport() as transport:
        with pytest.raises(TruncatedResponse, match="truncated"):
            await fetch(transport, server.origin)
        assert transport.pool.slots_used == 0


@each_loop
async def test_a_server_that_closes_without_a_response() -> None:
    """On a new connection that is a protocol error, and the request is not repeated."""
    async with raw_server(responding(b"", then_close=True)) as server, FastTransport() as transport:
        with pytest.raises(httpx.RemoteProtocolError, match="without a response"):
            await fetch(transport, server.origin)
        assert server.connections == 1


def closing_after(responses: int) -> Script:
    """A server that responds `responses` times per connection, reads one more request and closes."""

    async def script(seen: RawServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(responses):
            seen.requests.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(ok_response(b"hi"))
        seen.requests.append(await reader.readuntil(b"\r\n\r\n"))

    return script


@each_loop
async def test_a_request_on_a_dead_kept_alive_connection_is_sent_again_once() -> None:
    """The server closed it as we wrote: a new connection gets the request."""
    async with raw_server(closing_after(1)) as server, FastTransport() as transport:
        assert await fetch(transport, server.origin) == b"hi"
        assert await fetch(transport, server.origin) == b"hi"
        assert (server.connections, len(server.requests)) == (2, 3)


@each_loop
async def test_a_post_is_not_sent_twice() -> None:
    """Only idempotent methods are repeated."""
    async with raw_server(closing_after(1)) as server, FastTransport() as transport:
        await fetch(transport, server.origin)
        with pytest.raises(StaleConnection):
            await fetch(transport, server.origin, "POST")
        assert (server.connections, transport.pool.slots_used) == (1, 0)


@each_loop
async def test_a_request_is_not_repeated_when_a_byte_of_the_response_came() -> None:
    """Then the server has processed it."""

    async def script(seen: RawServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for said in (ok_response(b"hi"), b"H"):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(said)
            await writer.drain()

    async with raw_server(script) as server, FastTransport() as transport:
        await fetch(transport, server.origin)
        with pytest.raises(TruncatedResponse):
            await fetch(transport, server.origin)
        assert server.connections == 1


@each_loop
async def test_an_idle_connection_that_gets_bytes_or_is_closed_leaves_the_pool() -> None:
    """The connection notices itself; nobody polls it."""

    async def script(seen: RawServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(ok_response(b"hi"))
        await writer.drain()
        if seen.connections == 1:
            writer.write(ok_response(b"poison"))
            await reader.read()

    async with raw_server(script) as server, FastTransport() as transport:
        for _ in range(2):
            assert await fetch(transport, server.origin) == b"hi"
            await wait_until(lambda: transport.pool.slots_used == 0)
        assert server.connections == 2


@each_loop
async def test_an_unused_connection_expires() -> None:
    """After `keepalive_expiry` seconds, or sooner when the server promised less."""
    settings_ = TransportSettings(keepalive_expiry=0.02)
    async with raw_server(responding(ok_response(b"hi"))) as server, FastTransport(settings_) as transport:
        await fetch(transport, server.origin)
        assert idle_connections(transport) == 1
        await wait_until(lambda: idle_connections(transport) == 0)
    async with (
        raw_server(responding(ok_response(b"hi", "Keep-Alive: timeout=0"))) as server,
        FastTransport() as transport,
    ):
        await fetch(transport, server.origin)
        await wait_until(lambda: transport.pool.slots_used == 0)


@each_loop
async def test_a_large_body_streams_and_pauses_the_server() -> None:
    """At most `buffer_limit` (and one read) is held in memory; the bytes are exact."""
    body = b"".join(b"%07d\n" % i for i in range(500_000))
    settings_ = TransportSettings(buffer_limit=65536)
    async with raw_server(responding(ok_response(body))) as server, FastTransport(settings_) as transport:
        response = await transport.request("GET", server.origin, "/", [])
        assert not response.complete
        await wait_until(lambda: response.received >= 65536)
        held = response.received
        await pause(0.02)
        assert response.received == held < 65536 + 300_000
        assert await response.read() == body
        assert idle_connections(transport) == 1


@pytest.mark.parametrize(
    "said",
    [ok_response(b"x" * 1000), chunked_response(b"x" * 1000), OK_LINE + b"\r\n" + b"x" * 1000],
    ids=["length", "chunks", "end"],
)
@each_loop
async def test_a_body_larger_than_allowed_is_refused(said: bytes) -> None:
    """`max_body` holds for every framing."""
    async with raw_server(responding(said)) as server, FastTransport() as transport:
        with pytest.raises(BodyTooLarge) as caught:
            await (await transport.request("GET", server.origin, "/", [], max_body=999)).read()
        assert caught.value.limit == 999
        assert transport.pool.slots_used == 0


@each_loop
async def test_a_body_that_fits_exactly_is_allowed() -> None:
    """The bound is the largest size that may pass."""
    async with (
        raw_server(responding(ok_response(b"x" * 1000), chunked_response(b"x" * 1000))) as server,
        FastTransport() as transport,
    ):
        for _ in range(2):
            response = await transport.request("GET", server.origin, "/", [], max_body=1000)
            assert len(await response.read()) == 1000


async def silent(seen: RawServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    seen.requests.append(await reader.read(10))
    await asyncio.Event().wait()


async def dripping(seen: RawServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(OK_LINE + b"Content-Length: 1000\r\n\r\n")
    while True:
        writer.write(b"x")
        await pause(0.005)


@each_loop
async def test_a_silent_server_is_a_read_timeout() -> None:
    """The read timeout is the longest silence."""
    async with raw_server(silent) as server, FastTransport() as transport:
        with pytest.raises(httpx.ReadTimeout):
            await transport.request("GET", server.origin, "/", [], timeouts=Timeouts(read=0.03))
        assert transport.pool.slots_used == 0


@each_loop
async def test_a_dripping_server_meets_the_deadline_and_not_the_read_timeout() -> None:
    """Each byte restarts the read timeout, but not the deadline."""
    async with raw_server(dripping) as server, FastTransport() as transport:
        with pytest.raises(DeadlineExceeded):
            await transport.request("GET", server.origin, "/", [], timeouts=Timeouts(read=0.03, deadline=0.1))


@each_loop
async def test_the_timer_follows_each_request() -> None:
    """A short timeout after a long one is obeyed, although the connection has one timer."""

    async def script(seen: RawServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(ok_response(b"hi"))
        await silent(seen, reader, writer)

    async with raw_server(script) as server, FastTransport() as transport:
        await fetch(transport, server.origin)
        with pytest.raises(httpx.ReadTimeout):
            await transport.request("GET", server.origin, "/", [], timeouts=Timeouts(read=0.02))
        assert server.connections == 1


@each_loop
async def test_a_loop_that_was_busy_elsewhere_does_not_blame_the_server() -> None:
    """Bytes that came in time count, even if the loop runs its timers first."""
    async with raw_server(silent) as server, FastTransport() as transport:
        task = asyncio.create_task(transport.request("GET", server.origin, "/", [], timeouts=Timeouts(read=0.05)))
        await wait_until(lambda: server.connections == 1)
        assert server.writer is not None
        await pause(0.01)
        server.writer.write(ok_response(b"hi"))
        busy_until = monotonic() + 0.08
        while monotonic() < busy_until:
            pass
        assert await (await task).read() == b"hi"


@each_loop
async def test_a_slow_reader_is_not_a_silent_server() -> None:
    """While reading is paused, the read timeout is suspended."""
    body = b"x" * 2_000_000
    settings_ = TransportSettings(buffer_limit=65536)
    async with raw_server(responding(ok_response(body))) as server, FastTransport(settings_) as transport:
        response = await transport.request("GET", server.origin, "/", [], timeouts=Timeouts(read=0.02))
        await pause(0.06)
        assert await response.read() == body


@each_loop
async def test_a_full_pool_is_a_pool_timeout() -> None:
    """Or a passed deadline, if that is sooner."""
    settings_ = TransportSettings(max_per_host=1)
    async with raw_server(silent) as server, FastTransport(settings_) as transport:
        first = asyncio.create_task(transport.request("GET", server.origin, "/", []))
        await wait_until(lambda: transport.pool.slots_used == 1)
        with pytest.raises(httpx.PoolTimeout):
            await transport.request("GET", server.origin, "/", [], timeouts=Timeouts(pool=0.02))
        with pytest.raises(DeadlineExceeded):
            await transport.request("GET", server.origin, "/", [], timeouts=Timeouts(pool=2, deadline=0.02))
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert transport.pool.slots_used == 0


class FakeResolver:
    """A resolver with fixed addresses; with None it never returns."""

    def __init__(self, *addresses: str | None) -> None:
        self.addresses = addresses
        self.forgotten: list[str] = []

    async def resolve(self, host: str) -> list[Address]:
        if None in self.addresses:
            await asyncio.Event().wait()
        if not self.addresses:
            raise ResolveError(f"cannot resolve {host}", permanent=True)
        return [Address(ip) for ip in self.addresses if ip is not None]

    def forget(self, host: str) -> None:
        self.forgotten.append(host)

    def close(self) -> None:
        self.addresses = ()


@each_loop
async def test_a_connection_that_is_never_made_is_a_connect_timeout() -> None:
    """The DNS lookup counts; the deadline wins if it is sooner."""
    async with FastTransport(resolver=FakeResolver(None)) as transport:
        with pytest.raises(httpx.ConnectTimeout):
            await transport.request("GET", "http://a.example", "/", [], timeouts=Timeouts(connect=0.02))
        with pytest.raises(DeadlineExceeded):
            await transport.request("GET", "http://a.example", "/", [], timeouts=Timeouts(deadline=0.02))
        assert transport.pool.slots_used == 0


@each_loop
async def test_every_failure_to_connect_has_its_own_exception() -> None:
    """DNS, guard and refused connections are different exceptions, and cost no slot in the pool."""
    async with raw_server(responding(ok_response(b"hi"))) as server:
        port = server.port
    async with FastTransport(resolver=FakeResolver()) as transport:
        with pytest.raises(ResolveError) as name:
            await fetch(transport, "http://a.example")
        assert name.value.permanent
    names = FakeResolver("127.0.0.1")
    async with FastTransport(resolver=names) as transport:
        with pytest.raises(httpx.ConnectError, match=r"a\.example:") as refused:
            await fetch(transport, f"http://a.example:{port}")
        assert type(refused.value) is httpx.ConnectError
        assert names.forgotten == ["a.example"]
        assert transport.pool.slots_used == 0


@each_loop
async def test_the_guard_checks_the_address_that_is_connected_to() -> None:
    """A name with a private address is refused, unless the host is exempt."""
    async with raw_server(responding(ok_response(b"hi"))) as server:
        guard = AddressGuard(allowed_hosts=frozenset({f"seed.example:{server.port}"}))
        async with FastTransport(guard=guard, resolver=FakeResolver("127.0.0.1")) as transport:
            with pytest.raises(AddressRefused) as caught:
                await fetch(transport, f"http://evil.example:{server.port}")
            assert caught.value.rule == "loopback"
            with pytest.raises(AddressRefused):
                await fetch(transport, server.origin)
            assert server.connections == 0
            assert await fetch(transport, f"http://seed.example:{server.port}") == b"hi"


@each_loop
async def test_the_second_address_is_tried_when_the_first_refuses() -> None:
    """Happy eyeballs over real sockets."""
    async with (
        raw_server(responding(ok_response(b"hi"))) as server,
        FastTransport(resolver=FakeResolver("127.0.0.2", "127.0.0.1")) as transport,
    ):
        response = await transport.request("GET", f"http://a.example:{server.port}", "/", [], timeouts=SHORT_TIMEOUTS)
        assert response.peer == ("127.0.0.1", server.port)


@pytest.mark.parametrize(
    ("origin", "error"),
    [
        ("ftp://a.example", httpx.UnsupportedProtocol),
        ("a.example", httpx.UnsupportedProtocol),
        ("http://", httpx.LocalProtocolError),
        ("http://a b", httpx.LocalProtocolError),
        ("http://a.example/x", httpx.LocalProtocolError),
        ("http://u@a.example", httpx.LocalProtocolError),
        ("http://a.example:0", httpx.LocalProtocolError),
        ("http://a.example:65536", httpx.LocalProtocolError),
        ("http://a.example\r\nX: y", httpx.LocalProtocolError),
        ("http://ä.example", httpx.LocalProtocolError),
    ],
)
@each_loop
async def test_what_is_no_origin_is_refused(origin: str, error: type[Exception]) -> None:
    """Before anything is connected to."""
    async with FastTransport() as transport:
        with pytest.raises(error):
            await transport.request("GET", origin, "/", [])


@pytest.mark.parametrize("script", [silent, dripping], ids=["before the head", "within the body"])
@each_loop
async def test_a_cancelled_request_closes_its_connection(script: Script) -> None:
    """It cannot be reused, and the server notices."""
    async with raw_server(script) as server, FastTransport() as transport:
        task = asyncio.create_task(transport.request("GET", server.origin, "/", []))
        await wait_until(lambda: server.connections == 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (transport.pool.slots_used, idle_connections(transport)) == (0, 0)


@each_loop
async def test_closing_an_exchange_early_closes_its_connection() -> None:
    """The rest of a body is not drained; an exchange read to its end costs nothing."""
    settings_ = TransportSettings(buffer_limit=1000)
    async with (
        raw_server(responding(ok_response(b"x" * 900_000), ok_response(b"hi"))) as server,
        FastTransport(settings_) as transport,
    ):
        response = await transport.request("GET", server.origin, "/", [])
        response.close()
        assert transport.pool.slots_used == 0
        with pytest.raises(httpx.ReadError):
            await response.read()
    async with raw_server(responding(ok_response(b"hi"))) as server, FastTransport() as transport:
        response = await transport.request("GET", server.origin, "/", [])
        response.close()
        assert idle_connections(transport) == 1
        assert await response.read() == b"hi"


@each_loop
async def test_closing_the_transport_ends_everything() -> None:
    """Requests in flight fail, idle connections close, and new requests raise."""
    async with raw_server(silent) as quiet, raw_server(responding(ok_response(b"hi"))) as server:
        transport = FastTransport()
        await fetch(transport, server.origin)
        task = asyncio.create_task(transport.request("GET", quiet.origin, "/", []))
        await wait_until(lambda: bool(quiet.requests))
        await transport.aclose()
        await transport.aclose()
        with pytest.raises(httpx.ReadError):
            await task
        with pytest.raises(RuntimeError):
            await fetch(transport, server.origin)


@each_loop
async def test_many_requests_share_few_connections() -> None:
    """With a limit of four, a hundred requests use four connections, and all succeed."""
    settings_ = TransportSettings(max_per_host=4)
    async with raw_server(responding(ok_response(b"x" * 1000))) as server, FastTransport(settings_) as transport:
        bodies = await asyncio.gather(*(fetch(transport, server.origin) for _ in range(100)))
        assert {len(body) for body in bodies} == {1000}
        assert (server.connections, idle_connections(transport)) == (4, 4)


@each_loop
async def test_content_is_sent_whole_and_framed() -> None:
    """Bytes with a length, streams in chunks or with the length announced."""
    got: list[bytes] = []

    async def script(seen: RawServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            got.append(head)
            if b"chunked" in head:
                got.append(await reader.readuntil(b"0\r\n\r\n"))
            else:
                length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                got.append(await reader.readexactly(length))
            writer.write(ok_response(b"thanks"))

    async def pieces() -> AsyncIterator[bytes]:
        for piece in (b"ab", b"", b"cd"):
            yield piece

    large = b"x" * 1_000_000
    async with raw_server(script) as server, FastTransport() as transport:
        for content, fields in ((large, []), (pieces(), []), (pieces(), [(b"Content-Length", b"4")])):
            response = await transport.request(
                "POST", server.origin, "/", fields, content=content, timeouts=SHORT_TIMEOUTS
            )
            assert await response.read() == b"thanks"
        assert got[1::2] == [large, b"2\r\nab\r\n2\r\ncd\r\n0\r\n\r\n", b"abcd"]
        assert server.connections == 1


@pytest.mark.parametrize("announced", [b"3", b"5"], ids=["longer", "shorter"])
@each_loop
async def test_content_of_another_length_than_announced_closes_the_connection(announced: bytes) -> None:
    """More or fewer bytes than announced would be read as part of the next request."""

    async def pieces() -> AsyncIterator[bytes]:
        yield b"abcd"

    async with raw_server(silent) as server, FastTransport() as transport:
        with pytest.raises(httpx.LocalProtocolError):
            await transport.request("POST", server.origin, "/", [(b"Content-Length", announced)], content=pieces())
        assert transport.pool.slots_used == 0


@each_loop
async def test_a_server_that_does_not_read_is_a_write_timeout() -> None:
    """Sending waits for the server, but only for so long."""

    async def script(seen: RawServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.Event().wait()

    async with raw_server(script) as server, FastTransport() as transport:
        with pytest.raises(httpx.WriteTimeout):
            await transport.request(
                "PUT", server.origin, "/", [], content=b"x" * 50_000_000, timeouts=Timeouts(write=0.05)
            )
        assert transport.pool.slots_used == 0


@each_loop
async def test_an_early_response_ends_the_sending() -> None:
    """A response that comes before the request is complete is returned; the connection is not reused."""

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 65536

    async def script(seen: RawServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
        while await reader.read(65536):
            pass

    async with raw_server(script) as server, FastTransport() as transport:
        response = await transport.request("POST", server.origin, "/", [], content=endless(), timeouts=SHORT_TIMEOUTS)
        assert (response.status, await response.read()) == (413, b"no")
        assert transport.pool.slots_used == 0


VALID_RESPONSES = [
    said
    for name, (said, _, _) in READABLE_RESPONSES.items()
    if not name.startswith(("surplus", "one surplus", "a surplus"))
]


@given(st.sampled_from(VALID_RESPONSES), st.lists(st.integers(1, 200), max_size=8))
@settings(max_examples=60, deadline=None)
def test_a_response_does_not_depend_on_how_it_is_split(said: bytes, cuts: list[int]) -> None:
    """Split anywhere, into any number of pieces, a response is the same."""
    edges = sorted({0, len(said), *(c for c in cuts if c < len(said))})
    pieces = [said[a:b] for a, b in pairwise(edges)]

    async def script(seen: RawServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for piece in pieces:
            writer.write(piece)
            await pause(0.0005)

    async def run() -> bytes:
        async with raw_server(script) as server, FastTransport() as transport:
            return await fetch(transport, server.origin)

    expected = next(body for known, body, _ in READABLE_RESPONSES.values() if known == said)
    assert asyncio.run(run()) == expected


@given(st.sampled_from(VALID_RESPONSES), st.data())
@settings(max_examples=80, deadline=None)
def test_a_damaged_response_is_a_response_or_an_httpx_exception(said: bytes, data: st.DataObject) -> None:
    """With bytes changed, lost or added nothing else is raised, and nothing hangs."""
    damaged = bytearray(said)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(damaged)))
        damaged[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))

    async def run() -> bytes | httpx.TransportError:
        async with raw_server(responding(bytes(damaged), then_close=True)) as server, FastTransport() as transport:
            try:
                return await fetch(transport, server.origin)
            except httpx.TransportError as error:
                return error

    result = asyncio.run(run())
    assert not isinstance(result, httpx.TimeoutException)


@each_loop
async def test_a_server_that_closes_on_arrival_costs_no_slot() -> None:
    """Whether it closes before or after the request is sent."""

    async def script(seen: RawServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        return

    async with raw_server(script) as server, FastTransport() as transport:
        results = await asyncio.gather(*(fetch(transport, server.origin) for _ in range(20)), return_exceptions=True)
        assert all(isinstance(r, httpx.TransportError) for r in results)
        assert transport.pool.slots_used == 0


@each_loop
async def test_requests_cancelled_at_any_moment_leave_nothing_behind() -> None:
    """After a storm of cancellations the limits are free again and the transport works."""
    settings_ = TransportSettings(max_per_host=3, max_connections=3)
    async with raw_server(responding(ok_response(b"x" * 50_000))) as server, FastTransport(settings_) as transport:
        for turn in range(40):
            tasks = [asyncio.create_task(fetch(transport, server.origin)) for _ in range(6)]
            await asyncio.wait(tasks, timeout=0.0001 * turn)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        assert await asyncio.gather(*(fetch(transport, server.origin) for _ in range(6))) == [b"x" * 50_000] * 6
        assert transport.pool.slots_used == idle_connections(transport) <= 3
