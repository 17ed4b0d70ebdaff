"""The engine as a whole, on fakes and virtual time."""

from __future__ import annotations

import asyncio
import random
import statistics
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import pytest

from scraper.engine.run_state import StopReason
from scraper.engine.settings import EngineSettings
from scraper.errors import SinkError
from scraper.events import BreakerClosed, BreakerOpened, FetcherReplaced, HostParked, QueuesSampled, RetryPlanned
from scraper.hooks.interface import Hook
from scraper.model import ErrorKind, Failure, Item, Link, Request, Response, Result, Settlement, StopKind
from scraper.politeness.circuit_breaker import BreakerSettings
from scraper.politeness.host_gate import GateSettings, HostGate
from scraper.politeness.robots_cache import RobotsSettings
from scraper.testing.fakes import (
    FakeFetcher,
    FakeSink,
    ScriptedOutcome,
    fail_with,
    make_response,
    make_url,
    redirect_to,
    with_status,
)
from scraper.testing.memory_frontier import MemoryFrontier
from scraper.testing.virtual_loop import virtual_run
from tests.engine.harness import EPOCH, NO_LIMITS, EngineHarness

A = "http://a.example"
B = "http://b.example"


def chain(count: int, host: str = A) -> dict[str, list[str]]:
    """Pages that each link to the next."""
    return {f"{host}/{n}": [f"{host}/{n + 1}"] for n in range(count - 1)}


def fan(count: int, host: str = A) -> dict[str, list[str]]:
    """A start page that links to all others, and others that link back."""
    pages = [f"{host}/{n}" for n in range(count)]
    return {pages[0]: pages[1:], **{page: [pages[0]] for page in pages[1:]}}


@virtual_run
async def test_every_reachable_page_is_recorded_once() -> None:
    """A crawl follows links to the end and writes one record a URL."""
    harness = EngineHarness(FakeFetcher(default="<p>"), {**fan(50), f"{A}/7": [f"{A}/deep"]})
    stop = await harness.run(f"{A}/0")
    assert stop.kind == "finished"
    assert sorted(harness.sink.urls()) == sorted([f"{A}/{n}" for n in range(50)] + [f"{A}/deep"])
    assert len([url for url in harness.fetcher.urls() if not url.endswith("robots.txt")]) == 51


@virtual_run
async def test_starts_keep_the_promised_distance_whatever_the_concurrency() -> None:
    """With 5 requests a second and slow answers, no two starts on one host are closer than 200 ms."""
    harness = EngineHarness(
        FakeFetcher(default="<p>", latency=3.0), fan(40), gate=GateSettings(rate=5.0, concurrency=None)
    )
    await harness.run(f"{A}/0")
    starts = harness.fetcher.start_times("a.example")
    assert len(starts) == 40
    assert min(later - earlier for earlier, later in pairwise(starts)) >= 0.2 - 1e-6


@virtual_run
async def test_hosts_do_not_wait_for_each_other() -> None:
    """50 hosts at 2/s give about 100 pages a second together."""
    hosts = [f"http://h{n}.example" for n in range(50)]
    found = {page: links for host in hosts for page, links in fan(21, host).items()}
    harness = EngineHarness(FakeFetcher(default="<p>", latency=0.1), found, gate=GateSettings(rate=2.0, adaptive=False))
    harness.settings = EngineSettings(sitemaps=False, concurrency=64)
    await harness.run(*(f"{host}/0" for host in hosts))
    starts = harness.fetcher.start_times()
    assert len(starts) == 50 * 21
    assert 95 <= len(starts) / (starts[-1] - starts[0]) <= 110


@virtual_run
async def test_waiting_for_a_host_occupies_no_worker() -> None:
    """No worker waits for a host: with two workers, two slow hosts keep their full rate."""
    harness = EngineHarness(FakeFetcher(default="<p>", latency=0.1), {**fan(30), **fan(30, B)})
    harness.gate = GateSettings(rate=0.1, concurrency=None, adaptive=False)
    harness.settings = EngineSettings(sitemaps=False, concurrency=2)
    await harness.run(f"{A}/0", f"{B}/0")
    a, b = harness.fetcher.start_times("a.example"), harness.fetcher.start_times("b.example")
    assert a[-1] - a[0] == pytest.approx(290, abs=1)
    assert b[-1] - b[0] == pytest.approx(290, abs=1)


