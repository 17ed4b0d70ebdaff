"""Keeps in memory what may be requested next: which rows, of which hosts, and when to read more.

The database thread runs jobs in the order they are submitted, and their results are applied on the loop in that order.
Three rules keep the buffers true meanwhile:

- A lease writes nothing. Its row stays in the queue until it is settled, so that a crash gives it back. A refill may
  therefore read rows that are leased; they are left out when its result is applied.
- A row is put into a buffer only after its commit was applied. A lease too ends only then: from `_leased` it goes to
  `_settling`, and leaves that when its commit was applied. So no refill brings back what has been settled.
- A refill whose buffer has moved its `buffered_until` meanwhile is discarded.

With `write_only_on_evict` a row is written only when it is evicted from its buffer. Until that is committed it is in no
buffer (`_evicted_rows`, then under way). Then it is put into the buffer again if it fits, like any row that was just
written.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from scraper.errors import FrontierError
from scraper.frontier.host_schedule import HostSchedule
from scraper.frontier.interface import NEVER
from scraper.frontier.sqlite.db_thread import DatabaseThread
from scraper.frontier.sqlite.host_buffer import ALL_BUFFERED, HostBuffer, QueueRow
from scraper.frontier.sqlite.messages import HostBacklog, ReadRequest, ReadResult, Totals
from scraper.frontier.sqlite.settings import SqliteSettings
from scraper.frontier.sqlite.statements import FrontierDatabase
from scraper.model import Lease, Request
from scraper.structures.bloom import HostBloom

# Rows that the first refill of a buffer reads. Later ones read more, up to the host's share.
FIRST_REFILL_ROWS = 32
# A host that is parked for longer keeps no rows in memory.
LONG_PARK_SECONDS = 60.0


class _Refill(NamedTuple):
    """A refill under way: its buffer, at most how many rows, and its token."""

    buffer: HostBuffer
    max_rows: int
    token: int


class PrefetchBuffers:
    """The buffers of all hosts, and the leases. `schedule` says which host is next."""

    def __init__(
        self,
        settings: SqliteSettings,
        db_thread: DatabaseThread[FrontierDatabase],
        backlogs: Iterable[HostBacklog],
        on_totals: Callable[[Totals], None],
    ) -> None:
        """`backlogs` are the hosts with queued requests; `on_totals` gets the totals after each write from here."""
        self.schedule = HostSchedule(HostBuffer)
        # Requests by entry id that are leased; then ids of leases whose settlement is being committed.
        self._leased: dict[int, Request] = {}
        self._settling: set[int] = set()
        self._settings = settings
        self._db_thread = db_thread
        self._on_totals = on_totals
        self._buffered_rows = 0
        self._last_token = 0
        # With `write_only_on_evict` alone: ids that are not in the database, rows to be written, rows being written.
        self._unwritten_ids: set[int] = set()
        self._evicted_rows: list[QueueRow] = []
        self._flushing_rows = 0
        self._hosts_with_state = HostBloom()
        for host, count, (priority, entry) in backlogs:
            buffer = self.schedule.get_or_create(host)
            # Nothing is buffered yet: everything from the first row on is in the database alone.
            buffer.buffered_until = (priority, entry - 1)
            buffer.waiting = count
            self.schedule.activate(buffer)

    def park(self, host: str, until: float) -> None:
        """Open `host` from `until` on."""
        buffer = self.schedule.park(host, until)
        if until > self.schedule.now:
            self._evict_if_parked_long(buffer)

    def _evict_if_parked_long(self, buffer: HostBuffer) -> None:
        """A host that is parked for long keeps no rows in memory.

        A host at its limit of requests in flight is parked until NEVER, but only until one of them has ended: it keeps
        its rows.
        """
        if buffer.ready_at <= self.schedule.now + LONG_PARK_SECONDS or (buffer.ready_at == NEVER and buffer.leased):
            return
        if buffer.rows:
            rows = buffer.evict_all()
            self._buffered_rows -= len(rows)
            for row in rows:
                self._on_row_evicted(row)
            self.flush_evicted()

    def enqueue_unwritten(self, entry: int, request: Request) -> None:
        """Queue a request that is not in the database. Call `flush_evicted` after the last one."""
        self._unwritten_ids.add(entry)
        self.enqueue(entry, request, ())

    def enqueue(self, entry: int, request: Request, new_hosts: Container[str]) -> None:
        """Queue a request that is in the database. `new_hosts` have no stored state, so it need not be read."""
        host = request.url.host
        buffer = self.schedule.get_or_create(host)
        if (
            buffer.host_state is None
            and not buffer.state_delivered
            and (host in new_hosts or self._surely_has_no_state(host))
        ):
            buffer.host_state = {}
        buffer.waiting += 1
        self._buffer_row(buffer, (request.priority, entry, request))
        self.schedule.on_enqueue(buffer, request.priority)

    def _surely_has_no_state(self, host: str) -> bool:
        return self._settings.write_only_on_evict and host not in self._hosts_with_state

    def _buffer_row(self, buffer: HostBuffer, row: QueueRow) -> None:
        # Rows of a host whose state was not read cannot be leased: leave them to the refill, which reads both.
        limit = 0
        if buffer.state_delivered or buffer.host_state is not None:
            limit = (
                self._max_rows_per_host()
                if self._buffered_rows < self._settings.max_buffered_rows
                else len(buffer.rows)
            )
        evicted = buffer.insert(row, limit)
        if evicted is None:
            self._buffered_rows += 1
        else:
            self._on_row_evicted(evicted)

    def _on_row_evicted(self, row: QueueRow) -> None:
        """A row has left its buffer; if it is not in the database, it has to be written."""
        if row[1] in self._unwritten_ids:
            self._unwritten_ids.discard(row[1])
            self._evicted_rows.append(row)

    def flush_evicted(self) -> None:
        """Write the evicted rows that are not in the database."""
        if self._evicted_rows:
            rows, self._evicted_rows = self._evicted_rows, []
            self._flushing_rows += len(rows)
            self._db_thread.submit_unawaited(
                partial(FrontierDatabase.enqueue, rows=rows), partial(self._on_evicted_flushed, rows)
            )

    def _on_evicted_flushed(self, rows: Sequence[QueueRow], totals: Totals) -> None:
        self._flushing_rows -= len(rows)
        self._on_totals(totals)
        for row in rows:
            self._buffer_row(self.schedule.get_or_create(row[2].url.host), row)
        self.flush_evicted()

    def flush_all(self) -> None:
        """Write all waiting rows that are not in the database; they stay in their buffers."""
        rows = [row for buffer in self.schedule.queues() for row in buffer.rows if row[1] in self._unwritten_ids]
        if rows:
            self._unwritten_ids.difference_update([row[1] for row in rows])
            self._flushing_rows += len(rows)
            self._db_thread.submit_unawaited(
                partial(FrontierDatabase.enqueue, rows=rows), partial(self._on_all_flushed, len(rows))
            )

    def _on_all_flushed(self, count: int, totals: Totals) -> None:
        self._flushing_rows -= count
        self._on_totals(totals)

    @property
    def unwritten_count(self) -> int:
        """How many requests, waiting or leased, are not in the database."""
        return len(self._unwritten_ids) + self._flushing_rows

    def is_written(self, entry: int) -> bool:
        """Whether the leased `entry` is in the database."""
        return entry not in self._unwritten_ids

    def drop_unwritten(self, entry: int) -> None:
        """The settlement of an unwritten lease was committed: it is finished, or in the database from now on."""
        self._unwritten_ids.discard(entry)

    def begin_settling(self, entry: int) -> Request | None:
        """The request leased as `entry`, None when it was settled before. It counts as leased until `end_lease`."""
        request = self._leased.pop(entry, None)
        if request is not None:
            self._settling.add(entry)
        return request

    def release(self, entry: int, request: Request) -> None:
        """End a lease unsettled: its request waits again at its old position."""
        # First: a host with nothing waiting and nothing leased is forgotten.
        self.enqueue(entry, request, ())
        self.end_lease(entry, request.url.host)

    def end_lease(self, entry: int, host: str) -> None:
        """The settlement of a lease of `host` was committed."""
        self._settling.discard(entry)
        buffer = self.schedule.get_or_create(host)
        buffer.leased -= 1
        if not buffer.closed and buffer.ready_at > self.schedule.now:
            self._evict_if_parked_long(buffer)
        self.schedule.forget_if_idle(buffer)

    def expect_host_state(self, hosts: Iterable[str] | None) -> None:
        """State of `hosts` is about to be written; None: any host may have some."""
        if hosts is None:
            self._hosts_with_state.add_all()
        else:
            for host in hosts:
                self._hosts_with_state.add(host)

    def update_host_state(self, host: str, update: Mapping[str, str]) -> None:
        """State of `host` was committed. If its first lease is still to come, that carries it."""
        buffer = self.schedule.get(host)
        if buffer is not None and buffer.host_state is not None:
            buffer.host_state = {**buffer.host_state, **update}

    def grant(self, buffer: HostBuffer) -> Lease:
        """Lease the best request of a host that the schedule gave and whose buffer is not empty."""
        _, entry, request = buffer.rows.pop(0)
        self._buffered_rows -= 1
        buffer.waiting -= 1
        buffer.leased += 1
        self._leased[entry] = request
        host_state = None if buffer.state_delivered else buffer.host_state
        buffer.state_delivered, buffer.host_state = True, None
        return Lease(entry, request, NEVER, host_state)

    def count_leased(self) -> int:
        """How many leases are out."""
        return len(self._leased) + len(self._settling)

    def is_leased(self, entry: int) -> bool:
        """Whether `entry` is leased."""
        return entry in self._leased or entry in self._settling

    def refill_low(self, buffers: Iterable[HostBuffer]) -> None:
        """Start reading rows for buffers below a quarter of their share, so that the next lease need not wait."""
        share, room = 0, self._settings.max_buffered_rows - self._buffered_rows
        refills = []
        for buffer in buffers:
            if buffer.buffered_until is ALL_BUFFERED or buffer.refill_token:
                continue
            share = share or self._max_rows_per_host()
            wanted = min(share - len(buffer.rows), room)
            # A share of a few rows would be refilled at every lease.
            if wanted > 0 and 4 * len(buffer.rows) < share > 4:
                refills.append(self._begin_refill(buffer, wanted))
                room -= wanted
        if refills:
            self._db_thread.submit_unawaited(
                partial(FrontierDatabase.read_rows, reads=[_read_request(f, False) for f in refills]),
                partial(self._on_refilled, refills),
            )

    async def refill(self, missing: Sequence[HostBuffer]) -> None:
        """Wait for rows of `missing`, also of those whose refill is under way already: jobs keep their order."""
        # Before the read: it must see them.
        self.flush_evicted()
        rows = min(self._max_rows_per_host(), FIRST_REFILL_ROWS)
        refills = [self._begin_refill(buffer, rows) for buffer in missing if not buffer.refill_token]
        reads = [_read_request(refill, False) for refill in refills]
        room = self._settings.max_buffered_rows - self._buffered_rows - rows * len(refills)
        # While the disk is read anyway, read for the hosts that come next.
        if refills and room >= rows:
            soon = self.schedule.upcoming(min(self._settings.prefetch_hosts, room // rows))
            prefetches = [
                self._begin_refill(buffer, rows) for buffer in soon if not (buffer.rows or buffer.refill_token)
            ]
            reads += [_read_request(refill, True) for refill in prefetches]
            refills += prefetches
        await self._db_thread.submit(
            partial(FrontierDatabase.read_rows, reads=reads), partial(self._on_refilled, refills)
        )

    def _max_rows_per_host(self) -> int:
        """How many rows one buffer may hold."""
        settings = self._settings
        return max(1, min(settings.max_host_rows, settings.max_buffered_rows // max(1, len(self.schedule))))

    def _begin_refill(self, buffer: HostBuffer, max_rows: int) -> _Refill:
        self._last_token += 1
        buffer.refill_token = self._last_token
        return _Refill(buffer, max_rows, self._last_token)

    def _on_refilled(self, refills: Sequence[_Refill], results: Sequence[ReadResult | None]) -> None:
        for (buffer, limit, token), result in zip(refills, results, strict=True):
            # `buffered_until` has moved meanwhile: these rows do not follow it.
            if buffer.refill_token != token:
                continue
            buffer.refill_token = 0
            if result is None:
                continue
            if buffer.host_state is None and not buffer.state_delivered:
                buffer.host_state = result.host_state
            rows = [row for row in result.rows if not self.is_leased(row[1])]
            self._buffered_rows += buffer.extend(rows, limit)
            # The database has fewer rows than were counted. Rows that are being written are counted and not there yet.
            if not buffer.rows and buffer.waiting and not self._flushing_rows:
                raise FrontierError(
                    f"the crawl's state is damaged: {buffer.name} has lost its waiting requests; use --fresh"
                )

    def first_unloaded(self, below: int | None) -> HostBuffer | None:
        """The next host, if its buffer is empty: only its rows say whether one is below that priority."""
        first = self.schedule.first(below) if below is not None else None
        return first if first is not None and not first.rows else None


def _read_request(refill: _Refill, is_prefetch: bool) -> ReadRequest:
    """What to read: one row more than wanted, which says whether others follow, and as many more as may be leased."""
    buffer = refill.buffer
    wants_state = not buffer.state_delivered and buffer.host_state is None
    return ReadRequest(
        buffer.name, buffer.buffered_until, refill.max_rows + 1 + buffer.leased, wants_state, is_prefetch
    )
