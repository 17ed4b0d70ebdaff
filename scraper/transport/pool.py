"""The connection pool: which request uses which connection. Bookkeeping only, no I/O.

Idle connections form one stack per origin. The most recently used is taken first, so that surplus connections age and
expire. Nobody polls whether a connection still lives; it reports that itself (`remove_closed`). Every operation takes
constant time, however many connections there are.

A *slot* is the right to have one connection open to an origin: being opened, busy or idle. Slots are limited per origin
and in total. Requests without a slot wait: first come, first served within an origin; origins that wait for the total
limit take turns. When a slot becomes free, there are three cases:

1. The origin at the head of `_waiting_origins` has waited longer than any request of the slot's own origin: it gets the
   slot, and the connection is closed.
2. Otherwise the longest waiting request of the same origin gets it, with the connection if that is still usable.
3. Nobody waits: the connection becomes idle.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

import httpx


class PooledConnection(Protocol):
    """What the pool needs of a connection."""

    @property
    def origin(self) -> str:
        """The key under which it is pooled."""
        ...

    @property
    def is_available(self) -> bool:
        """Whether it can carry a request."""
        ...

    def close(self) -> None:
        """Close; the pool has already removed it."""
        ...


ConnectionT = TypeVar("ConnectionT", bound=PooledConnection)


@dataclass(slots=True)
class _OriginConnections(Generic[ConnectionT]):
    """The slots of one origin. `waiting` maps each waiter to its number in the order of all arrivals."""

    slots_used: int = 0
    idle: OrderedDict[ConnectionT, None] = field(default_factory=OrderedDict)
    waiting: OrderedDict[asyncio.Future[ConnectionT | None], int] = field(default_factory=OrderedDict)

    def first_waiter(self) -> asyncio.Future[ConnectionT | None] | None:
        """Who has waited longest. Waiters that were cancelled or timed out are removed on the way."""
        while self.waiting:
            waiter = next(iter(self.waiting))
            if not waiter.done():
                return waiter
            del self.waiting[waiter]
        return None

    def wake_first(self, connection: ConnectionT | None) -> None:
        """Grant a slot to the first waiter, with `connection` or to open a new one (None)."""
        waiter = self.first_waiter()
        assert waiter is not None, "the caller has checked `first_waiter`"
        del self.waiting[waiter]
        waiter.set_result(connection)


class ConnectionPool(Generic[ConnectionT]):
    """Connections by origin, at most `per_host` to one and `total` altogether."""

    def __init__(self, *, total: int, per_host: int) -> None:
        self._total = total
        self._per_host = per_host
        self._slots_used = 0
        self._origins: dict[str, _OriginConnections[ConnectionT]] = {}
        self._idle: OrderedDict[ConnectionT, None] = OrderedDict()  # of all origins, longest idle first
        self._waiting_origins: OrderedDict[str, None] = OrderedDict()  # those that wait for the total limit
        self._arrival_count = 0

    def __repr__(self) -> str:
        return (
            f"<ConnectionPool {self.slots_used} of {self._total} slots used, "
            f"{self.idle_count} idle, {self.waiting_count} waiting>"
        )

    @property
    def slots_used(self) -> int:
        """Slots in use: connections being opened, busy or idle."""
        return self._slots_used

    @property
    def idle_count(self) -> int:
        """Idle connections."""
        return len(self._idle)

    @property
    def waiting_count(self) -> int:
        """Requests that wait for a slot."""
        return sum(len(per_origin.waiting) for per_origin in self._origins.values())

    def take_idle(self, origin: str) -> ConnectionT | None:
        """The most recently used idle connection to `origin`, or None."""
        per_origin = self._origins.get(origin)
        if per_origin is None or not per_origin.idle:
            return None
        connection = per_origin.idle.popitem()[0]
        del self._idle[connection]
        return connection

    async def acquire_slot(self, origin: str, until: float | None) -> ConnectionT | None:
        """Wait for a slot. Returns None when the caller may open a connection to `origin`, or one that was just
        released.

        Idle connections are not considered: call `take_idle` first. A caller that does not, gets a new connection. The
        slot must be given back: `release_slot`, or `release` with the connection that was opened. Raises
        `httpx.PoolTimeout` at `until` (an instant of the loop's clock; None: never).
        """
        per_origin = self._origins.get(origin)
        if per_origin is not None and per_origin.idle:
            self._evict(next(iter(per_origin.idle)))
        may_have_slot = per_origin is None or (
            per_origin.slots_used < self._per_host and per_origin.first_waiter() is None
        )
        has_slot = may_have_slot and self._has_room_for_slot()
        # After the evictions above, which may have removed the entry.
        per_origin = self._origins.setdefault(origin, _OriginConnections())
        if not has_slot:
            return await self._wait(origin, per_origin, until)
        per_origin.slots_used += 1
        self._slots_used += 1
        return None

    async def _wait(
        self, origin: str, per_origin: _OriginConnections[ConnectionT], until: float | None
    ) -> ConnectionT | None:
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[ConnectionT | None] = loop.create_future()
        self._arrival_count += 1
        per_origin.waiting[waiter] = self._arrival_count
        if per_origin.slots_used < self._per_host:
            self._waiting_origins.setdefault(origin)
        timer = None if until is None else loop.call_at(until, _time_out, waiter)
        try:
            return await waiter
        except asyncio.CancelledError:
            # Cancelled after the slot was granted: pass it on, or it would be lost.
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self._pass_on_grant(origin, waiter.result())
            raise
        finally:
            per_origin.waiting.pop(waiter, None)
            self._drop_if_unused(origin, per_origin)
            if timer is not None:
                timer.cancel()

    def release(self, connection: ConnectionT) -> None:
        """An exchange is over: keep its connection, pass it on, or free its slot if it is not available."""
        origin = connection.origin
        if not connection.is_available:
            self.release_slot(origin)
            return
        per_origin = self._origins[origin]
        if (per_origin.waiting or self._waiting_origins) and self._own_waiter_is_first(per_origin):
            per_origin.wake_first(connection)
        elif self._waiting_origins and self._has_waiting_origin():
            connection.close()
            self.release_slot(origin)
        else:
            per_origin.idle[connection] = None
            self._idle[connection] = None

    def remove_closed(self, connection: ConnectionT) -> None:
        """An idle connection has closed."""
        per_origin = self._origins.get(connection.origin)
        if per_origin is not None and connection in per_origin.idle:
            del per_origin.idle[connection]
            del self._idle[connection]
            self.release_slot(connection.origin)

    def release_slot(self, origin: str) -> None:
        """Free a slot that has no connection (any more), and give it to a waiter."""
        per_origin = self._origins[origin]
        per_origin.slots_used -= 1
        self._slots_used -= 1
        if per_origin.first_waiter() is not None:
            self._waiting_origins.setdefault(origin)
        self._drop_if_unused(origin, per_origin)
        while self._waiting_origins and self._has_waiting_origin() and self._has_room_for_slot():
            self._grant_slot(next(iter(self._waiting_origins)))

    def close(self) -> None:
        """Close all idle connections; waiting requests fail with `httpx.PoolTimeout`."""
        for connection in list(self._idle):
            self._evict(connection)
        for per_origin in list(self._origins.values()):
            while (waiter := per_origin.first_waiter()) is not None:
                waiter.set_exception(httpx.PoolTimeout("the transport was closed"))

    # -- decisions

    def _pass_on_grant(self, origin: str, connection: ConnectionT | None) -> None:
        """A waiter was cancelled after it was granted a slot."""
        if connection is None:
            self.release_slot(origin)
        else:
            self.release(connection)

    def _own_waiter_is_first(self, per_origin: _OriginConnections[ConnectionT]) -> bool:
        """Whether the longest waiting request of this origin came before that of the origin in turn."""
        if per_origin.first_waiter() is None:
            return False
        if not self._has_waiting_origin():
            return True
        first = self._origins[next(iter(self._waiting_origins))]
        return next(iter(per_origin.waiting.values())) <= next(iter(first.waiting.values()))

    def _has_waiting_origin(self) -> bool:
        """Whether an origin waits for the total limit; removes those that no longer can use a slot."""
        while self._waiting_origins:
            origin = next(iter(self._waiting_origins))
            per_origin = self._origins.get(origin)
            if (
                per_origin is not None
                and per_origin.slots_used < self._per_host
                and per_origin.first_waiter() is not None
            ):
                return True
            del self._waiting_origins[origin]
        return False

    def _grant_slot(self, origin: str) -> None:
        """Grant a slot to the longest waiting request of `origin`; the origin goes to the end of the queue."""
        per_origin = self._origins[origin]
        del self._waiting_origins[origin]
        per_origin.slots_used += 1
        self._slots_used += 1
        per_origin.wake_first(None)
        if per_origin.slots_used < self._per_host and per_origin.first_waiter() is not None:
            self._waiting_origins[origin] = None

    def _has_room_for_slot(self) -> bool:
        """Whether another slot is available, if necessary by closing the connection idle for longest."""
        if self._slots_used < self._total:
            return True
        if not self._idle:
            return False
        self._evict(next(iter(self._idle)))
        return True

    def _evict(self, connection: ConnectionT) -> None:
        per_origin = self._origins[connection.origin]
        del per_origin.idle[connection]
        del self._idle[connection]
        per_origin.slots_used -= 1
        self._slots_used -= 1
        connection.close()
        self._drop_if_unused(connection.origin, per_origin)

    def _drop_if_unused(self, origin: str, per_origin: _OriginConnections[ConnectionT]) -> None:
        if not per_origin.slots_used and not per_origin.waiting and self._origins.get(origin) is per_origin:
            del self._origins[origin]
            self._waiting_origins.pop(origin, None)


def _time_out(waiter: asyncio.Future[ConnectionT | None]) -> None:
    if not waiter.done():
        waiter.set_exception(httpx.PoolTimeout("no connection became free in time"))
