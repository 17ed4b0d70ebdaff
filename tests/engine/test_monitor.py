"""The monitor samples, renews leases, and keeps the time limit."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from scraper.engine.monitor import MAX_SAMPLED_HOSTS, Monitor
from scraper.engine.settings import EngineSettings
from scraper.events import QueuesSampled
from scraper.model import Lease, StopKind
from scraper.testing.virtual_loop import virtual_run
from tests.engine.harness import EPOCH
from tests.engine.parts import A, Parts, RecordingFrontier

SETTINGS = EngineSettings(sample_seconds=0.5)


async def watch(parts: Parts, seconds: float) -> list[QueuesSampled]:
    """The samples of so many seconds."""
    task = asyncio.get_running_loop().create_task(Monitor(parts.context).run())
    await asyncio.sleep(seconds)
    task.cancel()
    return [event for event in parts.bus.events if isinstance(event, QueuesSampled)]


@virtual_run
async def test_it_samples_twice_a_second() -> None:
    """Queues and the busiest hosts, at most `MAX_SAMPLED_HOSTS`."""
    parts = Parts(settings=SETTINGS)
    parts.state.in_flight[1] = await parts.lease(f"{A}/1", f"{A}/2")
    for number in range(100):
        gate = parts.hosts.get_or_restore(f"h{number}.example")
        if number == 50:
            parts.hosts.start(gate, EPOCH)
    samples = await watch(parts, 2.1)
    assert len(samples) == 4
    assert (samples[0].waiting, samples[0].in_flight) == (1, 1)
    assert len(samples[0].hosts) == MAX_SAMPLED_HOSTS
    assert samples[0].hosts[0].host == "h50.example"


class RenewingFrontier(RecordingFrontier):
    """Keeps what was renewed, and until when."""

    def __init__(self) -> None:
        super().__init__()
        self.renewed: list[tuple[list[int], float]] = []

    async def renew(self, leases: Sequence[Lease], until: float) -> None:
        self.renewed.append(([lease.id for lease in leases], until))


@virtual_run
async def test_leases_in_flight_are_renewed_in_time() -> None:
    """At a third of their length, so that one late renewal costs nothing."""
    frontier = RenewingFrontier()
    parts = Parts(settings=replace(SETTINGS, lease_seconds=30.0), frontier=frontier)
    lease = await parts.lease(f"{A}/1")
    parts.state.in_flight[lease.id] = lease
    await watch(parts, 25.0)
    assert [ids for ids, _ in frontier.renewed] == [[lease.id]] * 2
    assert all(29 < until - EPOCH - 10 * (n + 1) < 32 for n, (_, until) in enumerate(frontier.renewed))


@virtual_run
async def test_the_time_limit_stops_the_run() -> None:
    """Cleanly, with its kind."""
    parts = Parts(settings=replace(SETTINGS, max_time=3.0))
    await watch(parts, 2.9)
    assert parts.state.stop_reason is None
    await watch(parts, 3.6)
    assert parts.state.stop_reason is not None
    assert parts.state.stop_reason.kind is StopKind.MAX_TIME
