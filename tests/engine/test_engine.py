"""The machine as a whole, on fakes and virtual time."""

from __future__ import annotations

import asyncio
import random
import statistics
from collections.abc import Mapping, Sequence
from itertools import pairwise

import pytest

from scraper.engine.run_state import StopReason
from scraper.engine.settings import EngineSettings
from scraper.errors import SinkError
from scraper.events import BreakerClosed, BreakerOpened, FetcherReplaced, HostParked, QueuesSampled, RetryPlanned
from scraper.frontier.memory import MemoryFrontier
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
    machine = EngineHarness(FakeFetcher(default="<p>"), {**fan(50), f"{A}/7": [f"{A}/deep"]})
    stop = await machine.run(f"{A}/0")
    assert stop.kind == "finished"
    assert sorted(machine.sink.urls()) == sorted([f"{A}/{n}" for n in range(50)] + [f"{A}/deep"])
    assert len([url for url in machine.fetcher.urls() if not url.endswith("robots.txt")]) == 51


@virtual_run
async def test_starts_keep_the_promised_distance_whatever_the_concurrency() -> None:
    """With 5 requests a second and slow answers, no two starts on one host are closer than 200 ms."""
    machine = EngineHarness(
        FakeFetcher(default="<p>", latency=3.0), fan(40), gate=GateSettings(rate=5.0, concurrency=None)
    )
    await machine.run(f"{A}/0")
    starts = machine.fetcher.start_times("a.example")
    assert len(starts) == 40
    assert min(later - earlier for earlier, later in pairwise(starts)) >= 0.2 - 1e-6


@virtual_run
async def test_hosts_do_not_wait_for_each_other() -> None:
    """50 hosts at 2/s give about 100 pages a second together."""
    hosts = [f"http://h{n}.example" for n in range(50)]
    found = {page: links for host in hosts for page, links in fan(21, host).items()}
    machine = EngineHarness(FakeFetcher(default="<p>", latency=0.1), found, gate=GateSettings(rate=2.0, adaptive=False))
    machine.settings = EngineSettings(sitemaps=False, concurrency=64)
    await machine.run(*(f"{host}/0" for host in hosts))
    starts = machine.fetcher.start_times()
    assert len(starts) == 50 * 21
    assert 95 <= len(starts) / (starts[-1] - starts[0]) <= 110


@virtual_run
async def test_waiting_for_a_host_occupies_no_fetcher() -> None:
    """Waiting for a host's turn takes no fetcher: with two fetchers two slow hosts keep their full rate."""
    machine = EngineHarness(FakeFetcher(default="<p>", latency=0.1), {**fan(30), **fan(30, B)})
    machine.gate = GateSettings(rate=0.1, concurrency=None, adaptive=False)
    machine.settings = EngineSettings(sitemaps=False, concurrency=2)
    await machine.run(f"{A}/0", f"{B}/0")
    a, b = machine.fetcher.start_times("a.example"), machine.fetcher.start_times("b.example")
    assert a[-1] - a[0] == pytest.approx(290, abs=1)
    assert b[-1] - b[0] == pytest.approx(290, abs=1)


@virtual_run
async def test_concurrency_is_capped_per_host_and_in_total() -> None:
    """Never more fetches at once than `concurrency`, nor on one host than its cap."""
    machine = EngineHarness(FakeFetcher(default="<p>", latency=1.0), {**fan(30), **fan(30, B)})
    machine.gate = GateSettings(rate=None, concurrency=3, adaptive=False)
    machine.settings = EngineSettings(sitemaps=False, concurrency=5)
    await machine.run(f"{A}/0", f"{B}/0")
    assert machine.fetcher.max_concurrent == 5
    assert machine.fetcher.max_concurrent_by_host == {"a.example": 3, "b.example": 3}


