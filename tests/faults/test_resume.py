"""What a run that goes on knows of the sessions before it."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from typing import Any

import pytest

import scraper
from scraper.clock import Clock
from scraper.engine.session import CLOCK_CHECKPOINT, CLOCK_TOLERANCE_SECONDS, clock_set_back_notice, session_start
from scraper.events import Event, Warned
from scraper.testing.local_server import LocalServer, Reply
from tests.faults.runs import (
    SiteProcess,
    crawl_config,
    killed_on_exit,
    read_json_lines,
    run_crawl,
    start_crawl,
    verify_complete_crawl,
)
from tests.faults.web import ITEMS_PER_PAGE, SiteContent


def run_interrupted(server: SiteProcess, tmp_path: Path, settings: dict[str, Any], count: int = 20) -> None:
    """A first session, ended by a signal after `count` requests."""
    with killed_on_exit(start_crawl(tmp_path, settings)) as crawl:
        server.wait_for_requests(len(server.requested_paths()) + count, crawl)
        crawl.send(signal.SIGINT)
        assert crawl.wait_for_exit() == 130, crawl.output()


def test_a_changed_config_is_told_with_what_follows(tmp_path: Path) -> None:
    """Each section that changed is named, with what that means; the run goes on. An unchanged one says nothing."""
    with SiteProcess(SiteContent(60), tmp_path / "asked.txt", slow=0.02) as server:
        settings = crawl_config(server, tmp_path / "out")
        run_interrupted(server, tmp_path, settings)
        run_interrupted(server, tmp_path, settings, 10)
        assert "has changed" not in (tmp_path / "screen.txt").read_text()
        changed = {"scope": {"deny": ["/nothing"]}, "headers": {"X-Other": "1"}, "sitemaps": "off"}
        code, text = run_crawl(tmp_path, settings | changed)
        assert code == 0, text
        notices = [line for line in text.splitlines() if "has changed since the last session" in line]
        assert len(notices) == 2, text
        assert "what was skipped stays skipped" in " ".join(notices)
        assert "headers: sent from the next request on" in " ".join(notices)
        verify_complete_crawl(server, tmp_path / "out")


def test_a_finished_run_sends_nothing(tmp_path: Path) -> None:
    """It says that it is finished, whatever has changed in its config, and the server hears nothing; a new seed is
    asked for."""
    with SiteProcess(SiteContent(30), tmp_path / "asked.txt") as server:
        settings = crawl_config(server, tmp_path / "out")
        assert run_crawl(tmp_path, settings)[0] == 0
        asked = len(server.requested_paths())
        summary = (tmp_path / "out" / "summary.json").read_bytes()
        for more in ({}, {"headers": {"X-Other": "1"}}):
            code, text = run_crawl(tmp_path, settings | more)
            assert (code, "this run is finished" in text, len(server.requested_paths())) == (0, True, asked), text
        assert (tmp_path / "out" / "summary.json").read_bytes() == summary
        verify_complete_crawl(server, tmp_path / "out")
        code, text = run_crawl(tmp_path, settings | {"seeds": [server.url(), server.url("/t/new")]})
        assert (code, len(server.requested_paths())) == (0, asked + 1), text
        assert read_json_lines(tmp_path / "out" / "pages.jsonl")[-1]["url"] == server.url("/t/new")


def test_a_run_that_died_before_its_summary_gets_it_later(tmp_path: Path) -> None:
    """Killed when everything was settled and the summary was not written: the next one does not tell an old story."""
    with SiteProcess(SiteContent(60), tmp_path / "asked.txt", slow=0.02) as server:
        settings = crawl_config(server, tmp_path / "out")
        run_interrupted(server, tmp_path, settings)
        assert json.loads((tmp_path / "out" / "summary.json").read_text())["why"] == "interrupted"
        with killed_on_exit(
            start_crawl(tmp_path, settings, module=("tests.faults.crash_at", "before the summary", "0"))
        ) as crawl:
            assert crawl.wait_for_exit() == -9, crawl.output()
        asked = len(server.requested_paths())
        assert run_crawl(tmp_path, settings)[0] == 0
        assert len(server.requested_paths()) == asked
        verify_complete_crawl(server, tmp_path / "out")


def test_an_output_that_was_left_out_is_not_taken_up_again(tmp_path: Path) -> None:
    """What it lacks could not be made good: taken up again it is refused, and the others go on."""
    with SiteProcess(SiteContent(60), tmp_path / "asked.txt", slow=0.02) as server:
        settings = crawl_config(server, tmp_path / "out")
        fewer = settings | {"output": {"folder": str(tmp_path / "out"), "sinks": ["jsonl", "sqlite"]}}
        run_interrupted(server, tmp_path, settings)
        run_interrupted(server, tmp_path, fewer, 10)
        code, text = run_crawl(tmp_path, settings)
        assert (code, "items.csv was left out" in text) == (3, True), text
        code, text = run_crawl(tmp_path, fewer)
        assert code == 0, text
        assert len(read_json_lines(tmp_path / "out" / "items.jsonl")) == ITEMS_PER_PAGE * len(
            server.web.pages_with_items()
        )


@pytest.mark.slow
def test_waits_outlive_a_kill(tmp_path: Path) -> None:
    """Killed and resumed, a run still gives a host the Retry-After it asked for, an open breaker its time, and the rate
    its gap; robots.txt is not asked for again and still obeyed."""
    wait = 3.0
    with (
        SiteProcess(SiteContent(1), tmp_path / "limited.txt") as limited,
        SiteProcess(SiteContent(1), tmp_path / "broken.txt") as broken,
        SiteProcess(SiteContent(9), tmp_path / "slow.txt") as slow,
    ):
        seeds = [limited.url("/limited/3"), *(broken.url(f"/broken/{n}") for n in range(4)), slow.url()]
        forbidden = slow.url("/private/1")
        polite = {
            "per_host": {"rate": "unlimited", "concurrency": 1},
            "adaptive": False,
            "breaker": {"failures": 3, "window": 4, "ratio": 0.6, "open": wait},
            "hosts": {f"127.0.0.1:{slow.port}": {"rate": 1 / wait}},
        }
        settings = crawl_config(limited, tmp_path / "out", seeds=[*seeds, forbidden], politeness=polite)
        with killed_on_exit(start_crawl(tmp_path, settings)) as crawl:
            limited.wait_for_requests(2, crawl)
            slow.wait_for_requests(1, crawl)
            while "breaker open" not in crawl.output():
                assert crawl.exit_code() is None, crawl.output()
                time.sleep(0.02)
            time.sleep(0.5)
            crawl.kill()
        before = {server: server.request_times() for server in (limited, broken, slow)}
        with killed_on_exit(start_crawl(tmp_path, settings)) as crawl:
            for server, asked in before.items():
                server.wait_for_requests(len(asked) + 1, crawl)
            crawl.kill()
        for server, asked in before.items():
            again = server.request_times()[len(asked)]
            assert again[0] - asked[-1][0] > wait - 0.1, (server.log, asked, again)
            assert server.requested_paths().count("/robots.txt") == 1
        assert "/private/1" not in slow.requested_paths()


@pytest.mark.parametrize(
    ("system", "mark", "begins"),
    [
        (1000.0, None, 1000.0),
        (1000.0, "900.0", 1000.0),
        (1000.0, "2000.5", 2000.5),
        (1000.0, "junk", 1000.0),
        (1000.0, "inf", 1000.0),
        (1000.0, "nan", 1000.0),
        (1000.0, "-inf", 1000.0),
    ],
)
def test_a_session_never_begins_before_the_last_one_ended(system: float, mark: str | None, begins: float) -> None:
    """The later of the system's clock and the run's own; a mark that makes no sense is nothing."""
    assert session_start(system, mark) == begins


@pytest.mark.parametrize(
    ("behind", "noticed"), [(-10.0, False), (CLOCK_TOLERANCE_SECONDS, False), (CLOCK_TOLERANCE_SECONDS + 1, True)]
)
def test_a_clock_that_was_set_back_is_noticed(behind: float, noticed: bool) -> None:
    """By more than a minute; clocks are set by a little all the time."""
    assert bool(clock_set_back_notice(1000.0, 1000.0 + behind)) == noticed


async def test_a_clock_set_back_by_a_day_makes_no_wait_longer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that asked for two seconds is asked again after two, also when the clock was set back between sessions."""
    async with LocalServer({"/": [Reply(429, headers={"Retry-After": "2"}), Reply(body=b"<p>here")]}) as site:
        settings = {
            "seeds": [site.url("/")],
            "politeness": {"robots": "ignore"},
            "sitemaps": "off",
            "output": {"folder": str(tmp_path / "out")},
        }
        crawler = await scraper.Crawler.open(settings)
        running_on = crawler._opened.ports.frontier.settle

        async def stop_after(*arguments: Any) -> int:
            new = await running_on(*arguments)
            crawler.stop()
            return new

        monkeypatch.setattr(crawler._opened.ports.frontier, "settle", stop_after)
        assert (await crawler.run()).why == "interrupted"
        marks = (await crawler._opened.ports.frontier.counts()).checkpoints
        await crawler.aclose()
        day_before = float(marks[CLOCK_CHECKPOINT]) - 86_400
        monkeypatch.setattr("scraper.build.crawl.wall_time", lambda: day_before)
        summary = await scraper.crawl(settings)
        assert (summary.ok, len(site.requests)) == (1, 2)
        assert 1.9 < site.requests[1].at - site.requests[0].at < 10