@virtual_run
async def test_concurrency_is_capped_per_host_and_in_total() -> None:
    """Never more fetches at once than `concurrency`, nor on one host than its cap."""
    harness = EngineHarness(FakeFetcher(default="<p>", latency=1.0), {**fan(30), **fan(30, B)})
    harness.gate = GateSettings(rate=None, concurrency=3, adaptive=False)
    harness.settings = EngineSettings(sitemaps=False, concurrency=5)
    await harness.run(f"{A}/0", f"{B}/0")
    assert harness.fetcher.max_concurrent == 5
    assert harness.fetcher.max_concurrent_by_host == {"a.example": 3, "b.example": 3}


@pytest.mark.parametrize("all_sitemaps", [True, False])
@virtual_run
async def test_a_plan_reads_sitemaps_when_its_page_budget_is_spent(all_sitemaps: bool) -> None:
    """A sitemap that is found on the last page is read by a dry run, which counts URLs, and not by a crawl."""
    sitemap = Link(make_url(f"{A}/map.xml"), kind="sitemap")
    harness = EngineHarness(FakeFetcher(default="<p>"), {f"{A}/0": [f"{A}/1", sitemap]})
    harness.settings = EngineSettings(sitemaps=False, max_pages=1, all_sitemaps=all_sitemaps)
    assert (await harness.run(f"{A}/0")).kind == "max_pages"
    assert harness.fetcher.urls() == ([f"{A}/0", f"{A}/map.xml"] if all_sitemaps else [f"{A}/0"])


class CountingFrontier(MemoryFrontier):
    """Remembers how many leases each call settled."""

    def __init__(self) -> None:
        super().__init__()
        self.batch_sizes: list[int] = []

    async def settle(
        self,
        settlements: Sequence[Settlement],
        checkpoints: Mapping[str, str] | None = None,
        host_state: Mapping[str, Mapping[str, str]] | None = None,
    ) -> int:
        self.batch_sizes.append(len(settlements))
        return await super().settle(settlements, checkpoints, host_state)


@virtual_run
async def test_a_busy_crawl_settles_in_groups() -> None:
    """Workers that are idle because their one host is busy get nothing from a commit, and cause none."""
    frontier = CountingFrontier()
    harness = EngineHarness(FakeFetcher(default="<p>", latency=0.01), fan(300), frontier=frontier)
    harness.gate = GateSettings(rate=None, concurrency=3, adaptive=False)
    await harness.run(f"{A}/0")
    assert sum(frontier.batch_sizes) == 300
    assert statistics.median(frontier.batch_sizes) >= 25  # 300 pages a second, a group in a tenth of one


@virtual_run
async def test_a_link_that_a_host_waits_for_is_settled_at_once() -> None:
    """A host whose pages link one to the next is not held up because another has more than its rate allows."""
    harness = EngineHarness(FakeFetcher(default="<p>", latency=3.0), {**fan(40), **chain(10, B)})
    harness.gate = GateSettings(rate=1.0, concurrency=None, adaptive=False)
    harness.settings = EngineSettings(sitemaps=False, concurrency=8, batch_seconds=5.0)
    await harness.run(f"{A}/0", f"{B}/0")
    starts = harness.fetcher.start_times("b.example")
    assert max(later - earlier for earlier, later in pairwise(starts)) == pytest.approx(3.0, abs=0.05)


@virtual_run
async def test_max_pages_is_never_overshot() -> None:
    """A crawl of 100 pages with a budget of 10 writes ten records, and resumes with a larger one."""
    harness = EngineHarness(FakeFetcher(default="<p>", latency=1.0), fan(100))
    harness.settings = EngineSettings(sitemaps=False, concurrency=8, max_pages=10)
    assert (await harness.run(f"{A}/0")).kind == "max_pages"
    assert len(harness.sink.flushed) == 10
    harness.settings = EngineSettings(sitemaps=False, concurrency=8, max_pages=25)
    assert (await harness.run(f"{A}/0")).kind == "max_pages"
    assert len(set(harness.sink.urls())) == len(harness.sink.flushed) == 25


