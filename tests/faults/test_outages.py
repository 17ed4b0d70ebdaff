"""A host in trouble costs time and no pages, its trouble is no other origin's, and what was left because of it is told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import scraper
from scraper.cli.run import exit_code
from scraper.engine.settings import EngineSettings
from scraper.model import ErrorKind, Failure, Outcome, Request, Response
from scraper.politeness.circuit_breaker import BreakerSettings
from scraper.politeness.host_gate import GateSettings
from scraper.politeness.robots_cache import RobotsSettings
from scraper.testing.fakes import FakeFetcher, make_response
from scraper.testing.local_server import LocalServer, Reply, Route
from scraper.testing.virtual_loop import virtual_run
from tests.engine.harness import EngineHarness

HTTP, HTTPS = "http://h.example", "https://h.example"
POLITE = GateSettings(rate=20.0, concurrency=4, adaptive=False)
PAGES = [f"{HTTP}/{n}" for n in range(60)]


def respond(request: Request, status: int = 200, **headers: str) -> Response:
    """A small answer, once the robots.txt was not found."""
    if request.kind == "robots":
        return make_response(request, status=404)
    return make_response(request, "<p>", status=status, headers=headers)


def site(answer: Callable[[Request], Outcome], latency: float = 0.01) -> FakeFetcher:
    return FakeFetcher(default=answer, latency=latency)


def crawl_of(fetcher: FakeFetcher, gate: GateSettings = POLITE, *, obey: bool = False) -> EngineHarness:
    return EngineHarness(
        fetcher,
        {f"{HTTP}/": [*PAGES[:8], f"{HTTPS}/x"]},
        gate=gate,
        settings=EngineSettings(sitemaps=False, concurrency=8),
        robots=RobotsSettings(policy="obey" if obey else "ignore"),
    )


def recorded(harness: EngineHarness, status: int = 200) -> set[str]:
    return {result.url for result in harness.sink.flushed if result.status == status}


def down_between(start: float, end: float, trouble: Callable[[Request], Outcome]) -> Callable[[Request], Outcome]:
    """An answer that is `trouble` from `start` to `end`, in seconds after the first request."""
    begun: list[float] = []

    def answer(request: Request) -> Outcome:
        now = asyncio.get_running_loop().time()
        begun.append(now)
        return trouble(request) if start <= now - begun[0] < end else respond(request)

    return answer


def failure(kind: ErrorKind, *, permanent: bool = False) -> Callable[[Request], Outcome]:
    return lambda request: Failure(request, kind, "no luck", permanent=permanent)


@pytest.mark.parametrize("seconds", [1.5, 6.0, 100.0])
@pytest.mark.parametrize(
    "trouble",
    [
        failure(ErrorKind.CONNECT),
        failure(ErrorKind.TLS),
        failure(ErrorKind.TLS, permanent=True),
        failure(ErrorKind.DNS),
        failure(ErrorKind.DNS, permanent=True),
    ],
    ids=["refused", "certificate", "certificate for good", "resolver", "no such name"],
)
@virtual_run
async def test_an_outage_costs_time_and_no_pages(trouble: Callable[[Request], Outcome], seconds: float) -> None:
    """A restart, a wrong certificate, a resolver that is down: every page comes, and none has used up its attempts."""
    harness = crawl_of(site(down_between(1.0, 1.0 + seconds, trouble)))
    await harness.run(*PAGES)
    assert recorded(harness) == set(PAGES)
    assert {result.request.attempt for result in harness.sink.flushed} == {0}


@pytest.mark.parametrize("seconds", [1.5, 90.0])
@virtual_run
async def test_a_gateway_without_its_server_costs_no_pages(seconds: float) -> None:
    """502 for all URLs is the host's trouble."""
    harness = crawl_of(site(down_between(1.0, 1.0 + seconds, lambda request: respond(request, 502))))
    await harness.run(*PAGES)
    assert recorded(harness) == set(PAGES)


@virtual_run
async def test_a_host_that_never_responded_fails_as_before() -> None:
    """Nothing says that it would: one URL has its four attempts, and the run ends in seconds."""
    harness = crawl_of(site(failure(ErrorKind.CONNECT)))
    started = asyncio.get_running_loop().time()
    await harness.run(PAGES[0])
    assert [result.request.attempt for result in harness.sink.flushed] == [3]
    assert asyncio.get_running_loop().time() - started < 10


