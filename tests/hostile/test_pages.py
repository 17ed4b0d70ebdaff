"""One crawl of pages made to exhaust their parser."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterator
from string import ascii_lowercase

import pytest
import pytest_asyncio

from scraper.testing.local_server import LocalServer, Reply, Route
from tests.hostile.crawl_process import MAX_MEMORY_MB, CrawlResult, crawl

pytestmark = pytest.mark.asyncio(loop_scope="module")

MB = 1_000_000
LINK = b"<a href=/found>x</a>"
RULES = """[{each: "div", fields: {text: {css: "div"}, all: {css: "div div a", attr: href, many: true}}},
 {fields: {title: title, links: {links: all}, options: {css: "option", many: true}}}]"""


def attributes(count: int) -> bytes:
    """One tag with `count` attributes of different names."""
    names: Iterator[tuple[str, ...]] = itertools.chain.from_iterable(
        itertools.product(ascii_lowercase, repeat=n) for n in (2, 3, 4)
    )
    return ("<div " + " ".join("".join(name) for name in itertools.islice(names, count)) + ">").encode()


def repeated(unit: bytes, size: int) -> bytes:
    """`unit` over and over, `size` bytes in all."""
    return (unit * (size // len(unit) + 1))[:size]


# The page, and whether its first link must have been found: where the HTML standard's own algorithm is quadratic, or
# memory runs out, it need not be.
PAGES: dict[str, tuple[bytes, bool]] = {
    "text-50-mb": (LINK + repeated(b"lorem ipsum &amp; ", 50 * MB), True),
    "elements-50-mb": (LINK + repeated(b"<p>", 50 * MB), False),
    "elements-250-kb": (LINK + repeated(b"<p>", 250_000), True),
    "levels-100000": (LINK + b"<div>" * 100_000, False),
    "levels-7000": (LINK + b"<div>" * 7_000 + b"x" * 100_000, True),
    "lists-100000": (LINK + b"<ul><li>" * 100_000, False),
    "formatting-100000": (LINK + b"<b><i><a>" * 100_000, False),
    "tables-50000": (LINK + b"<table><tr><td>" * 50_000, False),
    "attributes-7000": (LINK + attributes(7_000), True),
    "attributes-20000": (LINK + attributes(20_000), True),
    "attributes-100000": (LINK + attributes(100_000), False),
    "options-16000": (LINK + b"<select>" + b"<option>x" * 16_000, True),
    "value-of-5-mb": (LINK + b"<a href='/" + b"x" * 5 * MB + b"'>", True),
    "links-100000": (LINK + b"".join(b"<a href=/%d></a>" % n for n in range(100_000)), True),
    "comment-open": (LINK + b"<!--" + b"-" * 2 * MB, True),
    "comments": (LINK + repeated(b"<!---->", 2 * MB), True),
    "script-open": (LINK + b"<script>" + repeated(b"<!--<script>", 2 * MB), True),
    "doctypes": (LINK + repeated(b"<!doctype html>", 2 * MB), True),
    "entities": (LINK + repeated(b"&CounterClockwiseContourIntegral;", 2 * MB), True),
    "bases": (LINK + repeated(b"<base href=//x.example/>", 2 * MB), False),
    "metas": (LINK + repeated(b"<meta name=robots content=index>", 2 * MB), True),
    "angles": (LINK + repeated(b"<", 2 * MB), True),
    "nuls": (LINK + repeated(b"\0<p>\0", 2 * MB), True),
    "utf-16": (b"\xff\xfe" + (LINK * 1000).decode().encode("utf-16-le") + b"\x00\xd8" * 100_000, True),
    "utf-16-odd": (b"\xfe\xff" + LINK.decode().encode("utf-16-be") + b"x", True),
    "any-bytes": (LINK + bytes(range(256)) * 8_000, True),
    "svg": (LINK + b"<svg><foreignObject><math>" * 20_000, False),
    "templates": (LINK + b"<template>" * 50_000, False),
    "framesets": (LINK + b"<frameset><frame src=/x>" * 50_000, False),
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def crawled(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[CrawlResult, LocalServer]]:
    """The result of the crawl, and the site."""
    index = "".join(f"<a href=/{name}>{name}</a>" for name in PAGES)
    routes: dict[str, Route] = {f"/{name}": Reply(200, page) for name, (page, _) in PAGES.items()}
    routes["*"] = Reply(404)
    async with LocalServer({"/": Reply(200, index.encode()), **routes}) as site:
        yield (
            await crawl(
                tmp_path_factory.mktemp("pages"),
                [site.url()],
                "limits.max_bytes=60MB",
                "limits.deadline=60s",
                "limits.timeout=60s",
                "scope.max_depth=1",
                f"extract={RULES}",
            ),
            site,
        )


@pytest.mark.parametrize(("name", "read"), [(name, read) for name, (_, read) in PAGES.items()], ids=PAGES)
async def test_every_page_has_its_record(crawled: tuple[CrawlResult, LocalServer], name: str, read: bool) -> None:
    """A page that exhausts the parser is recorded; one that only seems to is extracted."""
    run, site = crawled
    assert run.page(site.url(f"/{name}"))["status"] == 200
    if read:
        found = [item for item in run.items if item["url"] == site.url(f"/{name}") and "links" in item]
        assert found
        assert site.url("/found") in found[0]["links"]  # type: ignore[operator]


async def test_no_page_costs_more_than_its_bound(crawled: tuple[CrawlResult, LocalServer]) -> None:
    """The run ends, no process of it grows beyond the bound, and no page holds the event loop for long."""
    run, _ = crawled
    assert run.code == 0, run.screen[-2000:]
    print(f"pages: {len(PAGES)} cases, peak {run.peak_mb:.0f} MB, lag {run.max_lag_ms} ms")
    assert run.peak_mb < MAX_MEMORY_MB
    assert run.max_lag_ms < 300