@virtual_run
async def test_a_failure_is_retried_with_a_date_and_recorded_once() -> None:
    """Two failures and a success make one record, with the attempts counted."""
    answers: list[ScriptedOutcome] = [fail_with(ErrorKind.CONNECT), with_status(502), "<p>"]
    harness = EngineHarness(FakeFetcher({f"{A}/0": answers}))
    await harness.run(f"{A}/0")
    (result,) = harness.sink.flushed
    assert (result.status, result.error, result.request.attempt) == (200, None, 2)
    assert [event.why for event in harness.events_of(RetryPlanned)] == ["connect", "http_502"]


@virtual_run
async def test_retries_end() -> None:
    """A URL that always fails has one record, with its error, after 1 + `retries` attempts."""
    harness = EngineHarness(FakeFetcher({f"{A}/0": fail_with(ErrorKind.TIMEOUT)}))
    await harness.run(f"{A}/0")
    (result,) = harness.sink.flushed
    assert result.error is ErrorKind.TIMEOUT
    assert harness.fetcher.urls().count(f"{A}/0") == 4


@virtual_run
async def test_a_breaker_opens_probes_and_recovers() -> None:
    """A host that fails for a minute after its first page gets a pause and a probe, and is then crawled to the end."""
    loop = asyncio.get_running_loop()
    born = loop.time()

    def answer(request: Request) -> Response:
        return make_response(request, "<p>", 500 if 1 < loop.time() - born < 60 else 200)

    harness = EngineHarness(FakeFetcher(default=answer, latency=0.5), chain(3) | fan(30))
    harness.gate = GateSettings(rate=None, concurrency=4, adaptive=False, breaker=BreakerSettings(open=20.0))
    harness.retry = type(harness.retry)(retries=10)
    await harness.run(f"{A}/0")
    assert len(harness.events_of(BreakerOpened)) >= 1
    assert len(harness.events_of(BreakerClosed)) == 1
    assert {result.status for result in harness.sink.flushed} == {200}


@virtual_run
async def test_an_outage_uses_up_no_attempts() -> None:
    """A host that is down for ten minutes loses no page, although every page has but one retry."""
    loop = asyncio.get_running_loop()
    born = loop.time()

    def answer(request: Request) -> Response | Failure:
        if 10 < loop.time() - born < 610:
            return Failure(request, ErrorKind.CONNECT, "refused")
        return make_response(request, "<p>")

    harness = EngineHarness(FakeFetcher(default=answer, latency=0.5), fan(60))
    harness.gate = GateSettings(rate=2.0, concurrency=2, adaptive=False)
    harness.retry = type(harness.retry)(retries=1)
    await harness.run(f"{A}/0")
    failed = [result.url for result in harness.sink.flushed if result.error]
    assert len(harness.sink.flushed) == 60
    assert len(failed) <= 6  # those that failed before the breaker knew
    assert harness.events_of(BreakerClosed)


@virtual_run
async def test_broken_pages_do_not_condemn_their_host() -> None:
    """Every third page is always a 500: all are recorded, and the good ones are fetched without a long pause."""
    script: dict[str, ScriptedOutcome] = {f"{A}/{n}": with_status(500) for n in range(1, 90, 3)}
    harness = EngineHarness(FakeFetcher(script, default="<p>", latency=0.1), fan(90))
    loop = asyncio.get_running_loop()
    began = loop.time()
    await harness.run(f"{A}/0")
    by_status = [result.status for result in harness.sink.flushed]
    assert (by_status.count(200), by_status.count(500)) == (60, 30)
    assert loop.time() - began < 60


@virtual_run
async def test_a_host_that_never_recovers_is_given_up() -> None:
    """After its last probe the pages of a dead host stay queued, and the run ends and says so."""
    harness = EngineHarness(FakeFetcher({f"{A}/0": "<p>"}, default=fail_with(ErrorKind.CONNECT), latency=0.1), fan(40))
    harness.gate = GateSettings(rate=None, concurrency=2, adaptive=False)
    stop = await harness.run(f"{A}/0")
    assert stop.kind == "finished"
    assert harness.engine is not None
    left = [harness.engine.skip_for_unfetched(request, stop) async for request in harness.frontier.waiting()]
    assert {skip.reason for skip in left} == {"host_dead"}
    assert len(left) + len(harness.sink.flushed) == 40


