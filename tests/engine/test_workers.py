"""Workers fetch, count requests on their hosts, and are replaced when they crash."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from scraper.engine.dispatcher import Dispatcher
from scraper.engine.hook_chain import HookChain
from scraper.engine.robots_service import RobotsService
from scraper.engine.run_state import FetchResult
from scraper.engine.settings import EngineSettings
from scraper.engine.workers import WorkerPool, finished_event
from scraper.errors import SinkError
from scraper.events import FetcherReplaced, FetchFinished, FetchStarted
from scraper.fetch.interface import Fetcher
from scraper.hooks.interface import Hook
from scraper.model import Denied, ErrorKind, Failure, NotModified, Outcome, Request, StopKind
from scraper.politeness.host_gate import GateSettings
from scraper.testing.fakes import FakeFetcher, make_headers, make_request, make_response
from scraper.testing.virtual_loop import virtual_run
from tests.engine.harness import EPOCH
from tests.engine.parts import A, Parts

ONE_WORKER = EngineSettings(sitemaps=False, concurrency=1, max_consecutive_crashes=3)


@asynccontextmanager
async def working(parts: Parts, fetcher: Fetcher, *hooks: Hook) -> AsyncIterator[asyncio.Task[object]]:
    """Workers and a dispatcher at work on what the frontier holds; cancelled at the end."""
    robots = RobotsService(parts.context, fetcher)
    dispatcher = Dispatcher(parts.context, robots)
    pool = WorkerPool(parts.context, dispatcher, fetcher, robots, HookChain(hooks))
    async with asyncio.TaskGroup() as group:
        pool.start(group)
        dispatching = group.create_task(dispatcher.run())
        yield dispatching
        dispatching.cancel()
        pool.cancel()


async def take(parts: Parts, count: int) -> list[Outcome]:
    """The outcomes of the next `count` results."""
    outcomes: list[Outcome] = []
    while len(outcomes) < count:
        result = await parts.state.results.get()
        if isinstance(result, FetchResult):
            outcomes.append(result.outcome)
    return outcomes


@virtual_run
async def test_a_fetch_is_announced_counted_and_sent_to_the_recorder() -> None:
    """In this order; afterwards nothing is in flight."""
    parts = Parts(settings=ONE_WORKER)
    await parts.frontier.add([make_request(f"{A}/1")])
    async with working(parts, FakeFetcher(default="<p>", latency=1.0)):
        await asyncio.sleep(0.5)
        gate = parts.hosts.get_or_restore("a.example")
        assert (gate.in_flight, len(parts.state.in_flight)) == (1, 1)
        (outcome,) = await take(parts, 1)
        await asyncio.sleep(0)
        assert (gate.in_flight, len(parts.state.in_flight), parts.state.free_slots) == (0, 0, 1)
    assert outcome.request.url.href == f"{A}/1"
    assert [type(event) for event in parts.bus.events] == [FetchStarted, FetchFinished]


@virtual_run
async def test_a_host_is_reopened_when_its_requests_end() -> None:
    """One after the other on a host that takes one request at once."""
    parts = Parts(gate=GateSettings(rate=None, concurrency=1, adaptive=False))
    await parts.frontier.add([make_request(f"{A}/{n}") for n in range(5)])
    fetcher = FakeFetcher(default="<p>", latency=1.0)
    async with working(parts, fetcher):
        await take(parts, 5)
    assert fetcher.max_concurrent == 1
    starts = fetcher.start_times()
    assert starts[-1] - starts[0] == pytest.approx(4.0)


@virtual_run
async def test_a_full_queue_of_results_holds_the_worker_but_not_its_host() -> None:
    """The host is open for other workers while the recorder is slow."""
    parts = Parts(settings=ONE_WORKER)
    await parts.frontier.add([make_request(f"{A}/1")])
    while not parts.state.results.full():
        parts.state.request_flush()
    async with working(parts, FakeFetcher(default="<p>")):
        await asyncio.sleep(1)
        assert len(parts.state.in_flight) == 1
        assert parts.frontier.parked[-1] == ("a.example", 0.0)
        await take(parts, 1)


def cancelled_elsewhere() -> BaseException:
    """What awaiting a cancelled future raises: the worker itself is not cancelled."""
    return asyncio.CancelledError()


@pytest.mark.parametrize(
    "error", [lambda: RuntimeError("boom"), cancelled_elsewhere], ids=["bug", "stray cancellation"]
)
@virtual_run
async def test_a_crash_is_recorded_and_the_worker_replaced(error: Callable[[], BaseException]) -> None:
    """The URL has a failure, its host is open, and the next URL is fetched."""
    parts = Parts(settings=ONE_WORKER)
    await parts.frontier.add([make_request(f"{A}/1"), make_request(f"{A}/2")])
    async with working(parts, FakeFetcher({f"{A}/1": error()}, default="<p>")):
        first, second = await take(parts, 2)
    assert isinstance(first, Failure)
    assert (first.error, first.permanent) == (ErrorKind.OTHER, True)
    assert second.request.url.href == f"{A}/2"
    assert len(parts.bus.of(FetcherReplaced)) == 1
    assert parts.hosts.get_or_restore("a.example").in_flight == 0


@virtual_run
async def test_crashes_in_a_row_stop_the_run() -> None:
    """A success in between starts the count again."""
    boom = RuntimeError("boom")
    parts = Parts(settings=ONE_WORKER)
    await parts.frontier.add([make_request(f"{A}/{n}") for n in range(9)])
    script = {f"{A}/{n}": boom for n in (0, 1, 3, 4, 5, 6)}
    async with working(parts, FakeFetcher(script, default="<p>")) as dispatching:
        await take(parts, 6)
        await asyncio.wait([dispatching])
    assert parts.state.stop_reason is not None
    assert parts.state.stop_reason.kind is StopKind.BUG
    assert "boom" in parts.state.stop_reason.detail


@virtual_run
async def test_an_error_of_ours_ends_the_run() -> None:
    """A disk that is full is not one URL's fault."""
    parts = Parts(settings=ONE_WORKER)
    await parts.frontier.add([make_request(f"{A}/1")])
    with pytest.raises(ExceptionGroup) as caught:
        async with working(parts, FakeFetcher(default=SinkError("disk full"))):
            await asyncio.sleep(10)
    assert caught.group_contains(SinkError)


