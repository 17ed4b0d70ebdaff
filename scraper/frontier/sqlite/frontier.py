"""The frontier in one SQLite file: what a crawl of one process runs on, and resumes from.

All state of hosts and leases lives on the event loop (`Windows`); all statements run in the writer thread (`Store`).
A method decides what to write, the thread writes it, and when it has been committed the loop's picture follows.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from scraper.frontier.interface import NEVER, Answer, Counts, Depths, Drained, Granted, Wait
from scraper.frontier.sqlite.db_thread import WriterThread, unchanged
from scraper.frontier.sqlite.host_window import HostWindow
from scraper.frontier.sqlite.messages import Group, Opened, Promoted, Totals, Written
from scraper.frontier.sqlite.schema import explain
from scraper.frontier.sqlite.settings import SqliteSettings
from scraper.frontier.sqlite.statements import Store
from scraper.frontier.sqlite.window_cache import Windows
from scraper.frontier.sqlite.write_batch import Draft
from scraper.model import Lease, Release, Request, Settlement, Skip
from scraper.structures.seen_cache import RecentKeys

__all__ = ["SqliteFrontier", "SqliteSettings"]

ADD_ROWS = 4_096
"""Requests that one transaction of `add` takes."""
PAGE_ROWS = 1_000
"""Rows read at once by `skips` and `waiting`."""


class SqliteFrontier:
    """A `Frontier` and `Ledger` in one file. Made by `open`, used in an `async with` or closed by `aclose`."""

    def __init__(self, settings: SqliteSettings, writer: WriterThread[Store], opened: Opened) -> None:
        """Use `open`."""
        self._writer = writer
        self._windows = Windows(settings, writer, opened.hosts, self._sum)
        self._schedule = self._windows.schedule
        self._known = RecentKeys(settings.known_keys, opened.keys)
        self._skipped = RecentKeys(settings.skipped_keys)
        self._totals = opened.totals
        self._due = opened.due
        self._lazy = settings.lazy
        self._last_id = opened.totals.last_id  # of a lazy queue: the others have their ids from the thread
        self._unsaved: list[int] = []  # keys of a lazy queue that the caches hold and the file does not
        if self._lazy and opened.totals.known:
            self._windows.expect_notes(None)

    @classmethod
    async def open(cls, path: Path, settings: SqliteSettings | None = None) -> SqliteFrontier:
        """Open the frontier in the file at `path`, made with its folder if it is not there.

        Raises `FrontierError` when it cannot be opened, is damaged, or was written by another version. That no
        other process is at work in it is for `RunLock` to see to.
        """
        settings = settings or SqliteSettings()
        writer: WriterThread[Store] = WriterThread(partial(explain, path))
        await writer.open(partial(Store, path, settings.durability, settings.cache_kib))
        try:
            opened = await writer.submit(partial(Store.survey, keys_limit=settings.known_keys), unchanged)
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
        self._writer.check()
        new = 0
        for at in range(0, len(requests), ADD_ROWS):
            draft = Draft(self._known, self._skipped)
            draft.discover(requests[at : at + ADD_ROWS])
            if self._lazy and self._known.complete and not draft.forgetful:
                new += self._come(draft.keys_alone(()))
                continue
            held = self._hold(draft)
            if group := draft.group({}, {}):
                new += await self._write(group, held)
        return new

    async def lease(self, count: int, now: float, below: int | None = None) -> Answer:
        """Hand out at most `count` leases of hosts that may be asked at `now`; no I/O while windows are filled."""
        self._writer.check()
        schedule, windows = self._schedule, self._windows
        schedule.advance(now)
        while True:
            if min(self._due.values(), default=NEVER) <= now:
                await self._writer.submit(partial(Store.promote, now=now), self._promoted)
            lines = schedule.take(count, below)
            missing = [line for line in lines if not line.rows]
            if lines and not missing:
                leases = tuple([windows.grant(line) for line in lines])
                windows.top_up(lines)
                return Granted(leases)
            schedule.untake(lines)
            if not missing and (first := windows.unsure(below)) is not None:
                missing = [first]
            if missing:
                await windows.fill(missing)
            elif min(self._due.values(), default=NEVER) > now:
                return self._nothing(below)

    def lease_now(self, now: float, below: int | None = None) -> Lease | None:
        """One lease from the windows, or None when `lease` has to look for it."""
        schedule = self._schedule
        if not self._is_settled(now) or not (lines := schedule.take(1, below)):
            return None
        if not lines[0].rows:
            schedule.untake(lines)
            return None
        return self._grant(lines[0])

    def lease_again(self, host: str, now: float, below: int | None = None) -> Lease | None:
        """Another lease of `host` from its window, if no other host's turn has come."""
        if not self._is_settled(now):
            return None
        line = self._schedule.again(host, below)
        return self._grant(line) if line and line.rows else None

    def park(self, host: str, until: float) -> None:
        """Open `host` from `until` (epoch seconds) on."""
        self._windows.park(host, until)

    async def settle(
        self,
        settlements: Sequence[Settlement],
        marks: Mapping[str, str] | None = None,
        notes: Mapping[str, Mapping[str, str]] | None = None,
    ) -> int:
        """Commit the fate of leases; return how many discovered URLs were new."""
        self._writer.check()
        draft = self._decide(settlements)
        if notes:
            self._windows.expect_notes(notes)
        held = self._hold(draft)
        group = draft.group(marks or {}, notes or {})
        return await self._write(group, held) if group else 0

    async def renew(self, leases: Sequence[Lease], until: float) -> None:
        """Do nothing: leases here do not expire."""
        self._writer.check()

    async def counts(self) -> Counts:
        """How the frontier stands now. Reads the tally of every host."""
        return await self._writer.submit(Store.tallies, self._counts)

    async def aclose(self) -> None:
        """Write what is under way and close. May be called again."""
        await self._writer.aclose()

    async def skips(self) -> AsyncIterator[Skip]:
        """Every URL that was seen and not asked for, in the order found."""
        after = 0
        if self._unsaved:  # a skip of a URL that was queued after all is none
            await self._write(Group([(key, None) for key in self._take_unsaved()], True), {})
        while page := await self._writer.submit(partial(Store.skips, after=after, limit=PAGE_ROWS), unchanged):
            for after, skip in page:  # noqa: B007  the last one's number is where the next page begins
                yield skip

    async def waiting(self) -> AsyncIterator[Request]:
        """Every request queued or delayed and not leased, host by host, best first."""
        after = (0, 0, 0)
        self._windows.write_all()
        while page := await self._writer.submit(partial(Store.waiting, after=after, limit=PAGE_ROWS), unchanged):
            for after, request in page:
                if not self._windows.is_leased(after[2]):
                    yield request

    def waiting_at(self, host: str) -> int:
        """How many requests of `host` are queued."""
        line = self._schedule.get(host)
        return line.waiting if line else 0

    def depths(self) -> Depths:
        """How many requests are queued, and how many delayed."""
        return Depths(self._queued - self._windows.count_leased(), self._totals.delayed)

    async def notes(self, host: str) -> Mapping[str, str]:
        """What is remembered of `host`."""
        return await self._writer.submit(partial(Store.notes, host=host), unchanged)

    def _is_settled(self, now: float) -> bool:
        """Whether the windows are all there is to know at `now`: no delayed request has become due."""
        self._writer.check()
        self._schedule.advance(now)
        return not self._due or min(self._due.values()) > now

    def _grant(self, line: HostWindow) -> Lease:
        lease = self._windows.grant(line)
        self._windows.top_up((line,))
        return lease

    def _decide(self, settlements: Sequence[Settlement]) -> Draft:
        draft, windows, now = Draft(self._known, self._skipped), self._windows, self._schedule.now
        for settlement in settlements:
            entry, verdict = settlement.lease.id, settlement.verdict
            request = windows.begin_settling(entry)
            if request is not None:  # else it was settled before, and the first verdict stands
                draft.measure(settlement.items, settlement.wire_size)
                if isinstance(verdict, Release):
                    windows.release(entry, request)
                else:
                    written = windows.is_written(entry)
                    draft.finish(entry, request, verdict, settlement.outcome, now, written=written)
            draft.discover(settlement.discovered)
            draft.skip(settlement.skipped)
        windows.spill()
        return draft

    def _hold(self, draft: Draft) -> Mapping[int, Request]:
        """What a lazy queue keeps of a draft: its requests, by key. They come when their keys have proved to be new."""
        if not self._lazy:
            return {}
        may_forget = draft.forgetful or not self._known.complete
        return draft.keys_alone(self._take_unsaved() if may_forget else ())

    def _take_unsaved(self) -> list[int]:
        keys, self._unsaved = self._unsaved, []
        return keys

    def _come(self, requests: Mapping[int, Request], *, saved: bool = False) -> int:
        """Let requests wait that are not written; return how many."""
        if not saved:
            self._unsaved += requests
        for request in requests.values():
            self._last_id += 1
            self._windows.come(self._last_id, request)
        self._windows.spill()
        return len(requests)

    async def _write(self, group: Group, held: Mapping[int, Request]) -> int:
        return await self._writer.submit(partial(Store.commit, group=group), partial(self._written, group, held))

    def _written(self, group: Group, held: Mapping[int, Request], written: Written) -> int:
        """Bring the picture up to date with a commit; return how many requests were new."""
        windows = self._windows
        for _, _, entry in group.vanished:  # before what is tried again comes back: that is in the file now
            windows.forget_unwritten(entry)
        for entry, request in written.new:
            windows.arrive(entry, request, written.fresh)
        for due, entry, request in group.again:
            if due is None:
                windows.arrive(entry, request, written.fresh)
            else:
                self._due[request.priority] = min(due, self._due.get(request.priority, NEVER))
        came = self._come({key: held[key] for key in written.keys if key in held}, saved=True) if held else 0
        for host, _, entry in (*group.finished, *group.vanished):
            windows.end_lease(entry, host)
        for host, notes in group.notes.items():
            windows.note(host, notes)
        windows.spill()
        self._totals = written.totals
        return len(written.new) + came

    def _sum(self, totals: Totals) -> None:
        self._totals = totals

    @property
    def _queued(self) -> int:
        """How many requests wait or are leased, in the file or not."""
        return self._totals.queued + self._windows.unwritten

    def _promoted(self, promoted: Promoted) -> None:
        for entry, request in promoted.rows:
            self._windows.arrive(entry, request, ())
        self._due = promoted.due
        self._totals = promoted.totals

    def _nothing(self, below: int | None) -> Answer:
        if not (self._queued or self._totals.delayed):
            return Drained()
        due = (at for priority, at in self._due.items() if below is None or priority < below)
        return Wait(min(self._schedule.next_instant(below), min(due, default=NEVER)))

    def _counts(self, tallies: tuple[dict[str, dict[str, int]], dict[str, str]]) -> Counts:
        hosts, marks = tallies
        totals, leased = self._totals, self._windows.count_leased()
        outcomes: dict[str, int] = {}
        for tally in hosts.values():
            for outcome, n in tally.items():
                outcomes[outcome] = outcomes.get(outcome, 0) + n
        return Counts(
            waiting=self._queued - leased,
            delayed=totals.delayed,
            leased=leased,
            known=totals.known + len(self._unsaved),
            items=totals.items,
            wire_size=totals.wire_size,
            outcomes=outcomes,
            hosts=hosts,
            marks=marks,
        )
