"""`scrape why` tells every attempt, of a URL that is done and of one that still waits; and one of several POSTs."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import scraper
from scraper.explain.runs.attempt_table import attempts_of_record, attempts_of_request, table_lines
from scraper.model import Attempt
from scraper.testing.fakes import make_request
from scraper.testing.frontier_contract import NOW
from scraper.testing.local_server import LocalServer, ReceivedRequest, Reply
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


async def test_every_attempt_is_reported_in_order_also_after_a_kill(tmp_path: Path, run_command: RunCommand) -> None:
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
        waiting = (await asyncio.to_thread(run_command, *why)).output
        assert rows(waiting) == TRIES[:2]
        assert waiting.splitlines()[-1].startswith("reason        waiting: it ")
        assert (await scraper.crawl(settings)).ok == 1
        done = (await asyncio.to_thread(run_command, *why)).output
        lines = json.loads((await asyncio.to_thread(run_command, *why, "--json")).output)
    assert rows(done) == TRIES
    assert done.splitlines()[-1].endswith("fetched: it was requested, the response was 200")
    assert [one["attempt"] for one in lines["tries"]] == [1, 2, 3]
    assert [one["status"] for one in lines["tries"]] == [500, 503, 200]
    assert lines["tries"][1]["wait_s"] >= 1
    assert (lines["reason"], lines["run"]["record"]["tries"]) == ("fetched", lines["tries"][:2])
    instants = [one["at"] for one in lines["tries"]]
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
