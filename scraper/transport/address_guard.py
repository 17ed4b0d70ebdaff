"""Which addresses may be connected to: protection against server-side request forgery (SSRF).

A name is checked by the addresses it resolves to, when connecting, and the connection goes to the checked address. So
neither odd spellings (`0x7f.1`) nor a name server that gives another address the second time (DNS rebinding) get around
the guard.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

IPv4 = ipaddress.IPv4Address
IPv6 = ipaddress.IPv6Address

# Where clouds serve the credentials of their machines. Never needed by a crawl, so `allow_private` does not allow them.
METADATA_ADDRESSES = frozenset(
    ipaddress.ip_address(a)
    for a in ("169.254.169.254", "169.254.170.2", "100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254")
)

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _network_rules(*rows: tuple[str, str]) -> tuple[tuple[_Network, str], ...]:
    return tuple((ipaddress.ip_network(net), rule) for net, rule in rows)


# IANA special-purpose address registries (RFC 6890 and its updates). The first match decides.
REFUSED_NETWORKS = _network_rules(
    ("0.0.0.0/8", "unspecified"),
    ("::/128", "unspecified"),
    ("224.0.0.0/4", "multicast"),
    ("ff00::/8", "multicast"),
    ("240.0.0.0/4", "reserved"),
    ("192.0.0.0/24", "reserved"),
    ("192.0.2.0/24", "documentation"),
    ("198.51.100.0/24", "documentation"),
    ("203.0.113.0/24", "documentation"),
    ("2001:db8::/32", "documentation"),
    ("3fff::/20", "documentation"),
    ("192.88.99.0/24", "reserved"),
    ("100::/64", "reserved"),
    ("5f00::/16", "reserved"),
)
PRIVATE_NETWORKS = _network_rules(
    ("127.0.0.0/8", "loopback"),
    ("::1/128", "loopback"),
    ("10.0.0.0/8", "private"),
    ("172.16.0.0/12", "private"),
    ("192.168.0.0/16", "private"),
    ("fc00::/7", "private"),
    ("fec0::/10", "private"),
    ("169.254.0.0/16", "link-local"),
    ("fe80::/10", "link-local"),
    ("100.64.0.0/10", "shared (CGNAT)"),
    ("198.18.0.0/15", "benchmarking"),
)
# IPv6 networks whose addresses contain an IPv4 address: (network, bits to shift right to get it).
IPV4_EMBEDDINGS = (
    (ipaddress.IPv6Network("::ffff:0:0/96"), 0),  # IPv4-mapped, RFC 4291 2.5.5.2
    (ipaddress.IPv6Network("::ffff:0:0:0/96"), 0),  # IPv4-translated, RFC 2765
    (ipaddress.IPv6Network("64:ff9b::/96"), 0),  # NAT64, RFC 6052
    (ipaddress.IPv6Network("2002::/16"), 80),  # 6to4, RFC 3056
    (ipaddress.IPv6Network("::/96"), 0),  # IPv4-compatible, RFC 4291 2.5.5.1
)
_LOCAL_NAT64 = ipaddress.IPv6Network("64:ff9b:1::/48")  # RFC 8215: the operator chooses the position of the IPv4 part
_TEREDO = ipaddress.IPv6Network("2001::/32")
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
_IPV4_MASK = 0xFFFFFFFF


def embedded_ipv4(ip: IPv6) -> tuple[IPv4, ...]:
    """The IPv4 addresses that packets to `ip` may end at or pass through; empty for a plain IPv6 address."""
    if ip in _TEREDO:  # RFC 4380: the server in plain bits, the client inverted
        return IPv4(int(ip) >> 64 & _IPV4_MASK), IPv4(~int(ip) & _IPV4_MASK)
    for network, shift in IPV4_EMBEDDINGS:
        if ip in network and int(ip) > 1:
            return (IPv4(int(ip) >> shift & _IPV4_MASK),)
    return ()


@dataclass(frozen=True, slots=True)
class AddressGuard:
    """Checks addresses. `allow_private` allows private, loopback and link-local networks (never metadata services).

    `allowed_hosts` are exempt: `name`, or `name:port` if the port is not the default of the scheme, spelled as
    `model.Url.host`. The port matters: a web server given as seed does not exempt the database beside it.
    """

    allow_private: bool = False
    allowed_hosts: frozenset[str] = frozenset()

    def refusal_rule(self, host: str, ip: str) -> str | None:
        """The rule that forbids connecting to `ip` for `host` (`name[:port]`), or None if it is allowed."""
        if host in self.allowed_hosts:
            return None
        try:
            address = ipaddress.ip_address(ip.partition("%")[0])
        except ValueError:
            return "not an address"
        rule = self._refusal_rule(address)
        if rule is None and isinstance(address, IPv6):
            for inner in embedded_ipv4(address):
                if (rule := self._refusal_rule(inner)) is not None:
                    return f"{rule} (within {ip})"
        return rule

    def _refusal_rule(self, ip: IPv4 | IPv6) -> str | None:
        if ip in METADATA_ADDRESSES:
            return "metadata service"
        for network, rule in REFUSED_NETWORKS:
            if ip in network:
                return rule
        for network, rule in PRIVATE_NETWORKS:
            if ip in network:
                return None if self.allow_private else rule
        if isinstance(ip, IPv6):
            if ip in _LOCAL_NAT64:
                return None if self.allow_private else "private"
            if ip not in _GLOBAL_UNICAST and not embedded_ipv4(ip):
                return "reserved"
        return None