@pytest.mark.parametrize("all_sitemaps", [True, False])
@virtual_run
async def test_a_plan_reads_sitemaps_when_its_page_budget_is_spent(all_sitemaps: bool) -> None:
    """A sitemap that is found on the last page is read for who counts URLs, and left alone by a crawl."""
    sitemap = Link(make_url(f"{A}/map.xml"), kind="sitemap")
    machine = EngineHarness(FakeFetcher(default="<p>"), {f"{A}/0": [f"{A}/1", sitemap]})
    machine.settings = EngineSettings(sitemaps=False, max_pages=1, all_sitemaps=all_sitemaps)
    assert (await machine.run(f"{A}/0")).kind == "max_pages"
    assert machine.fetcher.urls() == ([f"{A}/0", f"{A}/map.xml"] if all_sitemaps else [f"{A}/0"])


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
    """Fetchers that are idle because their one host is busy get nothing from a commit, and cause none."""
    frontier = CountingFrontier()
    machine = EngineHarness(FakeFetcher(default="<p>", latency=0.01), fan(300), frontier=frontier)
    machine.gate = GateSettings(rate=None, concurrency=3, adaptive=False)
    await machine.run(f"{A}/0")
    assert sum(frontier.batch_sizes) == 300
    assert statistics.median(frontier.batch_sizes) >= 25  # 300 pages a second, a group in a tenth of one


@virtual_run
async def test_a_link_that_a_host_waits_for_is_settled_at_once() -> None:
    """A host whose pages lead from one to the next is not held up because another has more than it may be asked for."""
    machine = EngineHarness(FakeFetcher(default="<p>", latency=3.0), {**fan(40), **chain(10, B)})
    machine.gate = GateSettings(rate=1.0, concurrency=None, adaptive=False)
    machine.settings = EngineSettings(sitemaps=False, concurrency=8, batch_seconds=5.0)
    await machine.run(f"{A}/0", f"{B}/0")
    starts = machine.fetcher.start_times("b.example")
    assert max(later - earlier for earlier, later in pairwise(starts)) == pytest.approx(3.0, abs=0.05)


@virtual_run
async def test_max_pages_is_never_overshot() -> None:
    """A crawl of 100 pages with a budget of 10 writes ten records, and resumes with a larger one."""
    machine = EngineHarness(FakeFetcher(default="<p>", latency=1.0), fan(100))
    machine.settings = EngineSettings(sitemaps=False, concurrency=8, max_pages=10)
    assert (await machine.run(f"{A}/0")).kind == "max_pages"
    assert len(machine.sink.flushed) == 10
    machine.settings = EngineSettings(sitemaps=False, concurrency=8, max_pages=25)
    assert (await machine.run(f"{A}/0")).kind == "max_pages"
    assert len(set(machine.sink.urls())) == len(machine.sink.flushed) == 25


@virtual_run
async def test_a_failure_is_retried_with_a_date_and_recorded_once() -> None:
    """Two failures and a success make one record, with the tries counted."""
    answers: list[ScriptedOutcome] = [fail_with(ErrorKind.CONNECT), with_status(503), "<p>"]
    machine = EngineHarness(FakeFetcher({f"{A}/0": answers}))
    await machine.run(f"{A}/0")
    (result,) = machine.sink.flushed
    assert (result.status, result.error, result.request.attempt) == (200, None, 2)
    assert [event.why for event in machine.events_of(RetryPlanned)] == ["connect", "http_503"]


@virtual_run
async def test_retries_end() -> None:
    """A URL that always fails has one record, with its error, after 1 + `retries` tries."""
    machine = EngineHarness(FakeFetcher({f"{A}/0": fail_with(ErrorKind.TIMEOUT)}))
    await machine.run(f"{A}/0")
    (result,) = machine.sink.flushed
    assert result.error is ErrorKind.TIMEOUT
    assert machine.fetcher.urls().count(f"{A}/0") == 4


@virtual_run
async def test_a_breaker_opens_probes_and_recovers() -> None:
    """A host that fails for a minute after its first page is left alone, probed, and then crawled to the end."""
    loop = asyncio.get_running_loop()
    born = loop.time()

    def answer(request: Request) -> Response:
        return make_response(request, "<p>", 500 if 1 < loop.time() - born < 60 else 200)

    machine = EngineHarness(FakeFetcher(default=answer, latency=0.5), chain(3) | fan(30))
    machine.gate = GateSettings(rate=None, concurrency=4, adaptive=False, breaker=BreakerSettings(open=20.0))
    machine.retry = type(machine.retry)(retries=10)
    await machine.run(f"{A}/0")
    assert len(machine.events_of(BreakerOpened)) >= 1
    assert len(machine.events_of(BreakerClosed)) == 1
    assert {result.status for result in machine.sink.flushed} == {200}


