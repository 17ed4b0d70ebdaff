"""Which host may be requested next: one point in time per host, in the memory of one process.

A host is *closed* from a lease until `park`, and *open* from its `ready_at` on. Open hosts with waiting requests are in
a heap by `ready_at`. Entries of a heap are never searched or removed in place. Instead:

- Whatever changes a host's position gives it a new ticket and pushes a new entry.
- An entry whose ticket is not its host's any more is stale. It is dropped when it reaches the top, or together with all
  others when the stale entries outnumber the hosts.

A lease may be limited to requests below a priority. For that a second heap has only the hosts whose best request
qualifies: with a hundred thousand hosts that do not, each is looked at once and not at every lease.

Hosts with nothing waiting, nothing leased and no later `ready_at` are forgotten.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from heapq import heapify, heappop, heappush
from typing import Generic, Protocol, TypeVar

from scraper.frontier.interface import NEVER

# A heap may hold two entries a host and this many more; then its stale entries are removed.
MAX_STALE_ENTRIES = 256


class HostQueue(Protocol):
    """One host's queue as the schedule sees it; an implementation adds the requests themselves.

    `leased` counts requests that are out on a lease. `state_delivered` is true once a lease has carried the stored
    state of the host. `ticket` and `closed` belong to the schedule.
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
        """A lower bound of the priorities of waiting requests (lower goes first). Only used while some wait."""
        ...


QueueT = TypeVar("QueueT", bound=HostQueue)
# ready_at, ticket, queue. Tickets are unique, so queues are never compared.
HeapEntry = tuple[float, int, QueueT]