@virtual_run
async def test_retry_after_holds_the_whole_host() -> None:
    """A 429 with Retry-After: 30 keeps every worker off that host for 30 seconds."""
    harness = EngineHarness(
        FakeFetcher({f"{A}/0": "<p>", f"{A}/1": [with_status(429, Retry_After="30"), "<p>"]}, default="<p>")
    )
    harness.fetcher.latency = 0.1
    harness.found = {f"{A}/0": [f"{A}/1"], f"{A}/1": [f"{A}/2", f"{A}/3"]}
    await harness.run(f"{A}/0")
    urls, starts = harness.fetcher.urls(), harness.fetcher.start_times()
    first = urls.index(f"{A}/1")
    assert starts[first + 1] - starts[first] >= 30
    assert harness.events_of(HostParked)
    assert len(harness.sink.flushed) == 4


@virtual_run
async def test_a_redirect_has_one_record_with_its_chain() -> None:
    """A -> B -> C is one record: C's page under A's name."""
    script: dict[str, ScriptedOutcome] = {
        f"{A}/a": redirect_to("/b"),
        f"{A}/b": redirect_to(f"{B}/c", 302),
        f"{B}/c": "<p>",
    }
    harness = EngineHarness(FakeFetcher(script))
    await harness.run(f"{A}/a")
    (result,) = harness.sink.flushed
    assert (result.url, result.request.requested, result.status) == (f"{B}/c", f"{A}/a", 200)
    assert [tuple(hop) for hop in result.request.redirects] == [(f"{A}/a", 301), (f"{A}/b", 302)]


@virtual_run
async def test_a_redirect_to_a_known_page_does_not_fetch_it_again() -> None:
    """A redirect whose target has a record of its own is recorded as a duplicate of it."""
    harness = EngineHarness(FakeFetcher({f"{A}/old": redirect_to("/0")}, default="<p>"), {f"{A}/0": [f"{A}/old"]})
    await harness.run(f"{A}/0")
    by_url = {result.url: result for result in harness.sink.flushed}
    assert by_url[f"{A}/old"].duplicate_of == f"{A}/0"
    assert harness.fetcher.urls().count(f"{A}/0") == 1


@virtual_run
async def test_a_redirect_loop_ends() -> None:
    """A page that redirects to itself for ever is one record with `redirect` as its error."""
    harness = EngineHarness(FakeFetcher({f"{A}/x": redirect_to("/y"), f"{A}/y": redirect_to("/x")}))
    await harness.run(f"{A}/x")
    (result,) = harness.sink.flushed
    assert result.error is ErrorKind.REDIRECT
    assert len(harness.fetcher.urls()) < 15
    assert (await harness.frontier.counts()).outcomes == {"redirect": 1}


@virtual_run
async def test_an_answer_that_leads_nowhere_is_no_failure() -> None:
    """A 300 without a Location is counted under a code of its own, not with the loops."""
    harness = EngineHarness(FakeFetcher({f"{A}/x": with_status(300)}))
    await harness.run(f"{A}/x")
    assert [result.error for result in harness.sink.flushed] == [None]
    assert (await harness.frontier.counts()).outcomes == {"not_followed": 1}


@virtual_run
async def test_robots_is_read_once_and_obeyed() -> None:
    """One request for robots.txt however many workers need it; what it forbids is a skip with its line."""
    harness = EngineHarness(
        FakeFetcher({f"{A}/robots.txt": "User-agent: *\nDisallow: /no"}, default="<p>", latency=1.0)
    )
    harness.found = {f"{A}/0": [f"{A}/{n}" for n in range(1, 20)] + [f"{A}/no/way"]}
    harness.robots = RobotsSettings(policy="obey")
    await harness.run(f"{A}/0")
    assert harness.fetcher.urls().count(f"{A}/robots.txt") == 1
    assert f"{A}/no/way" not in harness.fetcher.urls()
    skips = [skip async for skip in harness.frontier.skips()]
    assert [(skip.url.href, skip.reason) for skip in skips] == [(f"{A}/no/way", "robots")]
    assert "2" in skips[0].rule
    assert "Disallow: /no" in skips[0].rule


