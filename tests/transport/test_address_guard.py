"""Which addresses may be connected to."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.transport.address_guard import AddressGuard

REFUSED = {
    "127.0.0.1": "loopback",
    "127.255.255.254": "loopback",
    "::1": "loopback",
    "10.1.2.3": "private",
    "172.16.0.1": "private",
    "172.31.255.255": "private",
    "192.168.1.1": "private",
    "fd12:3456::1": "private",
    "169.254.1.1": "link-local",
    "fe80::1": "link-local",
    "fe80::1%eth0": "link-local",
    "100.64.0.1": "shared (CGNAT)",
    "198.18.0.1": "benchmarking",
    "64:ff9b:1::1": "private",
    "169.254.169.254": "metadata service",
    "fd00:ec2::254": "metadata service",
    "100.100.100.200": "metadata service",
    "0.0.0.0": "unspecified",
    "0.1.2.3": "unspecified",
    "::": "unspecified",
    "224.0.0.1": "multicast",
    "ff02::1": "multicast",
    "255.255.255.255": "reserved",
    "240.0.0.1": "reserved",
    "4000::1": "reserved",
    "192.0.2.1": "documentation",
    "2001:db8::1": "documentation",
    "::ffff:127.0.0.1": "loopback (within ::ffff:127.0.0.1)",
    "::ffff:169.254.169.254": "metadata service (within ::ffff:169.254.169.254)",
    "64:ff9b::a00:1": "private (within 64:ff9b::a00:1)",
    "2002:7f00:1::": "loopback (within 2002:7f00:1::)",
    "::7f00:1": "loopback (within ::7f00:1)",
    "2001:0:101:101::80ff:fffe": "loopback (within 2001:0:101:101::80ff:fffe)",
    "2001:0:7f00:1::fefe:fefe": "loopback (within 2001:0:7f00:1::fefe:fefe)",
    "nonsense": "not an address",
    "127.1": "not an address",
}
OPENED_BY_PRIVATE = {"loopback", "private", "link-local", "shared (CGNAT)", "benchmarking"}


@pytest.mark.parametrize(("ip", "rule"), REFUSED.items(), ids=str)
def test_special_addresses_are_refused_by_the_rule_that_names_them(ip: str, rule: str) -> None:
    """By default no address outside the public internet may be connected to, however it is wrapped."""
    assert AddressGuard().refusal_rule("a.example", ip) == rule


@pytest.mark.parametrize("ip", ["1.1.1.1", "8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "::ffff:1.1.1.1"])
def test_public_addresses_are_allowed(ip: str) -> None:
    """The public internet is open, also where it is written as a mapped address."""
    assert AddressGuard().refusal_rule("a.example", ip) is None


@pytest.mark.parametrize(("ip", "rule"), REFUSED.items(), ids=str)
def test_allow_private_opens_private_networks_and_nothing_else(ip: str, rule: str) -> None:
    """With `allow_private` metadata services, multicast and reserved addresses stay closed."""
    verdict = AddressGuard(allow_private=True).refusal_rule("a.example", ip)
    assert (verdict is None) == (rule.partition(" (within")[0] in OPENED_BY_PRIVATE)


def test_an_allowed_host_is_exempt_at_its_own_port_only() -> None:
    """`localhost:8000` as a seed opens that server, and not the database beside it."""
    guard = AddressGuard(allowed_hosts=frozenset({"localhost:8000", "intranet.example"}))
    assert guard.refusal_rule("localhost:8000", "127.0.0.1") is None
    assert guard.refusal_rule("intranet.example", "10.0.0.1") is None
    assert guard.refusal_rule("localhost:6379", "127.0.0.1") == "loopback"
    assert guard.refusal_rule("localhost", "127.0.0.1") == "loopback"


@given(st.integers(0, 2**32 - 1))
def test_a_mapped_address_is_checked_like_the_address_within(number: int) -> None:
    """For every IPv4 address its mapped and NAT64 forms are allowed exactly when it is."""
    guard = AddressGuard()
    plain = guard.refusal_rule("a.example", str(ipaddress.IPv4Address(number)))
    for prefix in ("::ffff:0:0", "64:ff9b::"):
        wrapped = str(ipaddress.IPv6Address(int(ipaddress.IPv6Address(prefix)) + number))
        assert (guard.refusal_rule("a.example", wrapped) is None) == (plain is None)


@given(st.integers(0, 2**128 - 1))
def test_every_ipv6_address_that_python_calls_special_is_refused(number: int) -> None:
    """The tables are at least as strict as the standard library's."""
    ip = ipaddress.IPv6Address(number)
    if not ip.is_global:
        assert AddressGuard().refusal_rule("a.example", str(ip)) is not None


@given(st.integers(0, 2**32 - 1))
def test_every_ipv4_address_that_python_calls_special_is_refused(number: int) -> None:
    """The tables are at least as strict as the standard library's."""
    ip = ipaddress.IPv4Address(number)
    if not ip.is_global:
        assert AddressGuard().refusal_rule("a.example", str(ip)) is not None


@given(st.text(max_size=40))
def test_any_text_is_checked_without_an_exception(text: str) -> None:
    """What is no address is refused, not raised."""
    assert AddressGuard().refusal_rule("a.example", text) != ""
