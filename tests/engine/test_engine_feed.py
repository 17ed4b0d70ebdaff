"""The feed: read as its requests are needed, and never held up by a slow host."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable

import pytest

from scraper.engine.settings import EngineSettings
from scraper.model import Request
from scraper.politeness.host_gate import GateSettings
from scraper.testing.fakes import FakeFetcher, make_url, with_status
from scraper.testing.virtual_loop import virtual_run
from tests.engine.harness import EngineHarness

BATCH = 100


class Feed:
    """Batches of requests; `most` is the largest number that waited when another one was asked for."""

    def __init__(self, harness: EngineHarness, hosts: Callable[[int], str], batches: int) -> None:
        self.harness, self.hosts, self.batches = harness, hosts, batches
        self.max_waiting = 0

    async def __aiter__(self) -> AsyncIterator[list[Request]]:
        for batch in range(self.batches):
            self.max_waiting = max(self.max_waiting, self.harness.frontier.depths().waiting)
            numbers = range(batch * BATCH, (batch + 1) * BATCH)
            yield [Request(make_url(f"http://{self.hosts(n)}/{n}")) for n in numbers]


def harness_of(latency: float | Callable[[Request], float], concurrency: int, cap: int | None) -> EngineHarness:
    return EngineHarness(
        FakeFetcher(latency=latency, default=with_status(200)),
        settings=EngineSettings(sitemaps=False, concurrency=concurrency, feed_low_water=200),
        gate=GateSettings(rate=None, concurrency=cap, adaptive=False),
    )


@pytest.mark.parametrize("cap", [None, 8], ids=["one host takes all fetchers", "and its cap is theirs"])
@virtual_run
async def test_a_list_waits_where_it_is(cap: int | None) -> None:
    """While fetchers are at work, no more is taken in than `feed_low_water` and a batch; all of it is fetched, in
    order."""
    harness = harness_of(0.01, 8, cap)
    feed = Feed(harness, lambda n: "h.example", 40)
    stop = await harness.run(feed=aiter(feed))
    assert stop.kind == "finished"
    assert [int(url.rpartition("/")[2]) for url in harness.fetcher.urls()] == list(range(4000))
    assert feed.max_waiting <= 200


@virtual_run
async def test_a_slow_host_does_not_hold_up_what_stands_behind_it() -> None:
    """Fetchers that find nothing to do let the list be read on, past any number of lines of a slow host."""
    harness = harness_of(lambda request: 60.0 if request.url.host == "slow.example" else 0.01, 8, 2)
    feed = Feed(harness, lambda n: "slow.example" if n < 3000 else "quick.example", 31)
    harness.settings = EngineSettings(sitemaps=False, concurrency=8, feed_low_water=200, max_time=90.0)
    await harness.run(feed=aiter(feed))
    starts = harness.fetcher.start_times("quick.example")
    assert len(starts) == BATCH
    assert max(starts) - min(harness.fetcher.start_times()) < 3.0


@virtual_run
async def test_a_capped_host_that_is_quick_is_not_read_ahead_for() -> None:
    """Fetchers that no host has room for are no reason to read on, as long as the others take a lot."""
    harness = harness_of(0.001, 8, 4)
    feed = Feed(harness, lambda n: "h.example", 40)
    await harness.run(feed=aiter(feed))
    assert len(harness.fetcher.calls) == 4000
    assert feed.max_waiting <= 1000


@pytest.mark.parametrize("cap", [None, 3], ids=["without a cap", "with a cap"])
@virtual_run
async def test_requests_that_follow_each_other_keep_the_distance(cap: int | None) -> None:
    """A fetcher that goes on with the same host is charged when it starts, also when its findings had to wait."""
    harness = harness_of(3.0, 4, cap)
    harness.gate = GateSettings(rate=1.0, concurrency=cap, adaptive=False)
    flush = harness.sink.flush

    async def slowly() -> str:
        await asyncio.sleep(40.0)
        return await flush()

    harness.sink.flush = slowly  # type: ignore[method-assign]
    harness.settings = EngineSettings(sitemaps=False, concurrency=4, batch_size=4)
    stop = await harness.run(feed=aiter(Feed(harness, lambda n: "h.example", 1)))
    starts = harness.fetcher.start_times()
    assert stop.kind == "finished"
    assert len(starts) == BATCH
    assert min(later - earlier for earlier, later in itertools.pairwise(starts)) >= 1.0 - 1e-6


@virtual_run
async def test_fetchers_at_work_are_looked_at_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    """However short the pauses were while nothing could be done, afterwards they are `feed_poll_seconds` again."""
    waits: list[float] = []

    def timeout(delay: float) -> asyncio.Timeout:
        waits.append(delay)
        assert len(waits) < 2000, "the feed is polled"
        return asyncio_timeout(delay)

    asyncio_timeout = asyncio.timeout
    monkeypatch.setattr("scraper.engine.engine.asyncio.timeout", timeout)
    harness = harness_of(lambda request: 600.0 if request.url.host == "slow.example" else 1.0, 8, None)
    harness.gate = GateSettings(rate=None, concurrency=2, adaptive=False)
    feed = Feed(harness, lambda n: "slow.example" if n < 3000 else f"h{n % 50}.example", 32)
    harness.settings = EngineSettings(sitemaps=False, concurrency=8, feed_low_water=200, max_time=60.0)
    await harness.run(feed=aiter(feed))
    assert len(harness.fetcher.start_times()) - len(harness.fetcher.start_times("slow.example")) == 2 * BATCH
