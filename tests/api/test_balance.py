"""A run says what became of everything and what lay beyond limits, and ends as a bug if something is missing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import scraper
from scraper.cli.run import exit_code
from scraper.frontier.sqlite.statements import FrontierDatabase
from scraper.model import Result
from scraper.sinks.jsonl import ItemsSink, PagesSink
from scraper.testing.local_server import LocalServer, Reply
from tests.api.test_crawler import ROUTES, config, page

EXIT_BUG = 70


def summary_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "summary.json").read_bytes())
    return found


async def test_the_summary_has_the_balance(tmp_path: Path) -> None:
    """Known and recorded URLs, links, items and leases; also when the run was done before."""
    async with LocalServer(ROUTES) as site:
        await scraper.crawl(config(site, tmp_path))
        first = summary_of(tmp_path)
        again = await scraper.crawl(config(site, tmp_path))
    balance = first["balance"]
    assert balance["urls"] == {"known": 5, "recorded": 5, "waiting": 0, "skipped": 0, "redirected": 0}
    assert balance["links"] == {"found": 6, "queued": 4, "known": 2, "skipped": 0, "beyond": 0}
    assert (balance["items"]["found"], balance["items"]["written"], balance["missing"]) == (4, 4, [])
    assert (first["bounds"], again.idle, again.values["balance"]["urls"]) == ({}, True, balance["urls"])


async def test_bounds_are_those_of_all_sessions(tmp_path: Path) -> None:
    """What each session left out is added up, per key; the record of each page says it, too."""
    routes = {"/": page(*(f"/{n}" for n in range(5))), "/1": page("/a", "/b", "/c"), "*": Reply(404)}
    limits = {"max_links": 2, "max_pages": 1}
    async with LocalServer(routes) as site:
        await scraper.crawl(config(site, tmp_path, limits=limits))
        first = summary_of(tmp_path)["bounds"]
        await scraper.crawl(config(site, tmp_path, limits={"max_links": 2}))
    assert (first, summary_of(tmp_path)["bounds"]) == ({"limits.max_links": 3}, {"limits.max_links": 4})
    problems = [json.loads(line).get("problem") for line in (tmp_path / "pages.jsonl").read_text().splitlines()]
    assert "3 links left out: limits.max_links" in problems


def drop_records(sink: type[PagesSink]) -> Callable[[pytest.MonkeyPatch], None]:
    def break_it(monkeypatch: pytest.MonkeyPatch) -> None:
        write = sink.write

        def broken(self: PagesSink, result: Result) -> None:
            if not result.url.endswith("/b"):
                write(self, result)

        monkeypatch.setattr(sink, "write", broken)

    return break_it


def drop_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    add = FrontierDatabase._add_counts

    def broken(self: FrontierDatabase, batch: Any, new_hosts: set[str]) -> None:
        counts = {key: n for key, n in batch.outcome_counts.items() if key[1] == "ok"}
        add(self, type(batch)(outcome_counts=counts, items=batch.items), new_hosts)

    monkeypatch.setattr(FrontierDatabase, "_add_counts", broken)


@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        (drop_records(PagesSink), "pages.jsonl has 4 new records where 5 results were settled"),
        (drop_records(ItemsSink), "items.jsonl has 3 new records where 4 items were settled"),
        (drop_rows, "1 known URLs have no record"),
    ],
    ids=["pages", "items", "outcomes"],
)
async def test_what_is_missing_is_a_bug(
    break_it: Callable[[pytest.MonkeyPatch], None], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 70 with what is missing, in summary.json and on standard error."""
    async with LocalServer(ROUTES) as site:
        with pytest.MonkeyPatch.context() as monkeypatch:
            break_it(monkeypatch)
            summary = await scraper.crawl(config(site, tmp_path))
    assert (summary.why, exit_code(summary, strict=False)) == ("bug", EXIT_BUG)
    assert said in summary_of(tmp_path)["balance"]["missing"][0]
    assert said in capsys.readouterr().err


async def test_a_folder_that_does_not_add_up_is_not_called_finished(tmp_path: Path) -> None:
    """A URL that an earlier session lost is missing in the next one, too."""
    async with LocalServer(ROUTES) as site:
        with pytest.MonkeyPatch.context() as monkeypatch:
            drop_rows(monkeypatch)
            await scraper.crawl(config(site, tmp_path))
        again = await scraper.crawl(config(site, tmp_path))
    assert (again.idle, exit_code(again, strict=False)) == (True, EXIT_BUG)
