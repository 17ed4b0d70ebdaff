"""A whole crawl of JSON APIs that are posted to: pages, contents, redirects, kills, and what is told about them."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import scraper
from scraper.cli.app import command_line
from scraper.config.reading.load import config_from_mapping
from scraper.reextract import reextract
from scraper.testing.local_server import LocalServer, ReceivedRequest, Reply, Route, reset_connection
from tests.api.test_crawler import config
from tests.api.test_following import lines

pytest.importorskip("jmespath")

ROOT = Path(__file__).parents[2]
PAGES = 5
RULE = {"label": "api", "each": {"json": "items"}, "fields": {"id": {"json": "id"}}}
JSON = {"Content-Type": "application/json"}


def json_reply(value: Any, status: int = 200, **headers: str) -> Reply:
    return Reply(status, json.dumps(value).encode(), {**JSON, **headers})


async def shelf_api(asked: ReceivedRequest) -> Reply:
    """Two items a page of what is asked for, and where the next one begins."""
    if asked.method != "POST":
        return json_reply({"items": []}, 405)
    body = json.loads(asked.body)
    page = body.get("page") or int(body.get("after") or 1)
    found = [{"id": f"{body.get('q', '')}{page}{letter}"} for letter in "ab"] if page <= PAGES else []
    return json_reply({"items": found, "after": str(page + 1) if page < PAGES else None})


def seed(site: LocalServer, body: Any, path: str = "/api", **more: Any) -> dict[str, Any]:
    return {"url": site.url(path), "method": "POST", "json": body, "label": "api", **more}


def api_config(site: LocalServer, folder: Path, *bodies: Any, way: Any = None, **more: Any) -> dict[str, Any]:
    rule = {**RULE, "next": way or {"page": {"json": "/page"}}}
    return config(site, folder, **{"seeds": [seed(site, body) for body in bodies], "extract": [rule], **more})


def item_ids(folder: Path) -> list[str]:
    return [item["id"] for item in lines(folder / "items.jsonl")]


ALL_IDS = [f"{page}{letter}" for page in range(1, PAGES + 1) for letter in "ab"]


@pytest.mark.parametrize(
    ("body", "way", "pages"),
    [
        ({"page": 1}, {"page": {"json": "/page"}}, PAGES + 1),
        ({"page": 1}, {"page": {"json": "/page"}, "last": PAGES}, PAGES),
        ({}, {"cursor": "after", "param": {"json": "/after"}}, PAGES),
    ],
    ids=["page", "to the last", "cursor"],
)
async def test_an_api_is_crawled_by_what_is_posted(tmp_path: Path, body: Any, way: Any, pages: int) -> None:
    """Every page of the list is posted for once, in order, and every item is written."""
    async with LocalServer({"/api": shelf_api}) as site:
        summary = await scraper.crawl(api_config(site, tmp_path / "out", body, way=way))
        posts = [asked for asked in site.requests if asked.method == "POST"]
    assert (summary.why, summary.ok, summary.items) == ("finished", pages, 2 * PAGES)
    assert item_ids(tmp_path / "out") == ALL_IDS
    assert len({asked.body for asked in posts}) == len(posts) == pages
    records = lines(tmp_path / "out" / "pages.jsonl")
    assert [(r["method"], r["body"].encode(), r["url"]) for r in records] == [
        ("POST", asked.body, site.url("/api")) for asked in posts
    ]
    again = len(site.requests)
    assert again == pages + 1  # robots.txt


async def test_contents_and_methods_of_one_url_are_told_apart(tmp_path: Path) -> None:
    """Two contents are two pages with their own items, the GET is a third; the same content is one."""
    async with LocalServer({"/api": shelf_api}) as site:
        settings = api_config(site, tmp_path / "out", {"q": "x"}, {"q": "y"}, {"q": "x"}, way={"rel": True})
        settings["seeds"].append(site.url("/api"))
        settings["output"]["store"] = "pages"
        summary = await scraper.crawl(settings)
        asked = len(site.requests)
        assert (summary.ok, summary.failed, sorted(item_ids(tmp_path / "out"))) == (2, 1, ["x1a", "x1b", "y1a", "y1b"])
        assert (await scraper.crawl(settings)).idle
        assert len(site.requests) == asked
    rule = {**RULE, "fields": {"name": {"json": "id", "transform": ["upper"]}}}
    changed = config_from_mapping({**settings, "extract": [rule]})
    done = await reextract(tmp_path / "out", changed)
    assert (done.pages, done.items) == (2, 4)
    assert sorted(item["name"] for item in lines(tmp_path / "out" / "items.jsonl")) == ["X1A", "X1B", "Y1A", "Y1B"]


async def test_redirects_post_again_or_ask(tmp_path: Path) -> None:
    """308 takes the content along, 303 asks by GET; both have one record, and a known target is no second fetch."""

    async def seen(asked: ReceivedRequest) -> Reply:
        return json_reply({"items": [{"id": asked.method}]})

    routes: dict[str, Route] = {
        "/api": shelf_api,
        "/moved": Reply(308, b"", {"Location": "/api"}),
        "/done": Reply(303, b"", {"Location": "/seen"}),
        "/seen": seen,
    }
    async with LocalServer(routes) as site:
        begin = [seed(site, {"q": "m"}, "/moved"), seed(site, {"q": "d"}, "/done"), seed(site, {"q": "e"}, "/done")]
        await scraper.crawl(api_config(site, tmp_path / "out", seeds=begin, way={"rel": True}))
        methods = [(asked.method, asked.target, asked.body) for asked in site.requests[1:]]
    assert sorted(methods) == [
        ("GET", "/seen", b""),
        ("POST", "/api", b'{"q":"m"}'),
        ("POST", "/done", b'{"q":"d"}'),
        ("POST", "/done", b'{"q":"e"}'),
        ("POST", "/moved", b'{"q":"m"}'),
    ]
    records = {(r["requested_url"], r.get("body")): r for r in lines(tmp_path / "out" / "pages.jsonl")}
    moved = records[site.url("/moved"), '{"q":"m"}']
    assert (moved["url"], moved["method"]) == (site.url("/api"), "POST")
    assert moved["redirects"] == [{"url": site.url("/moved"), "status": 308, "method": "POST"}]
    assert records[site.url("/done"), None]["url"] == site.url("/seen")
    assert sorted(item_ids(tmp_path / "out")) == ["GET", "m1a", "m1b"]
    (other,) = [r for r in records.values() if "duplicate_of" in r]
    assert (other["duplicate_of"], other["body"]) == (site.url("/seen"), '{"q":"e"}')


async def test_a_post_whose_connection_died_is_posted_again(tmp_path: Path) -> None:
    """By the retry policy, with a record of the try that failed."""
    turns: list[str] = []

    async def sometimes(asked: ReceivedRequest) -> Route:
        if asked.method == "POST":
            turns.append(asked.body.decode())
        return reset_connection if len(turns) == 1 else await shelf_api(asked)

    async with LocalServer({"/api": sometimes}) as site:
        await scraper.crawl(api_config(site, tmp_path / "out", {"q": "x"}, way={"rel": True}))
    assert turns == ['{"q":"x"}'] * 2
    (record,) = lines(tmp_path / "out" / "pages.jsonl")
    assert (record["attempts"], record["status"], [one["error"] for one in record["tries"]]) == (2, 200, ["network"])


async def test_a_dry_run_names_what_each_seed_posts(tmp_path: Path) -> None:
    """Seeds of one URL are told apart."""
    async with LocalServer({"/api": shelf_api}) as site:
        path = tmp_path / "c.yaml"
        path.write_text(json.dumps(api_config(site, tmp_path / "out", {"q": "x"}, {"q": "y"})))
        done = await asyncio.to_thread(CliRunner().invoke, command_line(), ["crawl", str(path), "--dry-run"])
    assert f'seed POST {site.url("/api")} {{"q":"x"}}: 200' in done.output
    assert f'seed POST {site.url("/api")} {{"q":"y"}}: 200' in done.output
    assert not (tmp_path / "out").exists()


async def test_a_killed_run_goes_on_with_its_contents(tmp_path: Path) -> None:
    """kill -9 between two pages: the next session posts what was waiting, and each item is there once."""
    reached = asyncio.Event()

    async def halting(asked: ReceivedRequest) -> Reply:
        if asked.body and json.loads(asked.body)["page"] == 3 and not reached.is_set():
            reached.set()
            await asyncio.Event().wait()  # for ever: the process that waits for this is killed
        return await shelf_api(asked)

    async with LocalServer({"/api": halting}) as site:
        path = tmp_path / "c.yaml"
        settings = api_config(site, tmp_path / "out", {"page": 1})
        path.write_text(json.dumps(settings))
        command = [sys.executable, "-m", "scraper", "crawl", str(path), "--quiet"]
        process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=subprocess.DEVNULL)
        await asyncio.wait_for(reached.wait(), 30)
        process.send_signal(signal.SIGKILL)
        await process.wait()
        before = len([asked for asked in site.requests if asked.method == "POST"])
        summary = await scraper.crawl(settings)
        bodies = [asked.body for asked in site.requests if asked.method == "POST"][before:]
    assert (before, summary.why, summary.ok) == (3, "finished", PAGES + 1)
    assert bodies == [b'{"page":%d}' % page for page in range(3, PAGES + 2)]
    assert item_ids(tmp_path / "out") == ALL_IDS
