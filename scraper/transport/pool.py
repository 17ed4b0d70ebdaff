"""Who may use which connection: bookkeeping without I/O.

Unused connections lie on one stack per origin: the youngest is taken first, so the surplus ages and expires. Nobody
ever looks whether a connection still lives; it says so itself (`died`). Every operation costs the same however many
connections there are.

A *place* is the right to have one connection open to an origin, whether it is being opened, busy or idle. Places are
limited per origin and in total. Who finds none waits: first come, first served within an origin, and origins that
wait for the total limit take turns. So a place that becomes free goes

    to the origin at the head of the queue, when that has waited longer than anyone of the place's own origin;
    else to the longest waiting of its own origin, together with the connection if that still lives;
    else back to the pool.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

import httpx


class PooledConnection(Protocol):
    """What the pool asks of a connection."""

    @property
    def origin(self) -> str:
        """Whom it is connected to."""
        ...

    @property
    def is_available(self) -> bool:
        """Whether it can carry an exchange."""
        ...

    def close(self) -> None:
        """Close; the pool has forgotten it already."""
        ...


ConnectionT = TypeVar("ConnectionT", bound=PooledConnection)


@dataclass(slots=True)
class _OriginConnections(Generic[ConnectionT]):
    """One origin's share. `waiting` maps each waiter to its number in the order of all arrivals."""

    slots_used: int = 0
    idle: OrderedDict[ConnectionT, None] = field(default_factory=OrderedDict)
    waiting: OrderedDict[asyncio.Future[ConnectionT | None], int] = field(default_factory=OrderedDict)

    def first_waiter(self) -> asyncio.Future[ConnectionT | None] | None:
        """Who has waited longest. Whoever was cancelled or ran out of time, and has not yet noticed, is dropped."""
        while self.waiting:
            turn = next(iter(self.waiting))
            if not turn.done():
                return turn
            del self.waiting[turn]
        return None

    def wake_first(self, connection: ConnectionT | None) -> None:
        """Let the first go ahead."""
        turn = self.first_waiter()
        assert turn is not None, "ask `first` before"
        del self.waiting[turn]
        turn.set_result(connection)


