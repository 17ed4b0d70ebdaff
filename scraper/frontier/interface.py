"""The port of the frontier: requests that wait, URLs that are known, and how far outputs are committed.

It answers one question: which URL may be requested next? For each host it keeps the earliest time of the next request.
A lease closes its host, and whoever holds the lease opens it again with `park`: so any number of processes with their
own rate limiters can share one frontier and stay polite.

An implementation is finished when it passes `scraper.testing.frontier_contract`.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from scraper.model import Lease, Request, Settlement, Skip

# A time that does not come: of hosts that are closed, of waits without end.
NEVER = math.inf


class Granted(NamedTuple):
    """Leases, at least one, no two of one host."""

    leases: tuple[Lease, ...]


class Wait(NamedTuple):
    """Nothing may be requested before `until` (epoch seconds; `NEVER` while all waiting hosts are closed)."""

    until: float


class Drained(NamedTuple):
    """Nothing is waiting and nothing is leased: the crawl is done."""


LeaseResult = Granted | Wait | Drained


@dataclass(frozen=True, slots=True)
class FrontierCounts:
    """Figures over all sessions of a run.

    `waiting` are queued and not leased, `delayed` wait for a retry, `known` are all URLs that were ever queued.
    `outcomes` counts settled URLs by outcome (`ok`, `http_404`, ...), `hosts` by host and outcome. `wire_size` (bytes
    received) and `items` are totals of what was settled. `checkpoints` are the texts that `settle` stored.
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
    """How many requests are queued and not leased, and how many wait for a retry."""

    waiting: int
    delayed: int


class Frontier(Protocol):
    """Requests are added, leased and settled; hosts are parked. All methods are called from one event loop.

    Errors: every method raises `FrontierError` when the state cannot be read or written.
    """

    async def add(self, requests: Sequence[Request]) -> int:
        """Queue the requests whose `url.key` is not known yet, durably; return how many were new.

        Order is kept within one host and priority. A key stays known for the whole run: it is queued once.
        """
        ...

    async def lease(self, count: int, now: float, below_priority: int | None = None) -> LeaseResult:
        """At most `count` leases, at most one a host, of hosts that are ready at `now` (epoch seconds).

        Each of these hosts is closed until `park` opens it. The host that has been ready longest goes first, so that no
        host starves; within a host the lowest `priority`, then the oldest request. Retries (`Retry.at`) come back at
        their time.

        With `below_priority` only requests of a lower priority count; the result is `Wait(NEVER)` when others wait but
        none of those does. `Wait(until)` says when something may be ready next; a `park`, `add` or `settle` may make it
        earlier. A frontier that is shared with other processes never returns an endless Wait.
        """
        ...

    def try_lease(self, now: float, below_priority: int | None = None) -> Lease | None:
        """One lease, as `lease` would give it, if that takes no I/O. None means: call `lease`."""
        ...

    def try_lease_same_host(self, host: str, now: float, below_priority: int | None = None) -> Lease | None:
        """Another lease of `host` for a caller that has just finished with one, without I/O.

        Does not close or park the host: the caller has checked that one more request may be sent. None when another
        host has become ready before, `host` is closed, or it has no request in memory; then call `lease`.
        """
        ...

    def park(self, host: str, until: float) -> None:
        """Open `host` from `until` on (epoch seconds; `NEVER` keeps it closed). Does no I/O.

        A host that has nothing waiting can be parked too.
        """
        ...

    async def settle(
        self,
        settlements: Sequence[Settlement],
        checkpoints: Mapping[str, str] | None = None,
        host_state: Mapping[str, Mapping[str, str]] | None = None,
    ) -> int:
        """End leases, in one transaction with `checkpoints` and `host_state`; return how many URLs were new.

        By verdict: `Done` finishes the request. `Drop` too, and stores it as a skip. `Retry` puts its request (which
        may be another one, on another host) back, delayed until `Retry.at`; dated `NEVER` it waits for the next
        session. `Release` puts the request back unchanged.

        Discovered requests are added as by `add`. Skips are stored once for each URL, and removed if the URL is queued
        later. A settlement whose `outcome` is empty is not counted in `FrontierCounts.outcomes`.

        `checkpoints` are opaque texts by name (lengths of outputs, hashes of the config), returned by `counts`.
        `host_state` are opaque texts by host and name ("gate", "robots https://h"); names that are not given keep
        their text. They come back with the first lease of the host in a later process. When this returns, all of it
        survives a kill of the process.
        """
        ...

    async def renew(self, leases: Sequence[Lease], until: float) -> None:
        """Extend leases whose requests are under way. A frontier of one process may do nothing."""
        ...

    async def counts(self) -> FrontierCounts:
        """The figures of this moment."""
        ...

    async def aclose(self) -> None:
        """Write what is pending and close. Leases that were not settled wait again after the next open."""
        ...


class FrontierView(Protocol):
    """Queries that change nothing. A frontier in this process implements them beside `Frontier`."""

    def skips(self) -> AsyncIterator[Skip]:
        """Every URL that was seen and not requested, in the order they were found."""
        ...

    def waiting(self) -> AsyncIterator[Request]:
        """Every request still queued or delayed, host by host."""
        ...

    def count_queued(self, host: str) -> int:
        """How many requests of `host` are queued, without I/O."""
        ...

    async def has_other_origin(self, host: str, origin: str) -> bool:
        """Whether a request of `host` is queued whose origin is not `origin`: http beside https."""
        ...

    def depths(self) -> QueueDepths:
        """How many requests are queued and delayed, without I/O: cheap enough for a screen."""
        ...

    async def host_state(self, host: str) -> Mapping[str, str]:
        """What `settle` stored for `host`, by name; empty when nothing was."""
        ...


class InspectableFrontier(Frontier, FrontierView, Protocol):
    """A frontier that also answers questions about itself: what a run on one machine works with."""
