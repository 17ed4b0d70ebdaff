"""Everything that is said to the database: plain functions of the writer thread, one transaction each.

Rows go in by the dozen a statement. Beside being cheaper, it matters to the event loop: Python's sqlite3 lets go of
the interpreter lock at every step of a statement, and each time the two threads change places.

A new key is written to `fresh`, in the order of coming, and later merged into `seen` with tens of thousands of others
in the order of its tree. Written straight into `seen`, the few thousand keys of one commit would touch nearly every
page of it, and each page goes to the log whole: that was half the cost of a commit. In exchange a look-up in `seen`
does not find fresh keys. It need not: those are all in the event loop's caches, and before these let go of any the
group says so (`Group.forgetful`) and everything is merged.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, groupby, islice
from pathlib import Path
from typing import Any

from scraper.frontier.sqlite.host_window import Row
from scraper.frontier.sqlite.messages import (
    Again,
    Ask,
    Group,
    Opened,
    Promoted,
    SkipChange,
    Supply,
    Totals,
    Waiting,
    Written,
)
from scraper.frontier.sqlite.row_codec import REQUEST_COLUMNS, chain_in, decode, encode, url_columns
from scraper.frontier.sqlite.schema import CACHE_KIB, open_database
from scraper.frontier.sqlite.settings import Durability
from scraper.model import Request, Skip, Url
from scraper.urls.post_identity import posted_key

LOOKUP = 256
"""Keys asked for in one statement."""
ROWS = 32
"""Rows put in by one statement; 32 rows of 9 columns stay below the 999 variables of old SQLite builds."""
HOST_IDS = 20_000
"""Host ids kept in RAM."""
DUE_ROWS = 1_000
"""Delayed requests that one job brings back."""
MERGE_KEYS = 65_536
"""Keys that wait in the order they came until they are merged into `seen` in the order of its tree."""
NOTES_SIZE = 8 << 20
"""Characters of notes that one look-ahead may bring into RAM."""

_LOOK_UP = f"SELECT k FROM seen WHERE k IN ({','.join('?' * LOOKUP)})"  # noqa: S608  question marks alone
_QUEUE = f"INSERT INTO queue(host, prio, seq, {REQUEST_COLUMNS})"
_LATER = f"INSERT INTO later(prio, due, seq, host, {REQUEST_COLUMNS})"
_BEHIND = f"""SELECT prio, seq, {REQUEST_COLUMNS} FROM queue
    WHERE host = ? AND (prio, seq) > (?, ?) ORDER BY prio, seq LIMIT ?"""  # noqa: S608  constants alone
_DUE = f"""SELECT later.seq, name, later.prio, due, {REQUEST_COLUMNS} FROM later JOIN host ON host.id = later.host
    WHERE later.prio = ? AND due <= ? ORDER BY due, seq LIMIT ?"""  # noqa: S608
_WAITING = f"""
    SELECT host, prio, seq, {REQUEST_COLUMNS} FROM queue WHERE (host, prio, seq) > (?, ?, ?)
    UNION ALL
    SELECT host, prio, seq, {REQUEST_COLUMNS} FROM later WHERE (host, prio, seq) > (?, ?, ?)
    ORDER BY 1, 2, 3 LIMIT ?"""  # noqa: S608
_REDIRECTED = """SELECT extra FROM queue WHERE extra LIKE '%"hops"%' ORDER BY seq DESC LIMIT ?"""
_SOURCES = f"SELECT host, prio, seq, href, key, extra FROM queue WHERE href IN ({','.join('?' * LOOKUP)})"  # noqa: S608
_SKIP_COLUMNS = "k, dropped, host, origin, href, key, parent, reason, rule"
_SKIPS = """SELECT n, href, key, host, origin, parent, reason, rule FROM skip
    WHERE n > ? AND (dropped OR NOT EXISTS (SELECT 1 FROM seen WHERE seen.k = skip.k)) ORDER BY n LIMIT ?"""


class Store:
    """The database, as seen from the thread that owns it. Every method may raise `sqlite3.Error`."""

    def __init__(self, path: Path, durability: Durability, cache_kib: int = CACHE_KIB) -> None:
        self._db = open_database(path, durability, cache_kib)
        self._ids: dict[str, int] = {}
        self._totals = Totals()
        self._unmerged = 0

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def survey(self, keys_limit: int) -> Opened:
        """Read how everything stands: one pass over the queue, about 0.2 s for a million requests."""
        db = self._db
        with self._transaction():
            self._merge()
            self._finish_redirects()
        hosts: dict[int, Waiting] = {}
        last_id = queued = 0
        groups = "SELECT host, prio, count(*), min(seq), max(seq) FROM queue GROUP BY host, prio ORDER BY host, prio"
        for host, priority, count, first, last in db.execute(groups):
            known = hosts.get(host)
            hosts[host] = known._replace(total=known.total + count) if known else Waiting("", count, (priority, first))
            queued += count
            last_id = max(last_id, last)
        names = db.execute("SELECT id, name FROM host")
        waiting = [hosts[host]._replace(host=name) for host, name in names if host in hosts]
        (delayed, last_delayed) = db.execute("SELECT count(*), coalesce(max(seq), 0) FROM later").fetchone()
        (known_urls,) = db.execute("SELECT count(*) FROM seen").fetchone()
        sums = dict(db.execute("SELECT name, value FROM total"))
        last_id = max(last_id, last_delayed)
        self._totals = Totals(known_urls, queued, delayed, sums.get("items", 0), sums.get("wire_size", 0), last_id)
        keys = {key for (key,) in db.execute("SELECT k FROM seen")} if known_urls <= keys_limit else None
        return Opened(self._totals, waiting, self._earliest(), keys)

    def commit(self, group: Group) -> Written:
        """Write `group` in one transaction."""
        db, fresh = self._db, set[str]()
        with self._transaction():
            if group.forgetful:
                self._merge()
            new, unknown = self._add_new(group, fresh)
            self._finish(group, fresh)
            self._put_back(group.again, fresh)
            self._change_skips(group.skips)
            self._count(group, fresh)
            if group.marks:
                db.executemany("INSERT OR REPLACE INTO mark VALUES (?, ?)", group.marks.items())
            for host, notes in group.notes.items():
                host_id = self._host(host, fresh)
                rows = [(host_id, name, text) for name, text in notes.items()]
                db.executemany("INSERT OR REPLACE INTO note VALUES (?, ?, ?)", rows)
            if group.forgetful or self._unmerged >= MERGE_KEYS:
                self._merge()
        return Written(new, unknown, fresh, self._totals)

    def enqueue(self, rows: Sequence[Row]) -> Totals:
        """Write requests that have their ids and their keys already; return the sums after it."""
        with self._transaction():
            self._enqueue([(entry, request) for _, entry, request in rows], set())
        return self._totals

    def fill(self, asks: Sequence[Ask]) -> list[Supply | None]:
        """Read rows and notes for each ask; None where an early one's notes would be too large."""
        found: list[Supply | None] = []
        size = 0
        for ask in asks:
            if ask.early and ask.notes and size > NOTES_SIZE:
                found.append(None)
                continue
            host_id = self._host_id(ask.host)
            rows = self._db.execute(_BEHIND, (host_id, *ask.after, ask.limit)).fetchall()
            notes = self._notes(host_id) if ask.notes else None
            size += sum(map(len, notes.values())) if notes else 0
            found.append(Supply([(row[0], row[1], decode(ask.host, row[0], row[2:])) for row in rows], notes))
        return found

    def promote(self, now: float) -> Promoted:
        """Move delayed requests whose date has come into the queue, at most `DUE_ROWS` of them."""
        moved: list[tuple[int, Request]] = []
        with self._transaction():
            for priority, due in self._earliest().items():
                if due <= now and len(moved) < DUE_ROWS:
                    moved += self._promote(priority, now, DUE_ROWS - len(moved))
        return Promoted(moved, self._earliest(), self._totals)

    def tallies(self) -> tuple[dict[str, dict[str, int]], dict[str, str]]:
        """Settled URLs by host and outcome, and the marks."""
        hosts: dict[str, dict[str, int]] = {}
        rows = self._db.execute("SELECT name, outcome, n FROM tally JOIN host ON host.id = tally.host ORDER BY host")
        for host, outcome, n in rows:
            hosts.setdefault(host, {})[outcome] = n
        return hosts, dict(self._db.execute("SELECT name, value FROM mark"))

    def skips(self, after: int, limit: int) -> list[tuple[int, Skip]]:
        """Skips behind the one numbered `after`, in order."""
        if self._unmerged:
            with self._transaction():
                self._merge()
        return [
            (n, Skip(Url(href, href if key is None else key, host, origin), parent, reason, rule))
            for n, href, key, host, origin, parent, reason, rule in self._db.execute(_SKIPS, (after, limit))
        ]

    def waiting(self, after: tuple[int, int, int], limit: int) -> list[tuple[tuple[int, int, int], Request]]:
        """Queued and delayed requests behind a place (host id, priority, entry id), in order."""
        rows = self._db.execute(_WAITING, (*after, *after, limit)).fetchall()
        ids = {row[0] for row in rows}
        names = {host: self._db.execute("SELECT name FROM host WHERE id = ?", (host,)).fetchone()[0] for host in ids}
        return [(row[:3], decode(names[row[0]], row[1], row[3:])) for row in rows]

    def notes(self, host: str) -> dict[str, str]:
        """What is remembered of `host`."""
        return self._notes(self._host_id(host))

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def _add_new(self, group: Group, fresh: set[str]) -> tuple[list[tuple[int, Request]], Collection[int]]:
        unknown: dict[int, Request | None] = {}
        for key, request in group.discovered:
            unknown.setdefault(key, request)
        if not group.certain:
            self._sift(unknown)
        self._insert("INSERT INTO fresh(k)", [(key,) for key in unknown])
        self._unmerged += len(unknown)
        totals = self._totals
        requests = [request for request in unknown.values() if request is not None]
        new = list(enumerate(requests, totals.last_id + 1))
        self._totals = totals._replace(known=totals.known + len(unknown), last_id=totals.last_id + len(new))
        self._enqueue(new, fresh)
        return new, unknown.keys()

    def _sift(self, unknown: dict[int, Request | None]) -> None:
        """Take out of `unknown` what is in `seen`."""
        keys = list(unknown)
        for at in range(0, len(keys), LOOKUP):
            some = keys[at : at + LOOKUP]
            some += some[-1:] * (LOOKUP - len(some))  # one statement text for any number
            for (key,) in self._db.execute(_LOOK_UP, some).fetchall():
                del unknown[key]

    def _merge(self) -> None:
        self._db.execute("INSERT OR IGNORE INTO seen SELECT k FROM fresh ORDER BY k")
        self._db.execute("DELETE FROM fresh")
        self._unmerged = 0

    def _finish_redirects(self) -> None:
        """Take redirects out of the queue whose targets are in it already.

        A target is queued before the redirect itself is settled. A process that was killed between the two left both;
        asked for again, the redirect would lead to a URL that is known, and get a record beside its target's.
        """
        # The newest will do: far fewer are followed between two commits.
        chains = [chain_in(extra) for (extra,) in self._db.execute(_REDIRECTED, (LOOKUP,))]
        if not chains:
            return
        followed = {(chain[-1], *chain[:-1]) for chain in chains}
        hrefs = [chain[-1][0] for chain in chains] + [chains[0][-1][0]] * (LOOKUP - len(chains))
        rows = self._db.execute(_SOURCES, hrefs).fetchall()
        places = [row[:3] for row in rows if ((row[3], posted_key(row[4])), *chain_in(row[5])) in followed]
        self._db.executemany("DELETE FROM queue WHERE host = ? AND prio = ? AND seq = ?", places)

    def _enqueue(self, entries: Sequence[tuple[int, Request]], fresh: set[str]) -> None:
        rows = [
            (self._host(request.url.host, fresh), request.priority, entry, *encode(request))
            for entry, request in entries
        ]
        self._insert(_QUEUE, rows)
        self._totals = self._totals._replace(queued=self._totals.queued + len(rows))

    def _finish(self, group: Group, fresh: set[str]) -> None:
        rows = [(self._host(host, fresh), priority, entry) for host, priority, entry in group.finished]
        if rows:
            self._db.executemany("DELETE FROM queue WHERE host = ? AND prio = ? AND seq = ?", rows)
            self._totals = self._totals._replace(queued=self._totals.queued - len(rows))

    def _put_back(self, again: Sequence[Again], fresh: set[str]) -> None:
        if not again:
            return
        now = [(entry.entry, entry.request) for entry in again if entry.due is None]
        self._enqueue(now, fresh)
        later = [
            (request.priority, due, entry, self._host(request.url.host, fresh), *encode(request))
            for due, entry, request in again
            if due is not None
        ]
        self._insert(_LATER, later)
        self._totals = self._totals._replace(delayed=self._totals.delayed + len(later))

    def _change_skips(self, changes: Sequence[SkipChange]) -> None:
        """In order, since skips are given back in the order found; runs of one kind go in together."""
        for (dropped, forgotten), run in groupby(changes, lambda change: (change.dropped, change.skip is None)):
            if forgotten:
                self._db.executemany("DELETE FROM skip WHERE k = ?", [(change.key,) for change in run])
            else:
                into = f"INSERT OR {'REPLACE' if dropped else 'IGNORE'} INTO skip({_SKIP_COLUMNS})"
                self._insert(into, [_skip_row(*change) for change in run])

    def _count(self, group: Group, fresh: set[str]) -> None:
        if group.tally:
            rows = [(self._host(host, fresh), outcome, n) for (host, outcome), n in group.tally.items()]
            add = "INSERT INTO tally VALUES (?, ?, ?) ON CONFLICT(host, outcome) DO UPDATE SET n = n + excluded.n"
            self._db.executemany(add, rows)
        if group.items or group.wire_size:
            totals = self._totals
            totals = totals._replace(items=totals.items + group.items, wire_size=totals.wire_size + group.wire_size)
            self._totals = totals
            sums = [("items", totals.items), ("wire_size", totals.wire_size)]
            self._db.executemany("INSERT OR REPLACE INTO total VALUES (?, ?)", sums)

    def _promote(self, priority: int, now: float, limit: int) -> list[tuple[int, Request]]:
        rows = self._db.execute(_DUE, (priority, now, limit)).fetchall()
        moved = [(row[0], decode(row[1], row[2], row[4:])) for row in rows]
        gone = [(priority, row[3], row[0]) for row in rows]
        self._db.executemany("DELETE FROM later WHERE prio = ? AND due = ? AND seq = ?", gone)
        self._enqueue(moved, set())
        self._totals = self._totals._replace(delayed=self._totals.delayed - len(moved))
        return moved

    def _earliest(self) -> dict[int, float]:
        """The first date of each priority: one step of the index each, for priorities are few."""
        found: dict[int, float] = {}
        row = self._db.execute("SELECT prio, due FROM later ORDER BY prio, due LIMIT 1").fetchone()
        while row is not None:
            found[row[0]] = row[1]
            step = "SELECT prio, due FROM later WHERE prio > ? ORDER BY prio, due LIMIT 1"
            row = self._db.execute(step, row[:1]).fetchone()
        return found

    def _host_id(self, name: str) -> int | None:
        found = self._ids.get(name)
        if found is None:
            row = self._db.execute("SELECT id FROM host WHERE name = ?", (name,)).fetchone()
            if row is None:
                return None
            found = self._remember(name, row[0])
        return found

    def _host(self, name: str, fresh: set[str]) -> int:
        found = self._host_id(name)
        if found is None:
            found = self._db.execute("INSERT INTO host(name) VALUES (?)", (name,)).lastrowid
            assert found is not None
            self._remember(name, found)
            fresh.add(name)
        return found

    def _remember(self, name: str, host_id: int) -> int:
        if len(self._ids) >= HOST_IDS:
            self._ids.clear()
        self._ids[name] = host_id
        return host_id

    def _notes(self, host_id: int | None) -> dict[str, str]:
        return dict(self._db.execute("SELECT name, value FROM note WHERE host = ?", (host_id,)))

    def _insert(self, into: str, rows: Sequence[tuple[Any, ...]]) -> None:
        if not rows:
            return
        row = f"({','.join('?' * len(rows[0]))})"
        many = f"{into} VALUES {','.join([row] * ROWS)}"
        whole = len(rows) - len(rows) % ROWS
        flat = chain.from_iterable(islice(rows, whole))
        while values := tuple(islice(flat, ROWS * len(rows[0]))):
            self._db.execute(many, values)
        self._db.executemany(f"{into} VALUES {row}", rows[whole:])


def _skip_row(key: int, skip: Skip | None, dropped: bool) -> tuple[Any, ...]:
    assert skip is not None
    url = skip.url
    return (key, dropped, url.host, url.origin, *url_columns(url), skip.parent, skip.reason, skip.rule)
