"""The transport over TLS: certificates, names, errors."""

from __future__ import annotations

import asyncio
import ssl

import httpx
import pytest
import trustme

from scraper.transport.errors import TlsError, TruncatedResponse
from scraper.transport.fast_transport import FastTransport
from scraper.transport.resolver import Address
from scraper.transport.settings import Timeouts, TransportSettings
from tests.transport.servers import RawServer, each_loop, ok_response, raw_server, responding, wait_until

SHORT_TIMEOUTS = Timeouts(connect=2, read=2, write=2, pool=2)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def server_context(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    context.set_alpn_protocols(["h2", "http/1.1"])
    return context


def client_context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    context.set_alpn_protocols(["http/1.1"])
    return context


class LoopbackResolver:
    """Resolves every name to 127.0.0.1."""

    async def resolve(self, host: str) -> list[Address]:
        return [Address("127.0.0.1")]

    def forget(self, host: str) -> None:
        return

    def close(self) -> None:
        return


async def fetch(transport: FastTransport, origin: str) -> bytes:
    return await (await transport.request("GET", origin, "/", [], timeouts=SHORT_TIMEOUTS)).read()


@each_loop
async def test_a_trusted_server_is_accepted(authority: trustme.CA) -> None:
    """By name or address, over one kept connection, with HTTP/1.1 agreed on."""
    body = b"x" * 300_000
    async with (
        raw_server(responding(ok_response(body)), server_context(authority, "a.example", "127.0.0.1")) as server,
        FastTransport(ssl_context=client_context(authority), resolver=LoopbackResolver()) as transport,
    ):
        for _ in range(2):
            response = await transport.request(
                "GET", f"https://a.example:{server.port}", "/", [], timeouts=SHORT_TIMEOUTS
            )
            tls = response.get_extra_info("ssl_object")
            assert isinstance(tls, ssl.SSLObject)
            assert tls.selected_alpn_protocol() == "http/1.1"
            assert await response.read() == body
        assert server.connections == 1
        assert await fetch(transport, f"https://a.example.:{server.port}") == body
        assert await fetch(transport, server.origin) == body


@each_loop
async def test_an_untrusted_certificate_is_refused_with_its_reason(authority: trustme.CA) -> None:
    """With the default context nothing that we do not know is trusted."""
    async with (
        raw_server(responding(ok_response(b"hi")), server_context(authority, "127.0.0.1")) as server,
        FastTransport() as transport,
    ):
        with pytest.raises(TlsError, match=r"not trusted: .*(certificate|issuer)"):
            await fetch(transport, server.origin)
        assert transport.pool.slots_used == 0


@each_loop
async def test_a_certificate_for_another_name_is_refused(authority: trustme.CA) -> None:
    """The certificate must be for the requested name."""
    async with (
        raw_server(responding(ok_response(b"hi")), server_context(authority, "b.example")) as server,
        FastTransport(ssl_context=client_context(authority), resolver=LoopbackResolver()) as transport,
    ):
        with pytest.raises(TlsError, match=r"a\.example"):
            await fetch(transport, f"https://a.example:{server.port}")


@each_loop
async def test_verification_can_be_switched_off(authority: trustme.CA) -> None:
    """`verify_tls=False` accepts any certificate."""
    settings = TransportSettings(verify_tls=False)
    async with (
        raw_server(responding(ok_response(b"hi")), server_context(authority, "b.example")) as server,
        FastTransport(settings) as transport,
    ):
        assert await fetch(transport, server.origin) == b"hi"


@each_loop
async def test_a_server_without_tls_is_a_tls_error(authority: trustme.CA) -> None:
    """Neither a protocol error nor a handshake that hangs."""

    async def script(seen: RawServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()

    async with raw_server(script) as server, FastTransport() as transport:
        with pytest.raises(TlsError, match="handshake"):
            await fetch(transport, f"https://127.0.0.1:{server.port}")
        assert transport.pool.slots_used == 0


@each_loop
async def test_a_handshake_that_is_cut_off_is_a_connect_error() -> None:
    """The server closes during the handshake."""

    async def script(seen: RawServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)

    async with raw_server(script) as server, FastTransport() as transport:
        with pytest.raises(httpx.ConnectError):
            await fetch(transport, f"https://127.0.0.1:{server.port}")


@each_loop
async def test_a_handshake_that_hangs_is_a_connect_timeout(authority: trustme.CA) -> None:
    """Its socket is closed with it."""

    async def script(seen: RawServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(1000):
            pass

    context = client_context(authority)  # before the timeout starts: loading the certificates takes a while
    async with raw_server(script) as server, FastTransport(ssl_context=context) as transport:
        with pytest.raises(httpx.ConnectTimeout):
            await transport.request("GET", f"https://127.0.0.1:{server.port}", "/", [], timeouts=Timeouts(connect=0.05))
        assert transport.pool.slots_used == 0
        await wait_until(server.closed.is_set)


@each_loop
async def test_a_body_cut_off_within_tls_is_truncated(authority: trustme.CA) -> None:
    """A known length is checked also where the end of TLS was not announced."""
    said = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello"
    async with (
        raw_server(responding(said, then_close=True), server_context(authority, "127.0.0.1")) as server,
        FastTransport(ssl_context=client_context(authority)) as transport,
    ):
        with pytest.raises((TruncatedResponse, httpx.ReadError)):
            await fetch(transport, server.origin)


@each_loop
async def test_backpressure_holds_over_tls(authority: trustme.CA) -> None:
    """A paused reader stops the server through TLS too, and gets every byte in the end."""
    body = b"".join(b"%07d\n" % i for i in range(500_000))
    async with (
        raw_server(responding(ok_response(body)), server_context(authority, "127.0.0.1")) as server,
        FastTransport(TransportSettings(buffer_limit=65536), ssl_context=client_context(authority)) as transport,
    ):
        response = await transport.request("GET", server.origin, "/", [], timeouts=SHORT_TIMEOUTS)
        await wait_until(lambda: response.received >= 65536)
        assert response.received < 2_000_000
        assert await response.read() == body
        assert transport.pool.idle_count == 1


@each_loop
async def test_a_name_for_tls_can_be_given(authority: trustme.CA) -> None:
    """httpx's `sni_hostname`: sent, verified, and pooled apart from connections for other names."""
    asked: list[str | None] = []
    context = server_context(authority, "a.example", "b.example")
    context.sni_callback = lambda _socket, name, _context: asked.append(name)
    async with raw_server(responding(ok_response(b"hi")), context) as server:
        transport = FastTransport(ssl_context=client_context(authority))
        async with httpx.AsyncClient(transport=transport) as client:
            for name in ("a.example", "b.example", b"b.example", "a.example"):
                response = await client.get(server.origin, extensions={"sni_hostname": name})
                assert response.content == b"hi"
                assert server.requests[-1].count(f"Host: 127.0.0.1:{server.port}\r\n".encode()) == 1
            assert (asked, server.connections) == (["a.example", "b.example"], 2)
            with pytest.raises(TlsError, match=r"c\.example"):
                await client.get(server.origin, extensions={"sni_hostname": "c.example"})
            with pytest.raises(TlsError, match=r"127\.0\.0\.1"):
                await client.get(server.origin)
            assert transport.pool.slots_used == 2


@pytest.mark.parametrize("name", ["a\0b", "\n", "a" * 300, ".", "caf\xe9..x", b"\xff"], ids=repr)
@each_loop
async def test_what_is_no_name_for_tls_is_a_tls_error(authority: trustme.CA, name: str | bytes) -> None:
    """Nothing else is raised, and no place in the pool is lost."""
    async with raw_server(responding(ok_response(b"hi")), server_context(authority, "a.example")) as server:
        transport = FastTransport(ssl_context=client_context(authority))
        async with httpx.AsyncClient(transport=transport) as client:
            with pytest.raises(TlsError):
                await client.get(server.origin, extensions={"sni_hostname": name})
            assert transport.pool.slots_used == 0


@each_loop
async def test_a_name_for_tls_means_nothing_without_tls() -> None:
    """It is passed over, as other transports do."""
    async with (
        raw_server(responding(ok_response(b"hi"))) as server,
        httpx.AsyncClient(transport=FastTransport()) as client,
    ):
        for name in ("a.example", "b.example"):
            assert (await client.get(server.origin, extensions={"sni_hostname": name})).content == b"hi"
        assert server.connections == 1
