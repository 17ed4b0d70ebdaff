"""One crawl of a site whose every page is an attack on the connection that carries it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from scraper.testing.local_server import LocalServer, RawHandler, ReceivedRequest, Reply, Route
from tests.hostile.crawl_process import MAX_MEMORY_MB, CrawlResult, crawl
from tests.hostile.wire_cases import COMPLETE_RESPONSE, FAILING_CASES, GOOD_CASES

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def crawled(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[CrawlResult, LocalServer]]:
    """The result of the crawl, and the site."""
    names = [*FAILING_CASES, *GOOD_CASES]
    links = "".join(f"<a href=/{name}>{name}</a>" for name in names)
    routes: dict[str, Route] = {f"/{name}": route for name, (route, _) in FAILING_CASES.items()}
    routes |= {f"/{name}": route for name, route in GOOD_CASES.items()}
    async with LocalServer({"/": Reply(200, links.encode()), **routes}) as site:
        yield await crawl(tmp_path_factory.mktemp("wire"), [site.url()]), site


@pytest.mark.parametrize(
    ("name", "error"), [(name, error) for name, (_, error) in FAILING_CASES.items()], ids=FAILING_CASES
)
async def test_every_attack_has_a_record_with_its_kind(
    crawled: tuple[CrawlResult, LocalServer], name: str, error: str
) -> None:
    """A hostile response is one record of the right error kind, never a success, never a hang."""
    record = crawled[0].page(crawled[1].url(f"/{name}"))
    assert (record["error"], bool(record["error_detail"])) == (error, True), record


@pytest.mark.parametrize("name", GOOD_CASES)
async def test_what_is_odd_and_still_readable_is_read(crawled: tuple[CrawlResult, LocalServer], name: str) -> None:
    """What RFC 9110, 9112 and 1952 let a client read is a success."""
    record = crawled[0].page(crawled[1].url(f"/{name}"))
    assert (record["error"], record["status"]) == (None, 200), record


async def test_the_crawl_of_all_of_them_ends_well_and_is_small(crawled: tuple[CrawlResult, LocalServer]) -> None:
    """Bombs, floods and silence cost neither memory nor the run."""
    run = crawled[0]
    assert run.code == 0, run.screen[-2000:]
    assert len(run.pages) == len(FAILING_CASES) + len(GOOD_CASES) + 1
    assert run.peak_mb < MAX_MEMORY_MB
    print(f"wire: {len(FAILING_CASES) + len(GOOD_CASES)} cases, peak {run.peak_mb:.0f} MB, lag {run.max_lag_ms} ms")


async def test_a_surplus_response_is_never_taken_for_the_next_one(tmp_path: Path) -> None:
    """A connection with bytes behind a complete response is closed: the next request gets its own response."""
    fake = COMPLETE_RESPONSE.replace(b"hello", b"fakes")

    async def act(asked: ReceivedRequest, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(COMPLETE_RESPONSE + fake)
        await writer.drain()
        await reader.read(1)

    links = b"".join(b"<a href=/%d>x</a>" % number for number in range(20))
    routes: dict[str, Route] = {"/": Reply(200, links), **{f"/{n}": RawHandler(act) for n in range(20)}}
    async with LocalServer(routes) as site:
        run = await crawl(tmp_path, [site.url()], "limits.concurrency=1")
    digests = {page["xxh3"] for page in run.pages if page["url"] != site.url()}
    assert len(digests) == 1, "all twenty are the same honest page"
    assert site.connections == 20, "only the first of them used the connection of the page before"
