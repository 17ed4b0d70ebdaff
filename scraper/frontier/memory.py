"""The frontier in RAM: for tests, for short runs that need no resume, and as the plainest reading of the port.

It grows with the number of URLs it ever knew; a large crawl belongs in `SqliteFrontier`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from heapq import heappop, heappush
from typing import assert_never

from scraper.errors import FrontierError
from scraper.frontier.host_schedule import Schedule
from scraper.frontier.interface import NEVER, Answer, Counts, Depths, Drained, Granted, Wait
from scraper.model import Done, Drop, Lease, Release, Request, Retry, Settlement, Skip


class MemoryLine:
    """One host's waiting requests as a heap of (priority, id, request)."""

    __slots__ = ("closed", "introduced", "leased", "name", "ready_at", "rows", "ticket")

    def __init__(self, name: str, ready_at: float) -> None:
        self.name = name
        self.ready_at = ready_at
        self.ticket = 0
        self.closed = False
        self.introduced = False
        self.leased = 0
        self.rows: list[tuple[int, int, Request]] = []

    @property
    def waiting(self) -> int:
        """How many requests wait."""
        return len(self.rows)

    @property
    def bound(self) -> float:
        """The priority of the best waiting request."""
        return self.rows[0][0]


class MemoryFrontier:
    """A `Frontier` and `Ledger` that forgets everything when it is closed. Raises `FrontierError` after that."""

    def __init__(self) -> None:
        self._schedule = Schedule(MemoryLine)
        self._later: list[tuple[float, int, Request]] = []
        self._leased: dict[int, Request] = {}
        self._known: set[str] = set()
        self._skips: dict[str, Skip] = {}
        self._tally: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._marks: dict[str, str] = {}
        self._notes: defaultdict[str, dict[str, str]] = defaultdict(dict)
        self._wire_size = 0
        self._items = 0
        self._last_id = 0
        self._closed = False

    async def add(self, requests: Sequence[Request]) -> int:
        """Queue requests whose key is new; return how many were."""
        self._check()
        return self._add(requests)

    async def lease(self, count: int, now: float, below: int | None = None) -> Answer:
        """Hand out at most `count` leases of hosts that may be asked at `now`."""
        self._check()
        schedule = self._schedule
        schedule.advance(now)
        while self._later and self._later[0][0] <= now:
            _, entry, request = heappop(self._later)
            self._queue(entry, request)
        if lines := schedule.take(count, below):
            return Granted(tuple(self._grant(line) for line in lines))
        if not (self._later or self._leased or any(line.waiting for line in schedule.lines())):
            return Drained()
        due = (at for at, _, request in self._later if below is None or request.priority < below)
        return Wait(min(schedule.next_instant(below), min(due, default=NEVER)))

    def lease_now(self, now: float, below: int | None = None) -> Lease | None:
        """One lease, or None when `lease` knows better."""
        self._check()
        self._schedule.advance(now)
        if self._later and self._later[0][0] <= now:
            return None
        lines = self._schedule.take(1, below)
        return self._grant(lines[0]) if lines else None

    def lease_again(self, host: str, now: float, below: int | None = None) -> Lease | None:
        """Another lease of `host`, if no other host's turn has come."""
        self._check()
        self._schedule.advance(now)
        if self._later and self._later[0][0] <= now:
            return None
        line = self._schedule.again(host, below)
        return self._grant(line) if line else None

    def park(self, host: str, until: float) -> None:
        """Open `host` from `until` (epoch seconds) on."""
        self._schedule.park(host, until)

    async def settle(
        self,
        settlements: Sequence[Settlement],
        marks: Mapping[str, str] | None = None,
        notes: Mapping[str, Mapping[str, str]] | None = None,
    ) -> int:
        """Store the fate of leases; return how many discovered URLs were new."""
        self._check()
        new = 0
        lines = []
        for settlement in settlements:
            if (line := self._settle(settlement)) is not None:
                lines.append(line)
            new += self._add(settlement.discovered)
            for skip in settlement.skipped:
                if skip.url.key not in self._known:
                    self._skips.setdefault(skip.url.key, skip)
        for line in lines:  # last, or a host would be forgotten whose next request this very call has brought
            line.leased -= 1
            self._schedule.forget_if_spent(line)
        self._marks.update(marks or {})
        for host, given in (notes or {}).items():
            self._notes[host].update(given)
        return new

    async def renew(self, leases: Sequence[Lease], until: float) -> None:
        """Do nothing: leases here do not expire."""
        self._check()

    async def counts(self) -> Counts:
        """How the frontier stands now."""
        self._check()
        outcomes: Counter[str] = Counter()
        for tally in self._tally.values():
            outcomes.update(tally)
        return Counts(
            waiting=sum(line.waiting for line in self._schedule.lines()),
            delayed=len(self._later),
            leased=len(self._leased),
            known=len(self._known),
            items=self._items,
            wire_size=self._wire_size,
            outcomes=dict(outcomes),
            hosts={host: dict(tally) for host, tally in self._tally.items()},
            marks=dict(self._marks),
        )

    async def aclose(self) -> None:
        """Close; what was in it is gone."""
        self._closed = True

    async def skips(self) -> AsyncIterator[Skip]:
        """Every URL that was seen and not asked for, in the order found."""
        self._check()
        for skip in list(self._skips.values()):
            yield skip

    async def waiting(self) -> AsyncIterator[Request]:
        """Every request queued or delayed and not leased, host by host, best first."""
        self._check()
        rows: defaultdict[str, list[tuple[int, int, Request]]] = defaultdict(list)
        for line in self._schedule.lines():
            rows[line.name].extend(line.rows)
        for _, entry, request in self._later:
            rows[request.url.host].append((request.priority, entry, request))
        for requests in rows.values():
            for _, _, request in sorted(requests):
                yield request

    def waiting_at(self, host: str) -> int:
        """How many requests of `host` are queued."""
        line = self._schedule.get(host)
        return line.waiting if line else 0

    def depths(self) -> Depths:
        """How many requests are queued, and how many delayed."""
        return Depths(sum(line.waiting for line in self._schedule.lines()), len(self._later))

    async def notes(self, host: str) -> Mapping[str, str]:
        """What is remembered of `host`."""
        self._check()
        return dict(self._notes.get(host, {}))

    def _check(self) -> None:
        if self._closed:
            raise FrontierError("the frontier is closed")

    def _add(self, requests: Iterable[Request]) -> int:
        before = len(self._known)
        for request in requests:
            key = request.url.key
            if key in self._known:
                continue
            self._known.add(key)
            self._skips.pop(key, None)
            self._last_id += 1
            self._queue(self._last_id, request)
        return len(self._known) - before

    def _queue(self, entry: int, request: Request) -> None:
        line = self._schedule.line(request.url.host)
        heappush(line.rows, (request.priority, entry, request))
        self._schedule.arrived(line, request.priority)

    def _grant(self, line: MemoryLine) -> Lease:
        _, entry, request = heappop(line.rows)
        line.leased += 1
        self._leased[entry] = request
        notes = None if line.introduced else dict(self._notes.get(line.name, {}))
        line.introduced = True
        return Lease(entry, request, NEVER, notes)

    def _settle(self, settlement: Settlement) -> MemoryLine | None:
        """Store one verdict; return the line whose lease has ended with it."""
        entry = settlement.lease.id
        request = self._leased.pop(entry, None)
        if request is None:  # settled before: the first verdict stands
            return None
        self._wire_size += settlement.wire_size
        self._items += settlement.items
        host = request.url.host
        line = self._schedule.line(host)
        match settlement.verdict:
            case Release():
                self._queue(entry, request)
            case Retry(at, again):
                self._retry(entry, at, again)
            case Done():
                self._count(host, settlement.outcome)
            case Drop(reason, rule):
                self._count(host, settlement.outcome)
                self._skips.pop(request.url.key, None)
                self._skips[request.url.key] = Skip(request.url, request.parent, reason, rule)
            case never:
                assert_never(never)
        return line

    def _retry(self, entry: int, at: float, request: Request) -> None:
        self._known.add(request.url.key)
        self._skips.pop(request.url.key, None)
        if at <= self._schedule.now:
            self._queue(entry, request)
        else:
            heappush(self._later, (at, entry, request))

    def _count(self, host: str, outcome: str) -> None:
        if outcome:
            self._tally[host][outcome] += 1
