"""What the machine's parts share: queues, the pulse that wakes the dispatcher, what is in flight, why to stop.

One object instead of a web of references, so that each part can be tested with a floor of its own. It holds state
and small decisions; no part of it waits or does I/O.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import NamedTuple

from scraper.model import Lease, Outcome

RESULTS = 64
"""Findings that may wait for the recorder, however few fetchers there are: so many come while it settles a group."""


class Finding(NamedTuple):
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


class Nudge(NamedTuple):
    """Tells the recorder to settle what it holds; a `hungry` one, from idle fetchers, if that gives them anything."""

    hungry: bool = False


Job = FetchJob | RobotsJob


@dataclass(frozen=True, slots=True)
class Stop:
    """Why a run ends: one word, and a sentence."""

    why: str
    detail: str = ""


@dataclass(slots=True)
class Floor:
    """The shared state of one run. `in_flight` maps lease ids to leases that fetchers are at work on."""

    jobs: asyncio.Queue[Job]
    results: asyncio.Queue[Finding | Nudge]
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    in_flight: dict[int, Lease] = field(default_factory=dict)
    taken: dict[int, Lease] = field(default_factory=dict)
    """Leases taken and not yet settled, by their id."""
    pages_outstanding: int = 0
    """Those of them that will count against max_pages."""
    pages_settled: int = 0
    idle: int = 0
    starving: bool = False
    """True while fetchers are idle because nothing may be asked: what the recorder holds may be what they wait for."""
    feeding: bool = False
    """True while more requests may come from outside: an empty frontier does not end the run then."""
    appetite: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when `leases_until_hungry` have been taken: then more of them should come."""
    leases_until_hungry: int = 0
    stop_reason: Stop | None = None
    unreachable: dict[str, str] = field(default_factory=dict)
    """Hosts whose robots.txt cannot be read after several tries, and why: they no longer keep the run open."""

    @classmethod
    def make(cls, concurrency: int) -> Floor:
        """A floor with queues bounded by the number of fetchers, and `RESULTS`."""
        return cls(jobs=asyncio.Queue(concurrency), results=asyncio.Queue(max(2 * concurrency, RESULTS)))

    def stir(self) -> None:
        """Let the dispatcher look again, if there are fetchers it could find something for."""
        if self.idle > self.jobs.qsize():
            self.wake.set()

    def nudge(self, *, hungry: bool = False) -> None:
        """Ask the recorder to settle now; a full queue means that it is at work anyway."""
        if not self.results.full():
            self.results.put_nowait(Nudge(hungry))

    def stop(self, reason: Stop) -> None:
        """Ask for a clean end; the first reason given is the one that counts."""
        if self.stop_reason is None:
            self.stop_reason = reason
        self.stopping.set()
        self.wake.set()

    def took(self, lease: Lease) -> None:
        """A lease was taken."""
        self.taken[lease.id] = lease
        self.pages_outstanding += lease.request.kind == "page"
        if self.leases_until_hungry:
            self.leases_until_hungry -= 1
            if not self.leases_until_hungry:
                self.appetite.set()

    def gave(self, lease: Lease, *, settled_page: bool = False) -> None:
        """A lease was settled; `settled_page` when it left a page record."""
        self.taken.pop(lease.id, None)
        self.pages_outstanding -= lease.request.kind == "page"
        self.pages_settled += settled_page
        self.stir()
