"""What the machine's parts share: queues, the pulse that wakes the dispatcher, what is in flight, why to stop.

One object instead of a web of references, so that each part can be tested with a floor of its own. It holds state
and small decisions; no part of it waits or does I/O.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import NamedTuple

from scraper.model import Lease, Outcome

MIN_RESULT_QUEUE_LENGTH = 64
"""Findings that may wait for the recorder, however few fetchers there are: so many come while it settles a group."""


class FetchResult(NamedTuple):
    """A fetched lease on its way to the recorder."""

    lease: Lease
    outcome: Outcome


class FetchJob(NamedTuple):
    """An errand for a fetcher: fetch what is leased. With `charged` its start is charged to its host already."""

    lease: Lease
    charged: bool = False


class RobotsJob(NamedTuple):
    """An errand for a fetcher: read the robots.txt that the leased request needs; the lease is given back after."""

    lease: Lease


class FlushRequest(NamedTuple):
    """Tells the recorder to settle what it holds; a `if_idle` one, from idle fetchers, if that gives them anything."""

    if_idle: bool = False


Job = FetchJob | RobotsJob


@dataclass(frozen=True, slots=True)
class StopReason:
    """Why a run ends: one word, and a sentence."""

    kind: str
    detail: str = ""


@dataclass(slots=True)
class RunState:
    """The shared state of one run. `in_flight` maps lease ids to leases that fetchers are at work on."""

    jobs: asyncio.Queue[Job]
    results: asyncio.Queue[FetchResult | FlushRequest]
    dispatcher_wakeup: asyncio.Event = field(default_factory=asyncio.Event)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    in_flight: dict[int, Lease] = field(default_factory=dict)
    unsettled: dict[int, Lease] = field(default_factory=dict)
    """Leases taken and not yet settled, by their id."""
    pages_leased: int = 0
    """Those of them that will count against max_pages."""
    pages_settled: int = 0
    free_slots: int = 0
    no_lease_available: bool = False
    """True while fetchers are idle because nothing may be asked: what the recorder holds may be what they wait for."""
    feed_open: bool = False
    """True while more requests may come from outside: an empty frontier does not end the run then."""
    feed_needed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when `leases_until_refill` have been taken: then more of them should come."""
    leases_until_refill: int = 0
    stop_reason: StopReason | None = None
    robots_unreachable: dict[str, str] = field(default_factory=dict)
    """Hosts whose robots.txt cannot be read after several tries, and why: they no longer keep the run open."""

    @classmethod
    def create(cls, concurrency: int) -> RunState:
        """A floor with queues bounded by the number of fetchers, and `MIN_RESULT_QUEUE_LENGTH`."""
        return cls(
            jobs=asyncio.Queue(concurrency), results=asyncio.Queue(max(2 * concurrency, MIN_RESULT_QUEUE_LENGTH))
        )

    def wake_dispatcher(self) -> None:
        """Let the dispatcher look again, if there are fetchers it could find something for."""
        if self.free_slots > self.jobs.qsize():
            self.dispatcher_wakeup.set()

    def request_flush(self, *, if_idle: bool = False) -> None:
        """Ask the recorder to settle now; a full queue means that it is at work anyway."""
        if not self.results.full():
            self.results.put_nowait(FlushRequest(if_idle))

    def stop(self, reason: StopReason) -> None:
        """Ask for a clean end; the first reason given is the one that counts."""
        if self.stop_reason is None:
            self.stop_reason = reason
        self.stopping.set()
        self.dispatcher_wakeup.set()

    def lease_taken(self, lease: Lease) -> None:
        """A lease was taken."""
        self.unsettled[lease.id] = lease
        self.pages_leased += lease.request.kind == "page"
        if self.leases_until_refill:
            self.leases_until_refill -= 1
            if not self.leases_until_refill:
                self.feed_needed.set()

    def lease_settled(self, lease: Lease, *, settled_page: bool = False) -> None:
        """A lease was settled; `settled_page` when it left a page record."""
        self.unsettled.pop(lease.id, None)
        self.pages_leased -= lease.request.kind == "page"
        self.pages_settled += settled_page
        self.wake_dispatcher()
