"""Slots for the segments of files: their requests obey the same rules as leased ones."""

from __future__ import annotations

import asyncio
import itertools
import random
from dataclasses import dataclass, field

import pytest

from scraper.engine.run_state import FetchJob, StopReason
from scraper.engine.settings import EngineSettings
from scraper.events import BreakerOpened
from scraper.model import ErrorKind, Outcome, Request, StopKind
from scraper.politeness.circuit_breaker import BreakerSettings
from scraper.politeness.host_gate import GateSettings
from scraper.testing.fakes import FakeFetcher, fail_with, make_response, make_url
from scraper.testing.virtual_loop import virtual_run
from tests.engine.harness import EngineHarness


@dataclass
class GreedyFetcher:
    """A fetcher whose every fetch acquires all the slots it can get, again and again, for `rounds` rounds.

    `starts` are the instants (loop time) of all requests, leased or in a slot; `ended_as` is how those in a slot end.
    """

    harness: EngineHarness = field(default_factory=lambda: EngineHarness(FakeFetcher()))
    rounds: int = 6
    ended_as: Outcome | None = None
    in_flight: int = 0
    peak: int = 0
    starts: list[float] = field(default_factory=list)
    acquired: int = 0
    renewals: int = 0
    rng: random.Random = field(default_factory=lambda: random.Random(5))

    async def fetch(self, request: Request) -> Outcome:
        assert self.harness.engine is not None
        slots, mine, host = self.harness.engine.connection_slots, 0, request.url.host
        page = make_response(request)
        self._start()
        for _ in range(self.rounds):
            while slots.acquire(host):
                assert self.harness.frontier.count_queued(host) == 0
                self.acquired += 1
                mine += 1
                self._start()
            await asyncio.sleep(self.rng.random())
            if self.ended_as is None and self.rng.random() < 0.5 and slots.renew(host, page):
                self.renewals += 1
                self.starts.append(asyncio.get_running_loop().time())
            while mine and (slots.contended(host) or self.rng.random() < 0.3):
                slots.release(host, self.ended_as or page)
                self.in_flight -= 1
                mine -= 1
        for _ in range(mine):
            slots.release(host, page)
            self.in_flight -= 1
        self.in_flight -= 1
        return page

    def _start(self) -> None:
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        self.starts.append(asyncio.get_running_loop().time())

    async def aclose(self) -> None:
        """Nothing is open."""


async def run(fetcher: GreedyFetcher, urls: int, gate: GateSettings, concurrency: int = 8) -> StopReason:
    harness = fetcher.harness
    harness.fetcher = fetcher  # type: ignore[assignment]
    harness.gate, harness.settings = gate, EngineSettings(sitemaps=False, concurrency=concurrency)
    return await harness.run(*(f"http://h/{n}" for n in range(urls)))


@pytest.mark.parametrize("urls", [1, 2, 7], ids=["one", "two", "more than the cap"])
@pytest.mark.parametrize("cap", [1, 2, 4])
@virtual_run
async def test_the_cap_of_a_host_holds_over_leases_and_slots(cap: int, urls: int) -> None:
    """However slots are acquired, renewed and released, no more requests are in flight than the cap allows."""
    fetcher = GreedyFetcher()
    stop = await run(fetcher, urls, GateSettings(rate=None, concurrency=cap, adaptive=False))
    assert stop.kind == "finished"
    assert fetcher.peak == cap
    assert (fetcher.acquired > 0) == (cap > 1)
    assert fetcher.in_flight == 0


@virtual_run
async def test_the_concurrency_of_the_run_holds() -> None:
    """A slot takes the place of an idle worker, and gives it back."""
    fetcher = GreedyFetcher()
    await run(fetcher, 5, GateSettings(rate=None, concurrency=None, adaptive=False), concurrency=3)
    assert fetcher.peak == 3
    assert fetcher.acquired > 0
    assert fetcher.harness.engine is not None
    assert fetcher.harness.engine.state.free_slots == 0  # all fetchers have gone home


@virtual_run
async def test_every_start_is_charged_to_the_rate() -> None:
    """Slots that are acquired or renewed keep the distance of `rate`, too."""
    fetcher = GreedyFetcher(rounds=40)
    await run(fetcher, 3, GateSettings(rate=2.0, concurrency=4, adaptive=False))
    assert fetcher.acquired > 0
    assert fetcher.renewals > 0
    starts = sorted(fetcher.starts)
    assert all(after - before >= 0.5 - 1e-6 for before, after in itertools.pairwise(starts))


@virtual_run
async def test_failed_segments_open_the_breaker() -> None:
    """The outcome of a request in a slot counts for its host, and a host that fails has no slots."""
    fetcher = GreedyFetcher(rounds=60, ended_as=fail_with(ErrorKind.NETWORK)(Request(make_url("http://h/x"))))
    breaker = BreakerSettings(failures=3, open=1000.0, max_open=1000.0)
    await run(fetcher, 1, GateSettings(rate=None, concurrency=4, adaptive=False, breaker=breaker))
    assert fetcher.harness.events_of(BreakerOpened)
    opened = fetcher.harness.events_of(BreakerOpened)[0].at - 1_700_000_000.0
    assert max(fetcher.starts) <= opened


@virtual_run
async def test_a_run_that_is_to_stop_has_no_slots() -> None:
    """No request starts after a stop was asked for."""
    answers = []

    class StoppingFetcher(GreedyFetcher):
        async def fetch(self, request: Request) -> Outcome:
            assert self.harness.engine is not None
            self.harness.engine.stop(StopReason(StopKind.INTERRUPTED, "SIGINT"))
            slots = self.harness.engine.connection_slots
            answers.append((slots.acquire(request.url.host), slots.renew(request.url.host, make_response(request))))
            return make_response(request)

    await run(StoppingFetcher(), 1, GateSettings(rate=None, concurrency=4, adaptive=False))
    assert answers == [(False, False)]


@virtual_run
async def test_a_job_that_is_not_counted_yet_comes_first() -> None:
    """While a job is queued, the free capacity of its host is unknown."""
    answers = []

    class QueueingFetcher(GreedyFetcher):
        async def fetch(self, request: Request) -> Outcome:
            assert self.harness.engine is not None
            floor, slots = self.harness.engine.state, self.harness.engine.connection_slots
            await asyncio.sleep(0)  # until the other fetchers are there
            floor.jobs.put_nowait(FetchJob(next(iter(floor.in_flight.values()))))
            answers.append(slots.acquire(request.url.host))
            floor.jobs.get_nowait()
            answers.append(slots.acquire(request.url.host))
            slots.release(request.url.host, make_response(request))
            return make_response(request)

    await run(QueueingFetcher(), 1, GateSettings(rate=None, concurrency=4, adaptive=False))
    assert answers == [False, True]
