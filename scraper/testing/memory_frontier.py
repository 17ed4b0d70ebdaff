"""A frontier in memory: for tests of the engine, and the shortest implementation of the port to read.

Nothing survives `aclose`, and it grows with each URL it ever knew. Crawls use `SqliteFrontier`; the tests compare it
with this one, operation by operation.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from heapq import heappop, heappush
from typing import assert_never

from scraper.errors import FrontierError
from scraper.frontier.host_schedule import HostSchedule
from scraper.frontier.interface import NEVER, Drained, FrontierCounts, Granted, LeaseResult, QueueDepths, Wait
from scraper.model import Done, Drop, Lease, Release, Request, Retry, Settlement, Skip


class MemoryHostQueue:
    """One host's waiting requests as a heap of (priority, id, request)."""

    __slots__ = ("closed", "leased", "name", "ready_at", "rows", "state_delivered", "ticket")

    def __init__(self, name: str, ready_at: float) -> None:
        self.name = name
        self.ready_at = ready_at
        self.ticket = 0
        self.closed = False
        self.state_delivered = False
        self.leased = 0
        self.rows: list[tuple[int, int, Request]] = []

    @property
    def waiting(self) -> int:
        """How many requests wait."""
        return len(self.rows)

    @property
    def best_priority(self) -> float:
        """The priority of the best waiting request."""
        return self.rows[0][0]


