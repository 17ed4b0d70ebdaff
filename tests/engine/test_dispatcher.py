"""The dispatcher turns leases into jobs, puts back what must wait, and knows when a run has ended."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from typing import Literal

import pytest

from scraper.engine.dispatcher import Dispatcher
from scraper.engine.robots_service import RobotsService
from scraper.engine.run_state import FetchJob, FetchResult, RobotsJob, StopReason
from scraper.engine.settings import EngineSettings
from scraper.model import Denied, ErrorKind, Priority, Request, RequestKind, StopKind
from scraper.politeness.host_gate import HOST_STATE_GATE, GateSettings, HostGate
from scraper.politeness.robots_cache import HOST_STATE_ROBOTS, RobotsEntry, RobotsSettings
from scraper.testing.fakes import FakeFetcher, make_request, make_response
from scraper.testing.virtual_loop import virtual_run
from scraper.urls.progress import UrlProgress
from scraper.urls.traps import TrapSettings
from tests.engine.harness import EPOCH, NO_LIMITS
from tests.engine.parts import A, B, FakeMirrorPolicy, Parts

OBEY = RobotsSettings(policy="obey")
SETTINGS = EngineSettings(sitemaps=False, concurrency=4)


def make_dispatcher(parts: Parts, free_slots: int = 4) -> Dispatcher:
    parts.state.free_slots = free_slots
    return Dispatcher(parts.context, RobotsService(parts.context, FakeFetcher()))


def robots_state(text: str, origin: str = A) -> dict[str, str]:
    """The stored state of a host whose robots.txt is `text`."""
    response = make_response(make_request(f"{origin}/robots.txt", kind="robots"), text, headers={})
    entry = RobotsEntry.from_outcome(response, EPOCH, OBEY, None, None)
    return {HOST_STATE_ROBOTS + origin: entry.to_json(OBEY.product_token)}


@virtual_run
async def test_a_lease_becomes_a_job() -> None:
    """Its host stays closed until a worker starts it."""
    parts = Parts()
    await parts.frontier.add([make_request(f"{A}/1")])
    job = make_dispatcher(parts).next_job()
    assert isinstance(job, FetchJob)
    assert not job.charged
    assert parts.state.unsettled == {job.lease.id: job.lease}
    assert parts.frontier.parked == []


@virtual_run
async def test_no_job_is_taken_past_those_that_wait_or_after_a_stop() -> None:
    """A worker that has finished waits for its turn then."""
    parts = Parts()
    await parts.frontier.add([make_request(f"{A}/1"), make_request(f"{B}/1")])
    dispatcher = make_dispatcher(parts)
    first = dispatcher.next_job()
    assert first is not None
    parts.state.jobs.put_nowait(first)
    assert dispatcher.next_job() is None
    parts.state.jobs.get_nowait()
    parts.state.stop(StopReason(StopKind.INTERRUPTED))
    assert dispatcher.next_job() is None


@virtual_run
async def test_a_lease_whose_host_must_wait_goes_back() -> None:
    """An earlier session's pause is known to the gate, not to the frontier."""
    parts = Parts()
    gate = HostGate(NO_LIMITS, "a.example")
    gate.on_start(EPOCH)
    gate.on_finish(make_response(f"{A}/", status=429, headers={"Retry-After": "60"}), EPOCH, random.Random(1))
    await parts.frontier.settle([], None, {"a.example": {HOST_STATE_GATE: gate.to_json()}})
    await parts.frontier.add([make_request(f"{A}/1")])
    assert make_dispatcher(parts).next_job() is None
    host, until = parts.frontier.parked[-1]
    assert host == "a.example"
    assert until >= EPOCH + 60
    assert parts.state.dispatcher_wakeup.is_set()  # to settle what goes back


