"""A whole crawl that follows its rules: listing, pagination, details, an API; also over an interruption."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import scraper
from scraper.testing.local_server import LocalServer, Reply
from tests.api.test_crawler import config


def html(text: str) -> Reply:
    return Reply(200, text.encode(), {"Content-Type": "text/html"})


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


ROUTES = {
    "/": html("<li><a href=/d/1>One</a><b>1</b></li><a class=next href='/?page=2'>n</a><a href=/about>about</a>"),
    "/?page=2": html("<li><a href=/d/2>Two</a><b>2</b></li><li><a href=/d/3>Three</a></li>"),
    "/d/1": html("<h1>Lamp</h1>"),
    "/d/2": html("<h1>Chair</h1>"),
    "/about": html("<h1>About</h1>"),
}
RULES = [
    {
        "each": "li",
        "keep": False,
        "fields": {"price": {"css": "b", "type": "decimal", "required": True}},
        "follow": [{"css": "a", "label": "product", "carry": ["price"]}],
        "next": "a.next",
    },
    {"label": "product", "fields": {"name": "h1"}},
]


async def test_a_listing_leads_to_its_details(tmp_path: Path) -> None:
    """Items of the details hold what was carried; what was lost stands in rejected.jsonl and in the summary."""
    async with LocalServer(ROUTES) as site:
        more = {"extract": RULES, "scope": {"links": "rules"}}
        summary = await scraper.crawl(config(site, tmp_path / "out", **more))
        asked = {request.target for request in site.requests}
        items = lines(tmp_path / "out" / "items.jsonl")
    assert asked == {"/robots.txt", "/", "/?page=2", "/d/1", "/d/2"}
    assert sorted((item["name"], item["price"]) for item in items) == [("Chair", "2"), ("Lamp", "1")]
    (lost,) = lines(tmp_path / "out" / "rejected.jsonl")
    assert (lost["field"], lost["rule"], lost["kept"]) == ("price", 0, False)
    assert summary.values["session"]["items_rejected"] == 1
    assert summary.values["skipped"]["rules"] >= 1


async def test_labels_and_carried_values_survive_a_session(tmp_path: Path) -> None:
    """A second session reads the details under the label and with the values of the first."""
    async with LocalServer(ROUTES) as site:
        more = {"extract": RULES, "scope": {"links": "rules"}}
        first = await scraper.crawl(config(site, tmp_path / "out", limits={"max_pages": 1}, **more))
        assert (first.why, first.items) == ("max_pages", 0)
        second = await scraper.crawl(config(site, tmp_path / "out", **more))
        assert (second.why, second.items) == ("finished", 2)
        assert sorted(item["price"] for item in lines(tmp_path / "out" / "items.jsonl")) == ["1", "2"]


async def test_an_api_is_crawled_by_its_cursor(tmp_path: Path) -> None:
    """JSON pages are crawled as any page."""
    pytest.importorskip("jmespath")

    def page(ids: list[int], cursor: str | None) -> Reply:
        body = json.dumps({"items": [{"id": number} for number in ids], "cursor": cursor}).encode()
        return Reply(200, body, {"Content-Type": "application/json"})

    routes = {"/api": page([1, 2], "b"), "/api?after=b": page([3], None)}
    rule = {
        "each": {"json": "items"},
        "fields": {"id": {"json": "id"}},
        "next": {"cursor": "cursor", "param": "after"},
    }
    async with LocalServer(routes) as site:
        summary = await scraper.crawl(config(site, tmp_path / "out", seeds=[site.url("/api")], extract=[rule]))
    assert summary.items == 3
    assert [item["id"] for item in lines(tmp_path / "out" / "items.jsonl")] == [1, 2, 3]


async def test_several_outputs_hold_the_same_items(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """Every sink at once: files, a data set and standard output, and the summary says where each is."""
    parquet = pytest.importorskip("pyarrow.parquet")
    folder = tmp_path / "out"
    sinks = {"folder": str(folder), "sinks": ["jsonl", "csv", "sqlite", "parquet", "stdout"]}
    extract = [{"fields": {"title": "h1", "links": {"links": "all"}, "n": {"css": "li", "type": "int"}}}]
    async with LocalServer(ROUTES) as site:
        summary = await scraper.crawl(config(site, folder, extract=extract, output=sinks))
    printed = [json.loads(line) for line in capfdbinary.readouterr().out.splitlines()]
    kept = lines(folder / "items.jsonl")
    (part,) = (folder / "items.parquet").glob("part-*.parquet")
    table = parquet.read_table(part).to_pylist()
    assert printed == kept
    assert [(row["url"], row["title"], row["links"]) for row in table] == [
        (item["url"], item["title"], item["links"]) for item in kept
    ]
    assert len((folder / "items.csv").read_text().splitlines()) == len(kept) + 1 == summary.items + 1
    assert summary.values["outputs"]["stdout"] == "standard output"
