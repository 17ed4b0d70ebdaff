"""The address guard before transports that resolve names themselves."""

from __future__ import annotations

from collections.abc import Sequence

import httpx
import pytest

from scraper.testing.local_server import LocalServer, Reply
from scraper.transport.address_guard import AddressGuard
from scraper.transport.errors import AddressRefused, ResolveError
from scraper.transport.guarded_httpx import GuardedHttpxTransport
from scraper.transport.resolver import Address


class FakeResolver:
    """A resolver with a table."""

    def __init__(self, table: dict[str, list[str]]) -> None:
        self.table = table
        self.forgotten: list[str] = []

    async def resolve(self, host: str) -> Sequence[Address]:
        if host not in self.table:
            raise ResolveError(f"no {host}", permanent=True)
        return [Address(ip) for ip in self.table[host]]

    def forget(self, host: str) -> None:
        self.forgotten.append(host)

    def close(self) -> None:
        self.table = {}


ADDRESSES = {
    "public.example": ["8.8.8.8"],
    "private.example": ["10.0.0.1"],
    "mixed.example": ["127.0.0.1", "8.8.4.4"],
    "metadata.example": ["169.254.169.254"],
}


async def sent_request(url: str, *, proxied: bool = False, guard: AddressGuard | None = None) -> httpx.Request:
    """The request that the inner transport gets."""
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200)

    transport = GuardedHttpxTransport(
        httpx.MockTransport(answer), guard or AddressGuard(), proxied=proxied, resolver=FakeResolver(dict(ADDRESSES))
    )
    async with transport:
        await transport.handle_async_request(httpx.Request("GET", url))
    return seen[0]


@pytest.mark.parametrize(
    ("url", "to"),
    [("http://public.example:81/x?y", "http://8.8.8.8:81/x?y"), ("https://mixed.example/", "https://8.8.4.4/")],
)
async def test_the_address_that_was_checked_is_the_one_connected_to(url: str, to: str) -> None:
    """The URL gets the address; Host and SNI keep the name."""
    request = await sent_request(url)
    name = httpx.URL(url).host
    assert str(request.url) == to
    assert request.headers["host"].partition(":")[0] == request.extensions["sni_hostname"] == name


@pytest.mark.parametrize(
    "url",
    ["http://private.example/", "http://metadata.example/", "http://127.0.0.1/", "http://[::1]/", "http://[fd00::1]/"],
)
async def test_a_forbidden_address_is_refused(url: str) -> None:
    """Whether resolved from a name or written in the URL."""
    with pytest.raises(AddressRefused):
        await sent_request(url)


async def test_what_is_exempt_is_connected_to() -> None:
    """A host that a seed names, and private networks where the config opens them."""
    assert (
        await sent_request("http://127.0.0.1:81/", guard=AddressGuard(False, frozenset({"127.0.0.1:81"})))
    ).url.port == 81
    assert str((await sent_request("http://private.example/", guard=AddressGuard(True))).url) == "http://10.0.0.1/"
    with pytest.raises(AddressRefused):
        await sent_request("http://127.0.0.1:82/", guard=AddressGuard(False, frozenset({"127.0.0.1:81"})))


async def test_through_a_proxy_only_literal_addresses_can_be_checked() -> None:
    """The proxy resolves names, so they go to it as they are."""
    assert str((await sent_request("http://private.example/", proxied=True)).url) == "http://private.example/"
    with pytest.raises(AddressRefused):
        await sent_request("http://10.0.0.1/", proxied=True)


async def test_an_address_that_does_not_answer_is_forgotten() -> None:
    """The next request looks the name up again; an unknown name is an error of its own."""

    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    names = FakeResolver(dict(ADDRESSES))
    async with GuardedHttpxTransport(httpx.MockTransport(refuse), AddressGuard(), resolver=names) as transport:
        with pytest.raises(httpx.ConnectError):
            await transport.handle_async_request(httpx.Request("GET", "http://public.example/"))
        with pytest.raises(ResolveError):
            await transport.handle_async_request(httpx.Request("GET", "http://unknown.example/"))
    assert names.forgotten == ["public.example"]


async def test_httpx_itself_goes_to_the_pinned_address() -> None:
    """Over a real socket: the server sees the name in Host."""
    async with LocalServer({"/x": Reply(200, b"hello")}) as site:
        inner = httpx.AsyncHTTPTransport(trust_env=False)
        names = FakeResolver({"pinned.example": ["127.0.0.1"]})
        async with GuardedHttpxTransport(inner, AddressGuard(True), resolver=names) as transport:
            response = await transport.handle_async_request(
                httpx.Request("GET", f"http://pinned.example:{site.port}/x")
            )
            assert await response.aread() == b"hello"
        assert site.requests[0].headers.get("host") == f"pinned.example:{site.port}"
