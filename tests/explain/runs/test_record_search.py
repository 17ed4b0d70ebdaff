"""Finding the records and queued requests of one URL."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import scraper
from scraper.explain.runs.record_search import search_records
from scraper.frontier.inspect import RunInspector
from scraper.frontier.sqlite.frontier import SqliteFrontier
from scraper.model import Retry
from scraper.rundir.layout import RunLayout
from scraper.testing.fakes import make_request
from scraper.testing.frontier_contract import NOW, make_post, make_settlement, make_url, take_leases
from scraper.testing.local_server import LocalServer, Reply
from scraper.urls.canonicalize import DEFAULT_KEY_RULES
from tests.api.test_crawler import config
from tests.explain.conftest import RunCommand


def record(body: str | None, **more: Any) -> dict[str, Any]:
    """A line of pages.jsonl for the one URL."""
    posted = {} if body is None else {"method": "POST", "body": body}
    return {"url": URL, "requested_url": URL, "status": 200, "redirects": [], "items": 1, **posted, **more}


URL = "https://a.example/api"


@pytest.mark.parametrize(
    ("records", "body", "meant", "others"),
    [
        ([record("1"), record("2")], None, "2", 1),
        ([record("1"), record(None), record("2")], None, None, 2),
        ([record("page 1"), record("page 2"), record("else")], "page", "page 2", 2),
        ([record("1"), record(None)], "1", "1", 1),
        ([record("1")], "none", "no record", 1),
        ([record(None)], None, None, 0),
    ],
    ids=["the latest", "the GET", "the latest that holds it", "not the GET", "nothing holds it", "alone"],
)
def test_which_of_several_is_meant(
    tmp_path: Path, records: list[dict[str, Any]], body: str | None, meant: str | None, others: int
) -> None:
    """A GET where there is one, else the latest POST, or the latest one that sent a text; items only where it is
    certain whose they are."""
    RunLayout(tmp_path).pages.write_text("".join(json.dumps(one) + "\n" for one in records))
    (tmp_path / "items.jsonl").write_text(json.dumps({"url": URL, "id": 1}) + "\n")
    found = search_records(tmp_path, make_url(URL), DEFAULT_KEY_RULES, body)
    assert (found.record.get("body") if found.record else "no record") == meant
    assert len(found.other_records) == others
    assert bool(found.items) is (others == 0)


async def test_requests_that_wait_are_found_by_their_url(tmp_path: Path) -> None:
    """All of them, the GET first; also those that wait for their date."""
    one, two, get = make_post(URL, b"1"), make_post(URL, b"2"), make_request(URL)
    other = make_post("https://a.example/other", b"1")
    async with await SqliteFrontier.open(tmp_path / ".scrape" / "frontier.sqlite") as frontier:
        await frontier.add([one, two, other, get])
        (lease,) = await take_leases(frontier)
        await frontier.settle([make_settlement(lease, Retry(NOW + 9, one), "")])
    with RunInspector(tmp_path) as state:
        found = state.find_queued(make_url(URL))
        assert next(queued.request for queued in found) == get
        assert {(queued.request.url, queued.due) for queued in found} == {
            (get.url, None), (two.url, None), (one.url, NOW + 9)
        }  # fmt: skip
        assert state.find_queued(make_url("https://a.example/none")) == []


async def test_several_posts_of_one_url_are_named(tmp_path: Path, run_command: RunCommand) -> None:
    """Each with its answer, and --body asks about one of them."""
    async with LocalServer({"/api": Reply(200, b"{}", {"Content-Type": "application/json"})}) as site:
        seeds = [{"url": site.url("/api"), "method": "POST", "json": {"page": number}} for number in range(9)]
        path = tmp_path / "c.yaml"
        settings = config(site, tmp_path / "out", seeds=seeds)
        path.write_text(json.dumps(settings))
        await scraper.crawl(settings)
        why = ("why", str(path), site.url("/api"), "--offline")
    lines = run_command(*why).output
    assert "kind          page, a seed" in lines
    assert 'posted        {"page":8}' in lines
    assert lines.count("also requestedPOST ") == 5
    assert "and 3 more; --body TEXT selects" in lines
    assert 'posted        {"page":3}' in run_command(*why, "--body", '"page":3').output
    values = json.loads(run_command(*why, "--body", '"page":3', "--json").output)
    assert values["run"]["record"]["body"] == '{"page":3}'
    assert len(values["run"]["others"]) == 8
    assert run_command(*why, "--body", "nowhere").output.strip().splitlines()[-1].endswith("contains 'nowhere'")