class MemoryFrontier:
    """A `Frontier` and `FrontierView` that forgets everything when it is closed. Raises `FrontierError` after that."""

    def __init__(self) -> None:
        self._schedule = HostSchedule(MemoryHostQueue)
        self._delayed: list[tuple[float, int, Request]] = []
        self._leased: dict[int, Request] = {}
        self._known_keys: set[str] = set()
        self._skips: dict[str, Skip] = {}
        self._outcome_counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._checkpoints: dict[str, str] = {}
        self._host_state: defaultdict[str, dict[str, str]] = defaultdict(dict)
        self._wire_size = 0
        self._items = 0
        self._last_id = 0
        self._closed = False

    async def add(self, requests: Sequence[Request]) -> int:
        """Queue requests whose key is new; return how many were."""
        self._require_open()
        return self._add_new(requests)

    async def lease(self, count: int, now: float, below_priority: int | None = None) -> LeaseResult:
        """Hand out at most `count` leases of hosts that may be asked at `now`."""
        self._require_open()
        schedule = self._schedule
        schedule.advance(now)
        while self._delayed and self._delayed[0][0] <= now:
            _, entry, request = heappop(self._delayed)
            self._enqueue(entry, request)
        if queues := schedule.take_ready(count, below_priority):
            return Granted(tuple(self._grant(queue) for queue in queues))
        if not (self._delayed or self._leased or any(queue.waiting for queue in schedule.queues())):
            return Drained()
        due = (at for at, _, request in self._delayed if below_priority is None or request.priority < below_priority)
        return Wait(min(schedule.next_ready_at(below_priority), min(due, default=NEVER)))

    def try_lease(self, now: float, below_priority: int | None = None) -> Lease | None:
        """One lease, or None when `lease` knows better."""
        self._require_open()
        self._schedule.advance(now)
        if self._delayed and self._delayed[0][0] <= now:
            return None
        queues = self._schedule.take_ready(1, below_priority)
        return self._grant(queues[0]) if queues else None

    def try_lease_same_host(self, host: str, now: float, below_priority: int | None = None) -> Lease | None:
        """Another lease of `host`, if no other host's turn has come."""
        self._require_open()
        self._schedule.advance(now)
        if self._delayed and self._delayed[0][0] <= now:
            return None
        queue = self._schedule.same_host(host, below_priority)
        return self._grant(queue) if queue else None

    def park(self, host: str, until: float) -> None:
        """Open `host` from `until` (epoch seconds) on."""
        self._schedule.park(host, until)

    async def settle(
        self,
        settlements: Sequence[Settlement],
        checkpoints: Mapping[str, str] | None = None,
        host_state: Mapping[str, Mapping[str, str]] | None = None,
    ) -> int:
        """End leases; return how many discovered URLs were new."""
        self._require_open()
        new = 0
        queues = []
        for settlement in settlements:
            if (queue := self._settle_one(settlement)) is not None:
                queues.append(queue)
            new += self._add_new(settlement.discovered)
            for skip in settlement.skipped:
                if skip.url.key not in self._known_keys:
                    self._skips.setdefault(skip.url.key, skip)
        # Last: a host with nothing waiting or leased is forgotten, and this call may have brought its next request.
        for queue in queues:
            queue.leased -= 1
            self._schedule.forget_if_idle(queue)
        self._checkpoints.update(checkpoints or {})
        for host, given in (host_state or {}).items():
            self._host_state[host].update(given)
        return new

    async def renew(self, leases: Sequence[Lease], until: float) -> None:
        """Do nothing: leases here do not expire."""
        self._require_open()

    async def counts(self) -> FrontierCounts:
        """The figures of this moment."""
        self._require_open()
        outcomes: Counter[str] = Counter()
        for host_counts in self._outcome_counts.values():
            outcomes.update(host_counts)
        return FrontierCounts(
            waiting=sum(queue.waiting for queue in self._schedule.queues()),
            delayed=len(self._delayed),
            leased=len(self._leased),
            known=len(self._known_keys),
            items=self._items,
            wire_size=self._wire_size,
            outcomes=dict(outcomes),
            hosts={host: dict(host_counts) for host, host_counts in self._outcome_counts.items()},
            checkpoints=dict(self._checkpoints),
        )

    async def has_other_origin(self, host: str, origin: str) -> bool:
        """Whether a request of `host` is queued for another origin than `origin`."""
        line = self._schedule.get(host)
        return line is not None and any(request.url.origin != origin for _, _, request in line.rows)

    async def aclose(self) -> None:
        """Close; what was in it is gone."""
        self._closed = True

    async def skips(self) -> AsyncIterator[Skip]:
        """Every URL that was seen and not requested, in the order found."""
        self._require_open()
        for skip in list(self._skips.values()):
            yield skip

    async def waiting(self) -> AsyncIterator[Request]:
        """Every request queued or delayed and not leased, host by host, best first."""
        self._require_open()
        rows: defaultdict[str, list[tuple[int, int, Request]]] = defaultdict(list)
        for queue in self._schedule.queues():
            rows[queue.name].extend(queue.rows)
        for _, entry, request in self._delayed:
            rows[request.url.host].append((request.priority, entry, request))
        for requests in rows.values():
            for _, _, request in sorted(requests):
                yield request

    def count_queued(self, host: str) -> int:
        """How many requests of `host` are queued."""
        queue = self._schedule.get(host)
        return queue.waiting if queue else 0

    def depths(self) -> QueueDepths:
        """How many requests are queued, and how many delayed."""
        return QueueDepths(sum(queue.waiting for queue in self._schedule.queues()), len(self._delayed))

    async def host_state(self, host: str) -> Mapping[str, str]:
        """What is remembered of `host`."""
        self._require_open()
        return dict(self._host_state.get(host, {}))

    def _require_open(self) -> None:
        if self._closed:
            raise FrontierError("the frontier is closed")

    def _add_new(self, requests: Iterable[Request]) -> int:
        before = len(self._known_keys)
        for request in requests:
            key = request.url.key
            if key in self._known_keys:
                continue
            self._known_keys.add(key)
            self._skips.pop(key, None)
            self._last_id += 1
            self._enqueue(self._last_id, request)
        return len(self._known_keys) - before

    def _enqueue(self, entry: int, request: Request) -> None:
        queue = self._schedule.get_or_create(request.url.host)
        heappush(queue.rows, (request.priority, entry, request))
        self._schedule.on_enqueue(queue, request.priority)

    def _grant(self, queue: MemoryHostQueue) -> Lease:
        _, entry, request = heappop(queue.rows)
        queue.leased += 1
        self._leased[entry] = request
        host_state = None if queue.state_delivered else dict(self._host_state.get(queue.name, {}))
        queue.state_delivered = True
        return Lease(entry, request, NEVER, host_state)

    def _settle_one(self, settlement: Settlement) -> MemoryHostQueue | None:
        """Apply one verdict; return the queue of the lease that ended."""
        entry = settlement.lease.id
        request = self._leased.pop(entry, None)
        if request is None:  # settled before: the first verdict counts
            return None
        self._wire_size += settlement.wire_size
        self._items += settlement.items
        host = request.url.host
        queue = self._schedule.get_or_create(host)
        match settlement.verdict:
            case Release():
                self._enqueue(entry, request)
            case Retry(at, again):
                self._requeue(entry, at, again)
            case Done():
                self._count_outcome(host, settlement.outcome_code)
            case Drop(reason, rule):
                self._count_outcome(host, settlement.outcome_code)
                self._skips.pop(request.url.key, None)
                self._skips[request.url.key] = Skip(request.url, request.parent, reason, rule)
            case never:
                assert_never(never)
        return queue

    def _requeue(self, entry: int, at: float, request: Request) -> None:
        self._known_keys.add(request.url.key)
        self._skips.pop(request.url.key, None)
        if at <= self._schedule.now:
            self._enqueue(entry, request)
        else:
            heappush(self._delayed, (at, entry, request))

    def _count_outcome(self, host: str, outcome: str) -> None:
        if outcome:
            self._outcome_counts[host][outcome] += 1
