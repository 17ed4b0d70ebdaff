"""The port for what is still to be asked, what is known, and how far the outputs are committed.

The frontier answers one question: which URL may be asked next? It keeps one instant per host ("not before"), and
closes a host when it leases from it; whoever took the lease parks the host again. So any number of processes on
one frontier stay polite with limiters of their own.

An implementation is finished when it passes `scraper.testing.frontier_contract`.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from scraper.model import Lease, Request, Settlement, Skip

NEVER = math.inf


class Granted(NamedTuple):
    """Leases, at least one, no two of one host."""

    leases: tuple[Lease, ...]


class Wait(NamedTuple):
    """Nothing may be asked before `until` (epoch seconds; `NEVER` while every waiting host is parked for good)."""

    until: float


class Drained(NamedTuple):
    """Nothing is waiting and nothing is leased: the crawl is done."""


LeaseResult = Granted | Wait | Drained


@dataclass(frozen=True, slots=True)
class FrontierCounts:
    """How the frontier stands. `outcomes` counts settled URLs by outcome word, over all sessions of the run.

    `hosts` counts settled URLs by host and outcome. `marks` are the texts stored by `settle`. `wire_size` (bytes)
    and `items` are totals of what was settled.
    """

    waiting: int = 0
    delayed: int = 0
    leased: int = 0
    known: int = 0
    items: int = 0
    wire_size: int = 0
    outcomes: Mapping[str, int] = field(default_factory=dict)
    hosts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    checkpoints: Mapping[str, str] = field(default_factory=dict)

    @property
    def settled(self) -> int:
        """URLs that are finished for good and have a record."""
        return sum(self.outcomes.values())


class QueueDepths(NamedTuple):
    """How many requests are queued and not leased, and how many wait for their date."""

    waiting: int
    delayed: int


class Frontier(Protocol):
    """Requests wait here, are leased, parked and settled. All methods are called from one event loop.

    Errors: every method raises `FrontierError` when the state cannot be read or written.
    """

    async def add(self, requests: Sequence[Request]) -> int:
        """Queue the requests whose `url.key` is not known yet, durably; return how many were new.

        Order is kept within one host and priority. A key stays known for the whole run: it is queued once.
        """
        ...

    async def lease(self, count: int, now: float, below_priority: int | None = None) -> LeaseResult:
        """Hand out at most `count` leases, at most one a host, of hosts whose instant has come.

        With `below`, only entries whose priority is lower than it are handed out; the answer is then
        `Wait(NEVER)` when others wait but none of those does.

        Each host leased from is closed until `park` opens it. Among the hosts that are ready the one that has
        been ready longest goes first, so that no host starves; within a host, lower `priority` first, then
        oldest first. Requests that wait as retries (`Retry.at`) come back when their instant has come.
        `Wait(until)` gives the next instant at which something may be ready; a `park`, `add` or `settle` may
        make it earlier. A frontier shared with other processes never answers an endless Wait.
        """
        ...

    def try_lease(self, now: float, below_priority: int | None = None) -> Lease | None:
        """One lease, as `lease` would give it, if that takes no I/O; None is no answer: then ask `lease`."""
        ...

    def try_lease_same_host(self, host: str, now: float, below_priority: int | None = None) -> Lease | None:
        """Another lease of `host` for whoever holds one and has just finished with it, without I/O.

        The host stays open or parked as it is: whoever asks has seen to it that one more request may be sent. None
        when another host's turn has come, `host` is closed or has nothing at hand: then the usual way must be gone.
        """
        ...

    def park(self, host: str, until: float) -> None:
        """Open `host` from `until` (epoch seconds, `NEVER` to keep it closed). Does no I/O.

        A host that has nothing waiting may be parked too.
        """
        ...

    async def settle(
        self,
        settlements: Sequence[Settlement],
        checkpoints: Mapping[str, str] | None = None,
        host_state: Mapping[str, Mapping[str, str]] | None = None,
    ) -> int:
        """Store the fate of leases, in one transaction with `marks` and `notes`; return how many URLs were new.

        `Done` and `Drop` finish the entry; `Drop` also keeps it as a skip. `Retry` puts it back with a date, as
        its (possibly changed) request, on that request's host; dated `NEVER` it waits for the next session. `Release` puts it back where it was. Discovered
        requests are added as by `add`; `skipped` are kept, each URL once, and forgotten if the URL is queued
        later after all. A settlement whose `outcome` is empty is not counted in `Counts.outcomes`.

        Marks are opaque texts by name (sinks' committed offsets, the config's hash), given back in
        `Counts.marks`. Notes are opaque texts by host and short name ("gate", "robots https://h"): given ones
        replace stored ones of the same name, others stay; they come back with the first lease of the host in a
        later process. When this returns, all of it survives a kill of the process.
        """
        ...

    async def renew(self, leases: Sequence[Lease], until: float) -> None:
        """Extend leases that are still at work. A frontier with one process may do nothing."""
        ...

    async def counts(self) -> FrontierCounts:
        """How the frontier stands now."""
        ...

    async def aclose(self) -> None:
        """Write what is pending and close. Leases that were not settled are waiting again on the next open."""
        ...


class FrontierView(Protocol):
    """Questions about a run that do not change it. An embedded frontier implements it beside `Frontier`."""

    def skips(self) -> AsyncIterator[Skip]:
        """Every URL that was seen and not asked for: skips, in the order they were found."""
        ...

    def waiting(self) -> AsyncIterator[Request]:
        """Every request still queued or delayed, host by host."""
        ...

    def count_queued(self, host: str) -> int:
        """How many requests of `host` are queued, known without I/O."""
        ...

    async def has_other_origin(self, host: str, origin: str) -> bool:
        """Whether a request of `host` is queued whose origin is not `origin`: http beside https."""
        ...

    def depths(self) -> QueueDepths:
        """How many requests are queued and delayed, known without I/O: cheap enough to ask twice a second."""
        ...

    async def host_state(self, host: str) -> Mapping[str, str]:
        """What `settle` was told to remember of `host`; empty when nothing was."""
        ...


class InspectableFrontier(Frontier, FrontierView, Protocol):
    """A frontier that also answers questions about itself: what a run on one machine works with."""
