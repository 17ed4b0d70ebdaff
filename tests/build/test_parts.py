"""Parts that a caller brings, in place of or beside those of a config or a list."""

from __future__ import annotations

from pathlib import Path

import pytest

import scraper
from scraper.model import Extraction, Item
from scraper.testing.fakes import FakeFetcher, FakeSink
from scraper.testing.local_server import LocalServer, Reply
from scraper.testing.memory_frontier import MemoryFrontier
from tests.api.test_crawler import ROUTES, config


class OneItem:
    """An extractor that finds one item everywhere and no link."""

    def extract(self, page: scraper.Response) -> Extraction:
        return Extraction(items=(Item({"title": "mine"}),))


async def test_an_extractor_replaces_the_rules(tmp_path: Path) -> None:
    """Its items are the outputs' items; its links are the ones followed: here none."""
    async with LocalServer(ROUTES) as site:
        summary = await scraper.crawl(config(site, tmp_path), extractor=OneItem())
    assert (summary.ok, summary.items) == (1, 1)
    assert "mine" in (tmp_path / "items.jsonl").read_text()


async def test_a_frontier_replaces_the_one_on_disk(tmp_path: Path) -> None:
    """The run works on it and leaves no frontier of its own in the folder."""
    async with LocalServer(ROUTES) as site:
        summary = await scraper.crawl(config(site, tmp_path), frontier=MemoryFrontier())
    assert (summary.why, summary.ok) == ("finished", 4)
    assert not (tmp_path / ".scrape" / "frontier.sqlite").exists()


async def test_two_outputs_of_one_name_are_refused(tmp_path: Path) -> None:
    """Their checkpoints could not be told apart."""
    async with LocalServer(ROUTES) as site:
        with pytest.raises(scraper.SinkError, match="two outputs are called"):
            await scraper.crawl(config(site, tmp_path), sinks=[FakeSink("items.jsonl")])


async def test_a_download_hands_results_to_sinks_and_hooks(tmp_path: Path) -> None:
    """Each file once, committed with the journal; a second run brings the sink nothing new."""

    class Skip(scraper.Hook):
        def on_request(self, request: scraper.Request) -> scraper.Request | None:
            return None if request.url.href.endswith("/no") else request

    routes = {"/a": Reply(body=b"aaa"), "/b": Reply(body=b"bb"), "/no": Reply(body=b"never")}
    sink = FakeSink("mine")
    async with LocalServer(routes) as site:
        urls = [site.url(path) for path in ("/a", "/b", "/no")]
        summary = await scraper.download(urls, tmp_path, sinks=[sink], hooks=[Skip()])
        assert summary.ok == 2
        assert "/no" not in [request.target for request in site.requests]
    assert sorted(sink.urls()) == sorted(urls[:2])


async def test_a_download_by_a_fetcher_of_ones_own(tmp_path: Path) -> None:
    """The engine, the list and the manifest are ours, what fetches is not."""
    fetcher = FakeFetcher({})
    summary = await scraper.download(["http://a.example/x"], tmp_path, fetcher=fetcher)
    assert summary.failed == 1
    assert len((tmp_path / "manifest.jsonl").read_text().splitlines()) == 1


async def test_results_of_a_download_come_one_by_one(tmp_path: Path) -> None:
    """As those of a crawl; the summary follows."""
    async with LocalServer({"/a": Reply(body=b"aaa")}) as site:
        async with scraper.Downloader([site.url("/a")], tmp_path) as downloader:
            assert [result.url async for result in downloader.results()] == [site.url("/a")]
        assert downloader.summary is not None
        assert downloader.summary.ok == 1


def test_what_is_not_open_says_so(tmp_path: Path) -> None:
    """A sentence, not an AttributeError."""
    with pytest.raises(RuntimeError, match="open it first"):
        scraper.Downloader([], tmp_path).stop()
