"""How long a clean end may take, on virtual time: bounded, whatever holds it up."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from scraper.engine.run_state import StopReason
from scraper.engine.settings import EngineSettings
from scraper.hooks.interface import Hook
from scraper.model import Request, Response, StopKind
from scraper.testing.fakes import FakeFetcher
from scraper.testing.virtual_loop import virtual_run
from tests.engine.harness import EngineHarness

HOST = "http://a.example"
SETTINGS = EngineSettings(sitemaps=False, concurrency=8, shutdown_timeout=10.0, recorder_timeout=5.0)


class SlowHook(Hook):
    """A hook that needs an hour for a page."""

    async def on_response(self, page: Response) -> Response:
        await asyncio.sleep(3600.0)
        return page


def silent_latency(request: Request) -> float:
    """The latency of a server that responds only for its start page."""
    return 0.1 if request.url.href.endswith("/0") else 3600.0


@pytest.mark.parametrize(
    ("fetcher", "hooks", "longest"),
    [
        (FakeFetcher(default="<p>", latency=silent_latency), (), SETTINGS.shutdown_timeout),
        (FakeFetcher(default="<p>", latency=0.1), (SlowHook(),), SETTINGS.recorder_timeout),
        (
            FakeFetcher(default="<p>", latency=silent_latency),
            (SlowHook(),),
            SETTINGS.shutdown_timeout + SETTINGS.recorder_timeout,
        ),
    ],
    ids=["a silent server", "a page that takes long to read", "both"],
)
@virtual_run
async def test_an_end_that_was_asked_for_comes_in_time(
    fetcher: FakeFetcher, hooks: tuple[Hook, ...], longest: float
) -> None:
    """Requests in flight get the grace period, recording a little more; the rest is given back and asked again."""
    machine = EngineHarness(fetcher, {f"{HOST}/0": [f"{HOST}/1", f"{HOST}/2"]}, replace(SETTINGS), hooks=hooks)
    loop = asyncio.get_running_loop()

    async def interrupt() -> float:
        await asyncio.sleep(2.0)
        assert machine.engine is not None
        machine.engine.stop(StopReason(StopKind.INTERRUPTED, "SIGINT"))
        return loop.time()

    asked_at = asyncio.ensure_future(interrupt())
    stop = await machine.run(f"{HOST}/0")
    assert stop.kind == StopKind.INTERRUPTED
    assert loop.time() - await asked_at <= longest + 1e-6
    recorded = machine.sink.urls()
    again = EngineHarness(FakeFetcher(default="<p>"), machine.found, frontier=machine.frontier, sink=machine.sink)
    assert (await again.run(f"{HOST}/0")).kind == "finished"
    assert sorted(machine.sink.urls()) == [f"{HOST}/{n}" for n in range(3)]
    assert not {call.request.url.href for call in again.fetcher.calls} & set(recorded)
