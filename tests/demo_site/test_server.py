"""The site's HTTP server: pipelining, validators, malformed requests, closing."""

from __future__ import annotations

import asyncio

import pytest

from scraper.demo_site.server import MAX_HEAD_BYTES, parse_head
from scraper.demo_site.site import ShopSite, SiteSettings
from tests.demo_site.client import QUICK, connect


async def test_requests_may_be_pipelined() -> None:
    """Requests sent in one go are answered in order on one connection, delayed ones too."""
    async with (
        ShopSite(SiteSettings(pages=60, latency_s=0.001, jitter_s=0.001)) as site,
        connect(site.url) as client,
    ):
        targets = ["/", "/nowhere", "/about.html", "/robots.txt"]
        for target in targets:
            await client.send(target)
        got = [await client.receive() for _ in targets]
        assert [response.status for response in got] == [200, 404, 200, 200]
        assert "£" in got[2].body.decode("windows-1252")


async def test_head_and_validators_work() -> None:
    """HEAD sends no body but its length, and a known ETag is answered 304."""
    async with ShopSite(QUICK) as site, connect(site.url) as client:
        await client.send("/about.html", "HEAD")
        head = await client.receive(bodyless=True)
        page = await client.get("/about.html")
        assert int(head.headers["content-length"]) == len(page.body) > 0
        again = await client.get("/about.html", If_None_Match=page.headers["etag"])
        assert (again.status, again.body) == (304, b"")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n", 405),
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"GET /" + b"a" * MAX_HEAD_BYTES + b" HTTP/1.1\r\n", 431),
    ],
    ids=["method", "no request", "no header", "too large"],
)
async def test_a_bad_request_is_answered_and_ends_the_connection(sent: bytes, status: int) -> None:
    """What is no GET or HEAD gets its status and a closed connection."""
    async with ShopSite(QUICK) as site, connect(site.url) as client:
        client.writer.write(sent)
        assert (await client.receive()).status == status
        assert await client.reader.read() == b""


def test_http_1_0_closes_by_default() -> None:
    """A request of HTTP/1.0 counts as `Connection: close` unless it says otherwise."""
    request = parse_head(b"GET / HTTP/1.0\r\nHost: a")
    assert request is not None
    assert request.headers["connection"] == "close"


async def test_closing_drops_what_is_under_way() -> None:
    """The site closes at once while a slow page waits, and its port is free again."""
    async with asyncio.timeout(5):
        async with ShopSite(SiteSettings(pages=60, slow_s=3600.0)) as site, connect(site.url) as client:
            await client.send("/slow/page-1.html")
            await site.aclose()
            await site.aclose()
            with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
                await client.receive()
        port = int(site.url.rpartition(":")[2])
        async with ShopSite(SiteSettings(pages=60, port=port)) as again:
            assert again.url == site.url
