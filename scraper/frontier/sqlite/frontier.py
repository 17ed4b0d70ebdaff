"""The frontier in one SQLite file: what a crawl of one process uses, and resumes from.

The state of hosts and leases is on the event loop (`PrefetchBuffers`); all SQL runs in the database thread
(`FrontierDatabase`). A write takes three steps:
1. On the loop a `WriteBatch` is built. What the caches know is left out, so most links of a page cost no I/O.
2. The thread commits it in one transaction and returns what it found out (`CommitResult`).
3. On the loop the new requests are put into the buffers, and the leases end.
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

# Requests that `add` writes in one transaction.
ADD_BATCH_ROWS = 4_096
# Rows that `skips` and `waiting` read at once.
READ_PAGE_ROWS = 1_000


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
        # With `write_only_on_evict` alone: entry ids are given here, otherwise the thread gives them;
        self._last_id = opened.totals.last_id
        # and these fingerprints are in the cache and not yet in the database.
        self._unsaved_keys: list[int] = []
        if self._write_only_on_evict and opened.totals.known:
            self._buffers.expect_host_state(None)

    @classmethod
    async def open(cls, path: Path, settings: SqliteSettings | None = None) -> SqliteFrontier:
        """Open the frontier in the file at `path`; the file and its folder are created if they are missing.

        Raises `FrontierError` when it cannot be opened, is damaged, or was written by another version. The caller
        holds the `RunLock`, so that no other process writes to it.
        """
        settings = settings or SqliteSettings()
        db_thread: DatabaseThread[FrontierDatabase] = DatabaseThread(partial(error_message, path))
        await db_thread.open(partial(FrontierDatabase, path, settings.durability, settings.cache_kib))
        try:
            opened = await db_thread.submit(
                partial(FrontierDatabase.read_open_state, max_keys=settings.known_cache_keys), identity
            )
        except BaseException:
            await db_thread.aclose()
            raise
        return cls(settings, db_thread, opened)

    async def __aenter__(self) -> SqliteFrontier:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def add(self, requests: Sequence[Request]) -> int:
        """Queue the requests whose key is new; return how many were. Long lists take several transactions."""
        self._db_thread.raise_if_failed()
        new = 0
        for at in range(0, len(requests), ADD_BATCH_ROWS):
            builder = WriteBatchBuilder(self._known_keys, self._skipped_keys)
            builder.add_discovered(requests[at : at + ADD_BATCH_ROWS])
            if self._write_only_on_evict and self._known_keys.is_complete and not builder.cache_evicted:
                new += self._enqueue_unwritten(builder.strip_requests(()))
                continue
            unwritten = self._keep_unwritten(builder)
            if batch := builder.build({}, {}):
                new += await self._commit(batch, unwritten)
        return new

    async def lease(self, count: int, now: float, below_priority: int | None = None) -> LeaseResult:
        """At most `count` leases of hosts that are ready at `now`. No I/O while their buffers have rows."""
        self._db_thread.raise_if_failed()
        schedule, prefetch = self._schedule, self._buffers
        schedule.advance(now)
        while True:
            # 1. Retries that are due go into the queue, and may make hosts ready.
            if min(self._next_due.values(), default=NEVER) <= now:
                await self._db_thread.submit(partial(FrontierDatabase.move_due, now=now), self._on_due_moved)
            # 2. All ready hosts have rows in memory: lease from them.
            buffers = schedule.take_ready(count, below_priority)
            missing = [buffer for buffer in buffers if not buffer.rows]
            if buffers and not missing:
                leases = tuple([prefetch.grant(buffer) for buffer in buffers])
                prefetch.refill_low(buffers)
                return Granted(leases)
            # 3. Some have none: read rows and try again. To know whether a host has any below the priority may need
            #    rows of a host that is not ready yet.
            schedule.put_back(buffers)
            if not missing and (first := prefetch.first_unloaded(below_priority)) is not None:
                missing = [first]
            if missing:
                await prefetch.refill(missing)
            # 4. No host is ready, and no retry became due meanwhile.
            elif min(self._next_due.values(), default=NEVER) > now:
                return self._empty_result(below_priority)

    def try_lease(self, now: float, below_priority: int | None = None) -> Lease | None:
        """One lease from the prefetch, or None when `lease` has to look for it."""
        schedule = self._schedule
        if not self._nothing_is_due(now) or not (buffers := schedule.take_ready(1, below_priority)):
            return None
        if not buffers[0].rows:
            schedule.put_back(buffers)
            return None
        return self._grant(buffers[0])

    def try_lease_same_host(self, host: str, now: float, below_priority: int | None = None) -> Lease | None:
        """Another lease of `host` from its buffer, unless another host has become ready before."""
        if not self._nothing_is_due(now):
            return None
        buffer = self._schedule.same_host(host, below_priority)
        return self._grant(buffer) if buffer and buffer.rows else None

    def park(self, host: str, until: float) -> None:
        """Open `host` from `until` (epoch seconds) on."""
        self._buffers.park(host, until)

    async def settle(
        self,
        settlements: Sequence[Settlement],
        checkpoints: Mapping[str, str] | None = None,
        host_state: Mapping[str, Mapping[str, str]] | None = None,
    ) -> int:
        """End leases in one transaction; return how many discovered URLs were new."""
        self._db_thread.raise_if_failed()
        builder = self._build_batch(settlements)
        if host_state:
            self._buffers.expect_host_state(host_state)
        unwritten = self._keep_unwritten(builder)
        batch = builder.build(checkpoints or {}, host_state or {})
        return await self._commit(batch, unwritten) if batch else 0

    async def renew(self, leases: Sequence[Lease], until: float) -> None:
        """Do nothing: leases here do not expire."""
        self._db_thread.raise_if_failed()

    async def counts(self) -> FrontierCounts:
        """The figures of this moment. Reads the counts of every host."""
        return await self._db_thread.submit(FrontierDatabase.read_counts, self._make_counts)

    async def aclose(self) -> None:
        """Finish what was submitted and close. May be called again."""
        await self._db_thread.aclose()

    async def skips(self) -> AsyncIterator[Skip]:
        """Every URL that was seen and not requested, in the order found."""
        after = 0
        # A skipped URL that was queued later is no skip; the query sees that only for saved fingerprints.
        if self._unsaved_keys:
            await self._commit(WriteBatch([(key, None) for key in self._take_unsaved_keys()], True), {})
        while page := await self._db_thread.submit(
            partial(FrontierDatabase.read_skips, after=after, limit=READ_PAGE_ROWS), identity
        ):
            for after, skip in page:  # noqa: B007  the next page begins after the last one
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
        buffer = self._schedule.get(host)
        return buffer.waiting if buffer else 0

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
        """What is stored for `host`, by name."""
        return await self._db_thread.submit(partial(FrontierDatabase.read_host_state, host=host), identity)

    def _nothing_is_due(self, now: float) -> bool:
        """Whether no delayed request is due at `now`, so that the buffers alone decide."""
        self._db_thread.raise_if_failed()
        self._schedule.advance(now)
        return not self._next_due or min(self._next_due.values()) > now

    def _grant(self, buffer: HostBuffer) -> Lease:
        lease = self._buffers.grant(buffer)
        self._buffers.refill_low((buffer,))
        return lease

    def _build_batch(self, settlements: Sequence[Settlement]) -> WriteBatchBuilder:
        builder, prefetch, now = (
            WriteBatchBuilder(self._known_keys, self._skipped_keys),
            self._buffers,
            self._schedule.now,
        )
        for settlement in settlements:
            entry, verdict = settlement.lease.id, settlement.verdict
            request = prefetch.begin_settling(entry)
            # None: it was settled before, and the first verdict counts.
            if request is not None:
                builder.add_totals(settlement.items, settlement.wire_size)
                if isinstance(verdict, Release):
                    prefetch.release(entry, request)
                else:
                    written = prefetch.is_written(entry)
                    builder.end_lease(entry, request, verdict, settlement.outcome_code, now, written=written)
            builder.add_discovered(settlement.discovered)
            builder.add_skipped(settlement.skipped)
        prefetch.flush_evicted()
        return builder

    def _keep_unwritten(self, builder: WriteBatchBuilder) -> Mapping[int, Request]:
        """With `write_only_on_evict`: take the requests out of a batch, so that it writes fingerprints alone.

        Returns them by fingerprint. They are queued in memory once the commit has found their fingerprints new.
        """
        if not self._write_only_on_evict:
            return {}
        is_incomplete = builder.cache_evicted or not self._known_keys.is_complete
        return builder.strip_requests(self._take_unsaved_keys() if is_incomplete else ())

    def _take_unsaved_keys(self) -> list[int]:
        keys, self._unsaved_keys = self._unsaved_keys, []
        return keys

    def _enqueue_unwritten(self, requests: Mapping[int, Request], *, saved: bool = False) -> int:
        """Queue requests in memory alone; return how many.

        `saved` says that their fingerprints are in the database already.
        """
        if not saved:
            self._unsaved_keys += requests
        for request in requests.values():
            self._last_id += 1
            self._buffers.enqueue_unwritten(self._last_id, request)
        self._buffers.flush_evicted()
        return len(requests)

    async def _commit(self, batch: WriteBatch, unwritten: Mapping[int, Request]) -> int:
        return await self._db_thread.submit(
            partial(FrontierDatabase.commit, batch=batch), partial(self._on_committed, batch, unwritten)
        )

    def _on_committed(self, batch: WriteBatch, unwritten: Mapping[int, Request], result: CommitResult) -> int:
        """Apply a commit to the state on the loop; return how many requests were new."""
        prefetch = self._buffers
        # First: a request among `requeued` may have the same id, and from now on it is in the database.
        for _, _, entry in batch.finished_unwritten:
            prefetch.drop_unwritten(entry)
        for entry, request in result.added:
            prefetch.enqueue(entry, request, result.new_hosts)
        for due, entry, request in batch.requeued:
            if due is None:
                prefetch.enqueue(entry, request, result.new_hosts)
            else:
                self._next_due[request.priority] = min(due, self._next_due.get(request.priority, NEVER))
        added_unwritten = (
            self._enqueue_unwritten({key: unwritten[key] for key in result.new_keys if key in unwritten}, saved=True)
            if unwritten
            else 0
        )
        for host, _, entry in (*batch.finished, *batch.finished_unwritten):
            prefetch.end_lease(entry, host)
        for host, update in batch.host_state.items():
            prefetch.update_host_state(host, update)
        prefetch.flush_evicted()
        self._totals = result.totals
        return len(result.added) + added_unwritten

    def _set_totals(self, totals: Totals) -> None:
        self._totals = totals

    @property
    def _queued_count(self) -> int:
        """How many requests wait or are leased, in the database or not."""
        return self._totals.queued + self._buffers.unwritten_count

    def _on_due_moved(self, moved: DueRequests) -> None:
        for entry, request in moved.rows:
            self._buffers.enqueue(entry, request, ())
        self._next_due = moved.next_due
        self._totals = moved.totals

    def _empty_result(self, below: int | None) -> LeaseResult:
        if not (self._queued_count or self._totals.delayed):
            return Drained()
        due = (at for priority, at in self._next_due.items() if below is None or priority < below)
        return Wait(min(self._schedule.next_ready_at(below), min(due, default=NEVER)))

    def _make_counts(self, stored: tuple[dict[str, dict[str, int]], dict[str, str]]) -> FrontierCounts:
        hosts, checkpoints = stored
        totals, leased = self._totals, self._buffers.count_leased()
        outcomes: dict[str, int] = {}
        for counts in hosts.values():
            for outcome, n in counts.items():
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
            checkpoints=checkpoints,
        )
