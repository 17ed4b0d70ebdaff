"""Origins, and which addresses of a host are connected to."""

from __future__ import annotations

import httpx
import pytest

from scraper.transport.address_guard import AddressGuard
from scraper.transport.dialer import Origin, parse_origin, pool_key
from scraper.transport.errors import AddressRefused
from scraper.transport.fast_transport import FastTransport
from scraper.transport.resolver import Address


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://a.example", Origin(False, "a.example", 80, "a.example")),
        ("https://a.example", Origin(True, "a.example", 443, "a.example")),
        ("http://A.Example:8080", Origin(False, "a.example", 8080, "a.example:8080")),
        ("http://a.example:80", Origin(False, "a.example", 80, "a.example")),
        ("http://a.example:443", Origin(False, "a.example", 443, "a.example:443")),
        ("https://[::1]:8443", Origin(True, "::1", 8443, "[::1]:8443")),
    ],
)
def test_an_origin_is_scheme_host_and_port(text: str, expected: Origin) -> None:
    """The default port is left out of the authority, and IPv6 brackets out of the host."""
    assert parse_origin(text) == expected


@pytest.mark.parametrize("text", ["http://a.example:0", "http://a.example:65536", "http://a b", "http://u@a.example"])
def test_anything_else_is_refused(text: str) -> None:
    """An origin is the caller's to get right."""
    with pytest.raises(httpx.LocalProtocolError):
        parse_origin(text)


def test_connections_for_another_tls_name_are_pooled_apart() -> None:
    """Two names for one origin have different keys."""
    keys = {pool_key("https://a.example", name) for name in ("b.example", "c.example")} | {"https://a.example"}
    assert len(keys) == 3


async def test_only_allowed_addresses_remain() -> None:
    """Private addresses among public ones are left out; a host with only private ones is refused by rule."""
    async with FastTransport(guard=AddressGuard()) as transport:
        allowed = transport._dialer._allowed
        origin = parse_origin("http://a.example")
        public, private = Address("8.8.8.8"), Address("10.0.0.1")
        assert allowed(origin, [private, public]) == [public]
        with pytest.raises(AddressRefused) as caught:
            allowed(origin, [private])
    assert caught.value.rule == "private"