@virtual_run
async def test_a_lease_of_a_host_that_fails_goes_to_its_mirror() -> None:
    """At once, and the run goes on with it."""
    parts = Parts(policy=FakeMirrorPolicy({"a.example": "b.example"}))
    await parts.frontier.add([make_request(f"{A}/1")])
    parts.break_host("a.example")
    dispatcher = make_dispatcher(parts)
    assert dispatcher.next_job() is None
    await dispatcher._settle_undispatched()
    job = dispatcher.next_job()
    assert job is not None
    assert job.lease.request.url.href == f"{B}/1"


@virtual_run
async def test_an_unknown_robots_txt_is_fetched_first() -> None:
    """By one worker: the host stays closed, and gives no second job."""
    parts = Parts(robots=OBEY)
    await parts.frontier.add([make_request(f"{A}/1"), make_request(f"{A}/2")])
    dispatcher = make_dispatcher(parts)
    assert isinstance(dispatcher.next_job(), RobotsJob)
    assert dispatcher.next_job() is None


@virtual_run
async def test_what_robots_txt_forbids_goes_to_the_recorder() -> None:
    """With the line that decides; the next request of the host follows."""
    parts = Parts(robots=OBEY)
    await parts.frontier.settle([], None, {"a.example": robots_state("User-agent: *\nDisallow: /no")})
    await parts.frontier.add([make_request(f"{A}/no"), make_request(f"{A}/yes")])
    dispatcher = make_dispatcher(parts)
    assert dispatcher.next_job() is None
    await dispatcher._settle_undispatched()
    result = parts.state.results.get_nowait()
    assert isinstance(result, FetchResult)
    assert isinstance(result.outcome, Denied)
    assert "Disallow: /no" in result.outcome.rule
    job = dispatcher.next_job()
    assert isinstance(job, FetchJob)
    assert job.lease.request.url.href == f"{A}/yes"


@pytest.mark.parametrize(
    ("kind", "priority", "all_sitemaps", "leased"),
    [
        ("page", Priority.PAGE, True, False),
        ("file", Priority.FILE, False, True),
        ("file", Priority.FILE + 3, False, True),
        ("sitemap", Priority.SITEMAP, False, False),
        ("sitemap", Priority.SITEMAP, True, True),
    ],
    ids=["page", "file", "file after retries", "sitemap", "sitemap of a dry run"],
)
@virtual_run
async def test_a_spent_page_budget_leaves_files(
    kind: RequestKind, priority: int, all_sitemaps: bool, leased: bool
) -> None:
    """Files are not pages; sitemaps are of no use any more, except to count URLs."""
    parts = Parts(settings=replace(SETTINGS, max_pages=5, all_sitemaps=all_sitemaps))
    parts.state.pages_settled = 5
    await parts.frontier.add([make_request(f"{A}/1", kind=kind, priority=priority)])
    assert (make_dispatcher(parts).next_job() is not None) is leased


@virtual_run
async def test_an_empty_frontier_ends_the_run() -> None:
    """Unless a lease is unsettled or the feed is open: both may bring more."""
    parts = Parts()
    assert await make_dispatcher(parts).run() == StopReason(StopKind.FINISHED)
    parts.state.feed_open = True
    task = asyncio.get_running_loop().create_task(make_dispatcher(parts).run())
    await asyncio.sleep(10)
    assert not task.done()
    parts.state.feed_open = False
    parts.state.dispatcher_wakeup.set()
    assert (await task).kind is StopKind.FINISHED


@virtual_run
async def test_the_page_limit_ends_the_run() -> None:
    """And says which limit it was."""
    parts = Parts(settings=replace(SETTINGS, max_pages=3))
    parts.state.pages_settled = 3
    await parts.frontier.add([make_request(f"{A}/1")])
    assert await make_dispatcher(parts).run() == StopReason(StopKind.MAX_PAGES, "limits.max_pages: 3 reached")