@virtual_run
async def test_a_robots_redirect_keeps_to_what_is_remembered_of_its_target() -> None:
    """robots.txt of A redirects to B, which asked for a pause in an earlier session: the pause is kept."""
    harness = EngineHarness(FakeFetcher({f"{A}/robots.txt": redirect_to(f"{B}/robots.txt")}, default="<p>"))
    harness.robots = RobotsSettings(policy="obey")
    gate = HostGate(NO_LIMITS, "b.example")
    parked = make_response(f"{B}/x", status=429, headers={"Retry-After": "40"})
    gate.on_start(EPOCH)
    gate.on_finish(parked, EPOCH, random.Random(1))
    await harness.frontier.settle([], host_state={"b.example": {"gate": gate.to_json()}})
    await harness.run(f"{A}/0")
    (asked,) = harness.fetcher.start_times("b.example")
    assert asked - harness.fetcher.start_times("a.example")[0] >= 39


@virtual_run
async def test_an_unreachable_robots_defers_the_host_and_the_run_ends() -> None:
    """A host whose robots.txt is a 500 is not crawled; its URLs stay queued, and the run does not hang."""
    harness = EngineHarness(FakeFetcher({f"{A}/robots.txt": with_status(500)}, default="<p>"))
    harness.robots = RobotsSettings(policy="obey")
    stop = await harness.run(f"{A}/0")
    assert stop.kind == "finished"
    assert set(harness.fetcher.urls()) == {f"{A}/robots.txt"}
    assert (await harness.frontier.counts()).waiting == 1
    assert harness.engine is not None
    left = [harness.engine.skip_for_unfetched(r, stop) async for r in harness.frontier.waiting()]
    assert [skip.reason for skip in left] == ["robots_unreachable"]


@virtual_run
async def test_a_stop_gives_back_what_is_not_finished() -> None:
    """After a stop no request starts; what takes longer than `shutdown_timeout` is fetched by the next run."""
    harness = EngineHarness(
        FakeFetcher(default="<p>", latency=lambda r: 1.0 if r.url.href == f"{A}/0" else 500.0), fan(20)
    )

    async def interrupt() -> None:
        await asyncio.sleep(5)
        assert harness.engine is not None
        harness.engine.stop(StopReason(StopKind.INTERRUPTED))

    async with asyncio.TaskGroup() as group:
        group.create_task(interrupt())
        stop = await harness.run(f"{A}/0")
    assert stop.kind == "interrupted"
    assert harness.sink.urls() == [f"{A}/0"]
    harness.fetcher.latency = 1.0
    assert (await harness.run(f"{A}/0")).kind == "finished"
    assert len(set(harness.sink.urls())) == len(harness.sink.flushed) == 20


@virtual_run
async def test_a_full_disk_ends_the_run_and_nothing_is_lost() -> None:
    """A sink that cannot be written raises SinkError; with room again the run is completed, each record once."""
    harness = EngineHarness(FakeFetcher(default="<p>", latency=0.5), fan(60), sink=FakeSink(fail_after=20))
    with pytest.raises(SinkError):
        await harness.run(f"{A}/0")
    harness.sink.fail_after = None
    assert (await harness.run(f"{A}/0")).kind == "finished"
    assert len(set(harness.sink.urls())) == len(harness.sink.flushed) == 60


@virtual_run
async def test_a_worker_that_crashes_is_replaced() -> None:
    """An unexpected error is recorded on its URL, and the crawl goes on with as many workers as before."""
    harness = EngineHarness(
        FakeFetcher({f"{A}/3": RuntimeError("boom"), f"{A}/4": RuntimeError("boom")}, default="<p>")
    )
    harness.found, harness.settings = fan(30), EngineSettings(sitemaps=False, concurrency=2)
    assert (await harness.run(f"{A}/0")).kind == "finished"
    assert len(harness.events_of(FetcherReplaced)) == 2
    failed = {result.url: result.error for result in harness.sink.flushed if result.error}
    assert failed == {f"{A}/3": ErrorKind.OTHER, f"{A}/4": ErrorKind.OTHER}
    assert len(harness.sink.flushed) == 30


@virtual_run
async def test_crashes_in_a_row_stop_the_run() -> None:
    """When every fetch crashes, the run stops after `max_consecutive_crashes` and keeps its state."""
    harness = EngineHarness(FakeFetcher({f"{A}/0": "<p>"}, default=RuntimeError("boom")), fan(100))
    harness.settings = EngineSettings(sitemaps=False, concurrency=4, max_consecutive_crashes=10)
    stop = await harness.run(f"{A}/0")
    assert stop.kind == "bug"
    assert "boom" in stop.detail
    assert (await harness.frontier.counts()).waiting > 50