class ConnectionPool(Generic[ConnectionT]):
    """Connections by origin, at most `per_host` to one and `total` altogether."""

    def __init__(self, *, total: int, per_host: int) -> None:
        self._total = total
        self._per_host = per_host
        self._slots_used = 0
        self._origins: dict[str, _OriginConnections[ConnectionT]] = {}
        self._idle: OrderedDict[ConnectionT, None] = OrderedDict()  # of all origins, longest unused first
        self._waiting_origins: OrderedDict[str, None] = OrderedDict()  # origins that wait for the total limit, in turn
        self._arrival_count = 0

    @property
    def slots_used(self) -> int:
        """Places taken: connections that are being opened, busy or idle."""
        return self._slots_used

    @property
    def idle_count(self) -> int:
        """Connections that wait for use."""
        return len(self._idle)

    @property
    def waiting_count(self) -> int:
        """Requests that wait for a place."""
        return sum(len(places.waiting) for places in self._origins.values())

    def take_idle(self, origin: str) -> ConnectionT | None:
        """The most recently used idle connection to `origin`, or None."""
        places = self._origins.get(origin)
        if places is None or not places.idle:
            return None
        connection = places.idle.popitem()[0]
        del self._idle[connection]
        return connection

    async def acquire_slot(self, origin: str, until: float | None) -> ConnectionT | None:
        """Wait for the right to open a connection to `origin` (None), or for one that has just become free.

        Idle connections are not offered: ask `take` first; whoever does not, wants a new one. A place must be given
        back: `release_slot`, or `freed` with the connection that was made in it. Raises `httpx.PoolTimeout` at `until`
        (an instant of the loop's clock).
        """
        places = self._origins.get(origin)
        if places is not None and places.idle:
            self._evict(next(iter(places.idle)))
        free = places is None or (places.slots_used < self._per_host and places.first_waiter() is None)
        at_once = free and self._has_room_for_slot()
        places = self._origins.setdefault(
            origin, _OriginConnections()
        )  # after the evictions, which may have dropped it
        if not at_once:
            return await self._wait(origin, places, until)
        places.slots_used += 1
        self._slots_used += 1
        return None

    async def _wait(
        self, origin: str, places: _OriginConnections[ConnectionT], until: float | None
    ) -> ConnectionT | None:
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[ConnectionT | None] = loop.create_future()
        self._arrival_count += 1
        places.waiting[turn] = self._arrival_count
        if places.slots_used < self._per_host:
            self._waiting_origins.setdefault(origin)
        timer = None if until is None else loop.call_at(until, _time_out, turn)
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self._pass_on_grant(origin, turn.result())
            raise
        finally:
            places.waiting.pop(turn, None)
            self._drop_if_unused(origin, places)
            if timer is not None:
                timer.cancel()

    def release(self, connection: ConnectionT) -> None:
        """An exchange is over: keep its connection, hand it on, or give its place away when it is not usable."""
        origin = connection.origin
        if not connection.is_available:
            self.release_slot(origin)
            return
        places = self._origins[origin]
        if (places.waiting or self._waiting_origins) and self._own_waiter_is_first(places):
            places.wake_first(connection)
        elif self._waiting_origins and self._has_waiting_origin():
            connection.close()
            self.release_slot(origin)
        else:
            places.idle[connection] = None
            self._idle[connection] = None

    def remove_closed(self, connection: ConnectionT) -> None:
        """An idle connection has closed."""
        places = self._origins.get(connection.origin)
        if places is not None and connection in places.idle:
            del places.idle[connection]
            del self._idle[connection]
            self.release_slot(connection.origin)

    def release_slot(self, origin: str) -> None:
        """Give back a place that has no connection (any more)."""
        places = self._origins[origin]
        places.slots_used -= 1
        self._slots_used -= 1
        if places.first_waiter() is not None:
            self._waiting_origins.setdefault(origin)
        self._drop_if_unused(origin, places)
        while self._waiting_origins and self._has_waiting_origin() and self._has_room_for_slot():
            self._grant_slot(next(iter(self._waiting_origins)))

    def close(self) -> None:
        """Close all idle connections and send away who waits."""
        for connection in list(self._idle):
            self._evict(connection)
        for places in list(self._origins.values()):
            while (turn := places.first_waiter()) is not None:
                turn.set_exception(httpx.PoolTimeout("the transport was closed"))

    # -- decisions

    def _pass_on_grant(self, origin: str, granted: ConnectionT | None) -> None:
        """A waiter was cancelled after its turn had come."""
        if granted is None:
            self.release_slot(origin)
        else:
            self.release(granted)

    def _own_waiter_is_first(self, places: _OriginConnections[ConnectionT]) -> bool:
        """Whether the longest waiting of this origin came before the one at the head of the queue."""
        if places.first_waiter() is None:
            return False
        if not self._has_waiting_origin():
            return True
        first = self._origins[next(iter(self._waiting_origins))]
        return next(iter(places.waiting.values())) <= next(iter(first.waiting.values()))

    def _has_waiting_origin(self) -> bool:
        """Drop origins nobody waits for any more, or that have all their places, from the head of the queue."""
        while self._waiting_origins:
            origin = next(iter(self._waiting_origins))
            places = self._origins.get(origin)
            if places is not None and places.slots_used < self._per_host and places.first_waiter() is not None:
                return True
            del self._waiting_origins[origin]
        return False

    def _grant_slot(self, origin: str) -> None:
        """Give a place to the longest waiting of `origin`; its others queue up behind the other origins."""
        places = self._origins[origin]
        del self._waiting_origins[origin]
        places.slots_used += 1
        self._slots_used += 1
        places.wake_first(None)
        if places.slots_used < self._per_host and places.first_waiter() is not None:
            self._waiting_origins[origin] = None

    def _has_room_for_slot(self) -> bool:
        """Whether another place can be given away, if need be by closing the connection unused for longest."""
        if self._slots_used < self._total:
            return True
        if not self._idle:
            return False
        self._evict(next(iter(self._idle)))
        return True

    def _evict(self, connection: ConnectionT) -> None:
        places = self._origins[connection.origin]
        del places.idle[connection]
        del self._idle[connection]
        places.slots_used -= 1
        self._slots_used -= 1
        connection.close()
        self._drop_if_unused(connection.origin, places)

    def _drop_if_unused(self, origin: str, places: _OriginConnections[ConnectionT]) -> None:
        if not places.slots_used and not places.waiting and self._origins.get(origin) is places:
            del self._origins[origin]
            self._waiting_origins.pop(origin, None)


def _time_out(turn: asyncio.Future[ConnectionT | None]) -> None:
    if not turn.done():
        turn.set_exception(httpx.PoolTimeout("no connection became free in time"))
