"""The frontier in one SQLite file: what a crawl of one process runs on, and resumes from.

All state of hosts and leases lives on the event loop (`PrefetchBuffers`); all statements run in the writer thread
(`FrontierDatabase`).
A method decides what to write, the thread writes it, and when it has been committed the loop's picture follows.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from scraper.frontier.interface import NEVER, Drained, FrontierCounts, Granted, LeaseResult, QueueDepths, Wait
from scraper.frontier.sqlite.db_thread import DatabaseThread, identity
from scraper.frontier.sqlite.host_buffer import HostBuffer
from scraper.frontier.sqlite.messages import CommitResult, DueRequests, OpenState, Totals, WriteBatch
from scraper.frontier.sqlite.prefetch_buffers import PrefetchBuffers
from scraper.frontier.sqlite.schema import error_message
from scraper.frontier.sqlite.settings import SqliteSettings
from scraper.frontier.sqlite.statements import FrontierDatabase
from scraper.frontier.sqlite.write_batch import WriteBatchBuilder
from scraper.model import Lease, Release, Request, Settlement, Skip
from scraper.structures.recent_set import RecentSet

__all__ = ["SqliteFrontier", "SqliteSettings"]

ADD_BATCH_ROWS = 4_096
"""Requests that one transaction of `add` takes."""
READ_PAGE_ROWS = 1_000
"""Rows read at once by `skips` and `waiting`."""


class SqliteFrontier:
    """A `Frontier` and `FrontierView` in one file. Made by `open`, used in an `async with` or closed by `aclose`."""

    def __init__(
        self, settings: SqliteSettings, db_thread: DatabaseThread[FrontierDatabase], opened: OpenState
    ) -> None:
        """Use `open`."""
        self._db_thread = db_thread
        self._buffers = PrefetchBuffers(settings, db_thread, opened.backlogs, self._set_totals)
        self._schedule = self._buffers.schedule
        self._known_keys = RecentSet(settings.known_cache_keys, opened.known_keys)
        self._skipped_keys = RecentSet(settings.skipped_cache_keys)
        self._totals = opened.totals
        self._next_due = opened.next_due
        self._write_only_on_evict = settings.write_only_on_evict
        self._last_id = opened.totals.last_id  # of a lazy queue: the others have their ids from the thread
        self._unsaved_keys: list[int] = []  # keys of a lazy queue that the caches hold and the file does not
        if self._write_only_on_evict and opened.totals.known:
            self._buffers.expect_host_state(None)

    @classmethod
    async def open(cls, path: Path, settings: SqliteSettings | None = None) -> SqliteFrontier:
        """Open the frontier in the file at `path`, made with its folder if it is not there.

        Raises `FrontierError` when it cannot be opened, is damaged, or was written by another version. That no
        other process is at work in it is for `RunLock` to see to.
        """
        settings = settings or SqliteSettings()
        writer: DatabaseThread[FrontierDatabase] = DatabaseThread(partial(error_message, path))
        await writer.open(partial(FrontierDatabase, path, settings.durability, settings.cache_kib))
        try:
            opened = await writer.submit(
                partial(FrontierDatabase.read_open_state, max_keys=settings.known_cache_keys), identity
            )
        except BaseException:
            await writer.aclose()
            raise
        return cls(settings, writer, opened)

    async def __aenter__(self) -> SqliteFrontier:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def add(self, requests: Sequence[Request]) -> int:
        """Queue requests whose key is new; return how many were. Long lists are several transactions."""
        self._db_thread.raise_if_failed()
        new = 0
        for at in range(0, len(requests), ADD_BATCH_ROWS):
            draft = WriteBatchBuilder(self._known_keys, self._skipped_keys)
            draft.add_discovered(requests[at : at + ADD_BATCH_ROWS])
            if self._write_only_on_evict and self._known_keys.is_complete and not draft.cache_evicted:
                new += self._enqueue_unwritten(draft.strip_requests(()))
                continue
            held = self._keep_unwritten(draft)
            if group := draft.build({}, {}):
                new += await self._commit(group, held)
        return new

    async def lease(self, count: int, now: float, below_priority: int | None = None) -> LeaseResult:
        """Hand out at most `count` leases of hosts that may be asked at `now`; no I/O while windows are filled."""
        self._db_thread.raise_if_failed()
        schedule, windows = self._schedule, self._buffers
        schedule.advance(now)
        while True:
            if min(self._next_due.values(), default=NEVER) <= now:
                await self._db_thread.submit(partial(FrontierDatabase.move_due, now=now), self._on_due_moved)
            lines = schedule.take_ready(count, below_priority)
            missing = [line for line in lines if not line.rows]
            if lines and not missing:
                leases = tuple([windows.grant(line) for line in lines])
                windows.refill_low(lines)
                return Granted(leases)
            schedule.put_back(lines)
            if not missing and (first := windows.first_unloaded(below_priority)) is not None:
                missing = [first]
            if missing:
                await windows.refill(missing)
            elif min(self._next_due.values(), default=NEVER) > now:
                return self._empty_result(below_priority)

    def try_lease(self, now: float, below_priority: int | None = None) -> Lease | None:
        """One lease from the windows, or None when `lease` has to look for it."""
        schedule = self._schedule
        if not self._nothing_is_due(now) or not (lines := schedule.take_ready(1, below_priority)):
            return None
        if not lines[0].rows:
            schedule.put_back(lines)
            return None
        return self._grant(lines[0])

    def try_lease_same_host(self, host: str, now: float, below_priority: int | None = None) -> Lease | None:
        """Another lease of `host` from its window, if no other host's turn has come."""
        if not self._nothing_is_due(now):
            return None
        line = self._schedule.same_host(host, below_priority)
        return self._grant(line) if line and line.rows else None

    def park(self, host: str, until: float) -> None:
        """Open `host` from `until` (epoch seconds) on."""
        self._buffers.park(host, until)

    async def settle(
        self,
        settlements: Sequence[Settlement],
        checkpoints: Mapping[str, str] | None = None,
        host_state: Mapping[str, Mapping[str, str]] | None = None,
    ) -> int:
        """Commit the fate of leases; return how many discovered URLs were new."""
        self._db_thread.raise_if_failed()
        draft = self._build_batch(settlements)
        if host_state:
            self._buffers.expect_host_state(host_state)
        held = self._keep_unwritten(draft)
        group = draft.build(checkpoints or {}, host_state or {})
        return await self._commit(group, held) if group else 0

    async def renew(self, leases: Sequence[Lease], until: float) -> None:
        """Do nothing: leases here do not expire."""
        self._db_thread.raise_if_failed()

    async def counts(self) -> FrontierCounts:
        """How the frontier stands now. Reads the tally of every host."""
        return await self._db_thread.submit(FrontierDatabase.read_counts, self._make_counts)

    async def aclose(self) -> None:
        """Write what is under way and close. May be called again."""
        await self._db_thread.aclose()

    async def skips(self) -> AsyncIterator[Skip]:
        """Every URL that was seen and not asked for, in the order found."""
        after = 0
        if self._unsaved_keys:  # a skip of a URL that was queued after all is none
            await self._commit(WriteBatch([(key, None) for key in self._take_unsaved_keys()], True), {})
        while page := await self._db_thread.submit(
            partial(FrontierDatabase.read_skips, after=after, limit=READ_PAGE_ROWS), identity
        ):
            for after, skip in page:  # noqa: B007  the last one's number is where the next page begins
                yield skip

    async def waiting(self) -> AsyncIterator[Request]:
        """Every request queued or delayed and not leased, host by host, best first."""
        after = (0, 0, 0)
        self._buffers.flush_all()
        while page := await self._db_thread.submit(
            partial(FrontierDatabase.read_waiting, after=after, limit=READ_PAGE_ROWS), identity
        ):
            for after, request in page:
                if not self._buffers.is_leased(after[2]):
                    yield request

    def count_queued(self, host: str) -> int:
        """How many requests of `host` are queued."""
        line = self._schedule.get(host)
        return line.waiting if line else 0

    def depths(self) -> QueueDepths:
        """How many requests are queued, and how many delayed."""
        return QueueDepths(self._queued_count - self._buffers.count_leased(), self._totals.delayed)

    async def has_other_origin(self, host: str, origin: str) -> bool:
        """Whether a request of `host` is queued for another origin than `origin`. Reads all that is queued for it."""
        line = self._schedule.get(host)
        if line is None or not line.waiting:
            return False
        if any(request.url.origin != origin for _, _, request in line.rows):
            return True
        if line.holds_all:
            return False
        return await self._db_thread.submit(
            partial(FrontierDatabase.has_other_origin, host=host, origin=origin), identity
        )

    async def host_state(self, host: str) -> Mapping[str, str]:
        """What is remembered of `host`."""
        return await self._db_thread.submit(partial(FrontierDatabase.read_host_state, host=host), identity)

    def _nothing_is_due(self, now: float) -> bool:
        """Whether the windows are all there is to know at `now`: no delayed request has become due."""
        self._db_thread.raise_if_failed()
        self._schedule.advance(now)
        return not self._next_due or min(self._next_due.values()) > now

    def _grant(self, line: HostBuffer) -> Lease:
        lease = self._buffers.grant(line)
        self._buffers.refill_low((line,))
        return lease

    def _build_batch(self, settlements: Sequence[Settlement]) -> WriteBatchBuilder:
        draft, windows, now = WriteBatchBuilder(self._known_keys, self._skipped_keys), self._buffers, self._schedule.now
        for settlement in settlements:
            entry, verdict = settlement.lease.id, settlement.verdict
            request = windows.begin_settling(entry)
            if request is not None:  # else it was settled before, and the first verdict stands
                draft.add_totals(settlement.items, settlement.wire_size)
                if isinstance(verdict, Release):
                    windows.release(entry, request)
                else:
                    written = windows.is_written(entry)
                    draft.end_lease(entry, request, verdict, settlement.outcome_code, now, written=written)
            draft.add_discovered(settlement.discovered)
            draft.add_skipped(settlement.skipped)
        windows.flush_evicted()
        return draft

    def _keep_unwritten(self, draft: WriteBatchBuilder) -> Mapping[int, Request]:
        """What a lazy queue keeps of a draft: its requests, by key. They come when their keys have proved to be new."""
        if not self._write_only_on_evict:
            return {}
        may_forget = draft.cache_evicted or not self._known_keys.is_complete
        return draft.strip_requests(self._take_unsaved_keys() if may_forget else ())

    def _take_unsaved_keys(self) -> list[int]:
        keys, self._unsaved_keys = self._unsaved_keys, []
        return keys

    def _enqueue_unwritten(self, requests: Mapping[int, Request], *, saved: bool = False) -> int:
        """Let requests wait that are not written; return how many."""
        if not saved:
            self._unsaved_keys += requests
        for request in requests.values():
            self._last_id += 1
            self._buffers.enqueue_unwritten(self._last_id, request)
        self._buffers.flush_evicted()
        return len(requests)

    async def _commit(self, group: WriteBatch, held: Mapping[int, Request]) -> int:
        return await self._db_thread.submit(
            partial(FrontierDatabase.commit, batch=group), partial(self._on_committed, group, held)
        )

    def _on_committed(self, group: WriteBatch, held: Mapping[int, Request], written: CommitResult) -> int:
        """Bring the picture up to date with a commit; return how many requests were new."""
        windows = self._buffers
        for _, _, entry in group.finished_unwritten:  # before what is tried again comes back: that is in the file now
            windows.drop_unwritten(entry)
        for entry, request in written.added:
            windows.enqueue(entry, request, written.new_hosts)
        for due, entry, request in group.requeued:
            if due is None:
                windows.enqueue(entry, request, written.new_hosts)
            else:
                self._next_due[request.priority] = min(due, self._next_due.get(request.priority, NEVER))
        came = (
            self._enqueue_unwritten({key: held[key] for key in written.new_keys if key in held}, saved=True)
            if held
            else 0
        )
        for host, _, entry in (*group.finished, *group.finished_unwritten):
            windows.end_lease(entry, host)
        for host, notes in group.host_state.items():
            windows.update_host_state(host, notes)
        windows.flush_evicted()
        self._totals = written.totals
        return len(written.added) + came

    def _set_totals(self, totals: Totals) -> None:
        self._totals = totals

    @property
    def _queued_count(self) -> int:
        """How many requests wait or are leased, in the file or not."""
        return self._totals.queued + self._buffers.unwritten_count

    def _on_due_moved(self, promoted: DueRequests) -> None:
        for entry, request in promoted.rows:
            self._buffers.enqueue(entry, request, ())
        self._next_due = promoted.next_due
        self._totals = promoted.totals

    def _empty_result(self, below: int | None) -> LeaseResult:
        if not (self._queued_count or self._totals.delayed):
            return Drained()
        due = (at for priority, at in self._next_due.items() if below is None or priority < below)
        return Wait(min(self._schedule.next_ready_at(below), min(due, default=NEVER)))

    def _make_counts(self, tallies: tuple[dict[str, dict[str, int]], dict[str, str]]) -> FrontierCounts:
        hosts, marks = tallies
        totals, leased = self._totals, self._buffers.count_leased()
        outcomes: dict[str, int] = {}
        for tally in hosts.values():
            for outcome, n in tally.items():
                outcomes[outcome] = outcomes.get(outcome, 0) + n
        return FrontierCounts(
            waiting=self._queued_count - leased,
            delayed=totals.delayed,
            leased=leased,
            known=totals.known + len(self._unsaved_keys),
            items=totals.items,
            wire_size=totals.wire_size,
            outcomes=outcomes,
            hosts=hosts,
            checkpoints=marks,
        )
