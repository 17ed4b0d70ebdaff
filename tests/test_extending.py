"""docs/extending.md: every example runs, each is short, and the list of public names is the package's own."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import orjson
import pytest

import scraper
from scraper.testing.local_server import LocalServer
from tests.api.test_crawler import ROUTES, config, page

TEXT = (Path(__file__).parents[1] / "docs" / "extending.md").read_text("utf-8")
EXAMPLES = dict(re.findall(r"^## (A sink|A fetcher|A hook|A listener)\n.*?```python\n(.*?)```", TEXT, re.S | re.M))


def run_example(heading: str) -> dict[str, Any]:
    """The names that an example defines."""
    names: dict[str, Any] = {"__name__": "example"}
    exec(compile(EXAMPLES[heading], heading, "exec"), names)
    return names


def test_there_is_one_example_of_each() -> None:
    """A sink, a fetcher, a hook and a listener, each class in at most twenty lines."""
    assert set(EXAMPLES) == {"A sink", "A fetcher", "A hook", "A listener"}
    for code in EXAMPLES.values():
        body = code[code.index("class ") :].split("\n\n\n")[0]
        assert len([line for line in body.splitlines() if line.strip()]) <= 20, body


async def test_the_sink_loses_and_repeats_nothing(tmp_path: Path) -> None:
    """Also when the run is left in the middle and taken up again with another object."""
    names = run_example("A sink")
    out = tmp_path / "out"
    async with LocalServer(ROUTES) as site:
        async with scraper.Crawler(config(site, out), sinks=[names["TitleSink"](out)]) as crawler:
            async for _ in crawler.results():
                break
        with (out / "titles.txt").open("ab") as file:
            file.write(b"never settled\n")
        summary = await names["crawl_with_titles"](config(site, out), out)
    assert summary.items == 4
    assert (out / "titles.txt").read_text() == "T\n" * 4


async def test_the_fetcher_brings_files(tmp_path: Path) -> None:
    """Links are followed, a missing file is a failure with a record, no connection is made."""
    (tmp_path / "index.html").write_text("<h1>One</h1><a href='two.html'>2</a><a href='gone.html'>3</a>")
    (tmp_path / "two.html").write_text("<h1>Two</h1>")
    names = run_example("A fetcher")
    settings = {
        "seeds": ["http://folder.example/index.html"],
        "politeness": {"robots": "ignore", "per_host": {"rate": "unlimited"}},
        "sitemaps": "off",
        "limits": {"retries": 0},
        "output": {"folder": str(tmp_path / "out")},
    }
    summary = await names["crawl_folder"](settings, tmp_path)
    assert (summary.why, summary.ok, summary.failed) == ("finished", 2, 1)


async def test_the_hook_changes_items(tmp_path: Path) -> None:
    """What it returns is what the outputs get; what it skips is not fetched."""
    shop = {"/": page("/basket"), "/basket": page()}
    price = {"css": "h2", "type": "float", "default": 10.0}
    names = run_example("A hook")
    async with LocalServer(shop) as site:
        summary = await names["crawl_with_tax"](config(site, tmp_path, extract=[{"fields": {"price": price}}]))
    assert summary.ok == 1
    assert orjson.loads((tmp_path / "items.jsonl").read_bytes())["gross"] == 12.0


async def test_the_listener_hears_of_pages(tmp_path: Path) -> None:
    """It gets every event of a fetch."""
    names = run_example("A listener")
    async with LocalServer(ROUTES) as site:
        urls = await names["slow_pages"](config(site, tmp_path), 0.0)
        assert {site.url("/"), site.url("/c")} <= set(urls)


def test_the_public_names_are_listed_once() -> None:
    """The table of docs/extending.md, `scraper.__all__` and what can be imported are the same names."""
    table = TEXT[TEXT.index("## What is public") :]
    listed = re.findall(r"`(\w+)`", "".join(line for line in table.splitlines(True) if line.startswith("| `")))
    assert sorted([*listed, "__version__"]) == sorted(scraper.__all__)
    assert [name for name in scraper.__all__ if not hasattr(scraper, name)] == []


@pytest.mark.parametrize("group", ["scraper.sinks", "scraper.fetchers", "scraper.hooks"])
def test_the_groups_of_entry_points_are_documented(group: str) -> None:
    """A package author finds the name of each."""
    from scraper.plugins import ENTRY_POINT_GROUPS

    assert group in ENTRY_POINT_GROUPS.values()
    assert group in TEXT