@virtual_run
async def test_an_outage_uses_up_no_tries() -> None:
    """A host that is down for ten minutes loses no page, although every page has but one retry."""
    loop = asyncio.get_running_loop()
    born = loop.time()

    def answer(request: Request) -> Response | Failure:
        if 10 < loop.time() - born < 610:
            return Failure(request, ErrorKind.CONNECT, "refused")
        return make_response(request, "<p>")

    machine = EngineHarness(FakeFetcher(default=answer, latency=0.5), fan(60))
    machine.gate = GateSettings(rate=2.0, concurrency=2, adaptive=False)
    machine.retry = type(machine.retry)(retries=1)
    await machine.run(f"{A}/0")
    failed = [result.url for result in machine.sink.flushed if result.error]
    assert len(machine.sink.flushed) == 60
    assert len(failed) <= 6  # those that failed before the breaker knew
    assert machine.events_of(BreakerClosed)


@virtual_run
async def test_broken_pages_do_not_condemn_their_host() -> None:
    """Every third page answers 500 for ever: all are recorded, and the good ones are fetched without a long pause."""
    script: dict[str, ScriptedOutcome] = {f"{A}/{n}": with_status(500) for n in range(1, 90, 3)}
    machine = EngineHarness(FakeFetcher(script, default="<p>", latency=0.1), fan(90))
    loop = asyncio.get_running_loop()
    began = loop.time()
    await machine.run(f"{A}/0")
    by_status = [result.status for result in machine.sink.flushed]
    assert (by_status.count(200), by_status.count(500)) == (60, 30)
    assert loop.time() - began < 60


@virtual_run
async def test_a_host_that_never_recovers_is_given_up() -> None:
    """After its last chance a dead host's pages stay waiting, and the run ends and says so."""
    machine = EngineHarness(FakeFetcher({f"{A}/0": "<p>"}, default=fail_with(ErrorKind.CONNECT), latency=0.1), fan(40))
    machine.gate = GateSettings(rate=None, concurrency=2, adaptive=False)
    stop = await machine.run(f"{A}/0")
    assert stop.kind == "finished"
    assert machine.engine is not None
    left = [machine.engine.skip_for_unfetched(request, stop) async for request in machine.frontier.waiting()]
    assert {skip.reason for skip in left} == {"host_dead"}
    assert len(left) + len(machine.sink.flushed) == 40


@virtual_run
async def test_retry_after_holds_the_whole_host() -> None:
    """A 429 with Retry-After: 30 keeps every fetcher off that host for 30 seconds."""
    machine = EngineHarness(
        FakeFetcher({f"{A}/0": "<p>", f"{A}/1": [with_status(429, Retry_After="30"), "<p>"]}, default="<p>")
    )
    machine.fetcher.latency = 0.1
    machine.found = {f"{A}/0": [f"{A}/1"], f"{A}/1": [f"{A}/2", f"{A}/3"]}
    await machine.run(f"{A}/0")
    urls, starts = machine.fetcher.urls(), machine.fetcher.start_times()
    first = urls.index(f"{A}/1")
    assert starts[first + 1] - starts[first] >= 30
    assert machine.events_of(HostParked)
    assert len(machine.sink.flushed) == 4


@virtual_run
async def test_a_redirect_has_one_record_with_its_chain() -> None:
    """A -> B -> C is one record: C's page under A's name."""
    script: dict[str, ScriptedOutcome] = {
        f"{A}/a": redirect_to("/b"),
        f"{A}/b": redirect_to(f"{B}/c", 302),
        f"{B}/c": "<p>",
    }
    machine = EngineHarness(FakeFetcher(script))
    await machine.run(f"{A}/a")
    (result,) = machine.sink.flushed
    assert (result.url, result.request.requested, result.status) == (f"{B}/c", f"{A}/a", 200)
    assert [tuple(hop) for hop in result.request.redirects] == [(f"{A}/a", 301), (f"{A}/b", 302)]


@virtual_run
async def test_a_redirect_to_a_known_page_does_not_fetch_it_again() -> None:
    """A redirect whose target has a record of its own is recorded as a duplicate of it."""
    machine = EngineHarness(FakeFetcher({f"{A}/old": redirect_to("/0")}, default="<p>"), {f"{A}/0": [f"{A}/old"]})
    await machine.run(f"{A}/0")
    by_url = {result.url: result for result in machine.sink.flushed}
    assert by_url[f"{A}/old"].duplicate_of == f"{A}/0"
    assert machine.fetcher.urls().count(f"{A}/0") == 1


