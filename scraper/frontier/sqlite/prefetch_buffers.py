"""Keeps what may be asked next in RAM: which rows, of which hosts, and when to read more.

Three rules keep the windows true while the writer thread is at work, whose jobs run and report in the order given:

- A lease writes nothing. Its row stays in the queue until it is settled, so a crash gives it back. What a fill
  reads may therefore be leased already; such rows are left out when it is applied.
- A row enters a window only after its commit was applied, and a lease ends (`_leased`, then `_settling`) only then
  too, so no fill can bring back what has been settled.
- A fill whose window changed its edge meanwhile is discarded.

A lazy queue (`SqliteSettings.lazy`) writes a row only when it leaves its window other than by a lease. Until that is
committed the row is in no window, and then it is placed anew: so it stands there as any row that has just been written.
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

FIRST_REFILL_ROWS = 32
"""Rows that a window is first filled with; it grows while they are asked for."""
LONG_PARK_SECONDS = 60.0
"""Seconds: a host parked for longer needs no rows in RAM."""


class _Refill(NamedTuple):
    """A fill under way: for which window, at most how many rows, and its token."""

    buffer: HostBuffer
    max_rows: int
    token: int


class PrefetchBuffers:
    """The hosts with something waiting, their windows, and the leases. `schedule` says whose turn it is."""

    def __init__(
        self,
        settings: SqliteSettings,
        db_thread: DatabaseThread[FrontierDatabase],
        backlogs: Iterable[HostBacklog],
        on_totals: Callable[[Totals], None],
    ) -> None:
        """`hosts` are those with something in the queue; `written` hears the sums when rows were written from here."""
        self.schedule = HostSchedule(HostBuffer)
        self._leased: dict[int, Request] = {}
        self._settling: set[int] = set()
        self._settings = settings
        self._db_thread = db_thread
        self._on_totals = on_totals
        self._buffered_rows = 0
        self._last_token = 0
        self._unwritten_ids: set[int] = set()
        self._evicted_rows: list[QueueRow] = []
        self._flushing_rows = 0
        self._hosts_with_state = HostBloom()
        for host, total, (priority, entry) in backlogs:
            line = self.schedule.get_or_create(host)
            line.buffered_until = (priority, entry - 1)
            line.waiting = total
            self.schedule.activate(line)

    def park(self, host: str, until: float) -> None:
        """Open `host` from `until` on."""
        line = self.schedule.park(host, until)
        if until > self.schedule.now:
            self._evict_if_parked_long(line)

    def _evict_if_parked_long(self, line: HostBuffer) -> None:
        """A host that is parked for long keeps no rows in RAM.

        One that is asked by as many as may ask it is parked for good, until one of them has ended: that is not long.
        """
        if line.ready_at <= self.schedule.now + LONG_PARK_SECONDS or (line.ready_at == NEVER and line.leased):
            return
        if line.rows:
            rows = line.evict_all()
            self._buffered_rows -= len(rows)
            for row in rows:
                self._on_row_evicted(row)
            self.flush_evicted()

    def enqueue_unwritten(self, entry: int, request: Request) -> None:
        """A request has come to wait that was not written. Call `flush_evicted` when all have come."""
        self._unwritten_ids.add(entry)
        self.enqueue(entry, request, ())

    def enqueue(self, entry: int, request: Request, new_hosts: Container[str]) -> None:
        """A row of the queue has come to wait. Hosts in `fresh` were never met before, so they have no notes."""
        host = request.url.host
        line = self.schedule.get_or_create(host)
        if (
            line.host_state is None
            and not line.state_delivered
            and (host in new_hosts or self._surely_has_no_state(host))
        ):
            line.host_state = {}
        line.waiting += 1
        self._buffer_row(line, (request.priority, entry, request))
        self.schedule.on_enqueue(line, request.priority)

    def _surely_has_no_state(self, host: str) -> bool:
        return self._settings.write_only_on_evict and host not in self._hosts_with_state

    def _buffer_row(self, line: HostBuffer, row: QueueRow) -> None:
        limit = 0
        if line.state_delivered or line.host_state is not None:
            limit = (
                self._max_rows_per_host() if self._buffered_rows < self._settings.max_buffered_rows else len(line.rows)
            )
        left = line.insert(row, limit)
        if left is None:
            self._buffered_rows += 1
        else:
            self._on_row_evicted(left)

    def _on_row_evicted(self, row: QueueRow) -> None:
        """A row is in no window any more; if it is nowhere else, it has to be written."""
        if row[1] in self._unwritten_ids:
            self._unwritten_ids.discard(row[1])
            self._evicted_rows.append(row)

    def flush_evicted(self) -> None:
        """Have written what has left the windows and was not yet."""
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
        """Have everything written that waits, without letting it go."""
        rows = [row for line in self.schedule.queues() for row in line.rows if row[1] in self._unwritten_ids]
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
        """How many requests, waiting or leased, are not in the file."""
        return len(self._unwritten_ids) + self._flushing_rows

    def is_written(self, entry: int) -> bool:
        """Whether `entry`, which is leased, is in the file."""
        return entry not in self._unwritten_ids

    def drop_unwritten(self, entry: int) -> None:
        """The verdict on a lease that was never written has been committed: it is over, or in the file from now on."""
        self._unwritten_ids.discard(entry)

    def begin_settling(self, entry: int) -> Request | None:
        """What was leased as `entry`, which stays leased until `end_lease`; None when it was settled before."""
        request = self._leased.pop(entry, None)
        if request is not None:
            self._settling.add(entry)
        return request

    def release(self, entry: int, request: Request) -> None:
        """Let a lease go whose request waits again where it was."""
        self.enqueue(entry, request, ())  # first, or a host without other requests would be forgotten
        self.end_lease(entry, request.url.host)

    def end_lease(self, entry: int, host: str) -> None:
        """The verdict on a lease of `host` has been committed."""
        self._settling.discard(entry)
        line = self.schedule.get_or_create(host)
        line.leased -= 1
        if not line.closed and line.ready_at > self.schedule.now:
            self._evict_if_parked_long(line)
        self.schedule.forget_if_idle(line)

    def expect_host_state(self, hosts: Iterable[str] | None) -> None:
        """Notes of `hosts` are being written; with None any host may have some."""
        if hosts is None:
            self._hosts_with_state.add_all()
        else:
            for host in hosts:
                self._hosts_with_state.add(host)

    def update_host_state(self, host: str, update: Mapping[str, str]) -> None:
        """Notes about `host` have been committed: its next first lease brings them."""
        line = self.schedule.get(host)
        if line is not None and line.host_state is not None:
            line.host_state = {**line.host_state, **update}

    def grant(self, line: HostBuffer) -> Lease:
        """Lease the best request of a host that was taken and has rows."""
        _, entry, request = line.rows.pop(0)
        self._buffered_rows -= 1
        line.waiting -= 1
        line.leased += 1
        self._leased[entry] = request
        notes = None if line.state_delivered else line.host_state
        line.state_delivered, line.host_state = True, None
        return Lease(entry, request, NEVER, notes)

    def count_leased(self) -> int:
        """How many leases are out."""
        return len(self._leased) + len(self._settling)

    def is_leased(self, entry: int) -> bool:
        """Whether `entry` is out on a lease."""
        return entry in self._leased or entry in self._settling

    def refill_low(self, lines: Iterable[HostBuffer]) -> None:
        """Order rows for windows that run low, so that the next lease need not wait for them."""
        share, room = 0, self._settings.max_buffered_rows - self._buffered_rows
        fills = []
        for line in lines:
            if line.buffered_until is ALL_BUFFERED or line.refill_token:
                continue
            share = share or self._max_rows_per_host()
            wanted = min(share - len(line.rows), room)
            if wanted > 0 and 4 * len(line.rows) < share > 4:
                fills.append(self._begin_refill(line, wanted))
                room -= wanted
        if fills:
            self._db_thread.submit_unawaited(
                partial(FrontierDatabase.read_rows, reads=[_read_request(f, False) for f in fills]),
                partial(self._on_refilled, fills),
            )

    async def refill(self, missing: Sequence[HostBuffer]) -> None:
        """Wait for rows of `missing`, also when their fill is under way already: jobs keep their order."""
        self.flush_evicted()  # what is read for them comes behind what was to be written
        rows = min(self._max_rows_per_host(), FIRST_REFILL_ROWS)
        fills = [self._begin_refill(line, rows) for line in missing if not line.refill_token]
        asks = [_read_request(fill, False) for fill in fills]
        room = self._settings.max_buffered_rows - self._buffered_rows - rows * len(fills)
        if fills and room >= rows:
            soon = self.schedule.upcoming(min(self._settings.prefetch_hosts, room // rows))
            early = [self._begin_refill(line, rows) for line in soon if not (line.rows or line.refill_token)]
            asks += [_read_request(fill, True) for fill in early]
            fills += early
        await self._db_thread.submit(partial(FrontierDatabase.read_rows, reads=asks), partial(self._on_refilled, fills))

    def _max_rows_per_host(self) -> int:
        """How many rows one window may hold."""
        settings = self._settings
        return max(1, min(settings.max_host_rows, settings.max_buffered_rows // max(1, len(self.schedule))))

    def _begin_refill(self, line: HostBuffer, max_rows: int) -> _Refill:
        self._last_token += 1
        line.refill_token = self._last_token
        return _Refill(line, max_rows, self._last_token)

    def _on_refilled(self, fills: Sequence[_Refill], supplies: Sequence[ReadResult | None]) -> None:
        for (line, limit, token), supply in zip(fills, supplies, strict=True):
            if line.refill_token != token:  # its edge has moved meanwhile
                continue
            line.refill_token = 0
            if supply is None:
                continue
            if line.host_state is None and not line.state_delivered:
                line.host_state = supply.host_state
            rows = [row for row in supply.rows if not self.is_leased(row[1])]
            self._buffered_rows += line.extend(rows, limit)
            if not line.rows and line.waiting and not self._flushing_rows:
                raise FrontierError(f"the crawl's state is damaged: {line.name} has lost what waits; use --fresh")

    def first_unloaded(self, below: int | None) -> HostBuffer | None:
        """The host to be asked next, if only its rows can tell whether it has any below that priority."""
        first = self.schedule.first(below) if below is not None else None
        return first if first is not None and not first.rows else None


def _read_request(fill: _Refill, early: bool) -> ReadRequest:
    """What to read for `fill`: one row more than wanted tells whether others follow, leased ones do not count."""
    line = fill.buffer
    wants_notes = not line.state_delivered and line.host_state is None
    return ReadRequest(line.name, line.buffered_until, fill.max_rows + 1 + line.leased, wants_notes, early)
