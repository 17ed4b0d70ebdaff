"""The Python API: a whole run, results as they come, and leaving early."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import scraper
from scraper.testing.local_server import LocalServer, Reply


def page(*links: str) -> Reply:
    """An HTML page with a heading and these links."""
    body = "<h1>T</h1>" + "".join(f'<a href="{link}">x</a>' for link in links)
    return Reply(200, body.encode(), {"Content-Type": "text/html"})


def config(site: LocalServer, folder: Path, **more: Any) -> dict[str, Any]:
    """A config for `site`, as fast as it goes."""
    return {
        "seeds": [site.url("/")],
        "politeness": {"per_host": {"rate": "unlimited"}},
        "sitemaps": "off",
        "extract": [{"fields": {"title": "h1"}}],
        "output": {"folder": str(folder)},
        **more,
    }


ROUTES = {"/": page("/a", "/b"), "/a": page("/c"), "/b": page("/c", "/gone"), "/c": page("/")}


async def test_crawl_returns_the_summary(tmp_path: Path) -> None:
    """`await scraper.crawl(mapping)` runs to the end and counts what it found."""
    async with LocalServer(ROUTES) as site:
        summary = await scraper.crawl(config(site, tmp_path / "out"))
    assert (summary.why, summary.ok, summary.failed, summary.items) == ("finished", 4, 1, 4)
    assert (tmp_path / "out" / "summary.json").exists()


async def test_crawl_takes_a_path(tmp_path: Path) -> None:
    """`await scraper.crawl(path)` reads the YAML file."""
    async with LocalServer(ROUTES) as site:
        path = tmp_path / "shop.yaml"
        path.write_text(
            f"seeds: ['{site.url('/')}']\nsitemaps: off\npoliteness: {{per_host: {{rate: unlimited}}}}\n"
            f"output: {{folder: '{tmp_path / 'out'}'}}\n"
        )
        assert (await scraper.crawl(path)).ok == 4


async def test_results_come_one_by_one(tmp_path: Path) -> None:
    """`async for result in crawler.results()` gives every result, with items."""
    async with LocalServer(ROUTES) as site:
        async with scraper.Crawler(config(site, tmp_path / "out")) as crawler:
            results = [result async for result in crawler.results()]
        assert sorted(result.url for result in results) == [site.url(path) for path in ("/", "/a", "/b", "/c", "/gone")]
    assert crawler.summary is not None
    assert crawler.summary.items == sum(len(result.items) for result in results) == 4


async def test_leaving_early_keeps_the_run_resumable(tmp_path: Path) -> None:
    """A loop that is left after one result stops the crawl; a second run completes it, each page once."""
    routes = {"/": page(*(f"/{n}" for n in range(300)))} | {f"/{n}": page() for n in range(300)}
    async with LocalServer(routes) as site:
        settings = config(site, tmp_path / "out")
        async with scraper.Crawler(settings) as crawler:
            async for result in crawler.results():
                assert result.status == 200
                break
        assert (await scraper.crawl(settings)).ok == 301
    lines = (tmp_path / "out" / "pages.jsonl").read_text().splitlines()
    assert len(lines) == 301


async def test_a_finished_run_asks_nothing(tmp_path: Path) -> None:
    """The same config again: the summary says so and the server hears nothing."""
    async with LocalServer(ROUTES) as site:
        await scraper.crawl(config(site, tmp_path / "out"))
        before = len(site.requests)
        summary = await scraper.crawl(config(site, tmp_path / "out"))
        assert (summary.idle, summary.ok, len(site.requests)) == (True, 4, before)


async def test_fresh_starts_over(tmp_path: Path) -> None:
    """`fresh=True` deletes the earlier run and nothing else in the folder."""
    async with LocalServer(ROUTES) as site:
        await scraper.crawl(config(site, tmp_path / "out"))
        (tmp_path / "out" / "mine.txt").write_text("keep")
        summary = await scraper.crawl(config(site, tmp_path / "out"), fresh=True)
        assert (summary.idle, summary.ok) == (False, 4)
    assert (tmp_path / "out" / "mine.txt").read_text() == "keep"
    assert len((tmp_path / "out" / "pages.jsonl").read_text().splitlines()) == 5


async def test_two_runs_on_one_folder_are_refused(tmp_path: Path) -> None:
    """The second run raises RunLockedError, naming the folder."""
    async with LocalServer(ROUTES) as site, scraper.Crawler(config(site, tmp_path / "out")):
        with pytest.raises(scraper.RunLockedError, match="out"):
            await scraper.crawl(config(site, tmp_path / "out"))


def test_public_names_are_those_of_all() -> None:
    """Every name of `__all__` can be had, and the module offers no other public name."""
    for name in scraper.__all__:
        assert getattr(scraper, name) is not None
    assert sorted(scraper.__all__) == dir(scraper)
    with pytest.raises(AttributeError, match="nothing"):
        _ = scraper.nothing