@pytest.mark.parametrize("obey", [True, False], ids=["robots.txt obeyed", "ignored"])
@pytest.mark.parametrize("kind", [ErrorKind.CONNECT, ErrorKind.TLS])
@virtual_run
async def test_one_link_with_the_other_scheme_costs_nothing(obey: bool, kind: ErrorKind) -> None:
    """http works, nothing listens for https: the pages are there at once, and the run ends in a minute or so."""

    def answer(request: Request) -> Outcome:
        return Failure(request, kind, "no luck") if request.url.origin == HTTPS else respond(request)

    harness = crawl_of(site(answer), obey=obey)
    started = asyncio.get_running_loop().time()
    stop = await harness.run(f"{HTTP}/")
    assert recorded(harness) == {f"{HTTP}/", *PAGES[:8]}
    assert asyncio.get_running_loop().time() - started < 90
    assert harness.engine is not None
    left = [harness.engine.skip_for_unfetched(request, stop) async for request in harness.frontier.waiting()]
    assert [(skip.url.href, skip.reason) for skip in left] == ([(f"{HTTPS}/x", "robots_unreachable")] if obey else [])


@pytest.mark.parametrize("obey", [True, False], ids=["robots.txt obeyed", "ignored"])
@virtual_run
async def test_a_scheme_in_trouble_that_comes_first_leaves_the_other_alone(obey: bool) -> None:
    """Forty URLs on a closed port, and forty good ones of the same name behind them."""

    def answer(request: Request) -> Outcome:
        refused = request.url.origin == HTTPS
        return Failure(request, ErrorKind.CONNECT, "refused") if refused else respond(request)

    harness = crawl_of(site(answer), obey=obey)
    stop = await harness.run(*[f"{HTTPS}/{n}" for n in range(40)], *PAGES[:40])
    assert recorded(harness) == set(PAGES[:40])
    assert harness.engine is not None
    left = [harness.engine.skip_for_unfetched(request, stop) async for request in harness.frontier.waiting()]
    failed = [result.url for result in harness.sink.flushed if result.error is ErrorKind.CONNECT]
    assert {skip.url.href for skip in left} | set(failed) == {f"{HTTPS}/{n}" for n in range(40)}
    assert {skip.reason for skip in left} <= {"robots_unreachable" if obey else "host_dead"}


@pytest.mark.parametrize("status", [403, 500])
@virtual_run
async def test_urls_behind_many_that_fail_have_their_chance(status: int) -> None:
    """Forty errors first, twenty good files behind them: a breaker costs time, not URLs that were not tried."""
    bad = {f"{HTTP}/{n}" for n in range(40)}
    harness = crawl_of(site(lambda request: respond(request, status if request.url.href in bad else 200)))
    await harness.run(*PAGES)
    assert recorded(harness) == set(PAGES) - bad
    assert recorded(harness, status) == bad


@pytest.mark.parametrize("first", [0, 10, 59], ids=lambda n: f"after {n} refusals")
@virtual_run
async def test_one_success_is_proof_that_a_host_does_not_refuse_us(first: int) -> None:
    """An object store responds 403 for each key it does not have."""
    good = {PAGES[first]}
    harness = crawl_of(site(lambda request: respond(request, 200 if request.url.href in good else 403)))
    stop = await harness.run(*PAGES)
    assert (recorded(harness), recorded(harness, 403)) == (good, set(PAGES) - good)
    assert stop.detail == ""


@virtual_run
async def test_a_dead_host_is_left_with_what_was_not_tried() -> None:
    """It is resumable: the next session, in which the host is back, brings every page."""
    up = False

    def answer(request: Request) -> Outcome:
        return respond(request) if up else Failure(request, ErrorKind.CONNECT, "refused")

    gate = GateSettings(rate=20.0, adaptive=False, breaker=BreakerSettings(give_up=2))
    harness = crawl_of(site(answer), gate)
    stop = await harness.run(*PAGES)
    assert "skipped.jsonl" in stop.detail
    assert harness.frontier.depths().waiting + harness.frontier.depths().delayed == 60
    up = True
    harness.frontier.park("h.example", 0.0)  # a frontier that is opened again has forgotten what was parked
    await harness.run()
    assert recorded(harness) == set(PAGES)


