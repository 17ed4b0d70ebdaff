"""Sites that send more than anybody could want: links, sitemaps, cookies, robots.txt, hosts."""

from __future__ import annotations

import asyncio
import gzip
import os
import sys
from pathlib import Path

import brotli  # type: ignore[import-untyped]  # ships no types
import pytest
import zstandard

from scraper.testing.local_server import LocalServer, ReceivedRequest, Reply, never_respond, send_raw
from tests.hostile.bombs import bomb
from tests.hostile.crawl_process import MAX_MEMORY_MB, crawl

MB = 1_000_000
_XML = b'<?xml version="1.0"?>'
_URLSET = b'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">'
_ENTITIES = (
    b'<!DOCTYPE u [<!ENTITY a "aaaaaaaaaa">'
    + b"".join(b'<!ENTITY %c "%b">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(10))
    + b"]>"
)


async def test_a_flood_of_links(tmp_path: Path) -> None:
    """Pages of twenty thousand links as long as they may be: links are queued on disk, not in memory."""
    asked_for = 0

    async def flood(asked: ReceivedRequest) -> Reply:
        nonlocal asked_for
        asked_for += 1
        tail = "x" * 400 if asked_for % 2 else "x" * 3000
        count = 8_000 if asked_for % 2 else 2_500
        host = "" if asked_for % 3 else "http://elsewhere.example"
        return Reply(200, "".join(f"<a href='{host}/{asked_for}/{n}?{tail}'></a>" for n in range(count)).encode())

    async with LocalServer({"*": flood}) as site:
        run = await crawl(
            tmp_path,
            [site.url()],
            "limits.max_pages=8",
            "limits.deadline=60s",
            "limits.timeout=20s",
            "scope.mode=host",
        )
    assert run.code == 0
    assert len(run.pages) == 8
    print(f"links: peak {run.peak_mb:.0f} MB, lag {run.max_lag_ms} ms, {len(run.skipped):,} skipped")
    assert run.peak_mb < MAX_MEMORY_MB


SITEMAPS = {
    "gzip-bomb": bomb("gzip", 2000 * MB),
    "entities": _XML + _ENTITIES + _URLSET + b"<url><loc>http://127.0.0.1/&k;</loc></url></urlset>",
    "external": _XML
    + b'<!DOCTYPE u [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    + _URLSET
    + b"<url><loc>&x;</loc></url>",
    "external-dtd": _XML + b'<!DOCTYPE u SYSTEM "%b">' + _URLSET + b"<url><loc>http://127.0.0.1/</loc></url></urlset>",
    "parameter-entity": _XML + b'<!DOCTYPE u [<!ENTITY % p SYSTEM "%b"> %p;]>' + _URLSET + b"</urlset>",
    "deep": _XML + b"<urlset>" * 200_000,
    "endless-tag": _XML + b"<urlset " + b"a" * 5 * MB,
    "attributes": _XML + b"<urlset " + b" ".join(b"a%d='b'" % n for n in range(100_000)) + b">",
    "endless-text": _XML + _URLSET + b"<url><loc>" + b"x" * 15 * MB,
    "many": _URLSET + b"".join(b"<url><loc>/%d</loc></url>" % n for n in range(60_000)) + b"</urlset>",
    "lines": b"x" * 15 * MB,
    "noise": bytes(range(256)) * 4000,
    "utf-16": (b"\xff\xfe" + "<urlset><url><loc>/a</loc></url></urlset>".encode("utf-16-le")),
    "cut": gzip.compress(_URLSET * 1000)[:-20],
}


async def test_hostile_sitemaps(tmp_path: Path) -> None:
    """Bombs, entities, external references and indexes that refer to each other end the sitemap and nothing else."""
    xml = {"Content-Type": "application/xml"}
    routes = {f"/{name}.xml": Reply(200, body, xml) for name, body in SITEMAPS.items()}
    async with LocalServer({"/": Reply(200, b"<title>x</title>"), **routes}) as site:
        named = "".join(f"Sitemap: {site.url(f'/{name}.xml')}\n" for name in SITEMAPS)
        robots = f"User-agent: *\nDisallow: /0\nDisallow: /1\n{named}"
        site.routes = {**site.routes, "/robots.txt": Reply(200, robots.encode())}
        for name in ("external-dtd", "parameter-entity"):
            body = SITEMAPS[name].replace(b"%b", site.url("/stolen").encode())
            site.routes = {**site.routes, f"/{name}.xml": Reply(200, body, xml)}
        run = await crawl(
            tmp_path,
            [site.url()],
            "politeness.robots=obey",
            "sitemaps=auto",
            "limits.max_pages=1",
            "limits.max_time=20s",
        )
        assert not site.requests_for("/stolen")
    assert run.code == 0, run.screen[-3000:]
    print(f"sitemaps: {len(SITEMAPS)} cases, peak {run.peak_mb:.0f} MB, lag {run.max_lag_ms} ms")
    assert run.peak_mb < MAX_MEMORY_MB
    assert b"root:" not in b"".join(path.read_bytes() for path in (tmp_path / "out").iterdir() if path.is_file())


async def test_sitemap_indexes_that_name_each_other(tmp_path: Path) -> None:
    """An index that refers to itself is read once; a chain of indexes ends at the maximum depth."""

    async def endless(asked: ReceivedRequest) -> Reply:
        names = "".join(f"<sitemap><loc>{loc}</loc></sitemap>" for loc in (asked.target, f"/x{asked.target[1:]}"))
        return Reply(200, f"<sitemapindex>{names}</sitemapindex>".encode(), {"Content-Type": "application/xml"})

    async with LocalServer({"/": Reply(200, b"x"), "*": endless}) as site:
        site.routes = {**site.routes, "/robots.txt": Reply(200, f"Sitemap: {site.url('/i.xml')}".encode())}
        run = await crawl(tmp_path, [site.url()], "politeness.robots=obey", "sitemaps=auto")
        asked = [asked.target for asked in site.requests if asked.target.endswith(".xml")]
    assert run.code == 0
    assert len(asked) == len(set(asked)) == 11
    assert {line["rule"] for line in run.skipped} == {"sitemaps are nested deeper than 10"}


async def test_hostile_robots_txt(tmp_path: Path) -> None:
    """Ten megabytes of slow patterns cost neither time nor memory, and the first 512 KiB are obeyed."""
    slow = b"Disallow: /" + b"*a" * 800 + b"$\n"
    robots = b"User-agent: *\nDisallow: /secret\n" + slow * (10 * MB // len(slow))
    links = b"<a href=/secret></a>" + b"".join(b"<a href='/%b%d'></a>" % (b"a" * 900, n) for n in range(60))
    async with LocalServer({"/robots.txt": Reply(200, robots), "/": Reply(200, links), "*": Reply(200, b"x")}) as site:
        run = await crawl(tmp_path, [site.url()], "politeness.robots=obey")
        assert not site.requests_for("/secret")
    assert run.code == 0
    print(f"robots: peak {run.peak_mb:.0f} MB, lag {run.max_lag_ms} ms, {len(run.pages)} pages")
    assert run.peak_mb < MAX_MEMORY_MB
    assert len(run.pages) + len(run.skipped) == 62


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere 127.0.0.1 is the only address of loopback")
async def test_hosts_and_cookies_without_end(tmp_path: Path) -> None:
    """Every page is on hosts of its own, and each of them sets a hundred cookies."""
    cookies = "".join(f"Set-Cookie: c{n}={'x' * 500}; Path=/\r\n" for n in range(100))

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host = writer.get_extra_info("sockname")[0].split(".")
        await reader.readuntil(b"\r\n\r\n")
        places = [f"127.{(int(host[2]) * 7 + n) % 250 + 1}.{int(host[1]) % 250 + 1}.{n + 1}" for n in range(40)]
        body = "".join(f"<a href='http://{place}:{port}/'></a>" for place in places)
        head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {len(body)}\r\nConnection: close\r\n"
        writer.write((head + cookies + "\r\n" + body).encode())
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "0.0.0.0", 0) as server:
        port = server.sockets[0].getsockname()[1]
        run = await crawl(
            tmp_path, [f"http://127.0.0.1:{port}/"], "network.allow_private=true", "limits.max_pages=1000"
        )
    assert run.code == 0
    assert [page["error"] for page in run.pages].count(None) == len({page["url"] for page in run.pages}) == 1000
    print(f"hosts: {len(run.pages)} pages, peak {run.peak_mb:.0f} MB, lag {run.max_lag_ms} ms")
    assert run.peak_mb < MAX_MEMORY_MB


@pytest.mark.parametrize(("coding", "count"), [("br", 20), ("zstd", 30)])
async def test_many_decoders_with_wide_windows_at_once(tmp_path: Path, coding: str, count: int) -> None:
    """Bodies that need the largest window and then stall are decoded a few at a time."""
    content = os.urandom(MB) * 18
    if coding == "br":
        body = brotli.compress(content, quality=4, lgwin=24)
    else:
        body = zstandard.ZstdCompressor(compression_params=zstandard.ZstdCompressionParameters(window_log=23)).compress(
            content
        )
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Encoding: %b\r\nContent-Length: %d\r\n\r\n"
    silent = send_raw(head % (coding.encode(), len(body)), body[:-10], then=never_respond)
    links = "".join(f"<a href=/{n}></a>" for n in range(count))
    async with LocalServer({"/": Reply(200, links.encode()), "*": silent}) as site:
        run = await crawl(
            tmp_path, [site.url()], "politeness.per_host.concurrency=30", "limits.timeout=0.3s", "limits.deadline=20s"
        )
    assert run.code == 0
    assert {page["error"] for page in run.pages} == {None, "timeout"}
    print(f"windows: {coding}, peak {run.peak_mb:.0f} MB, lag {run.max_lag_ms} ms")
    assert run.peak_mb < MAX_MEMORY_MB


async def test_many_large_pages_at_once(tmp_path: Path) -> None:
    """More than a hundred pages just below the spool limit, faster than they can be extracted."""
    page = b"<p>" + b"<a href=/x>y</a> text " * 12_000
    links = "".join(f"<a href=/{n}></a>" for n in range(120))
    async with LocalServer({"/": Reply(200, links.encode()), "*": Reply(200, page[: 256 * 1024 - 1])}) as site:
        run = await crawl(
            tmp_path, [site.url()], "limits.concurrency=64", "politeness.per_host.concurrency=64", "scope.max_depth=1"
        )
    assert run.code == 0
    assert len(run.pages) == 121
    print(f"large pages: peak {run.peak_mb:.0f} MB, lag {run.max_lag_ms} ms")
    assert run.peak_mb < MAX_MEMORY_MB