@virtual_run
async def test_a_redirect_loop_ends() -> None:
    """A page that redirects to itself for ever is one record with `redirect` as its error."""
    machine = EngineHarness(FakeFetcher({f"{A}/x": redirect_to("/y"), f"{A}/y": redirect_to("/x")}))
    await machine.run(f"{A}/x")
    (result,) = machine.sink.flushed
    assert result.error is ErrorKind.REDIRECT
    assert len(machine.fetcher.urls()) < 15
    assert (await machine.frontier.counts()).outcomes == {"redirect": 1}


@virtual_run
async def test_an_answer_that_leads_nowhere_is_no_failure() -> None:
    """A 300 without a Location is counted under a word of its own, not with the loops."""
    machine = EngineHarness(FakeFetcher({f"{A}/x": with_status(300)}))
    await machine.run(f"{A}/x")
    assert [result.error for result in machine.sink.flushed] == [None]
    assert (await machine.frontier.counts()).outcomes == {"not_followed": 1}


@virtual_run
async def test_robots_is_read_once_and_obeyed() -> None:
    """One request for robots.txt however many fetchers wait for it; what it forbids is a skip with its line."""
    machine = EngineHarness(
        FakeFetcher({f"{A}/robots.txt": "User-agent: *\nDisallow: /no"}, default="<p>", latency=1.0)
    )
    machine.found = {f"{A}/0": [f"{A}/{n}" for n in range(1, 20)] + [f"{A}/no/way"]}
    machine.robots = RobotsSettings(policy="obey")
    await machine.run(f"{A}/0")
    assert machine.fetcher.urls().count(f"{A}/robots.txt") == 1
    assert f"{A}/no/way" not in machine.fetcher.urls()
    skips = [skip async for skip in machine.frontier.skips()]
    assert [(skip.url.href, skip.reason) for skip in skips] == [(f"{A}/no/way", "robots")]
    assert "2" in skips[0].rule
    assert "Disallow: /no" in skips[0].rule


@virtual_run
async def test_a_robots_redirect_keeps_to_what_is_remembered_of_its_target() -> None:
    """robots.txt of A leads to B, which asked for a pause in an earlier session: it waits for its end."""
    machine = EngineHarness(FakeFetcher({f"{A}/robots.txt": redirect_to(f"{B}/robots.txt")}, default="<p>"))
    machine.robots = RobotsSettings(policy="obey")
    gate = HostGate(NO_LIMITS, "b.example")
    parked = make_response(f"{B}/x", status=429, headers={"Retry-After": "40"})
    gate.on_start(EPOCH)
    gate.on_finish(parked, EPOCH, random.Random(1))
    await machine.frontier.settle([], host_state={"b.example": {"gate": gate.to_json()}})
    await machine.run(f"{A}/0")
    (asked,) = machine.fetcher.start_times("b.example")
    assert asked - machine.fetcher.start_times("a.example")[0] >= 39


@virtual_run
async def test_an_unreachable_robots_defers_the_host_and_the_run_ends() -> None:
    """A host whose robots.txt answers 500 is not asked; its URLs stay waiting, and the run does not hang."""
    machine = EngineHarness(FakeFetcher({f"{A}/robots.txt": with_status(500)}, default="<p>"))
    machine.robots = RobotsSettings(policy="obey")
    stop = await machine.run(f"{A}/0")
    assert stop.kind == "finished"
    assert set(machine.fetcher.urls()) == {f"{A}/robots.txt"}
    assert (await machine.frontier.counts()).waiting == 1
    assert machine.engine is not None
    left = [machine.engine.skip_for_unfetched(r, stop) async for r in machine.frontier.waiting()]
    assert [skip.reason for skip in left] == ["robots_unreachable"]


@virtual_run
async def test_a_stop_gives_back_what_is_not_finished() -> None:
    """After a stop no request starts; what outlives the grace period is asked again by the next run."""
    machine = EngineHarness(
        FakeFetcher(default="<p>", latency=lambda r: 1.0 if r.url.href == f"{A}/0" else 500.0), fan(20)
    )

    async def interrupt() -> None:
        await asyncio.sleep(5)
        assert machine.engine is not None
        machine.engine.stop(StopReason(StopKind.INTERRUPTED))

    async with asyncio.TaskGroup() as group:
        group.create_task(interrupt())
        stop = await machine.run(f"{A}/0")
    assert stop.kind == "interrupted"
    assert machine.sink.urls() == [f"{A}/0"]
    machine.fetcher.latency = 1.0
    assert (await machine.run(f"{A}/0")).kind == "finished"
    assert len(set(machine.sink.urls())) == len(machine.sink.flushed) == 20


