"""The public API as a user types it: checked by mypy and pyright, never run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, assert_type

import scraper
from scraper.events import FetchFinished

if TYPE_CHECKING:
    from scraper.testing.fakes import FakeExtractor, FakeFetcher, FakeSink


class MyHook(scraper.Hook):
    def on_request(self, request: scraper.Request) -> scraper.Request | None:
        return None if request.depth > 3 else request

    async def on_item(self, item: scraper.Item, page: scraper.Response) -> scraper.Item | None:
        return item if page.status == 200 else None


class MyFetcher:
    async def fetch(self, request: scraper.Request) -> scraper.Outcome:
        if request.url.host == "down.example":
            return scraper.Failure(request, scraper.ErrorKind.CONNECT, "down", permanent=True)
        return scraper.Response(request, 200, scraper.Headers([(b"a", b"b")]), scraper.Body.from_bytes(b"x"))

    async def aclose(self) -> None: ...


class MySink:
    name = "mine"

    async def open(self, checkpoint: str | None) -> None: ...

    def write(self, result: scraper.Result) -> None:
        assert_type(result.url, str)
        assert_type(result.status, int | None)

    async def flush(self) -> str:
        return ""

    async def aclose(self) -> None: ...


class MyExtractor:
    def extract(self, page: scraper.Response) -> scraper.Extraction:
        return scraper.Extraction(items=(scraper.Item({"size": page.body.size}),))


def on_event(event: scraper.Event) -> None:
    if isinstance(event, FetchFinished):
        assert_type(event.elapsed, float)


async def crawl_all(frontier: scraper.InspectableFrontier) -> None:
    summary = await scraper.crawl(
        "books.yaml",
        fresh=True,
        sinks=[MySink()],
        fetcher=MyFetcher(),
        extractor=MyExtractor(),
        frontier=frontier,
        hooks=[MyHook()],
        listeners=[on_event],
    )
    assert_type(summary, scraper.Summary)
    assert_type(summary.ok, int)
    assert_type(summary.stop, scraper.StopReason)
    async with scraper.Crawler({"seeds": ["https://books.example/"]}) as crawler:
        async for result in crawler.results():
            assert_type(result, scraper.Result)
        assert_type(crawler.summary, scraper.Summary | None)


async def download_all(urls: Sequence[str], folder: Path) -> None:
    options = scraper.DownloadOptions(retries=5)
    summary = await scraper.download(urls, folder, options, sinks=[MySink()], hooks=[MyHook()], listeners=[on_event])
    assert_type(summary, scraper.DownloadSummary)
    async with await scraper.Downloader.open(urls, folder) as downloader:
        assert_type(await downloader.run(), scraper.DownloadSummary)


def fakes(fetcher: FakeFetcher, sink: FakeSink, extractor: FakeExtractor) -> None:
    ports: tuple[scraper.Fetcher, scraper.Sink, scraper.Extractor] = (fetcher, sink, extractor)
    assert len(ports) == 3


def config() -> None:
    loaded = scraper.load_config("books.yaml", ["limits.max_pages=5"])
    assert_type(loaded, scraper.CrawlConfig)
    try:
        scraper.load_config("missing.yaml")
    except scraper.ConfigError as error:
        assert_type([problem.line for problem in error.problems], list[int | None])
