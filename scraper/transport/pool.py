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


class Pooled(Protocol):
    """What the pool asks of a connection."""

    @property
    def origin(self) -> str:
        """Whom it is connected to."""
        ...

    @property
    def usable(self) -> bool:
        """Whether it can carry an exchange."""
        ...

    def close(self) -> None:
        """Close; the pool has forgotten it already."""
        ...


C = TypeVar("C", bound=Pooled)


@dataclass(slots=True)
class _Places(Generic[C]):
    """One origin's share. `waiting` maps each waiter to its number in the order of all arrivals."""

    count: int = 0
    idle: OrderedDict[C, None] = field(default_factory=OrderedDict)
    waiting: OrderedDict[asyncio.Future[C | None], int] = field(default_factory=OrderedDict)

    def first(self) -> asyncio.Future[C | None] | None:
        """Who has waited longest. Whoever was cancelled or ran out of time, and has not yet noticed, is dropped."""
        while self.waiting:
            turn = next(iter(self.waiting))
            if not turn.done():
                return turn
            del self.waiting[turn]
        return None

    def grant(self, granted: C | None) -> None:
        """Let the first go ahead."""
        turn = self.first()
        assert turn is not None, "ask `first` before"
        del self.waiting[turn]
        turn.set_result(granted)


class Pool(Generic[C]):
    """Connections by origin, at most `per_host` to one and `total` altogether."""

    def __init__(self, *, total: int, per_host: int) -> None:
        self._total = total
        self._per_host = per_host
        self._count = 0
        self._origins: dict[str, _Places[C]] = {}
        self._idle: OrderedDict[C, None] = OrderedDict()  # of all origins, longest unused first
        self._queue: OrderedDict[str, None] = OrderedDict()  # origins that wait for the total limit, in turn
        self._arrivals = 0

    @property
    def open(self) -> int:
        """Places taken: connections that are being opened, busy or idle."""
        return self._count

    @property
    def idle(self) -> int:
        """Connections that wait for use."""
        return len(self._idle)

    @property
    def waiting(self) -> int:
        """Requests that wait for a place."""
        return sum(len(places.waiting) for places in self._origins.values())

    def take(self, origin: str) -> C | None:
        """The most recently used idle connection to `origin`, or None."""
        places = self._origins.get(origin)
        if places is None or not places.idle:
            return None
        connection = places.idle.popitem()[0]
        del self._idle[connection]
        return connection

    async def place(self, origin: str, until: float | None) -> C | None:
        """Wait for the right to open a connection to `origin` (None), or for one that has just become free.

        Idle connections are not offered: ask `take` first; whoever does not, wants a new one. A place must be given
        back: `vacate`, or `freed` with the connection that was made in it. Raises `httpx.PoolTimeout` at `until`
        (an instant of the loop's clock).
        """
        places = self._origins.get(origin)
        if places is not None and places.idle:
            self._evict(next(iter(places.idle)))
        free = places is None or (places.count < self._per_host and places.first() is None)
        at_once = free and self._make_room()
        places = self._origins.setdefault(origin, _Places())  # after the evictions, which may have dropped it
        if not at_once:
            return await self._wait(origin, places, until)
        places.count += 1
        self._count += 1
        return None

    async def _wait(self, origin: str, places: _Places[C], until: float | None) -> C | None:
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[C | None] = loop.create_future()
        self._arrivals += 1
        places.waiting[turn] = self._arrivals
        if places.count < self._per_host:
            self._queue.setdefault(origin)
        timer = None if until is None else loop.call_at(until, _out_of_time, turn)
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self._return(origin, turn.result())
            raise
        finally:
            places.waiting.pop(turn, None)
            self._forget_if_empty(origin, places)
            if timer is not None:
                timer.cancel()

    def freed(self, connection: C) -> None:
        """An exchange is over: keep its connection, hand it on, or give its place away when it is not usable."""
        origin = connection.origin
        if not connection.usable:
            self.vacate(origin)
            return
        places = self._origins[origin]
        if (places.waiting or self._queue) and self._own_turn(places):
            places.grant(connection)
        elif self._queue and self._queue_is_live():
            connection.close()
            self.vacate(origin)
        else:
            places.idle[connection] = None
            self._idle[connection] = None

    def died(self, connection: C) -> None:
        """An idle connection has closed."""
        places = self._origins.get(connection.origin)
        if places is not None and connection in places.idle:
            del places.idle[connection]
            del self._idle[connection]
            self.vacate(connection.origin)

    def vacate(self, origin: str) -> None:
        """Give back a place that has no connection (any more)."""
        places = self._origins[origin]
        places.count -= 1
        self._count -= 1
        if places.first() is not None:
            self._queue.setdefault(origin)
        self._forget_if_empty(origin, places)
        while self._queue and self._queue_is_live() and self._make_room():
            self._grant(next(iter(self._queue)))

    def drain(self) -> None:
        """Close all idle connections and send away who waits."""
        for connection in list(self._idle):
            self._evict(connection)
        for places in list(self._origins.values()):
            while (turn := places.first()) is not None:
                turn.set_exception(httpx.PoolTimeout("the transport was closed"))

    # -- decisions

    def _return(self, origin: str, granted: C | None) -> None:
        """A waiter was cancelled after its turn had come."""
        if granted is None:
            self.vacate(origin)
        else:
            self.freed(granted)

    def _own_turn(self, places: _Places[C]) -> bool:
        """Whether the longest waiting of this origin came before the one at the head of the queue."""
        if places.first() is None:
            return False
        if not self._queue_is_live():
            return True
        first = self._origins[next(iter(self._queue))]
        return next(iter(places.waiting.values())) <= next(iter(first.waiting.values()))

    def _queue_is_live(self) -> bool:
        """Drop origins nobody waits for any more, or that have all their places, from the head of the queue."""
        while self._queue:
            origin = next(iter(self._queue))
            places = self._origins.get(origin)
            if places is not None and places.count < self._per_host and places.first() is not None:
                return True
            del self._queue[origin]
        return False

    def _grant(self, origin: str) -> None:
        """Give a place to the longest waiting of `origin`; its others queue up behind the other origins."""
        places = self._origins[origin]
        del self._queue[origin]
        places.count += 1
        self._count += 1
        places.grant(None)
        if places.count < self._per_host and places.first() is not None:
            self._queue[origin] = None

    def _make_room(self) -> bool:
        """Whether another place can be given away, if need be by closing the connection unused for longest."""
        if self._count < self._total:
            return True
        if not self._idle:
            return False
        self._evict(next(iter(self._idle)))
        return True

    def _evict(self, connection: C) -> None:
        places = self._origins[connection.origin]
        del places.idle[connection]
        del self._idle[connection]
        places.count -= 1
        self._count -= 1
        connection.close()
        self._forget_if_empty(connection.origin, places)

    def _forget_if_empty(self, origin: str, places: _Places[C]) -> None:
        if not places.count and not places.waiting and self._origins.get(origin) is places:
            del self._origins[origin]
            self._queue.pop(origin, None)


def _out_of_time(turn: asyncio.Future[C | None]) -> None:
    if not turn.done():
        turn.set_exception(httpx.PoolTimeout("no connection became free in time"))