@virtual_run
async def test_a_full_disk_ends_the_run_and_nothing_is_lost() -> None:
    """A sink that cannot be written raises SinkError; with room again the run is completed, each record once."""
    machine = EngineHarness(FakeFetcher(default="<p>", latency=0.5), fan(60), sink=FakeSink(fail_after=20))
    with pytest.raises(SinkError):
        await machine.run(f"{A}/0")
    machine.sink.fail_after = None
    assert (await machine.run(f"{A}/0")).kind == "finished"
    assert len(set(machine.sink.urls())) == len(machine.sink.flushed) == 60


@virtual_run
async def test_a_fetcher_that_dies_is_replaced() -> None:
    """An unexpected error is recorded on its URL, and the crawl goes on with as many fetchers as before."""
    machine = EngineHarness(
        FakeFetcher({f"{A}/3": RuntimeError("boom"), f"{A}/4": RuntimeError("boom")}, default="<p>")
    )
    machine.found, machine.settings = fan(30), EngineSettings(sitemaps=False, concurrency=2)
    assert (await machine.run(f"{A}/0")).kind == "finished"
    assert len(machine.events_of(FetcherReplaced)) == 2
    failed = {result.url: result.error for result in machine.sink.flushed if result.error}
    assert failed == {f"{A}/3": ErrorKind.OTHER, f"{A}/4": ErrorKind.OTHER}
    assert len(machine.sink.flushed) == 30


@virtual_run
async def test_deaths_in_a_row_stop_the_run() -> None:
    """When every fetch dies the run stops after `max_consecutive_crashes` and keeps its state."""
    machine = EngineHarness(FakeFetcher({f"{A}/0": "<p>"}, default=RuntimeError("boom")), fan(100))
    machine.settings = EngineSettings(sitemaps=False, concurrency=4, max_consecutive_crashes=10)
    stop = await machine.run(f"{A}/0")
    assert stop.kind == "bug"
    assert "boom" in stop.detail
    assert (await machine.frontier.counts()).waiting > 50


class _Upper(Hook):
    async def on_item(self, item: Item, page: Response) -> Item | None:
        return Item({"name": str(item.fields["name"]).upper()}) if item.fields["name"] != "drop" else None

    def on_request(self, request: Request) -> Request | None:
        return None if request.url.href.endswith("/skip") else request


@virtual_run
async def test_hooks_change_items_and_skip_requests() -> None:
    """Plain and async hooks are called; None skips a URL and drops an item."""
    found: dict[str, list[str | dict[str, str]]] = {f"{A}/0": [f"{A}/skip", {"name": "x"}, {"name": "drop"}]}
    machine = EngineHarness(FakeFetcher(default="<p>"), found, hooks=[_Upper()])
    await machine.run(f"{A}/0")
    assert [dict(item.fields) for result in machine.sink.flushed for item in result.items] == [{"name": "X"}]
    assert f"{A}/skip" not in machine.fetcher.urls()


@virtual_run
async def test_results_are_told_after_they_are_settled() -> None:
    """What the caller sees is on disk and settled already."""
    results: list[Result] = []
    machine = EngineHarness(FakeFetcher(default="<p>"), fan(10))
    await machine.run(f"{A}/0", results=results)
    assert sorted(result.url for result in results) == sorted(machine.sink.urls())


@virtual_run
async def test_the_monitor_samples_queues_and_hosts() -> None:
    """Samples tell how many wait and how each busy host stands."""
    machine = EngineHarness(FakeFetcher(default="<p>", latency=1.0), fan(40))
    machine.gate = GateSettings(rate=2.0, concurrency=2, adaptive=False)
    await machine.run(f"{A}/0")
    samples = machine.events_of(QueuesSampled)
    assert max(sample.waiting for sample in samples) > 20
    host = next(sample.hosts[0] for sample in samples if sample.hosts)
    assert (host.host, host.delay, host.breaker) == ("a.example", 0.5, "closed")


@virtual_run
async def test_max_time_ends_a_session() -> None:
    """After `max_time` seconds the run stops cleanly and can go on later."""
    machine = EngineHarness(FakeFetcher(default="<p>", latency=1.0), fan(100))
    machine.gate = GateSettings(rate=1.0, adaptive=False)
    machine.settings = EngineSettings(sitemaps=False, max_time=20.0)
    assert (await machine.run(f"{A}/0")).kind == "max_time"
    assert 15 <= len(machine.sink.flushed) <= 22
