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
from scraper.frontier.host_schedule import Schedule
from scraper.frontier.interface import NEVER
from scraper.frontier.sqlite.db_thread import WriterThread
from scraper.frontier.sqlite.host_window import EVERYTHING, HostWindow, Row
from scraper.frontier.sqlite.messages import Ask, Supply, Totals, Waiting
from scraper.frontier.sqlite.settings import SqliteSettings
from scraper.frontier.sqlite.statements import Store
from scraper.model import Lease, Request
from scraper.structures.bloom import HostMarks

FIRST_ROWS = 32
"""Rows that a window is first filled with; it grows while they are asked for."""
LONG_PARK = 60.0
"""Seconds: a host parked for longer needs no rows in RAM."""


class _Fill(NamedTuple):
    """A fill under way: for which window, at most how many rows, and its token."""

    line: HostWindow
    limit: int
    token: int


class Windows:
    """The hosts with something waiting, their windows, and the leases. `schedule` says whose turn it is."""

    def __init__(
        self,
        settings: SqliteSettings,
        writer: WriterThread[Store],
        hosts: Iterable[Waiting],
        written: Callable[[Totals], None],
    ) -> None:
        """`hosts` are those with something in the queue; `written` hears the sums when rows were written from here."""
        self.schedule = Schedule(HostWindow)
        self._leased: dict[int, Request] = {}
        self._settling: set[int] = set()
        self._settings = settings
        self._writer = writer
        self._written = written
        self._held = 0
        self._token = 0
        self._unwritten: set[int] = set()
        self._leaving: list[Row] = []
        self._spilling = 0
        self._noted = HostMarks()
        for host, total, (priority, entry) in hosts:
            line = self.schedule.line(host)
            line.edge = (priority, entry - 1)
            line.waiting = total
            self.schedule.began(line)

    def park(self, host: str, until: float) -> None:
        """Open `host` from `until` on."""
        line = self.schedule.park(host, until)
        if until > self.schedule.now:
            self._put_away(line)

    def _put_away(self, line: HostWindow) -> None:
        """A host that is parked for long keeps no rows in RAM.

        One that is asked by as many as may ask it is parked for good, until one of them has ended: that is not long.
        """
        if line.ready_at <= self.schedule.now + LONG_PARK or (line.ready_at == NEVER and line.leased):
            return
        if line.rows:
            rows = line.empty()
            self._held -= len(rows)
            for row in rows:
                self._leave(row)
            self.spill()

    def come(self, entry: int, request: Request) -> None:
        """A request has come to wait that was not written. Call `spill` when all have come."""
        self._unwritten.add(entry)
        self.arrive(entry, request, ())

    def arrive(self, entry: int, request: Request, fresh: Container[str]) -> None:
        """A row of the queue has come to wait. Hosts in `fresh` were never met before, so they have no notes."""
        host = request.url.host
        line = self.schedule.line(host)
        if line.notes is None and not line.introduced and (host in fresh or self._was_never_noted(host)):
            line.notes = {}
        line.waiting += 1
        self._place(line, (request.priority, entry, request))
        self.schedule.arrived(line, request.priority)

    def _was_never_noted(self, host: str) -> bool:
        return self._settings.lazy and host not in self._noted

    def _place(self, line: HostWindow, row: Row) -> None:
        limit = 0
        if line.introduced or line.notes is not None:
            limit = self._share() if self._held < self._settings.window_rows else len(line.rows)
        left = line.insert(row, limit)
        if left is None:
            self._held += 1
        else:
            self._leave(left)

    def _leave(self, row: Row) -> None:
        """A row is in no window any more; if it is nowhere else, it has to be written."""
        if row[1] in self._unwritten:
            self._unwritten.discard(row[1])
            self._leaving.append(row)

    def spill(self) -> None:
        """Have written what has left the windows and was not yet."""
        if self._leaving:
            rows, self._leaving = self._leaving, []
            self._spilling += len(rows)
            self._writer.post(partial(Store.enqueue, rows=rows), partial(self._spilled, rows))

    def _spilled(self, rows: Sequence[Row], totals: Totals) -> None:
        self._spilling -= len(rows)
        self._written(totals)
        for row in rows:
            self._place(self.schedule.line(row[2].url.host), row)
        self.spill()

    def write_all(self) -> None:
        """Have everything written that waits, without letting it go."""
        rows = [row for line in self.schedule.lines() for row in line.rows if row[1] in self._unwritten]
        if rows:
            self._unwritten.difference_update([row[1] for row in rows])
            self._spilling += len(rows)
            self._writer.post(partial(Store.enqueue, rows=rows), partial(self._saved, len(rows)))

    def _saved(self, count: int, totals: Totals) -> None:
        self._spilling -= count
        self._written(totals)

    @property
    def unwritten(self) -> int:
        """How many requests, waiting or leased, are not in the file."""
        return len(self._unwritten) + self._spilling

    def is_written(self, entry: int) -> bool:
        """Whether `entry`, which is leased, is in the file."""
        return entry not in self._unwritten

    def forget_unwritten(self, entry: int) -> None:
        """The verdict on a lease that was never written has been committed: it is over, or in the file from now on."""
        self._unwritten.discard(entry)

    def begin_settling(self, entry: int) -> Request | None:
        """What was leased as `entry`, which stays leased until `end_lease`; None when it was settled before."""
        request = self._leased.pop(entry, None)
        if request is not None:
            self._settling.add(entry)
        return request

    def release(self, entry: int, request: Request) -> None:
        """Let a lease go whose request waits again where it was."""
        self.arrive(entry, request, ())  # first, or a host without other requests would be forgotten
        self.end_lease(entry, request.url.host)

    def end_lease(self, entry: int, host: str) -> None:
        """The verdict on a lease of `host` has been committed."""
        self._settling.discard(entry)
        line = self.schedule.line(host)
        line.leased -= 1
        if not line.closed and line.ready_at > self.schedule.now:
            self._put_away(line)
        self.schedule.forget_if_spent(line)

    def expect_notes(self, hosts: Iterable[str] | None) -> None:
        """Notes of `hosts` are being written; with None any host may have some."""
        if hosts is None:
            self._noted.fill()
        else:
            for host in hosts:
                self._noted.add(host)

    def note(self, host: str, given: Mapping[str, str]) -> None:
        """Notes about `host` have been committed: its next first lease brings them."""
        line = self.schedule.get(host)
        if line is not None and line.notes is not None:
            line.notes = {**line.notes, **given}

    def grant(self, line: HostWindow) -> Lease:
        """Lease the best request of a host that was taken and has rows."""
        _, entry, request = line.rows.pop(0)
        self._held -= 1
        line.waiting -= 1
        line.leased += 1
        self._leased[entry] = request
        notes = None if line.introduced else line.notes
        line.introduced, line.notes = True, None
        return Lease(entry, request, NEVER, notes)

    def count_leased(self) -> int:
        """How many leases are out."""
        return len(self._leased) + len(self._settling)

    def is_leased(self, entry: int) -> bool:
        """Whether `entry` is out on a lease."""
        return entry in self._leased or entry in self._settling

    def top_up(self, lines: Iterable[HostWindow]) -> None:
        """Order rows for windows that run low, so that the next lease need not wait for them."""
        share, room = 0, self._settings.window_rows - self._held
        fills = []
        for line in lines:
            if line.edge is EVERYTHING or line.filling:
                continue
            share = share or self._share()
            wanted = min(share - len(line.rows), room)
            if wanted > 0 and 4 * len(line.rows) < share > 4:
                fills.append(self._begin(line, wanted))
                room -= wanted
        if fills:
            self._writer.post(partial(Store.fill, asks=[_ask(f, False) for f in fills]), partial(self._filled, fills))

    async def fill(self, missing: Sequence[HostWindow]) -> None:
        """Wait for rows of `missing`, also when their fill is under way already: jobs keep their order."""
        self.spill()  # what is read for them comes behind what was to be written
        rows = min(self._share(), FIRST_ROWS)
        fills = [self._begin(line, rows) for line in missing if not line.filling]
        asks = [_ask(fill, False) for fill in fills]
        room = self._settings.window_rows - self._held - rows * len(fills)
        if fills and room >= rows:
            soon = self.schedule.soon(min(self._settings.early_hosts, room // rows))
            early = [self._begin(line, rows) for line in soon if not (line.rows or line.filling)]
            asks += [_ask(fill, True) for fill in early]
            fills += early
        await self._writer.submit(partial(Store.fill, asks=asks), partial(self._filled, fills))

    def _share(self) -> int:
        """How many rows one window may hold."""
        settings = self._settings
        return max(1, min(settings.host_rows, settings.window_rows // max(1, len(self.schedule))))

    def _begin(self, line: HostWindow, limit: int) -> _Fill:
        self._token += 1
        line.filling = self._token
        return _Fill(line, limit, self._token)

    def _filled(self, fills: Sequence[_Fill], supplies: Sequence[Supply | None]) -> None:
        for (line, limit, token), supply in zip(fills, supplies, strict=True):
            if line.filling != token:  # its edge has moved meanwhile
                continue
            line.filling = 0
            if supply is None:
                continue
            if line.notes is None and not line.introduced:
                line.notes = supply.notes
            rows = [row for row in supply.rows if not self.is_leased(row[1])]
            self._held += line.extend(rows, limit)
            if not line.rows and line.waiting and not self._spilling:
                raise FrontierError(f"the crawl's state is damaged: {line.name} has lost what waits; use --fresh")

    def unsure(self, below: int | None) -> HostWindow | None:
        """The host to be asked next, if only its rows can tell whether it has any below that priority."""
        first = self.schedule.first(below) if below is not None else None
        return first if first is not None and not first.rows else None


def _ask(fill: _Fill, early: bool) -> Ask:
    """What to read for `fill`: one row more than wanted tells whether others follow, leased ones do not count."""
    line = fill.line
    wants_notes = not line.introduced and line.notes is None
    return Ask(line.name, line.edge, fill.limit + 1 + line.leased, wants_notes, early)
