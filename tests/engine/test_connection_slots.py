"""Places for the segments of files: what is claimed obeys the same rules as what is leased."""

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
    """A fetcher whose every fetch takes all the places it can get, again and again, for `rounds` seconds.

    `starts` are the instants of all requests, leased and claimed; `waited` tells for every claim how many requests
    to its host were waiting.
    """

    machine: EngineHarness = field(default_factory=lambda: EngineHarness(FakeFetcher()))
    rounds: int = 6
    ended_as: Outcome | None = None
    under_way: int = 0
    peak: int = 0
    starts: list[float] = field(default_factory=list)
    acquired: int = 0
    renewals: int = 0
    rng: random.Random = field(default_factory=lambda: random.Random(5))

    async def fetch(self, request: Request) -> Outcome:
        assert self.machine.engine is not None
        places, mine, host = self.machine.engine.connection_slots, 0, request.url.host
        page = make_response(request)
        self._start()
        for _ in range(self.rounds):
            while places.acquire(host):
                assert self.machine.frontier.count_queued(host) == 0
                self.acquired += 1
                mine += 1
                self._start()
            await asyncio.sleep(self.rng.random())
            if self.ended_as is None and self.rng.random() < 0.5 and places.renew(host, page):
                self.renewals += 1
                self.starts.append(asyncio.get_running_loop().time())
            while mine and (places.contended(host) or self.rng.random() < 0.3):
                places.release(host, self.ended_as or page)
                self.under_way -= 1
                mine -= 1
        for _ in range(mine):
            places.release(host, page)
            self.under_way -= 1
        self.under_way -= 1
        return page

    def _start(self) -> None:
        self.under_way += 1
        self.peak = max(self.peak, self.under_way)
        self.starts.append(asyncio.get_running_loop().time())

    async def aclose(self) -> None:
        """Nothing is open."""


async def run(greedy: GreedyFetcher, urls: int, gate: GateSettings, concurrency: int = 8) -> StopReason:
    machine = greedy.machine
    machine.fetcher = greedy  # type: ignore[assignment]
    machine.gate, machine.settings = gate, EngineSettings(sitemaps=False, concurrency=concurrency)
    return await machine.run(*(f"http://h/{n}" for n in range(urls)))


@pytest.mark.parametrize("urls", [1, 2, 7], ids=["one", "two", "more than the cap"])
@pytest.mark.parametrize("cap", [1, 2, 4])
@virtual_run
async def test_the_cap_of_a_host_holds_over_leased_and_claimed(cap: int, urls: int) -> None:
    """However places are claimed, taken over and released, no more requests are under way than the cap says."""
    greedy = GreedyFetcher()
    stop = await run(greedy, urls, GateSettings(rate=None, concurrency=cap, adaptive=False))
    assert stop.kind == "finished"
    assert greedy.peak == cap
    assert (greedy.acquired > 0) == (cap > 1)
    assert greedy.under_way == 0


@virtual_run
async def test_the_concurrency_of_the_run_holds() -> None:
    """A claim takes the seat of an idle fetcher, and gives it back."""
    greedy = GreedyFetcher()
    await run(greedy, 5, GateSettings(rate=None, concurrency=None, adaptive=False), concurrency=3)
    assert greedy.peak == 3
    assert greedy.acquired > 0
    assert greedy.machine.engine is not None
    assert greedy.machine.engine.state.free_slots == 0  # all fetchers have gone home


@virtual_run
async def test_every_start_is_charged_to_the_rate() -> None:
    """Claims and turns keep the distance of `rate`, too."""
    greedy = GreedyFetcher(rounds=40)
    await run(greedy, 3, GateSettings(rate=2.0, concurrency=4, adaptive=False))
    assert greedy.acquired > 0
    assert greedy.renewals > 0
    starts = sorted(greedy.starts)
    assert all(after - before >= 0.5 - 1e-6 for before, after in itertools.pairwise(starts))


@virtual_run
async def test_failed_segments_open_the_breaker() -> None:
    """What becomes of a claimed request is heard by the host's rules, and a host in trouble has no places."""
    greedy = GreedyFetcher(rounds=60, ended_as=fail_with(ErrorKind.NETWORK)(Request(make_url("http://h/x"))))
    breaker = BreakerSettings(failures=3, open=1000.0, max_open=1000.0)
    await run(greedy, 1, GateSettings(rate=None, concurrency=4, adaptive=False, breaker=breaker))
    assert greedy.machine.events_of(BreakerOpened)
    opened = greedy.machine.events_of(BreakerOpened)[0].at - 1_700_000_000.0
    assert max(greedy.starts) <= opened


@virtual_run
async def test_a_run_that_is_to_stop_has_no_places() -> None:
    """Nothing new is begun after a stop was asked for."""
    answers = []

    class Stopping(GreedyFetcher):
        async def fetch(self, request: Request) -> Outcome:
            assert self.machine.engine is not None
            self.machine.engine.stop(StopReason(StopKind.INTERRUPTED, "SIGINT"))
            places = self.machine.engine.connection_slots
            answers.append((places.acquire(request.url.host), places.renew(request.url.host, make_response(request))))
            return make_response(request)

    await run(Stopping(), 1, GateSettings(rate=None, concurrency=4, adaptive=False))
    assert answers == [(False, False)]


@virtual_run
async def test_a_lease_that_is_not_charged_yet_comes_first() -> None:
    """While a leased request lies in the queue, nobody knows what its host has to spare."""
    answers = []

    class Watching(GreedyFetcher):
        async def fetch(self, request: Request) -> Outcome:
            assert self.machine.engine is not None
            floor, places = self.machine.engine.state, self.machine.engine.connection_slots
            await asyncio.sleep(0)  # until the other fetchers are there
            floor.jobs.put_nowait(FetchJob(next(iter(floor.in_flight.values()))))
            answers.append(places.acquire(request.url.host))
            floor.jobs.get_nowait()
            answers.append(places.acquire(request.url.host))
            places.release(request.url.host, make_response(request))
            return make_response(request)

    await run(Watching(), 1, GateSettings(rate=None, concurrency=4, adaptive=False))
    assert answers == [False, True]