class HostSchedule(Generic[QueueT]):
    """The hosts of one process by when they may be requested. `now` is the latest time it was given (epoch seconds)."""

    def __init__(self, make_queue: Callable[[str, float], QueueT]) -> None:
        """`make_queue` makes a host's queue from its name and its first `ready_at`."""
        self.now = 0.0
        self._make_queue = make_queue
        self._queues: dict[str, QueueT] = {}
        self._ready_heap: list[HeapEntry[QueueT]] = []
        # Hosts with nothing waiting whose `ready_at` is still to come; forgotten at that time.
        self._idle_heap: list[HeapEntry[QueueT]] = []
        # Entries of the ready heap whose best priority is below `_below_priority`, the bound of the latest lease.
        self._below_heap: list[HeapEntry[QueueT]] = []
        self._below_priority: int | None = None
        self._last_ticket = 0

    def __len__(self) -> int:
        return len(self._queues)

    def __repr__(self) -> str:
        return f"<HostSchedule hosts={len(self._queues)} ready={len(self._ready_heap)} now={self.now}>"

    def get(self, host: str) -> QueueT | None:
        """The queue of `host`, if the schedule holds one."""
        return self._queues.get(host)

    def get_or_create(self, host: str) -> QueueT:
        """The queue of `host`; a new one is ready at once."""
        queue = self._queues.get(host)
        if queue is None:
            queue = self._queues[host] = self._make_queue(host, self.now)
        return queue

    def queues(self) -> Iterable[QueueT]:
        """Every queue held, oldest first."""
        return self._queues.values()

    def advance(self, now: float) -> None:
        """Move the time on to `now`, never back, and forget idle hosts whose `ready_at` has come."""
        if now > self.now:
            self.now = now
        idle = self._idle_heap
        while idle and idle[0][0] <= self.now:
            _, ticket, queue = heappop(idle)
            if queue.ticket == ticket:
                self.forget_if_idle(queue)

    def on_enqueue(self, queue: QueueT, priority: float) -> None:
        """A request of `priority` was added to `queue`, which counts it in `waiting` already."""
        if queue.waiting == 1:
            self.activate(queue)
        elif not queue.closed and self._below_priority is not None and priority < self._below_priority:
            # The host may not be in the second heap yet. If it is, this entry is a harmless copy.
            heappush(self._below_heap, (queue.ready_at, queue.ticket, queue))
            self._compact_if_large(self._below_heap)

    def activate(self, queue: QueueT) -> None:
        """`queue` was empty and is not any more.

        It is ready from now on at the earliest: a host that was idle for hours would otherwise be the one that has
        waited longest, and go before all others.
        """
        if not queue.closed:
            queue.ready_at = max(queue.ready_at, self.now)
            self._push_with_new_ticket(queue)

    def park(self, host: str, until: float) -> QueueT:
        """Open `host` from `until` on; see `Frontier.park`."""
        queue = self.get_or_create(host)
        if until == queue.ready_at and queue.waiting and not queue.closed:
            return queue  # its entry is right as it is
        queue.closed = False
        queue.ready_at = until
        if queue.waiting:
            self._push_with_new_ticket(queue)
        elif until > self.now:
            self._push_idle(queue)
        else:
            self.forget_if_idle(queue)
        return queue

    def take_ready(self, count: int, below: int | None) -> list[QueueT]:
        """Close and return at most `count` hosts that are ready, the one that is ready longest first."""
        taken: list[QueueT] = []
        heap = self._heap_below(below)
        while len(taken) < count and self._drop_stale(heap, below) and heap[0][0] <= self.now:
            queue = heappop(heap)[2]
            queue.closed = True
            taken.append(queue)
        return taken

    def put_back(self, queues: Iterable[QueueT]) -> None:
        """Undo `take_ready` for these hosts."""
        for queue in queues:
            queue.closed = False
            self._push_entry(queue)

    def same_host(self, host: str, below: int | None) -> QueueT | None:
        """The queue of `host` if it is open and has something waiting, and no other host has become ready before it."""
        queue = self._queues.get(host)
        if queue is None or queue.closed or not queue.waiting or (below is not None and queue.best_priority >= below):
            return None
        first = self.first(below)
        return queue if first is None or first is queue or first.ready_at > self.now else None

    def first(self, below: int | None) -> QueueT | None:
        """The open host with waiting requests that is ready first, now or later."""
        heap = self._heap_below(below)
        return heap[0][2] if self._drop_stale(heap, below) else None

    def upcoming(self, count: int) -> list[QueueT]:
        """About `count` of the hosts that are ready first: the first entries of the heap, in no exact order."""
        return [entry[2] for entry in self._ready_heap[:count] if _is_current(entry)]

    def next_ready_at(self, below: int | None) -> float:
        """When `first` is ready; NEVER when there is none."""
        first = self.first(below)
        return NEVER if first is None else first.ready_at

    def forget_if_idle(self, queue: QueueT) -> None:
        """Drop `queue` when it is open, has nothing waiting or leased, and its `ready_at` has passed."""
        if queue.closed or queue.waiting or queue.leased or queue.ready_at > self.now:
            return
        # The host may have been forgotten before and have come back with a new queue, which must stay.
        if self._queues.get(queue.name) is queue:
            del self._queues[queue.name]

    def _push_with_new_ticket(self, queue: QueueT) -> None:
        self._last_ticket += 1
        queue.ticket = self._last_ticket
        self._push_entry(queue)

    def _push_entry(self, queue: QueueT) -> None:
        entry = (queue.ready_at, queue.ticket, queue)
        heappush(self._ready_heap, entry)
        self._compact_if_large(self._ready_heap)
        if self._below_priority is not None and queue.best_priority < self._below_priority:
            heappush(self._below_heap, entry)
            self._compact_if_large(self._below_heap)

    def _push_idle(self, queue: QueueT) -> None:
        self._last_ticket += 1
        queue.ticket = self._last_ticket
        if queue.ready_at < NEVER:
            heappush(self._idle_heap, (queue.ready_at, queue.ticket, queue))
            self._compact_if_large(self._idle_heap)

    def _heap_below(self, below: int | None) -> list[HeapEntry[QueueT]]:
        if below is None:
            return self._ready_heap
        if below != self._below_priority:
            # Another bound than last time, which is rare: build the second heap again.
            self._below_priority = below
            self._below_heap = [
                entry for entry in self._ready_heap if _is_current(entry) and entry[2].best_priority < below
            ]
            heapify(self._below_heap)
        return self._below_heap

    @staticmethod
    def _drop_stale(heap: list[HeapEntry[QueueT]], below: int | None) -> bool:
        """Pop stale entries until a current one is on top; False when none is left."""
        while heap:
            if _is_current(heap[0]) and (below is None or heap[0][2].best_priority < below):
                return True
            heappop(heap)
        return False

    def _compact_if_large(self, heap: list[HeapEntry[QueueT]]) -> None:
        if len(heap) > 2 * len(self._queues) + MAX_STALE_ENTRIES:
            # By ticket: copies of one entry become one.
            current = {entry[1]: entry for entry in heap if entry[1] == entry[2].ticket}
            heap[:] = current.values()
            heapify(heap)


def _is_current(entry: HeapEntry[QueueT]) -> bool:
    queue = entry[2]
    return entry[1] == queue.ticket and not queue.closed and queue.waiting > 0