@pytest.mark.parametrize("where", ["retry-after", "crawl-delay"])
@virtual_run
async def test_an_absurd_wait_does_not_keep_the_run_open(where: str) -> None:
    """A year of Retry-After, three of Crawl-delay: set aside, told, and asked for by a later session."""

    def answer(request: Request) -> Outcome:
        if request.url.href == PAGES[3] and where == "retry-after":
            return respond(request, 503, **{"Retry-After": "31536000"})
        if request.kind == "robots" and where == "crawl-delay":
            return make_response(request, "User-agent: *\nCrawl-delay: 99999999")
        return respond(request)

    harness = crawl_of(site(answer), obey=True)
    started = asyncio.get_running_loop().time()
    stop = await harness.run(*PAGES, "http://other.example/")
    assert asyncio.get_running_loop().time() - started < 60
    assert "http://other.example/" in recorded(harness) or where == "crawl-delay"
    assert harness.engine is not None
    left = [harness.engine.skip_for_unfetched(request, stop) async for request in harness.frontier.waiting()]
    assert len(left) + len(harness.sink.flushed) == 61
    assert {skip.reason for skip in left} == {"deferred"}
    assert all(where in skip.rule for skip in left)


def page(*links: str) -> Reply:
    return Reply(200, "".join(f'<a href="{link}">x</a>' for link in links).encode())


def config(server: LocalServer, folder: Path, **more: Any) -> dict[str, Any]:
    return {
        "seeds": [server.url("/")],
        "politeness": {"per_host": {"rate": "unlimited"}, "robots": "ignore"},
        "sitemaps": "off",
        "network": {"allow_private": True},
        "output": {"folder": str(folder)},
        **more,
    }


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


async def test_a_redirect_into_a_dead_host_leaves_both_urls_with_a_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The URL that redirected was followed and has no record of its own; the exit code and a sentence say it too."""
    routes: dict[str, Route] = {"/": page("/moved"), "/moved": Reply(302, b"", {"Location": "http://127.0.0.1:1/x"})}
    async with LocalServer(routes) as server:
        polite = {"per_host": {"rate": "unlimited"}, "robots": "ignore"}
        polite["breaker"] = {"failures": 1, "open": 0.1, "give_up": 1}
        mapping = config(server, tmp_path / "out", politeness=polite, scope={"mode": "any"})
        summary = await scraper.crawl(mapping)
    skips = {skip["url"]: skip for skip in lines(tmp_path / "out" / "skipped.jsonl")}
    assert set(skips) == {"http://127.0.0.1:1/x", server.url("/moved")}
    assert skips[server.url("/moved")]["reason"] == "host_dead"
    assert skips[server.url("/moved")]["rule"].startswith("redirected to http://127.0.0.1:1/x: ")
    assert exit_code(summary, strict=False) == 1
    assert "left because of their hosts (host_dead 2)" in capsys.readouterr().err


async def test_failed_pages_are_asked_for_again(tmp_path: Path) -> None:
    """`retry_failed`: with their redirects, and what they link to; what succeeded or was never asked is left alone."""
    broken = Reply(404)
    routes: dict[str, Route] = {
        "/": page("/a", "/b", "/moved"),
        "/a": [broken, page("/c")],
        "/b": page(),
        "/c": page(),
        "/moved": Reply(302, b"", {"Location": "/new"}),
        "/new": [broken, page()],
    }
    async with LocalServer(routes) as server:
        mapping = config(server, tmp_path / "out")
        first = await scraper.crawl(mapping)
        assert (first.ok, first.failed) == (2, 2)
        async with scraper.Crawler(mapping, retry_failed=True) as crawler:
            second = await crawler.run()
        assert (second.ok, second.failed) == (5, 0)
        last = {record["requested_url"]: record["error"] for record in lines(tmp_path / "out" / "pages.jsonl")}
        assert last == {server.url(path): None for path in ("/", "/a", "/b", "/c", "/moved")}
        assert len(server.requests_for("/b")) == 1
        async with scraper.Crawler(mapping, retry_failed=True) as crawler:
            assert (await crawler.run()).idle
