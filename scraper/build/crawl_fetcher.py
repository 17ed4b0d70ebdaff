"""The fetcher of a crawl: its settings, its address guard, and a transport of our own or httpx's."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from scraper.clock import Clock
from scraper.config.schema.crawl import CrawlConfig, CredentialsSection
from scraper.errors import ConfigError, MissingExtraError, Problem
from scraper.events import EventBus
from scraper.fetch.body_writer import SpoolSettings
from scraper.fetch.page_fetcher import FetchSettings, HttpFetcher
from scraper.model import Url
from scraper.transport.address_guard import AddressGuard
from scraper.transport.fast_transport import FastTransport
from scraper.transport.request_headers import BasicAuth, BearerAuth
from scraper.transport.settings import Timeouts, TransportSettings
from scraper.urls.scope import Scope

if TYPE_CHECKING:
    import httpx

# A larger body goes through a file, for hundreds may wait to be recorded.
MAX_BODY_IN_MEMORY_BYTES = 256 * 1024
# Kept open however few requests run at once: as a rule one to each of a few hosts.
MIN_POOL_CONNECTIONS = 8


def make_fetcher(
    config: CrawlConfig,
    scope: Scope,
    seeds: Sequence[Url],
    clock: Clock,
    bus: EventBus,
    spool: Path,
    concurrency: int | None = None,
    cookie_file: Path | None = None,
) -> HttpFetcher:
    """The fetcher with its transport: our own, or httpx's for HTTP/2 and proxies.

    `concurrency` is how many requests run at once where that is fewer than the config says. `cookie_file` keeps the
    cookies for the next session.
    """
    network, limits = config.network, config.limits
    connections = concurrency or max(limits.concurrency, MIN_POOL_CONNECTIONS)
    guard = AddressGuard(network.allow_private, frozenset(_named_addresses(seeds)))
    timeouts = Timeouts(
        connect=min(10.0, limits.timeout),
        read=limits.timeout,
        write=limits.timeout,
        pool=limits.deadline,
        deadline=limits.deadline,
    )
    settings = FetchSettings(
        spool=SpoolSettings(spool, MAX_BODY_IN_MEMORY_BYTES),
        user_agent=config.politeness.user_agent,
        headers={name: value.reveal() for name, value in config.headers.items()},
        in_scope=_scope_of_headers(config, scope),
        auth={host: _login(login) for host, login in config.auth.items()},
        cookies=network.cookies,
        cookie_file=cookie_file,
        max_bytes=limits.max_bytes,
        max_file_bytes=config.files.max_bytes,
        timeouts=timeouts,
    )
    if network.proxy is not None or network.http2:
        return HttpFetcher(settings, _httpx_transport(config, guard, connections), clock=clock, emit=bus.emit)
    transport = FastTransport(
        TransportSettings(
            max_connections=connections,
            max_per_host=connections,
            verify_tls=network.verify_tls,
            timeouts=timeouts,
        ),
        guard=guard,
    )
    return HttpFetcher(settings, transport, clock=clock, emit=bus.emit)


def _scope_of_headers(config: CrawlConfig, scope: Scope) -> Callable[[Url], bool]:
    """Which URLs get the config's headers: those in scope, as a link or as one that a sitemap among the seeds lists."""
    if any(seed.sitemap is not None for seed in config.seeds):
        return lambda url: scope.check(url, 0) is None or scope.check_listed(url) is None
    return lambda url: scope.check(url, 0) is None


def _httpx_transport(config: CrawlConfig, guard: AddressGuard, connections: int) -> httpx.AsyncBaseTransport:
    import httpx

    from scraper.transport.guarded_httpx import GuardedHttpxTransport

    network = config.network
    if network.http2:
        try:
            import h2  # type: ignore[import-not-found, unused-ignore]  # noqa: F401
        except ImportError:
            raise MissingExtraError("http2", "network.http2") from None
    try:
        inner = httpx.AsyncHTTPTransport(
            verify=network.verify_tls,
            http2=network.http2,
            proxy=network.proxy.reveal() if network.proxy is not None else None,
            limits=httpx.Limits(max_connections=connections),
        )
    except ImportError:
        raise MissingExtraError("socks", "a SOCKS proxy") from None
    except ValueError as error:
        raise ConfigError([Problem(str(error), "network.proxy")]) from None
    return GuardedHttpxTransport(inner, guard, proxied=network.proxy is not None)


def _named_addresses(seeds: Iterable[Url]) -> Iterator[str]:
    """Hosts that the user named as an address, or as this machine: naming them is the permission to connect."""
    for url in seeds:
        name = urlsplit(url.href).hostname or ""
        if name == "localhost" or name.endswith(".localhost") or _is_address(name):
            yield url.host


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _login(login: CredentialsSection) -> BasicAuth | BearerAuth:
    if login.bearer is not None:
        return BearerAuth(login.bearer.reveal())
    assert login.basic is not None
    user, _, password = login.basic.reveal().partition(":")
    return BasicAuth(user, password)