class RefusingHook(Hook):
    def on_request(self, request: Request) -> Request | None:
        return None if request.url.href.endswith("/no") else make_request("http://other.example/", label="new")


@virtual_run
async def test_a_hook_may_refuse_a_request_or_change_how_it_is_sent() -> None:
    """What is requested stays; a refusal is a result too, and reopens the host."""
    parts = Parts(settings=ONE_WORKER)
    await parts.frontier.add([make_request(f"{A}/no"), make_request(f"{A}/yes")])
    async with working(parts, FakeFetcher(default="<p>"), RefusingHook()):
        refused, sent = await take(parts, 2)
    assert refused == Denied(make_request(f"{A}/no"), ErrorKind.OTHER, "hooks.on_request")
    assert (sent.request.url.href, sent.request.label) == (f"{A}/yes", "new")


REQUEST = make_request(f"{A}/", kind="file")


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (make_response(REQUEST, "abc"), (200, None, "", 3)),
        (make_response(REQUEST, "abc", status=404), (404, "http", "", 3)),
        (Failure(REQUEST, ErrorKind.TIMEOUT, "slow", received=7), (None, "timeout", "slow", 7)),
        (Denied(REQUEST, ErrorKind.ADDRESS, "private"), (None, "address", "private", 0)),
        (NotModified(REQUEST, make_headers({})), (304, None, "", 0)),
    ],
    ids=["response", "error status", "failure", "denied", "not modified"],
)
def test_every_outcome_has_its_event(outcome: Outcome, expected: tuple[int | None, str | None, str, int]) -> None:
    """Status, error, detail and bytes, as the event's fields promise."""
    event = finished_event(outcome, EPOCH, "a.example")
    assert (event.status, event.error, event.detail, event.size) == expected
    assert (event.kind, event.url) == ("file", f"{A}/")