async def test_a_clock_that_jumps_while_a_run_goes_on_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run's time is anchored once: what the system's clock does afterwards is not noticed."""
    mine = Clock()
    before = mine.now()
    for jump in (-86_400.0, 86_400.0):
        monkeypatch.setattr(time, "time", lambda jump=jump: before + jump)
        assert 0 <= mine.now() - before < 5


LOGIN = Reply(200, b"".join(b"<a href=/m/%d>m</a>" % i for i in range(6)), {"Set-Cookie": "sid=42; Path=/"})


@pytest.mark.parametrize("way", ["resumed", "without its cookies", "fresh"])
async def test_a_resumed_run_is_still_logged_in(tmp_path: Path, way: str) -> None:
    """The cookies of the first session are sent in the next one; a run that has lost them says so; a fresh one has
    none."""
    routes = {"/login": LOGIN, **{f"/m/{i}": Reply(200, b"<h1>m</h1>") for i in range(6)}}
    async with LocalServer(routes) as site:
        config = {
            "seeds": [{"url": site.url("/login"), "method": "POST", "json": {"user": "joe"}}],
            "sitemaps": "off",
            "politeness": {"per_host": {"rate": "unlimited", "concurrency": 1}},
            "output": {"folder": str(tmp_path / "out")},
        }
        async with scraper.Crawler(config) as crawler:
            async for _ in crawler.results():
                break
        jar = tmp_path / "out/.scrape/cookies.json"
        assert jar.stat().st_mode & 0o777 == 0o600
        if way == "without its cookies":
            jar.unlink()
        before, said = len(site.requests), list[str]()

        def listen(event: Event) -> None:
            if isinstance(event, Warned):
                said.append(event.message)

        await scraper.crawl(config, fresh=way == "fresh", listeners=[listen])
        members = [request for request in site.requests[before:] if request.target.startswith("/m/")]
        first_of_all = site.requests[before:][1]
    assert members
    has_cookie = {request.headers.get("cookie") == "sid=42" for request in members}
    assert has_cookie == {way != "without its cookies"}
    assert any("cookies of earlier sessions were not kept" in text for text in said) == (way == "without its cookies")
    if way == "fresh":
        assert first_of_all.target == "/login"
        assert first_of_all.headers.get("cookie") is None
