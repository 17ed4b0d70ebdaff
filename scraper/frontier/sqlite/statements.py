"""All SQL of the frontier: methods that the database thread runs, each one transaction.

Rows are inserted many per statement. That is cheaper, and it matters to the event loop: Python's sqlite3 releases the
GIL at each step of a statement, and each time the two threads switch.

New fingerprints are first appended to the table `fresh`, and later merged into `seen` by the ten thousands, sorted.
Inserted into `seen` directly, the few thousand of one commit would change nearly every page of its B-tree, and the log
takes whole pages: measured, half the cost of a commit. The price is that a look-up in `seen` does not find what is in
`fresh`. It need not: all of those are in the caches on the event loop, and before these evict any, the batch says so
(`WriteBatch.cache_evicted`) and everything is merged.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain, groupby, islice
from pathlib import Path
from typing import Any

from scraper.frontier.sqlite.host_buffer import QueueRow
from scraper.frontier.sqlite.messages import (
    CommitResult,
    DueRequests,
    FailedPage,
    HostBacklog,
    OpenState,
    ReadRequest,
    ReadResult,
    Requeue,
    SkipUpdate,
    Totals,
    WriteBatch,
)
from scraper.frontier.sqlite.row_codec import (
    REQUEST_COLUMNS,
    decode_request,
    encode_request,
    redirect_chain,
    url_columns,
)
from scraper.frontier.sqlite.schema import CACHE_KIB, open_database
from scraper.frontier.sqlite.settings import Durability
from scraper.model import Request, Skip, Url
from scraper.urls.fingerprint import fingerprint
from scraper.urls.post_identity import post_key_or_none

# Fingerprints looked up by one statement.
KEYS_PER_LOOKUP = 256
# 32 rows of 9 columns stay below the 999 variables that older builds of SQLite allow.
ROWS_PER_INSERT = 32
MAX_CACHED_HOST_IDS = 20_000
# Delayed requests that one job moves to the queue.
MAX_DUE_ROWS = 1_000
# Fingerprints in `fresh` after which they are merged into `seen`.
MERGE_AFTER_KEYS = 65_536
# State of hosts (robots.txt is the largest) that one prefetch may bring into memory, in characters.
MAX_PREFETCH_STATE_CHARS = 8 << 20

_SELECT_SEEN = f"SELECT k FROM seen WHERE k IN ({','.join('?' * KEYS_PER_LOOKUP)})"  # noqa: S608  question marks alone
LAST_INSTANT = 1e15  # epoch seconds; a later date means "not in this session"
_INSERT_QUEUE = f"INSERT INTO queue(host, prio, seq, {REQUEST_COLUMNS})"
_INSERT_LATER = f"INSERT INTO later(prio, due, seq, host, {REQUEST_COLUMNS})"
_SELECT_ROWS_AFTER = f"""SELECT prio, seq, {REQUEST_COLUMNS} FROM queue
    WHERE host = ? AND (prio, seq) > (?, ?) ORDER BY prio, seq LIMIT ?"""  # noqa: S608  constants alone
_SELECT_DUE = f"""SELECT later.seq, name, later.prio, due, {REQUEST_COLUMNS}
    FROM later JOIN host ON host.id = later.host
    WHERE later.prio = ? AND due <= ? ORDER BY due, seq LIMIT ?"""  # noqa: S608
_SELECT_WAITING = f"""
    SELECT host, prio, seq, {REQUEST_COLUMNS} FROM queue WHERE (host, prio, seq) > (?, ?, ?)
    UNION ALL
    SELECT host, prio, seq, {REQUEST_COLUMNS} FROM later WHERE (host, prio, seq) > (?, ?, ?)
    ORDER BY 1, 2, 3 LIMIT ?"""  # noqa: S608
_SELECT_REDIRECTED = """SELECT extra FROM queue WHERE extra LIKE '%"hops"%' ORDER BY seq DESC LIMIT ?"""
_SELECT_BY_HREF = (
    f"SELECT host, prio, seq, href, key, extra FROM queue WHERE href IN ({','.join('?' * KEYS_PER_LOOKUP)})"  # noqa: S608
)
_SKIP_COLUMNS = "k, dropped, host, origin, href, key, parent, reason, rule"
_SELECT_SKIPS = """SELECT n, href, key, host, origin, parent, reason, rule FROM skip
    WHERE n > ? AND (dropped OR NOT EXISTS (SELECT 1 FROM seen WHERE seen.k = skip.k)) ORDER BY n LIMIT ?"""


class FrontierDatabase:
    """The open database. Every method runs in the database thread and may raise `sqlite3.Error`."""

    def __init__(self, path: Path, durability: Durability, cache_kib: int = CACHE_KIB) -> None:
        self._db = open_database(path, durability, cache_kib)
        self._host_ids: dict[str, int] = {}
        self._totals = Totals()
        self._unmerged_keys = 0

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def read_open_state(self, max_keys: int) -> OpenState:
        """Read the state at the start of a session: one pass over the queue, about 0.2 s for a million requests."""
        db = self._db
        with self._transaction():
            self._merge_fresh_keys()
            self._drop_followed_redirects()
            # What the last session put aside for good (`Retry` at `NEVER`) is asked for by this one.
            db.execute("UPDATE later SET due = 0 WHERE due > ?", (LAST_INSTANT,))
        hosts: dict[int, HostBacklog] = {}
        last_id = queued = 0
        # For each host and priority: how many requests, the first and the last id.
        groups = "SELECT host, prio, count(*), min(seq), max(seq) FROM queue GROUP BY host, prio ORDER BY host, prio"
        for host, priority, count, first, last in db.execute(groups):
            known = hosts.get(host)
            hosts[host] = (
                known._replace(request_count=known.request_count + count)
                if known
                else HostBacklog("", count, (priority, first))
            )
            queued += count
            last_id = max(last_id, last)
        names = db.execute("SELECT id, name FROM host")
        waiting = [hosts[host]._replace(host=name) for host, name in names if host in hosts]
        (delayed, last_delayed) = db.execute("SELECT count(*), coalesce(max(seq), 0) FROM later").fetchone()
        (known_urls,) = db.execute("SELECT count(*) FROM seen").fetchone()
        sums = dict(db.execute("SELECT name, value FROM total"))
        last_id = max(last_id, last_delayed)
        self._totals = Totals(known_urls, queued, delayed, sums.get("items", 0), sums.get("wire_size", 0), last_id)
        keys = {key for (key,) in db.execute("SELECT k FROM seen")} if known_urls <= max_keys else None
        return OpenState(self._totals, waiting, self._next_due(), keys)

    def commit(self, batch: WriteBatch) -> CommitResult:
        """Write `batch`; return what was new."""
        db, new_hosts = self._db, set[str]()
        with self._transaction():
            # Before the look-up, which finds in `seen` alone what the cache has just evicted.
            if batch.cache_evicted:
                self._merge_fresh_keys()
            new, unknown = self._add_new(batch, new_hosts)
            self._delete_finished(batch, new_hosts)
            self._insert_requeued(batch.requeued, new_hosts)
            self._update_skips(batch.skips)
            self._add_counts(batch, new_hosts)
            if batch.checkpoints:
                db.executemany("INSERT OR REPLACE INTO mark VALUES (?, ?)", batch.checkpoints.items())
            for host, texts in batch.host_state.items():
                host_id = self._host_id_or_insert(host, new_hosts)
                rows = [(host_id, name, text) for name, text in texts.items()]
                db.executemany("INSERT OR REPLACE INTO note VALUES (?, ?, ?)", rows)
            # And after it: this batch's own fingerprints may have been evicted as well.
            if batch.cache_evicted or self._unmerged_keys >= MERGE_AFTER_KEYS:
                self._merge_fresh_keys()
        return CommitResult(new, unknown, new_hosts, self._totals)

    def enqueue(self, rows: Sequence[QueueRow]) -> Totals:
        """Write requests whose ids are given and whose fingerprints are known already; return the totals after it."""
        with self._transaction():
            self._insert_queued([(entry, request) for _, entry, request in rows], set())
        return self._totals

    def read_rows(self, reads: Sequence[ReadRequest]) -> list[ReadResult | None]:
        """Read rows, and state of hosts where wanted; None for a prefetch that would bring too much state."""
        found: list[ReadResult | None] = []
        size = 0
        for read in reads:
            if read.is_prefetch and read.with_state and size > MAX_PREFETCH_STATE_CHARS:
                found.append(None)
                continue
            host_id = self._host_id(read.host)
            rows = self._db.execute(_SELECT_ROWS_AFTER, (host_id, *read.after, read.max_rows)).fetchall()
            state = self._host_state(host_id) if read.with_state else None
            size += sum(map(len, state.values())) if state else 0
            found.append(
                ReadResult([(row[0], row[1], decode_request(read.host, row[0], row[2:])) for row in rows], state)
            )
        return found

    def move_due(self, now: float) -> DueRequests:
        """Move delayed requests that are due at `now` to the queue, at most `MAX_DUE_ROWS`."""
        moved: list[tuple[int, Request]] = []
        with self._transaction():
            for priority, due in self._next_due().items():
                if due <= now and len(moved) < MAX_DUE_ROWS:
                    moved += self._move_due(priority, now, MAX_DUE_ROWS - len(moved))
        return DueRequests(moved, self._next_due(), self._totals)

    def read_counts(self) -> tuple[dict[str, dict[str, int]], dict[str, str]]:
        """Settled URLs by host and outcome, and the checkpoints."""
        hosts: dict[str, dict[str, int]] = {}
        rows = self._db.execute("SELECT name, outcome, n FROM tally JOIN host ON host.id = tally.host ORDER BY host")
        for host, outcome, n in rows:
            hosts.setdefault(host, {})[outcome] = n
        return hosts, dict(self._db.execute("SELECT name, value FROM mark"))

    def read_skips(self, after: int, limit: int) -> list[tuple[int, Skip]]:
        """At most `limit` skips after the one numbered `after`, in order, with their numbers."""
        if self._unmerged_keys:
            with self._transaction():
                self._merge_fresh_keys()
        return [
            (n, Skip(Url(href, href if key is None else key, host, origin), parent, reason, rule))
            for n, href, key, host, origin, parent, reason, rule in self._db.execute(_SELECT_SKIPS, (after, limit))
        ]

    def read_waiting(self, after: tuple[int, int, int], limit: int) -> list[tuple[tuple[int, int, int], Request]]:
        """Queued and delayed requests after a position (host id, priority, entry id), in order, with positions."""
        rows = self._db.execute(_SELECT_WAITING, (*after, *after, limit)).fetchall()
        ids = {row[0] for row in rows}
        names = {host: self._db.execute("SELECT name FROM host WHERE id = ?", (host,)).fetchone()[0] for host in ids}
        return [(row[:3], decode_request(names[row[0]], row[1], row[3:])) for row in rows]

    def requeue_failed(self, failed: Mapping[str, FailedPage]) -> int:
        """Queue settled URLs again, by key; return how many. Those that wait already are left out."""
        db, again = self._db, dict(failed)
        for table in ("queue", "later"):
            for (key,) in db.execute(f"SELECT coalesce(key, href) FROM {table}"):  # noqa: S608  the two names above
                again.pop(key, None)
        (last,) = db.execute(
            "SELECT max((SELECT coalesce(max(seq), 0) FROM queue), (SELECT coalesce(max(seq), 0) FROM later))"
        ).fetchone()
        with self._transaction():
            self._merge_fresh_keys()
            # A redirect is followed again only when its target is not known.
            db.executemany(
                "DELETE FROM seen WHERE k = ?",
                [(fingerprint(url),) for page in again.values() for url in page.later_urls],
            )
            db.executemany(
                "UPDATE tally SET n = max(0, n - 1) WHERE outcome = ? AND host = (SELECT id FROM host WHERE name = ?)",
                [(page.outcome_code, page.host) for page in again.values()],
            )
            db.execute("DELETE FROM tally WHERE n = 0")
            self._insert_queued([(last + n, page.request) for n, page in enumerate(again.values(), 1)], set())
        return len(again)

    def has_other_origin(self, host: str, origin: str) -> bool:
        """Whether a request of `host` is queued that is not for `origin`. Reads up to all that are: 0.1 s a million."""
        host_id = self._host_id(host)
        prefix = f"{origin}/"
        query = "SELECT 1 FROM queue WHERE host = ? AND substr(href, 1, ?) <> ? LIMIT 1"
        return self._db.execute(query, (host_id, len(prefix), prefix)).fetchone() is not None

    def read_host_state(self, host: str) -> dict[str, str]:
        """What is stored for `host`, by name."""
        return self._host_state(self._host_id(host))

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            # SQLite has rolled back by itself after some errors, a full disk for one.
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def _add_new(self, batch: WriteBatch, new_hosts: set[str]) -> tuple[list[tuple[int, Request]], Collection[int]]:
        # By fingerprint: one batch may discover a URL twice, and the first request counts.
        unknown: dict[int, Request | None] = {}
        for key, request in batch.discovered:
            unknown.setdefault(key, request)
        # While the cache holds every known fingerprint there is nothing to look up.
        if not batch.all_new:
            self._remove_seen(unknown)
        self._insert_rows("INSERT INTO fresh(k)", [(key,) for key in unknown])
        self._unmerged_keys += len(unknown)
        totals = self._totals
        requests = [request for request in unknown.values() if request is not None]
        new = list(enumerate(requests, totals.last_id + 1))
        self._totals = totals._replace(known=totals.known + len(unknown), last_id=totals.last_id + len(new))
        self._insert_queued(new, new_hosts)
        return new, unknown.keys()

    def _remove_seen(self, unknown: dict[int, Request | None]) -> None:
        """Remove from `unknown` what is in `seen`."""
        keys = list(unknown)
        for at in range(0, len(keys), KEYS_PER_LOOKUP):
            some = keys[at : at + KEYS_PER_LOOKUP]
            # Filled up with copies of the last: one prepared statement serves any number.
            some += some[-1:] * (KEYS_PER_LOOKUP - len(some))
            for (key,) in self._db.execute(_SELECT_SEEN, some).fetchall():
                del unknown[key]

    def _merge_fresh_keys(self) -> None:
        self._db.execute("INSERT OR IGNORE INTO seen SELECT k FROM fresh ORDER BY k")
        self._db.execute("DELETE FROM fresh")
        self._unmerged_keys = 0

    def _drop_followed_redirects(self) -> None:
        """Delete redirects from the queue whose targets are queued already.

        A target is queued before its redirect is settled, and a process that was killed between the two left both. If
        the redirect were requested again, it would lead to a known URL and get a record beside that of its target.
        """
        # The newest are enough: far fewer redirects are followed between two commits.
        chains = [redirect_chain(extra) for (extra,) in self._db.execute(_SELECT_REDIRECTED, (KEYS_PER_LOOKUP,))]
        if not chains:
            return
        followed = {(chain[-1], *chain[:-1]) for chain in chains}
        hrefs = [chain[-1][0] for chain in chains] + [chains[0][-1][0]] * (KEYS_PER_LOOKUP - len(chains))
        rows = self._db.execute(_SELECT_BY_HREF, hrefs).fetchall()
        positions = [
            row[:3] for row in rows if ((row[3], post_key_or_none(row[4])), *redirect_chain(row[5])) in followed
        ]
        self._db.executemany("DELETE FROM queue WHERE host = ? AND prio = ? AND seq = ?", positions)

    def _insert_queued(self, entries: Sequence[tuple[int, Request]], new_hosts: set[str]) -> None:
        rows = [
            (self._host_id_or_insert(request.url.host, new_hosts), request.priority, entry, *encode_request(request))
            for entry, request in entries
        ]
        self._insert_rows(_INSERT_QUEUE, rows)
        self._totals = self._totals._replace(queued=self._totals.queued + len(rows))

    def _delete_finished(self, batch: WriteBatch, new_hosts: set[str]) -> None:
        rows = [(self._host_id_or_insert(host, new_hosts), priority, entry) for host, priority, entry in batch.finished]
        if rows:
            self._db.executemany("DELETE FROM queue WHERE host = ? AND prio = ? AND seq = ?", rows)
            self._totals = self._totals._replace(queued=self._totals.queued - len(rows))

    def _insert_requeued(self, requeued: Sequence[Requeue], new_hosts: set[str]) -> None:
        if not requeued:
            return
        now = [(entry.entry_id, entry.request) for entry in requeued if entry.due is None]
        self._insert_queued(now, new_hosts)
        later = [
            (
                request.priority,
                due,
                entry,
                self._host_id_or_insert(request.url.host, new_hosts),
                *encode_request(request),
            )
            for due, entry, request in requeued
            if due is not None
        ]
        self._insert_rows(_INSERT_LATER, later)
        self._totals = self._totals._replace(delayed=self._totals.delayed + len(later))

    def _update_skips(self, changes: Sequence[SkipUpdate]) -> None:
        """In order, because skips are listed in the order they were found; runs of one kind share a statement."""
        for (dropped, forgotten), run in groupby(changes, lambda change: (change.dropped, change.skip is None)):
            if forgotten:
                self._db.executemany("DELETE FROM skip WHERE k = ?", [(change.key,) for change in run])
            else:
                into = f"INSERT OR {'REPLACE' if dropped else 'IGNORE'} INTO skip({_SKIP_COLUMNS})"
                self._insert_rows(into, [_skip_row(*change) for change in run])

    def _add_counts(self, batch: WriteBatch, new_hosts: set[str]) -> None:
        if batch.outcome_counts:
            rows = [
                (self._host_id_or_insert(host, new_hosts), outcome, n)
                for (host, outcome), n in batch.outcome_counts.items()
            ]
            add = "INSERT INTO tally VALUES (?, ?, ?) ON CONFLICT(host, outcome) DO UPDATE SET n = n + excluded.n"
            self._db.executemany(add, rows)
        if batch.items or batch.wire_size:
            totals = self._totals
            totals = totals._replace(items=totals.items + batch.items, wire_size=totals.wire_size + batch.wire_size)
            self._totals = totals
            sums = [("items", totals.items), ("wire_size", totals.wire_size)]
            self._db.executemany("INSERT OR REPLACE INTO total VALUES (?, ?)", sums)

    def _move_due(self, priority: int, now: float, limit: int) -> list[tuple[int, Request]]:
        rows = self._db.execute(_SELECT_DUE, (priority, now, limit)).fetchall()
        moved = [(row[0], decode_request(row[1], row[2], row[4:])) for row in rows]
        gone = [(priority, row[3], row[0]) for row in rows]
        self._db.executemany("DELETE FROM later WHERE prio = ? AND due = ? AND seq = ?", gone)
        # The hosts of delayed requests are in the database: no new ones to report.
        self._insert_queued(moved, set())
        self._totals = self._totals._replace(delayed=self._totals.delayed - len(moved))
        return moved

    def _next_due(self) -> dict[int, float]:
        """The first due time of each priority. Priorities are few, and each costs one step in the index."""
        found: dict[int, float] = {}
        row = self._db.execute("SELECT prio, due FROM later ORDER BY prio, due LIMIT 1").fetchone()
        while row is not None:
            found[row[0]] = row[1]
            step = "SELECT prio, due FROM later WHERE prio > ? ORDER BY prio, due LIMIT 1"
            row = self._db.execute(step, row[:1]).fetchone()
        return found

    def _host_id(self, name: str) -> int | None:
        found = self._host_ids.get(name)
        if found is None:
            row = self._db.execute("SELECT id FROM host WHERE name = ?", (name,)).fetchone()
            if row is None:
                return None
            found = self._cache_host_id(name, row[0])
        return found

    def _host_id_or_insert(self, name: str, new_hosts: set[str]) -> int:
        found = self._host_id(name)
        if found is None:
            found = self._db.execute("INSERT INTO host(name) VALUES (?)", (name,)).lastrowid
            assert found is not None
            self._cache_host_id(name, found)
            new_hosts.add(name)
        return found

    def _cache_host_id(self, name: str, host_id: int) -> int:
        # Cleared as a whole: with more hosts than that, keeping an order would cost more than reading ids again.
        if len(self._host_ids) >= MAX_CACHED_HOST_IDS:
            self._host_ids.clear()
        self._host_ids[name] = host_id
        return host_id

    def _host_state(self, host_id: int | None) -> dict[str, str]:
        return dict(self._db.execute("SELECT name, value FROM note WHERE host = ?", (host_id,)))

    def _insert_rows(self, into: str, rows: Sequence[tuple[Any, ...]]) -> None:
        if not rows:
            return
        row = f"({','.join('?' * len(rows[0]))})"
        many = f"{into} VALUES {','.join([row] * ROWS_PER_INSERT)}"
        # Full statements first; the rest row by row, so that there are two prepared statements and not 32.
        whole = len(rows) - len(rows) % ROWS_PER_INSERT
        flat = chain.from_iterable(islice(rows, whole))
        while values := tuple(islice(flat, ROWS_PER_INSERT * len(rows[0]))):
            self._db.execute(many, values)
        self._db.executemany(f"{into} VALUES {row}", rows[whole:])


def _skip_row(key: int, skip: Skip | None, dropped: bool) -> tuple[Any, ...]:
    assert skip is not None
    url = skip.url
    return (key, dropped, url.host, url.origin, *url_columns(url), skip.parent, skip.reason, skip.rule)
