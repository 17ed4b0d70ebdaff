"""Which host may be asked next: one instant per host, kept in RAM by the stores of one process.

A host is *closed* from the lease until somebody parks it, and *open* from its instant on. Open hosts that have
something waiting stand in a heap by instant. An entry in it is never searched for: whatever changes a host's place
gives it a new ticket and pushes a new entry, and entries whose ticket is old are thrown away when they surface, or
all at once when they outnumber the hosts.

A lease may be limited to entries below a priority. Then a second, narrow heap is kept of the hosts whose best entry
qualifies, so that a hundred thousand hosts that do not qualify are looked at once and not on every lease.

Hosts that have nothing waiting, nothing leased and no instant to keep are forgotten.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from heapq import heapify, heappop, heappush
from typing import Generic, Protocol, TypeVar

from scraper.frontier.interface import NEVER

STALE_ENTRIES = 256
"""A heap is swept when it holds more than this many entries beyond two a host."""


class HostLine(Protocol):
    """One host's queue as the schedule sees it; a store adds where the waiting requests are.

    `waiting` and `leased` count requests. `bound` is a priority that no waiting request is better than; it is
    only asked while something waits. `introduced` is true once a lease has brought the host's notes.
    """

    name: str
    ready_at: float
    ticket: int
    closed: bool
    leased: int
    introduced: bool

    @property
    def waiting(self) -> int:
        """How many requests wait."""
        ...

    @property
    def bound(self) -> float:
        """The lowest priority that may be waiting."""
        ...


L = TypeVar("L", bound=HostLine)
Entry = tuple[float, int, L]


class Schedule(Generic[L]):
    """The hosts of one process and their instants. `now` is the latest instant it was told (epoch seconds)."""

    def __init__(self, make_line: Callable[[str, float], L]) -> None:
        """`make_line` makes the line of a host from its name and its first instant."""
        self.now = 0.0
        self._make_line = make_line
        self._lines: dict[str, L] = {}
        self._ready: list[Entry[L]] = []
        self._idle: list[Entry[L]] = []
        self._narrow: list[Entry[L]] = []
        self._below: int | None = None
        self._ticket = 0

    def __len__(self) -> int:
        return len(self._lines)

    def get(self, host: str) -> L | None:
        """The line of `host`, if the schedule holds one."""
        return self._lines.get(host)

    def line(self, host: str) -> L:
        """The line of `host`, made when there is none: a new host may be asked from now on."""
        line = self._lines.get(host)
        if line is None:
            line = self._lines[host] = self._make_line(host, self.now)
        return line

    def lines(self) -> Iterable[L]:
        """Every line held, oldest first."""
        return self._lines.values()

    def advance(self, now: float) -> None:
        """Move the schedule's time on to `now`, never back, and forget hosts that have nothing left to keep."""
        if now > self.now:
            self.now = now
        idle = self._idle
        while idle and idle[0][0] <= self.now:
            _, ticket, line = heappop(idle)
            if line.ticket == ticket:
                self.forget_if_spent(line)

    def arrived(self, line: L, bound: float) -> None:
        """A request of priority `bound` has come to wait on `line`, which has counted it."""
        if line.waiting == 1:
            self.began(line)
        elif not line.closed and self._below is not None and bound < self._below:
            heappush(self._narrow, (line.ready_at, line.ticket, line))
            self._bound_size(self._narrow)

    def began(self, line: L) -> None:
        """Something waits on `line` that was without: it has been ready since now, whenever it was last asked."""
        if not line.closed:
            line.ready_at = max(line.ready_at, self.now)
            self._queue(line)

    def park(self, host: str, until: float) -> L:
        """Open `host` from `until` on; what the port's `park` does."""
        line = self.line(host)
        if until == line.ready_at and line.waiting and not line.closed:
            return line  # it stands there already
        line.closed = False
        line.ready_at = until
        if line.waiting:
            self._queue(line)
        elif until > self.now:
            self._rest(line)
        else:
            self.forget_if_spent(line)
        return line

    def take(self, count: int, below: int | None) -> list[L]:
        """Close and return at most `count` hosts that may be asked now, the one that waited longest first."""
        taken: list[L] = []
        heap = self._heap(below)
        while len(taken) < count and self._surface(heap, below) and heap[0][0] <= self.now:
            line = heappop(heap)[2]
            line.closed = True
            taken.append(line)
        return taken

    def untake(self, lines: Iterable[L]) -> None:
        """Put hosts back that `take` gave, as if it had not."""
        for line in lines:
            line.closed = False
            self._push(line)

    def again(self, host: str, below: int | None) -> L | None:
        """The line of `host` if it has something waiting and is open, and no other host's turn has come before it."""
        line = self._lines.get(host)
        if line is None or line.closed or not line.waiting or (below is not None and line.bound >= below):
            return None
        first = self.first(below)
        return line if first is None or first is line or first.ready_at > self.now else None

    def first(self, below: int | None) -> L | None:
        """The open host with something waiting whose instant comes first."""
        heap = self._heap(below)
        return heap[0][2] if self._surface(heap, below) else None

    def soon(self, count: int) -> list[L]:
        """About `count` of the hosts that come first, in no exact order: the top of the heap as it lies."""
        return [entry[2] for entry in self._ready[:count] if _stands(entry)]

    def next_instant(self, below: int | None) -> float:
        """The instant from which `first` may be asked; NEVER when there is none."""
        first = self.first(below)
        return NEVER if first is None else first.ready_at

    def forget_if_spent(self, line: L) -> None:
        """Drop `line` when it is open, has nothing waiting or leased, and its instant has passed."""
        if line.closed or line.waiting or line.leased or line.ready_at > self.now:
            return
        if self._lines.get(line.name) is line:  # a host may have come back since, with a line of its own
            del self._lines[line.name]

    def _queue(self, line: L) -> None:
        self._ticket += 1
        line.ticket = self._ticket
        self._push(line)

    def _push(self, line: L) -> None:
        entry = (line.ready_at, line.ticket, line)
        heappush(self._ready, entry)
        self._bound_size(self._ready)
        if self._below is not None and line.bound < self._below:
            heappush(self._narrow, entry)
            self._bound_size(self._narrow)

    def _rest(self, line: L) -> None:
        self._ticket += 1
        line.ticket = self._ticket
        if line.ready_at < NEVER:
            heappush(self._idle, (line.ready_at, line.ticket, line))
            self._bound_size(self._idle)

    def _heap(self, below: int | None) -> list[Entry[L]]:
        if below is None:
            return self._ready
        if below != self._below:
            self._below = below
            self._narrow = [entry for entry in self._ready if _stands(entry) and entry[2].bound < below]
            heapify(self._narrow)
        return self._narrow

    @staticmethod
    def _surface(heap: list[Entry[L]], below: int | None) -> bool:
        """Throw away stale entries until a valid one is on top; False when none is left."""
        while heap:
            if _stands(heap[0]) and (below is None or heap[0][2].bound < below):
                return True
            heappop(heap)
        return False

    def _bound_size(self, heap: list[Entry[L]]) -> None:
        if len(heap) > 2 * len(self._lines) + STALE_ENTRIES:
            fresh = {entry[1]: entry for entry in heap if entry[1] == entry[2].ticket}
            heap[:] = fresh.values()
            heapify(heap)


def _stands(entry: Entry[L]) -> bool:
    line = entry[2]
    return entry[1] == line.ticket and not line.closed and line.waiting > 0
