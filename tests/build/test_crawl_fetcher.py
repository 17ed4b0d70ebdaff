"""The fetcher of a crawl: what goes over the wire when a proxy is configured."""

from __future__ import annotations

import base64
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
import trustme

import scraper
from scraper.testing.local_server import LocalServer, Reply
from tests.build.proxies import TINYPROXY, LocalProxy, tinyproxy

PAGE = Reply(200, b"<h1>T</h1><a href='/b?x=1|2'>b</a>", {"Content-Type": "text/html"})
ROUTES = {"/robots.txt": Reply(200, b"User-agent: *\nDisallow: /no\n"), "/": PAGE, "/b": PAGE}
needs_tinyproxy = pytest.mark.skipif(TINYPROXY is None, reason="tinyproxy is not installed")


async def crawl(site: LocalServer, proxy: str, folder: Path, host: str = "127.0.0.1", **more: Any) -> scraper.Summary:
    """A crawl of `site` under the name `host`, through `proxy`."""
    return await scraper.crawl(
        {
            "seeds": [site.url("/", host)],
            "politeness": {"per_host": {"rate": "unlimited"}},
            "limits": {"retries": 0, "timeout": "5s"},
            "sitemaps": "off",
            "output": {"folder": str(folder)},
            "network": {"proxy": proxy, "verify_tls": False},
            **more,
        }
    )


@asynccontextmanager
async def https_site() -> AsyncIterator[LocalServer]:
    """The same pages over TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1", "shop.example").configure_cert(context)
    async with LocalServer(ROUTES, tls=context) as site:
        yield site


async def test_http_goes_to_a_proxy_in_absolute_form(tmp_path: Path) -> None:
    """RFC 9112 3.2.2: `GET http://host/path`, robots.txt too, the target as it stands in the link."""
    async with LocalServer(ROUTES) as site, LocalProxy().running() as proxy:
        summary = await crawl(site, f"http://127.0.0.1:{proxy.port}", tmp_path / "out", "shop.example")
    at = f"http://shop.example:{site.port}"
    assert proxy.lines == [f"GET {at}{path} HTTP/1.1" for path in ("/robots.txt", "/", "/b?x=1|2")]
    assert (summary.ok, summary.failed) == (2, 0)


async def test_https_goes_through_a_tunnel(tmp_path: Path) -> None:
    """RFC 9110 9.3.6: `CONNECT host:port`; inside it the site is asked for path and query."""
    async with https_site() as site, LocalProxy().running() as proxy:
        summary = await crawl(site, f"http://127.0.0.1:{proxy.port}", tmp_path / "out", "shop.example")
    assert set(proxy.lines) == {f"CONNECT shop.example:{site.port} HTTP/1.1"}
    assert [request.target for request in site.requests] == ["/robots.txt", "/", "/b?x=1|2"]
    assert (summary.ok, summary.failed) == (2, 0)


@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
async def test_credentials_are_the_proxys_alone(tmp_path: Path, secure: bool) -> None:
    """User and password, percent-decoded, stand in Proxy-Authorization; the site gets none of it."""
    async with https_site() if secure else LocalServer(ROUTES) as site, LocalProxy().running() as proxy:
        await crawl(site, f"http://joe:p%40ss@127.0.0.1:{proxy.port}", tmp_path / "out")
    expected = "Basic " + base64.b64encode(b"joe:p@ss").decode()
    assert all(f"proxy-authorization: {expected}".lower() in head.lower() for head in proxy.heads)
    assert site.requests
    assert not any(b"authorization" in name.lower() for request in site.requests for name, _ in request.headers.raw)


async def test_a_proxy_that_wants_a_login_fails_pages_by_its_own_name(tmp_path: Path) -> None:
    """407 is no answer of the site: the reason names the proxy."""
    async with LocalServer(ROUTES) as site, LocalProxy(refuse=True).running() as proxy:
        await crawl(site, f"http://127.0.0.1:{proxy.port}", tmp_path / "out", politeness={"robots": "ignore"})
    (record,) = map(orjson.loads, (tmp_path / "out/pages.jsonl").read_bytes().splitlines())
    assert (record["status"], record["error"]) == (None, "connect")
    assert "the proxy refused: 407" in record["error_detail"]


async def test_a_proxy_that_is_not_there_is_named(tmp_path: Path) -> None:
    """Its own connection error is not told as the site's."""
    async with LocalServer(ROUTES) as site, LocalProxy().running() as proxy:
        port = proxy.port
    async with LocalServer(ROUTES) as site:
        await crawl(site, f"http://127.0.0.1:{port}", tmp_path / "out", politeness={"robots": "ignore"})
    (record,) = map(orjson.loads, (tmp_path / "out/pages.jsonl").read_bytes().splitlines())
    assert record["error"] == "connect"
    assert "the proxy cannot be reached" in record["error_detail"]


def test_the_proxys_header_is_no_header_of_sites() -> None:
    """`headers: {Proxy-Authorization: ...}` would go to the sites, too; it is refused."""
    with pytest.raises(scraper.ConfigError, match=r"network\.proxy"):
        scraper.Crawler({"seeds": ["http://shop.example/"], "headers": {"Proxy-Authorization": "Basic eDp5"}})


@needs_tinyproxy
@pytest.mark.slow
@pytest.mark.parametrize("login", ["", "joe secret"], ids=["open", "with a login"])
@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
async def test_a_real_proxy_brings_every_page(tmp_path: Path, secure: bool, login: str) -> None:
    """tinyproxy, with and without a login: robots.txt is obeyed and every page comes."""
    user = login.replace(" ", ":") + "@" if login else ""
    async with (
        https_site() if secure else LocalServer(ROUTES) as site,
        tinyproxy(tmp_path, login=login) as port,
    ):
        summary = await crawl(site, f"http://{user}127.0.0.1:{port}", tmp_path / "out")
        assert [request.target for request in site.requests] == ["/robots.txt", "/", "/b?x=1|2"]
    assert (summary.ok, summary.failed) == (2, 0)
    if login:
        async with https_site() if secure else LocalServer(ROUTES) as site, tinyproxy(tmp_path, login=login) as port:
            await crawl(site, f"http://127.0.0.1:{port}", tmp_path / "two", politeness={"robots": "ignore"})
        assert site.requests == []
