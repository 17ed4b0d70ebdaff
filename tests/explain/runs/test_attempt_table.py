"""`scrape why` tells every attempt, of a URL that is done and of one that still waits; and one of several POSTs."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import scraper
from scraper.explain.runs.attempt_table import attempts_of_record, attempts_of_request, table_lines
from scraper.explain.runs.record_search import PAGES_FILE, search_records
from scraper.frontier.inspect import RunInspector
from scraper.frontier.sqlite.frontier import SqliteFrontier
from scraper.model import Attempt, Retry
from scraper.testing.fakes import make_request
from scraper.testing.frontier_contract import NOW, make_post, make_settlement, make_url, take_leases
from scraper.testing.local_server import LocalServer, ReceivedRequest, Reply
from scraper.urls.canonicalize import DEFAULT_KEY_RULES
from tests.api.test_crawler import config
from tests.explain.conftest import ROOT, RunCommand

TRIES = [
    ["1", "HTTP 500 Internal Server Error"],
    ["2", "HTTP 503 Service Unavailable; Retry-After: 1"],
    ["3", "200"],
]


def rows(out: str) -> list[list[str]]:
    """The number and the words of each attempt in the table."""
    lines = out.splitlines()
    (first,) = [number for number, line in enumerate(lines) if line.startswith("tries")]
    found = []
    for line in lines[first + 1 :]:
        if not line.startswith(" "):
            break
        number, _, what, *_ = re.split(r"\s{2,}", line.strip())
        found.append([number, what])
    return found


async def test_every_attempt_is_told_in_order_also_after_a_kill(tmp_path: Path, tell: RunCommand) -> None:
    """500, then 503 with Retry-After and a kill, then 200 in the next session: three rows, and each with its time."""
    failing = [Reply(500), Reply(503, b"", {"Retry-After": "1"})]
    killed = asyncio.Event()

    async def page(_: ReceivedRequest) -> Reply:
        if failing:
            return failing.pop(0)
        await killed.wait()  # the first process is not to see the third answer, however late it is ended
        return Reply(200, b"<h1>T</h1>", {"Content-Type": "text/html"})

    async with LocalServer({"/": page}) as site:
        path = tmp_path / "c.yaml"
        settings = config(site, tmp_path / "out")
        path.write_text(json.dumps(settings))
        why = ("why", str(path), site.url("/"), "--offline")
        command = [sys.executable, "-m", "scraper", "crawl", str(path), "--progress", "json"]
        process = await asyncio.create_subprocess_exec(
            *command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert process.stdout is not None
        while b"http_503" not in (line := await asyncio.wait_for(process.stdout.readline(), 30)):
            assert line, "it ended before the second answer was recorded"
        process.send_signal(signal.SIGKILL)
        await process.stdout.read()
        await process.wait()
        killed.set()
        waiting = (await asyncio.to_thread(tell, *why)).output
        assert rows(waiting) == TRIES[:2]
        assert waiting.splitlines()[-1].startswith("reason        waiting: it ")
        assert (await scraper.crawl(settings)).ok == 1
        done = (await asyncio.to_thread(tell, *why)).output
        told = json.loads((await asyncio.to_thread(tell, *why, "--json")).output)
    assert rows(done) == TRIES
    assert done.splitlines()[-1].endswith("fetched: it was requested, the response was 200")
    assert [one["attempt"] for one in told["tries"]] == [1, 2, 3]
    assert [one["status"] for one in told["tries"]] == [500, 503, 200]
    assert told["tries"][1]["wait_s"] >= 1
    assert (told["reason"], told["run"]["record"]["tries"]) == ("fetched", told["tries"][:2])
    instants = [one["at"] for one in told["tries"]]
    assert instants == sorted(instants)


def test_one_attempt_needs_no_table() -> None:
    """The first that succeeds is the rule; records of earlier versions have none either."""
    assert (
        attempts_of_record({"status": 200, "attempts": 1})
        == attempts_of_record({"tries": "odd"})
        == attempts_of_record({"tries": [5]})
        == []
    )
    assert list(table_lines([])) == []
    assert attempts_of_request(make_request("https://a.example/")) == []


def test_the_table_is_one_line_an_attempt() -> None:
    """Aligned, whatever a server says; what is not there is a question mark."""
    odd = Attempt(9, NOW, None, "protocol", "no\nHTTP  at\tall", 0.5, 90.0)
    lines = list(table_lines([*attempts_of_request(make_request("https://a.example/", failed_attempts=(odd,))), {}]))
    assert lines == [
        "#  when                      what                      took    next",
        "9  1970-01-12T13:46:40.000Z  protocol: no HTTP at all  500 ms  after 1m 30s",
        "?  ?                         ?                         ?       -",
    ]


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
    (tmp_path / PAGES_FILE).write_text("".join(json.dumps(one) + "\n" for one in records))
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


async def test_several_posts_of_one_url_are_named(tmp_path: Path, tell: RunCommand) -> None:
    """Each with its answer, and --body asks about one of them."""
    async with LocalServer({"/api": Reply(200, b"{}", {"Content-Type": "application/json"})}) as site:
        seeds = [{"url": site.url("/api"), "method": "POST", "json": {"page": number}} for number in range(9)]
        path = tmp_path / "c.yaml"
        settings = config(site, tmp_path / "out", seeds=seeds)
        path.write_text(json.dumps(settings))
        await scraper.crawl(settings)
        why = ("why", str(path), site.url("/api"), "--offline")
    told = tell(*why).output
    assert "kind          page, a seed" in told
    assert 'posted        {"page":8}' in told
    assert told.count("also requestedPOST ") == 5
    assert "and 3 more; --body TEXT selects" in told
    assert 'posted        {"page":3}' in tell(*why, "--body", '"page":3').output
    values = json.loads(tell(*why, "--body", '"page":3', "--json").output)
    assert values["run"]["record"]["body"] == '{"page":3}'
    assert len(values["run"]["others"]) == 8
    assert tell(*why, "--body", "nowhere").output.strip().splitlines()[-1].endswith("contains 'nowhere'")


def test_a_text_that_is_no_url_is_json_too(tmp_path: Path, tell: RunCommand) -> None:
    """One object, whatever was asked about."""
    path = tmp_path / "c.yaml"
    path.write_text("seeds: [https://a.example/]")
    assert json.loads(tell("why", str(path), "mailto:a@b.c", "--json").output) == {
        "url": "mailto:a@b.c",
        "reason": "scheme",
        "detail": "scheme: mailto",
    }
    before = json.loads(tell("why", str(path), "https://a.example/x", "--offline", "--json").output)
    assert (before["reason"], before["run"], before["tries"], before["seed"]) == ("allowed", None, [], False)
