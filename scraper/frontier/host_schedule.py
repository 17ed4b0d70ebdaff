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

MAX_STALE_ENTRIES = 256
"""A heap is swept when it holds more than this many entries beyond two a host."""


class HostQueue(Protocol):
    """One host's queue as the schedule sees it; a store adds where the waiting requests are.

    `waiting` and `leased` count requests. `bound` is a priority that no waiting request is better than; it is
    only asked while something waits. `state_delivered` is true once a lease has brought the host's notes.
    """

    name: str
    ready_at: float
    ticket: int
    closed: bool
    leased: int
    state_delivered: bool

    @property
    def waiting(self) -> int:
        """How many requests wait."""
        ...

    @property
    def best_priority(self) -> float:
        """The lowest priority that may be waiting."""
        ...


QueueT = TypeVar("QueueT", bound=HostQueue)
HeapEntry = tuple[float, int, QueueT]


class HostSchedule(Generic[QueueT]):
    """The hosts of one process and their instants. `now` is the latest instant it was told (epoch seconds)."""

    def __init__(self, make_queue: Callable[[str, float], QueueT]) -> None:
        """`make_queue` makes the line of a host from its name and its first instant."""
        self.now = 0.0
        self._make_queue = make_queue
        self._queues: dict[str, QueueT] = {}
        self._ready_heap: list[HeapEntry[QueueT]] = []
        self._idle_heap: list[HeapEntry[QueueT]] = []
        self._below_heap: list[HeapEntry[QueueT]] = []
        self._below_priority: int | None = None
        self._last_ticket = 0

    def __len__(self) -> int:
        return len(self._queues)

    def get(self, host: str) -> QueueT | None:
        """The line of `host`, if the schedule holds one."""
        return self._queues.get(host)

    def get_or_create(self, host: str) -> QueueT:
        """The line of `host`, made when there is none: a new host may be asked from now on."""
        line = self._queues.get(host)
        if line is None:
            line = self._queues[host] = self._make_queue(host, self.now)
        return line

    def queues(self) -> Iterable[QueueT]:
        """Every line held, oldest first."""
        return self._queues.values()

    def advance(self, now: float) -> None:
        """Move the schedule's time on to `now`, never back, and forget hosts that have nothing left to keep."""
        if now > self.now:
            self.now = now
        idle = self._idle_heap
        while idle and idle[0][0] <= self.now:
            _, ticket, line = heappop(idle)
            if line.ticket == ticket:
                self.forget_if_idle(line)

    def on_enqueue(self, line: QueueT, priority: float) -> None:
        """A request of priority `bound` has come to wait on `line`, which has counted it."""
        if line.waiting == 1:
            self.activate(line)
        elif not line.closed and self._below_priority is not None and priority < self._below_priority:
            heappush(self._below_heap, (line.ready_at, line.ticket, line))
            self._compact_if_large(self._below_heap)

    def activate(self, line: QueueT) -> None:
        """Something waits on `line` that was without: it has been ready since now, whenever it was last asked."""
        if not line.closed:
            line.ready_at = max(line.ready_at, self.now)
            self._push_with_new_ticket(line)

    def park(self, host: str, until: float) -> QueueT:
        """Open `host` from `until` on; what the port's `park` does."""
        line = self.get_or_create(host)
        if until == line.ready_at and line.waiting and not line.closed:
            return line  # it stands there already
        line.closed = False
        line.ready_at = until
        if line.waiting:
            self._push_with_new_ticket(line)
        elif until > self.now:
            self._push_idle(line)
        else:
            self.forget_if_idle(line)
        return line

    def take_ready(self, count: int, below: int | None) -> list[QueueT]:
        """Close and return at most `count` hosts that may be asked now, the one that waited longest first."""
        taken: list[QueueT] = []
        heap = self._heap_below(below)
        while len(taken) < count and self._drop_stale(heap, below) and heap[0][0] <= self.now:
            line = heappop(heap)[2]
            line.closed = True
            taken.append(line)
        return taken

    def put_back(self, lines: Iterable[QueueT]) -> None:
        """Put hosts back that `take` gave, as if it had not."""
        for line in lines:
            line.closed = False
            self._push_entry(line)

    def same_host(self, host: str, below: int | None) -> QueueT | None:
        """The line of `host` if it has something waiting and is open, and no other host's turn has come before it."""
        line = self._queues.get(host)
        if line is None or line.closed or not line.waiting or (below is not None and line.best_priority >= below):
            return None
        first = self.first(below)
        return line if first is None or first is line or first.ready_at > self.now else None

    def first(self, below: int | None) -> QueueT | None:
        """The open host with something waiting whose instant comes first."""
        heap = self._heap_below(below)
        return heap[0][2] if self._drop_stale(heap, below) else None

    def upcoming(self, count: int) -> list[QueueT]:
        """About `count` of the hosts that come first, in no exact order: the top of the heap as it lies."""
        return [entry[2] for entry in self._ready_heap[:count] if _is_current(entry)]

    def next_ready_at(self, below: int | None) -> float:
        """The instant from which `first` may be asked; NEVER when there is none."""
        first = self.first(below)
        return NEVER if first is None else first.ready_at

    def forget_if_idle(self, line: QueueT) -> None:
        """Drop `line` when it is open, has nothing waiting or leased, and its instant has passed."""
        if line.closed or line.waiting or line.leased or line.ready_at > self.now:
            return
        if self._queues.get(line.name) is line:  # a host may have come back since, with a line of its own
            del self._queues[line.name]

    def _push_with_new_ticket(self, line: QueueT) -> None:
        self._last_ticket += 1
        line.ticket = self._last_ticket
        self._push_entry(line)

    def _push_entry(self, line: QueueT) -> None:
        entry = (line.ready_at, line.ticket, line)
        heappush(self._ready_heap, entry)
        self._compact_if_large(self._ready_heap)
        if self._below_priority is not None and line.best_priority < self._below_priority:
            heappush(self._below_heap, entry)
            self._compact_if_large(self._below_heap)

    def _push_idle(self, line: QueueT) -> None:
        self._last_ticket += 1
        line.ticket = self._last_ticket
        if line.ready_at < NEVER:
            heappush(self._idle_heap, (line.ready_at, line.ticket, line))
            self._compact_if_large(self._idle_heap)

    def _heap_below(self, below: int | None) -> list[HeapEntry[QueueT]]:
        if below is None:
            return self._ready_heap
        if below != self._below_priority:
            self._below_priority = below
            self._below_heap = [
                entry for entry in self._ready_heap if _is_current(entry) and entry[2].best_priority < below
            ]
            heapify(self._below_heap)
        return self._below_heap

    @staticmethod
    def _drop_stale(heap: list[HeapEntry[QueueT]], below: int | None) -> bool:
        """Throw away stale entries until a valid one is on top; False when none is left."""
        while heap:
            if _is_current(heap[0]) and (below is None or heap[0][2].best_priority < below):
                return True
            heappop(heap)
        return False

    def _compact_if_large(self, heap: list[HeapEntry[QueueT]]) -> None:
        if len(heap) > 2 * len(self._queues) + MAX_STALE_ENTRIES:
            fresh = {entry[1]: entry for entry in heap if entry[1] == entry[2].ticket}
            heap[:] = fresh.values()
            heapify(heap)


def _is_current(entry: HeapEntry[QueueT]) -> bool:
    line = entry[2]
    return entry[1] == line.ticket and not line.closed and line.waiting > 0
