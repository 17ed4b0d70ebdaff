"""The address guard for httpx transports that resolve names themselves (HTTP/2, proxies).

They would connect to whatever a name server returns. So the name is resolved and checked here, and the request goes on
with the address in its URL, while Host and the TLS name stay as they were.
"""

from __future__ import annotations

import ssl

import httpx

from scraper.transport.adapter import ExactUrl
from scraper.transport.address_guard import AddressGuard
from scraper.transport.errors import AddressRefused
from scraper.transport.resolver import Address, Resolver, SystemResolver, parse_ip_literal
from scraper.transport.settings import TransportSettings


class GuardedHttpxTransport(httpx.AsyncBaseTransport):
    """Sends requests through `inner`, only to addresses that `guard` allows.

    With a proxy (`proxied`) the proxy resolves names, so only IP addresses written in the URL can be checked.
    """

    def __init__(
        self,
        inner: httpx.AsyncBaseTransport,
        guard: AddressGuard,
        *,
        proxied: bool = False,
        resolver: Resolver | None = None,
    ) -> None:
        s = TransportSettings()
        self._inner = inner
        self._guard = guard
        self._resolver = resolver or SystemResolver(
            ttl=s.dns_ttl, failure_ttl=s.dns_failure_ttl, cache_size=s.dns_cache_size, threads=s.dns_threads
        )
        self._proxied = proxied

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send `request`. Raises `AddressRefused`, `ResolveError` and what the inner transport raises."""
        url = request.url
        host = url.raw_host.decode("ascii")
        literal = parse_ip_literal(host)
        if self._proxied:
            if literal is not None:
                self._first_allowed(url, [literal])
            return await self._send_through_proxy(request)
        address = self._first_allowed(
            url, [literal] if literal is not None else list(await self._resolver.resolve(host))
        )
        if literal is not None:
            return await self._inner.handle_async_request(request)
        pinned = httpx.Request(
            request.method,
            url.copy_with(host=address.ip.partition("%")[0]),
            headers=request.headers,  # Host among them: httpx has set it from the name
            stream=request.stream,
            extensions={**request.extensions, "sni_hostname": host},
        )
        pinned.url = ExactUrl(pinned.url, url.raw_path)
        try:
            response = await self._inner.handle_async_request(pinned)
        except httpx.ConnectError:
            self._resolver.forget(host)
            raise
        response.request = request
        return response

    async def _send_through_proxy(self, request: httpx.Request) -> httpx.Response:
        """Send `request`; what the proxy itself refuses is an error of the proxy and no answer of the site."""
        try:
            response = await self._inner.handle_async_request(request)
        except httpx.ConnectError as error:
            # httpx says the same of a proxy that cannot be reached and of a certificate behind a tunnel.
            if _comes_from_tls(error):
                raise
            raise httpx.ProxyError(f"cannot be reached: {error}", request=request) from error
        if response.status_code == httpx.codes.PROXY_AUTHENTICATION_REQUIRED:
            await response.aclose()
            raise httpx.ProxyError("407 Proxy Authentication Required", request=request)
        return response

    def _first_allowed(self, url: httpx.URL, addresses: list[Address]) -> Address:
        key = url.netloc.decode("ascii")
        rules = [self._guard.refusal_rule(key, address.ip) for address in addresses]
        for address, rule in zip(addresses, rules, strict=True):
            if rule is None:
                return address
        rule = rules[0] or "no address"
        raise AddressRefused(f"{key} is at {addresses[0].ip}, which is refused: {rule}", rule=rule)

    async def aclose(self) -> None:
        """Close the inner transport and the resolver."""
        self._resolver.close()
        await self._inner.aclose()


def _comes_from_tls(error: BaseException) -> bool:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return True
        cause = cause.__cause__ or cause.__context__
    return False
