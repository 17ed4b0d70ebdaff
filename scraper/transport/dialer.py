"""Opens connections: DNS, address check, TCP, TLS, in this order; one exception class per stage."""

from __future__ import annotations

import asyncio
import math
import re
import socket
import ssl
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import httpx

from scraper.transport.address_guard import AddressGuard
from scraper.transport.connection import Connection, ConnectionOwner
from scraper.transport.errors import AddressRefused, DeadlineExceeded, TlsError
from scraper.transport.receive_buffer import SharedReceiveBuffer
from scraper.transport.resolver import Address, Resolver, race
from scraper.transport.settings import TransportSettings

_ORIGIN_PATTERN = re.compile(r"(https?)://(\[[0-9A-Fa-f:.]+\]|[!$&'()*+,;=\-._~%0-9A-Za-z]+)(?::([0-9]{1,5}))?")
_DEFAULT_PORTS = {"http": 80, "https": 443}


class Origin(NamedTuple):
    """Where to connect. `authority` is `host[:port]`, without the port if it is the default of the scheme."""

    tls: bool
    host: str
    port: int
    authority: str


@lru_cache(maxsize=4096)
def parse_origin(text: str) -> Origin:
    """Parse `scheme://host[:port]`; the host is an ASCII name or an address (IPv6 in brackets).

    Raises `httpx.UnsupportedProtocol` for other schemes and `httpx.LocalProtocolError` for anything else.
    """
    match = _ORIGIN_PATTERN.fullmatch(text)
    if match is None:
        scheme = text.partition("://")[0]
        if scheme not in _DEFAULT_PORTS:
            raise httpx.UnsupportedProtocol(f"only http and https are supported, not {scheme[:20]!r}")
        raise httpx.LocalProtocolError(f"not an origin: {text[:200]!r}")
    scheme, host, digits = match.groups()
    default = _DEFAULT_PORTS[scheme]
    port = int(digits) if digits else default
    if not 0 < port < 65536:
        raise httpx.LocalProtocolError(f"not a port: {port}")
    name = host.lower()
    return Origin(scheme == "https", name.strip("[]"), port, name if port == default else f"{name}:{port}")


def pool_key(origin: str, sni_hostname: str) -> str:
    """The pool key of connections to `origin` whose certificate must prove `sni_hostname`: apart from all others to
    `origin`.
    """
    return f"{origin}#{sni_hostname}"


class Dialer:
    """Opens connections for `owner`. `ssl_context` is used for https; without one it is created on first use."""

    def __init__(
        self,
        settings: TransportSettings,
        guard: AddressGuard | None,
        resolver: Resolver,
        owner: ConnectionOwner,
        ssl_context: ssl.SSLContext | None,
    ) -> None:
        self._settings = settings
        self._guard = guard
        self._resolver = resolver
        self._owner = owner
        self._ssl_context = ssl_context
        self._receive_buffer = SharedReceiveBuffer()

    async def dial(self, pool_key: str, timeout: float | None, deadline: float) -> Connection:
        """Connect within `timeout` seconds (None: no limit) and before `deadline` (an instant of the loop's clock).

        `pool_key` is an origin or the result of the function `pool_key`. Raises `ResolveError`, `AddressRefused`,
        `TlsError`, `httpx.ConnectError`, `httpx.ConnectTimeout`, `DeadlineExceeded`, and what `parse_origin` raises.
        """
        origin_text, _, server_name = pool_key.partition("#")
        origin = parse_origin(origin_text)
        now = asyncio.get_running_loop().time()
        until = deadline if timeout is None else min(deadline, now + timeout)
        try:
            async with asyncio.timeout_at(None if until == math.inf else until) as connect_timeout:
                return await self._connect(origin, pool_key, server_name or origin.host.rstrip("."))
        except TimeoutError:
            if connect_timeout.expired() and until == deadline:
                raise DeadlineExceeded("the deadline passed before a connection was made") from None
            within = f" within {timeout} s" if connect_timeout.expired() else ""
            raise httpx.ConnectTimeout(f"no connection to {origin.authority}{within}") from None
        except ssl.SSLError as exc:
            raise TlsError(f"{origin.authority}: {_tls_error_reason(exc)}") from exc
        except OSError as exc:
            self._resolver.forget(origin.host)
            raise httpx.ConnectError(f"cannot connect to {origin.authority}: {exc.strerror or exc}") from exc

    async def _connect(self, origin: Origin, text: str, server_name: str) -> Connection:
        addresses = self._allowed(origin, await self._resolver.resolve(origin.host))
        tls = self._get_ssl_context() if origin.tls else None
        if tls is not None:
            _check_tls_name(tls, origin, server_name)
        loop = asyncio.get_running_loop()

        async def attempt(address: Address) -> socket.socket:
            sock = socket.socket(address.family, socket.SOCK_STREAM)
            try:
                sock.setblocking(False)
                await loop.sock_connect(sock, address.sockaddr(origin.port))
            except BaseException:
                sock.close()
                raise
            return sock

        sock = await race(
            addresses, attempt, delay=self._settings.happy_eyeballs_delay, discard=lambda lost: lost.close()
        )
        connection = Connection(text, self._settings, self._owner, self._receive_buffer)
        name = server_name if origin.tls else None
        # From here on the loop owns the socket: it closes it also when the handshake fails or is cancelled.
        await loop.create_connection(lambda: connection, sock=sock, ssl=tls, server_hostname=name)
        return connection

    def _allowed(self, origin: Origin, addresses: Sequence[Address]) -> list[Address]:
        """The addresses that may be connected to. Raises `AddressRefused` when there is none."""
        if self._guard is None:
            return list(addresses)
        rules = [self._guard.refusal_rule(origin.authority, address.ip) for address in addresses]
        allowed = [address for address, rule in zip(addresses, rules, strict=True) if rule is None]
        if not allowed:
            rule = next((r for r in rules if r is not None), "no address")
            raise AddressRefused(f"{origin.authority} is at {addresses[0].ip}, which is refused: {rule}", rule=rule)
        return allowed

    def _get_ssl_context(self) -> ssl.SSLContext:
        if self._ssl_context is None:
            self._ssl_context = httpx.create_ssl_context(verify=self._settings.verify_tls)
            self._ssl_context.set_alpn_protocols(["http/1.1"])
        return self._ssl_context


def _check_tls_name(tls: ssl.SSLContext, origin: Origin, name: str) -> None:
    """Raise `TlsError` if TLS cannot send `name` as SNI. Found later, asyncio would leak the socket."""
    try:
        tls.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname=name)
    except (ValueError, TypeError) as exc:
        raise TlsError(f"{origin.authority}: {name[:100]!r} is not a valid TLS host name: {exc}") from exc


def _tls_error_reason(exc: ssl.SSLError) -> str:
    if isinstance(exc, ssl.SSLCertVerificationError):
        return f"the certificate is not trusted: {exc.verify_message}"
    reason = (exc.reason or exc.strerror or str(exc)).replace("_", " ").lower()
    return f"the TLS handshake failed: {reason}"