class _Upper(Hook):
    async def on_item(self, item: Item, page: Response) -> Item | None:
        return Item({"name": str(item.fields["name"]).upper()}) if item.fields["name"] != "drop" else None

    def on_request(self, request: Request) -> Request | None:
        return None if request.url.href.endswith("/skip") else request


@virtual_run
async def test_hooks_change_items_and_skip_requests() -> None:
    """Plain and async hooks are called; None skips a URL and drops an item."""
    found: dict[str, list[str | dict[str, str]]] = {f"{A}/0": [f"{A}/skip", {"name": "x"}, {"name": "drop"}]}
    harness = EngineHarness(FakeFetcher(default="<p>"), found, hooks=[_Upper()])
    await harness.run(f"{A}/0")
    assert [dict(item.fields) for result in harness.sink.flushed for item in result.items] == [{"name": "X"}]
    assert f"{A}/skip" not in harness.fetcher.urls()


@virtual_run
async def test_results_are_handed_out_after_they_are_settled() -> None:
    """What the caller sees is on disk and settled already."""
    results: list[Result] = []
    harness = EngineHarness(FakeFetcher(default="<p>"), fan(10))
    await harness.run(f"{A}/0", results=results)
    assert sorted(result.url for result in results) == sorted(harness.sink.urls())


@virtual_run
async def test_the_monitor_samples_queues_and_hosts() -> None:
    """Samples say how many requests are queued, and the state of each busy host."""
    harness = EngineHarness(FakeFetcher(default="<p>", latency=1.0), fan(40))
    harness.gate = GateSettings(rate=2.0, concurrency=2, adaptive=False)
    await harness.run(f"{A}/0")
    samples = harness.events_of(QueuesSampled)
    assert max(sample.waiting for sample in samples) > 20
    host = next(sample.hosts[0] for sample in samples if sample.hosts)
    assert (host.host, host.delay, host.breaker) == ("a.example", 0.5, "closed")


@virtual_run
async def test_max_time_ends_a_session() -> None:
    """After `max_time` seconds the run stops cleanly and can go on later."""
    harness = EngineHarness(FakeFetcher(default="<p>", latency=1.0), fan(100))
    harness.gate = GateSettings(rate=1.0, adaptive=False)
    harness.settings = EngineSettings(sitemaps=False, max_time=20.0)
    assert (await harness.run(f"{A}/0")).kind == "max_time"
    assert 15 <= len(harness.sink.flushed) <= 22


class SlowToAnswer(MemoryFrontier):
    """Has settled long before it says so, as a frontier does whose commits are reported from another thread."""

    async def settle(
        self,
        settlements: Sequence[Settlement],
        checkpoints: Mapping[str, str] | None = None,
        host_state: Mapping[str, Mapping[str, str]] | None = None,
    ) -> int:
        new = await super().settle(settlements, checkpoints, host_state)
        await asyncio.sleep(0.2)
        return new


@pytest.mark.parametrize("make_frontier", [MemoryFrontier, SlowToAnswer])
@virtual_run
async def test_a_hop_that_is_leased_before_the_first_is_marked_as_settled_is_not_lost(
    make_frontier: Callable[..., Any],
) -> None:
    """The run waits for what it has leased, however soon a redirected entry comes back: each one has its record."""
    count = 40 if make_frontier is not SlowToAnswer else 4
    hops = {f"{A}/x{n}": redirect_to(f"{A}/y{n}") for n in range(count)}
    targets = [f"{A}/y{n}" for n in range(count)]

    def seconds(request: Request) -> float:
        # Files end while the hop is being settled: that is when a worker looks for its next lease.
        return 30.0 if "/y" in request.url.href else 0.01 * int(request.url.href.partition("good")[2] or 0)

    harness = EngineHarness(
        FakeFetcher({**hops, **dict.fromkeys(targets, "<p>")}, latency=seconds, default="<p>"),
        settings=EngineSettings(sitemaps=False, concurrency=8, redirect_keeps_entry=True, shutdown_timeout=1.0),
    )
    harness.frontier = make_frontier()
    good = [f"{A}/good{n}" for n in range(40)]
    stop = await harness.run(*hops, *good)
    assert stop.kind == "finished"
    assert sorted(harness.sink.urls()) == sorted([*targets, *good])
    assert (await harness.frontier.counts()).leased == 0
    await harness.frontier.aclose()
