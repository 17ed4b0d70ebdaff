"""The SQLite frontier against the one in RAM: whatever is done to both, both answer the same."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from scraper.frontier.host_schedule import HostSchedule
from scraper.frontier.interface import NEVER, Granted
from scraper.frontier.sqlite.frontier import SqliteFrontier
from scraper.frontier.sqlite.settings import SqliteSettings
from scraper.model import Done, Drop, Lease, Release, Request, Retry, Settlement, Skip, Verdict
from scraper.testing.frontier_contract import make_request
from scraper.testing.memory_frontier import MemoryFrontier, MemoryHostQueue

HOSTS = ["a.example", "b.example", "c.example"]
T = TypeVar("T")

requests = st.builds(
    lambda host, n, priority, depth: make_request(f"https://{host}/{n}", priority, depth=depth),
    st.sampled_from(HOSTS),
    st.integers(0, 30),
    st.integers(-1, 1),
    st.integers(0, 2),
)
batches = st.lists(requests, max_size=12)
skips = st.lists(requests.map(lambda r: Skip(r.url, r.parent, "scope", "rule")), max_size=3).map(tuple)
words = st.sampled_from(["ok", "http_404", ""])
instants = st.one_of(st.integers(-5, 20), st.just(100), st.just(NEVER))
below = st.one_of(st.none(), st.integers(-1, 1))


class SameAsMemory(RuleBasedStateMachine):
    write_only_on_evict = False

    @initialize(rows=st.integers(1, 4), buffer=st.integers(1, 8), known=st.integers(1, 40), early=st.integers(0, 2))
    def open(self, rows: int, buffer: int, known: int, early: int) -> None:
        self.loop = asyncio.new_event_loop()
        self.folder = Path(tempfile.mkdtemp())
        self.settings = SqliteSettings(
            max_host_rows=rows,
            max_buffered_rows=buffer,
            known_cache_keys=known,
            skipped_cache_keys=known,
            prefetch_hosts=early,
            write_only_on_evict=self.write_only_on_evict,
        )
        self.now = 1000.0
        self.memory = MemoryFrontier()
        self.sqlite = self.run(SqliteFrontier.open(self.folder / "db", self.settings))
        self.leases: list[tuple[Lease, Lease]] = []

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    def teardown(self) -> None:
        if hasattr(self, "loop"):
            self.run(self.sqlite.aclose())
            self.loop.close()
            shutil.rmtree(self.folder)

    @rule(batch=batches)
    def add(self, batch: list[Request]) -> None:
        assert self.run(self.sqlite.add(batch)) == self.run(self.memory.add(batch))

    @rule(later=st.integers(0, 6), below=below)
    def lease(self, later: int, below: int | None) -> None:
        """All hosts that are ready are leased, because the order of those that came at one instant is not promised."""
        self.now += later
        mine = self.run(self.sqlite.lease(len(HOSTS), self.now, below))
        model = self.run(self.memory.lease(len(HOSTS), self.now, below))
        if not (isinstance(mine, Granted) and isinstance(model, Granted)):
            assert mine == model
            return
        pairs = list(zip(*(sorted(grant.leases, key=_host) for grant in (mine, model)), strict=True))
        assert [(one.request, one.host_state) for one, _ in pairs] == [
            (two.request, two.host_state) for _, two in pairs
        ]
        self.leases += pairs

    @rule(below=below)
    def try_lease(self, below: int | None) -> None:
        """What is leased without waiting is the best of a host that may be asked; there may be nothing at hand."""
        self.memory._schedule.advance(self.now)
        mine = self.sqlite.try_lease(self.now, below)
        if mine is not None:
            queue = self.memory._schedule.get_or_create(_host(mine))
            assert queue.waiting
            assert not queue.closed
            assert queue.ready_at <= self.now
            queue.closed = True
            self._pair(mine, queue)

    @rule(host=st.sampled_from(HOSTS), below=below)
    def try_lease_same_host(self, host: str, below: int | None) -> None:
        """Another lease of a host is its best request, and passes no host whose turn had come before."""
        self.memory._schedule.advance(self.now)
        mine = self.sqlite.try_lease_same_host(host, self.now, below)
        if mine is not None:
            queue = self.memory._schedule.get_or_create(host)
            assert queue.waiting
            assert not queue.closed
            others = [other for other in self.memory._schedule.queues() if other.waiting and not other.closed]
            allowed = [other for other in others if below is None or other.best_priority < below]
            assert not any(other.ready_at <= self.now and other.ready_at < queue.ready_at for other in allowed)
            self._pair(mine, queue)

    def _pair(self, mine: Lease, queue: MemoryHostQueue) -> None:
        model = self.memory._grant(queue)
        assert (mine.request, mine.host_state) == (model.request, model.host_state)
        self.leases.append((mine, model))

    @rule(host=st.sampled_from(HOSTS), instant=instants)
    def park(self, host: str, instant: float) -> None:
        self.sqlite.park(host, self.now + instant)
        self.memory.park(host, self.now + instant)

    @precondition(lambda self: self.leases)
    @rule(
        data=st.data(),
        count=st.integers(1, 3),
        checkpoints=st.dictionaries(st.sampled_from("xy"), st.text(max_size=3), max_size=2),
        host_state=st.dictionaries(
            st.sampled_from(HOSTS), st.dictionaries(st.sampled_from("gr"), st.text(max_size=3), min_size=1)
        ),
    )
    def settle(
        self, data: st.DataObject, count: int, checkpoints: dict[str, str], host_state: dict[str, dict[str, str]]
    ) -> None:
        mine: list[Settlement] = []
        model: list[Settlement] = []
        for _ in range(min(count, len(self.leases))):
            pair = self.leases.pop(data.draw(st.integers(0, len(self.leases) - 1)))
            verdict: Verdict = data.draw(
                st.one_of(
                    st.just(Done()),
                    st.just(Drop("robots", "rule")),
                    st.just(Release()),
                    st.builds(Retry, st.integers(-3, 15).map(lambda n: self.now + n), requests),
                    st.just(Retry(self.now, pair[0].request)),
                )
            )
            found, skipped, word = tuple(data.draw(batches)), data.draw(skips), data.draw(words)
            for lease, settlements in zip(pair, (mine, model), strict=True):
                settlements.append(Settlement(lease, verdict, word, found, skipped, wire_size=3, items=1))
        assert self.run(self.sqlite.settle(mine, checkpoints, host_state)) == self.run(
            self.memory.settle(model, checkpoints, host_state)
        )

    @precondition(lambda self: not self.write_only_on_evict)
    @rule()
    def reopen(self) -> None:
        """A restart gives leases back and forgets instants: the model releases and opens everything."""
        self.run(self.sqlite.aclose())
        self.sqlite = self.run(SqliteFrontier.open(self.folder / "db", self.settings))
        self.run(self.memory.settle([Settlement(model, Release()) for _, model in self.leases]))
        self.leases.clear()
        rows = [row for queue in self.memory._schedule.queues() for row in queue.rows]
        self.memory._schedule = HostSchedule(MemoryHostQueue)
        for _, entry, request in rows:
            self.memory._enqueue(entry, request)

    @invariant()
    def the_same_is_known(self) -> None:
        if hasattr(self, "loop"):
            assert self.run(self.sqlite.counts()) == self.run(self.memory.counts())
            for host in HOSTS:
                assert self.sqlite.count_queued(host) == self.memory.count_queued(host)
                assert self.run(self.sqlite.host_state(host)) == self.run(self.memory.host_state(host))
            assert self.run(_all(self.sqlite.skips())) == self.run(_all(self.memory.skips()))
            mine, model = self.run(_all(self.sqlite.waiting())), self.run(_all(self.memory.waiting()))
            for host in HOSTS:
                assert [r for r in mine if r.url.host == host] == [r for r in model if r.url.host == host]


def test_a_host_that_goes_on_is_not_introduced_again(tmp_path: Path) -> None:
    """A settlement that ends a host's last request and brings its next one keeps the host: notes come once."""

    async def second_lease(frontier: MemoryFrontier | SqliteFrontier) -> Mapping[str, str] | None:
        await frontier.add([make_request("https://a.example/1")])
        first = await frontier.lease(1, 1000.0)
        assert isinstance(first, Granted)
        frontier.park("a.example", 1000.0)
        found = (make_request("https://a.example/2"),)
        await frontier.settle([Settlement(first.leases[0], Done(), "ok", found)])
        second = await frontier.lease(1, 1000.0)
        await frontier.aclose()
        assert isinstance(second, Granted)
        return second.leases[0].host_state

    async def both() -> list[Mapping[str, str] | None]:
        sqlite = await SqliteFrontier.open(tmp_path / "db", SqliteSettings())
        return [await second_lease(MemoryFrontier()), await second_lease(sqlite)]

    assert asyncio.run(both()) == [None, None]


def _host(lease: Lease) -> str:
    return lease.request.url.host


async def _all(found: Any) -> list[Any]:
    return [one async for one in found]


SameAsMemory.TestCase.settings = settings(
    max_examples=60, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestSameAsMemory = SameAsMemory.TestCase


class WriteOnEvictSameAsMemory(SameAsMemory):
    write_only_on_evict = True


WriteOnEvictSameAsMemory.TestCase.settings = SameAsMemory.TestCase.settings
TestSameAsMemoryWritingOnEvict = WriteOnEvictSameAsMemory.TestCase
