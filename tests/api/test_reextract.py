"""Changed rules over kept pages, without a request."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import scraper
from scraper.cli.app import command_line
from scraper.config.reading.load import config_from_mapping
from scraper.errors import ScraperError
from scraper.hooks.interface import Hook
from scraper.model import Item, Response
from scraper.reextract import reextract
from scraper.testing.local_server import LocalServer, Reply
from tests.api.test_crawler import ROUTES, config

BY_LENGTH = [{"fields": {"links": {"css": "a", "attr": "href", "many": True}, "n": {"css": "h2", "required": True}}}]
LINKS = [{"fields": {"links": {"css": "a", "attr": "href", "many": True}}}]


def items(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "items.jsonl").read_text().splitlines()]


def changed(site: LocalServer, folder: Path, extract: list[dict[str, Any]], sinks: tuple[str, ...] = ("jsonl",)) -> Any:
    output = {"folder": str(folder), "store": "pages", "sinks": list(sinks)}
    return config_from_mapping(config(site, folder, extract=extract, output=output))


async def test_new_rules_take_the_place_of_the_old_items(tmp_path: Path) -> None:
    """In place: items are those of the new rules, with no request; a resumed run goes on behind them."""
    folder = tmp_path / "out"
    large = Reply(200, b"<h1>T</h1>" + b"<p>x</p>" * 300_000 + b"<a href=/c>c</a>", {"Content-Type": "text/html"})
    async with LocalServer({**ROUTES, "/b": large}) as site:
        short = config(site, folder, output={"folder": str(folder), "store": "pages"}, limits={"max_pages": 3})
        await scraper.crawl(short)
        before = len(site.requests)
        done = await reextract(folder, changed(site, folder, LINKS, ("jsonl", "csv")))
        assert len(site.requests) == before
        assert (done.pages, done.items, done.rejected, done.problems) == (3, 3, 0, 0)
        assert {len(item["links"]) for item in items(folder)} <= {1, 2}
        assert (folder / "items.csv").read_text().startswith("url,links")
        more = {"output": {"folder": str(folder), "store": "pages", "sinks": ["jsonl", "csv"]}, "extract": LINKS}
        summary = await scraper.crawl(config(site, folder, **more))
        assert summary.why == "finished"
        assert len(items(folder)) == summary.ok == 4
        assert len({item["url"] for item in items(folder)}) == 4


async def test_a_new_folder_leaves_the_run_as_it_is(tmp_path: Path) -> None:
    """With an output folder the run's own items stay; rejected values are recorded there."""
    folder, other = tmp_path / "out", tmp_path / "other"
    async with LocalServer(ROUTES) as site:
        await scraper.crawl(config(site, folder, output={"folder": str(folder), "store": "pages"}))
        done = await reextract(folder, changed(site, folder, BY_LENGTH), other)
    assert (done.items, done.rejected) == (0, 4)
    assert len((other / "rejected.jsonl").read_text().splitlines()) == 4
    assert len(items(folder)) == 4
    assert not (other / ".scrape").exists()


async def test_hooks_are_called(tmp_path: Path) -> None:
    """`on_item` may change what new rules find."""

    class Mark(Hook):
        def on_item(self, item: Item, page: Response) -> Item:
            return Item({"marked": True}, item.rule)

    folder = tmp_path / "out"
    async with LocalServer(ROUTES) as site:
        await scraper.crawl(config(site, folder, output={"folder": str(folder), "store": "pages"}))
        await reextract(folder, changed(site, folder, LINKS), hooks=[Mark()])
    assert [item["marked"] for item in items(folder)] == [True] * 4


async def test_what_cannot_be_read_again_is_told(tmp_path: Path) -> None:
    """A folder that is no run, one without pages, and an output that is a run's folder."""
    folder = tmp_path / "out"
    async with LocalServer(ROUTES) as site:
        wanted = changed(site, folder, LINKS)
        with pytest.raises(ScraperError, match="not the folder of a run"):
            await reextract(folder, wanted)
        await scraper.crawl(config(site, folder))
        with pytest.raises(ScraperError, match="keeps no pages"):
            await reextract(folder, wanted)
        with pytest.raises(ScraperError, match="is the folder of a run"):
            await reextract(folder, wanted, folder)
        with pytest.raises(ScraperError, match="has no extract"):
            await reextract(folder, changed(site, folder, []))


def test_the_command_says_what_it_did(tmp_path: Path) -> None:
    """`scrape extract FOLDER CONFIG` reads pages of an earlier run."""
    import asyncio

    folder, file = tmp_path / "out", tmp_path / "c.yaml"

    async def crawl() -> None:
        async with LocalServer(ROUTES) as site:
            await scraper.crawl(config(site, folder, output={"folder": str(folder), "store": "pages"}))

    asyncio.run(crawl())
    file.write_text("seeds: ['http://127.0.0.1/']\nextract: [{fields: {l: a}}]\n")
    result = CliRunner().invoke(command_line(), ["extract", str(folder), str(file), "-o", str(tmp_path / "new")])
    assert result.exit_code == 0, result.output
    assert "4 pages read: 4 items" in result.output
    assert len(items(tmp_path / "new")) == 4