@virtual_run
async def test_hosts_whose_robots_txt_cannot_be_read_do_not_keep_the_run_open() -> None:
    """When nothing else is queued, the run ends."""
    parts = Parts(robots=OBEY)
    await parts.frontier.add([make_request(f"{A}/1")])
    parts.frontier.park("a.example", EPOCH + 3600)
    parts.state.robots_unreachable[A] = "503"
    stop = await make_dispatcher(parts).run()
    assert stop.kind is StopKind.FINISHED
    assert "skipped.jsonl" in stop.detail


@virtual_run
async def test_requests_of_an_origin_in_trouble_are_put_aside() -> None:
    """And those of the other origin of their host go on, also when none of them was seen before."""
    parts = Parts()
    parts.break_host("a.example")
    await parts.frontier.add([make_request(f"{A}/1"), make_request("https://a.example/2")])
    dispatcher = make_dispatcher(parts)
    assert parts.hosts.newly_unhealthy == {"a.example"}
    await dispatcher._find_other_origins()
    assert dispatcher.next_job() is None
    await dispatcher._settle_undispatched()
    job = dispatcher.next_job()
    assert job is not None
    assert job.lease.request.url.href == "https://a.example/2"
    assert parts.frontier.depths().delayed == 1


@virtual_run
async def test_a_host_that_asks_for_an_absurd_wait_does_not_keep_the_run_open() -> None:
    """Its requests are left for a later session."""
    parts = Parts()
    gate = parts.hosts.get_or_restore("a.example")
    parts.hosts.start(gate, EPOCH)
    answer = make_response(f"{A}/", status=503, headers={"Retry-After": "31536000"})
    parts.hosts.finish(gate, answer, EPOCH)
    await parts.frontier.add([make_request(f"{A}/1")])
    stop = await make_dispatcher(parts).run()
    assert (stop.kind, parts.clock.now() - EPOCH < 60) == (StopKind.FINISHED, True)
    assert "skipped.jsonl" in stop.detail


@pytest.mark.parametrize("policy", ["ignore", "obey"])
@virtual_run
async def test_the_next_request_of_the_same_host(policy: str) -> None:
    """It is charged already; with robots.txt every lease is checked, so there is none."""
    parts = Parts(robots=RobotsSettings(policy=policy), gate=GateSettings(rate=None, concurrency=2, adaptive=False))  # type: ignore[arg-type]
    await parts.frontier.add([make_request(f"{A}/1"), make_request(f"{A}/2")])
    dispatcher = make_dispatcher(parts)
    assert dispatcher.next_job() is not None
    parts.frontier.park("a.example", EPOCH)
    job = dispatcher.next_for_host("a.example", EPOCH)
    assert (job is not None and job.charged) is (policy == "ignore")


class ClosedPatterns(UrlProgress):
    """Every URL with a date is one too many."""

    def __init__(self) -> None:
        super().__init__(TrapSettings())

    def rule_against_queued(self, request: Request) -> str | None:
        return "traps.max_unproductive: 100" if "2024" in request.url.href else None


@pytest.mark.parametrize("policy", ["obey", "ignore"])
@virtual_run
async def test_a_queued_request_whose_pattern_was_closed_is_denied(policy: Literal["obey", "ignore"]) -> None:
    """It is recorded as a trap and not fetched, whichever way a worker takes it; its host can be asked at once."""
    parts = Parts(robots=RobotsSettings(policy=policy))
    await parts.frontier.add([make_request(f"{A}/2024-01"), make_request(f"{A}/2024-02"), make_request(f"{B}/1")])
    robots = RobotsService(parts.context, FakeFetcher())
    parts.state.free_slots = 4
    dispatcher = Dispatcher(parts.context, robots, ClosedPatterns())
    assert dispatcher.next_job() is None
    assert dispatcher.next_for_host("a.example", EPOCH) is None
    assert parts.state.dispatcher_wakeup.is_set()
    await dispatcher._settle_undispatched()
    result = parts.state.results.get_nowait()
    assert isinstance(result, FetchResult)
    assert result.outcome == Denied(result.lease.request, ErrorKind.TRAP, "traps.max_unproductive: 100")
