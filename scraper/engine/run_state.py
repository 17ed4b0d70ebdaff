"""What the parts of the engine share: queues, the event that wakes the dispatcher, what is leased, why to stop.

One object instead of references between all parts, so that each part can be tested with a state of its own. It holds
values and small decisions; it does no I/O and never waits.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import NamedTuple

from scraper.model import Lease, Outcome, StopKind

# Results that may be queued for the recorder, however few workers there are: as many come in during one commit.
MIN_RESULT_QUEUE_LENGTH = 64


class FetchResult(NamedTuple):
    """A fetched lease on its way to the recorder."""

    lease: Lease
    outcome: Outcome


class FetchJob(NamedTuple):
    """Fetch what is leased. With `charged`, the start is already counted on the host (`HostRegistry.start`)."""

    lease: Lease
    charged: bool = False


class RobotsJob(NamedTuple):
    """Fetch the robots.txt that the leased request needs; the lease is released afterwards."""

    lease: Lease


class FlushRequest(NamedTuple):
    """Asks the recorder to settle its batch.

    With `if_idle` (sent when no lease is available), only if that gives idle workers something to do.
    """

    if_idle: bool = False


Job = FetchJob | RobotsJob


@dataclass(frozen=True, slots=True)
class StopReason:
    """Why a run ends: its kind, and a sentence."""

    kind: StopKind
    detail: str = ""


@dataclass(slots=True)
class RunState:
    """The shared state of one run. Leases are keyed by their id."""

    jobs: asyncio.Queue[Job]
    results: asyncio.Queue[FetchResult | FlushRequest]
    dispatcher_wakeup: asyncio.Event = field(default_factory=asyncio.Event)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    # Leases that a worker has in hand.
    in_flight: dict[int, Lease] = field(default_factory=dict)
    # Leases taken from the frontier and not settled yet; contains those in flight.
    unsettled: dict[int, Lease] = field(default_factory=dict)
    # Unsettled leases that may become a page, and so count against `max_pages`.
    pages_leased: int = 0
    # Pages settled in all sessions of the run.
    pages_settled: int = 0
    # Requests that could be sent now within the run's concurrency: idle workers, less what `ConnectionSlots` uses.
    free_slots: int = 0
    # The frontier had nothing to hand out: the recorder's batch may hold the links that idle workers wait for.
    no_lease_available: bool = False
    # More requests may come from outside: an empty frontier does not end the run.
    feed_open: bool = False
    # Set when `leases_until_refill` more leases have been taken: read the next batch of the feed.
    feed_needed: asyncio.Event = field(default_factory=asyncio.Event)
    leases_until_refill: int = 0
    stop_reason: StopReason | None = None
    # Origins whose robots.txt cannot be read after several attempts, and why. They do not keep the run open.
    robots_unreachable: dict[str, str] = field(default_factory=dict)

    @classmethod
    def create(cls, concurrency: int) -> RunState:
        """A state for `concurrency` workers, with bounded queues."""
        return cls(
            jobs=asyncio.Queue(concurrency), results=asyncio.Queue(max(2 * concurrency, MIN_RESULT_QUEUE_LENGTH))
        )

    def __repr__(self) -> str:
        """Counts instead of contents: what a hanging run waits for can be read from them."""
        stop = self.stop_reason.kind if self.stop_reason else None
        return (
            f"RunState(jobs={self.jobs.qsize()}, results={self.results.qsize()}, in_flight={len(self.in_flight)}, "
            f"unsettled={len(self.unsettled)}, free_slots={self.free_slots}, pages_leased={self.pages_leased}, "
            f"pages_settled={self.pages_settled}, no_lease_available={self.no_lease_available}, "
            f"feed_open={self.feed_open}, leases_until_refill={self.leases_until_refill}, "
            f"robots_unreachable={len(self.robots_unreachable)}, stop={stop})"
        )

    def wake_dispatcher(self) -> None:
        """Let the dispatcher look for leases, if there are idle workers without a job."""
        if self.free_slots > self.jobs.qsize():
            self.dispatcher_wakeup.set()

    def request_flush(self, *, if_idle: bool = False) -> None:
        """Ask the recorder to settle now. A full queue needs no request: the recorder is at work."""
        if not self.results.full():
            self.results.put_nowait(FlushRequest(if_idle))

    def stop(self, reason: StopReason) -> None:
        """Ask for a clean end; the first reason given is the one that counts."""
        if self.stop_reason is None:
            self.stop_reason = reason
        self.stopping.set()
        self.dispatcher_wakeup.set()

    def lease_taken(self, lease: Lease) -> None:
        """Count a lease that the frontier handed out."""
        self.unsettled[lease.id] = lease
        self.pages_leased += lease.request.kind == "page"
        if self.leases_until_refill:
            self.leases_until_refill -= 1
            if not self.leases_until_refill:
                self.feed_needed.set()

    def lease_settled(self, lease: Lease, *, settled_page: bool = False) -> None:
        """Count a lease that was settled; `settled_page` if it left a page record."""
        self.unsettled.pop(lease.id, None)
        self.pages_leased -= lease.request.kind == "page"
        self.pages_settled += settled_page
        self.wake_dispatcher()
