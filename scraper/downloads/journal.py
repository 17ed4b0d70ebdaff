"""The journal of a download: the state of every entry of its lists, in one SQLite file.

A run resumes from the journal. `manifest.jsonl` follows it: a record is appended there first, and committed here with
the new length of the manifest. A record that was not committed is cut off at the next start, and its entry is done
again. When an entry gets a second record (a failure that was retried, a file that was refreshed), the first one is
superseded; the journal remembers that, and the manifest is written again when the run ends.

Each entry is written twice, together with many others: when it is read, so that a run that is killed knows the names it
has given, and when its outcome is known (journal_schema.py).
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import IntEnum
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from scraper.downloads.journal_schema import CHUNK_ENTRIES, chunk_row, insert_rows, open_journal
from scraper.errors import FrontierError, SinkError
from scraper.structures.compact_map import CompactMap

# Facts whose names begin with this are the checkpoints of further outputs.
CHECKPOINT_PREFIX = "checkpoint "
# Entry numbers in one query.
LOOKUP_NUMBERS = 500
# Rows in one query of an iteration: the lock is free between them.
PAGE_ROWS = 2_000
# The same for chunks.
PAGE_CHUNKS = 32

_SET_SUPERSEDED = """INSERT OR REPLACE INTO fact SELECT 'stale', '1' FROM json_each(?)
    WHERE EXISTS (SELECT 1 FROM entry WHERE n = value AND record IS NOT NULL)"""
_UPSERT_ENTRY = "OR REPLACE INTO entry(n, state, path, size, record, again)"
_UPSERT_STATE = "INTO entry(n, state, path)", "ON CONFLICT(n) DO UPDATE SET state = excluded.state"
_UPSERT_PATH = "INTO entry(n, state, path)", "ON CONFLICT(n) DO UPDATE SET path = excluded.path"
_SET_LENGTH = "INSERT OR REPLACE INTO fact VALUES ('manifest', ?)"

# One step of a transaction.
Change = Callable[[sqlite3.Connection], object]


class EntryStatus(IntEnum):
    """The state of an entry. `NO_FILE` is a line without a file of its own: a bad, repeated or unnamed one."""

    # The numbers are on disk.
    QUEUED = 0
    DONE = 1
    FAILED = 2
    NO_FILE = 3


class JournalRow(NamedTuple):
    """One entry. `key` identifies it over several runs, `size` is that of its file, `record` its manifest line."""

    number: int
    key: bytes
    line: int
    state: EntryStatus
    path: str | None = None
    size: int | None = None
    record: bytes | None = None


class EntryOutcome(NamedTuple):
    """The end of entry `number`. `retry_lines` are its lines in a list, if it failed.

    With `record` None the entry keeps its earlier record. `supersedes`: an earlier record may exist and is replaced.
    """

    number: int
    state: EntryStatus
    path: str
    size: int | None
    record: bytes | None
    retry_lines: str | None = None
    supersedes: bool = False


class Journal:
    """The journal in the file at `path`, created if it is missing. Its methods block and may be called from any thread.

    With `fsync` a change is on the disk when its method returns. Memory: the keys of all entries (`CompactMap`), 14
    bytes each. Raises `FrontierError` when the file cannot be opened or is not a journal, later `SinkError`.
    """

    def __init__(self, path: Path, *, fsync: bool = False) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._numbers = CompactMap()
        # The highest number of an entry when the journal was opened.
        self.last_number = 0
        try:
            self._db = open_journal(path, "FULL" if fsync else "NORMAL")
            try:
                for (keys,) in self._db.execute("SELECT keys FROM chunk ORDER BY first"):
                    self.last_number = max(self.last_number, self._numbers.load_packed(keys))
            except BaseException:
                self._db.close()
                raise
        except sqlite3.Error as error:
            raise FrontierError(f"cannot open {path}: {error}; start over with --fresh") from error

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        with self._lock:
            self._db.close()

    def find(self, keys: Sequence[bytes]) -> dict[bytes, JournalRow]:
        """The entries with these keys, by key; without those that have neither path nor record.

        These are lines without a file whose run was killed before their record was written: they are new again.
        """
        with self._lock:
            known = sorted((number, key) for key in keys if (number := self._numbers.get(key)) is not None)
        if not known:
            return {}
        outcomes: dict[int, tuple[Any, ...]] = {}
        for at in range(0, len(known), LOOKUP_NUMBERS):
            some = orjson.dumps([number for number, _ in known[at : at + LOOKUP_NUMBERS]]).decode()
            rows = self._query(
                "SELECT n, state, path, size, record FROM entry WHERE n IN (SELECT value FROM json_each(?))", (some,)
            )
            outcomes.update((number, outcome) for number, *outcome in rows)
        found = {}
        chunk: dict[int, tuple[int, str | None]] = {}
        for number, key in known:
            if number not in chunk:
                chunk = self._read_chunk(number)
            line, path = chunk[number]
            if (outcome := outcomes.get(number)) is not None:
                found[key] = JournalRow(number, key, line, EntryStatus(outcome[0]), *outcome[1:])
            elif path is not None:
                found[key] = JournalRow(number, key, line, EntryStatus.QUEUED, path)
        return found

    def add(self, rows: Sequence[JournalRow]) -> None:
        """Add new entries, in the order of their numbers. Records of `NO_FILE` rows are stored later, by `settle`."""
        if not rows:
            return
        entries = [(row.number, row.key, row.line, row.path) for row in rows]
        chunks = [chunk_row(entries[at : at + CHUNK_ENTRIES]) for at in range(0, len(entries), CHUNK_ENTRIES)]
        self._commit([partial(insert_rows, into="INTO chunk", rows=chunks)])
        with self._lock:
            for row in rows:
                self._numbers.put(row.key, row.number)

    def set_path(self, number: int, path: str) -> None:
        """Give the queued entry `number` another path."""
        into, conflict = _UPSERT_PATH
        self._commit(
            [partial(insert_rows, into=into, rows=[(number, int(EntryStatus.QUEUED), path)], conflict=conflict)]
        )

    def settle(
        self,
        outcomes: Sequence[EntryOutcome],
        rows: Sequence[JournalRow],
        manifest_length: int,
        checkpoints: Mapping[str, str] | None = None,
    ) -> None:
        """Commit outcomes and rows, with the length of the manifest that has their records (bytes).

        `checkpoints` are those of further outputs, by name, in the same transaction.
        """
        changes: list[Change] = []
        if superseding := [outcome.number for outcome in outcomes if outcome.supersedes and outcome.record is not None]:
            changes.append(lambda db: db.execute(_SET_SUPERSEDED, (orjson.dumps(superseding).decode(),)))
        settled: list[tuple[object, ...]] = [
            _entry_values(outcome) for outcome in outcomes if outcome.record is not None
        ]
        settled += [(row.number, int(row.state), row.path, row.size, row.record, None) for row in rows]
        if settled:
            changes.append(partial(insert_rows, into=_UPSERT_ENTRY, rows=settled))
        if unchanged := [_entry_values(outcome)[:3] for outcome in outcomes if outcome.record is None]:
            into, conflict = _UPSERT_STATE
            changes.append(partial(insert_rows, into=into, rows=unchanged, conflict=conflict))
        changes.append(lambda db: db.execute(_SET_LENGTH, (str(manifest_length),)))
        if checkpoints:
            facts = [(CHECKPOINT_PREFIX + name, checkpoint) for name, checkpoint in checkpoints.items()]
            changes.append(lambda db: db.executemany("INSERT OR REPLACE INTO fact VALUES (?, ?)", facts))
        self._commit(changes)

    @property
    def checkpoints(self) -> dict[str, str]:
        """The last checkpoints of further outputs, by name."""
        rows = self._query("SELECT name, value FROM fact WHERE name LIKE ?", (CHECKPOINT_PREFIX + "%",))
        return {name.removeprefix(CHECKPOINT_PREFIX): value for name, value in rows}

    def set_rewritten(self, manifest_length: int) -> None:
        """The manifest was written again, without superseded records; it is `manifest_length` bytes long."""
        self._commit(
            [
                lambda db: db.execute("DELETE FROM fact WHERE name = 'stale'"),
                lambda db: db.execute(_SET_LENGTH, (str(manifest_length),)),
            ]
        )

    @property
    def has_superseded(self) -> bool:
        """Whether the manifest has superseded records."""
        return bool(self._query_value("SELECT count(*) FROM fact WHERE name = 'stale'"))

    @property
    def manifest_length(self) -> int:
        """The committed length of the manifest, in bytes."""
        return int(self._query_value("SELECT coalesce((SELECT value FROM fact WHERE name = 'manifest'), '0')"))

    def records(self) -> Iterator[bytes]:
        """All records, in the order of the entries."""
        for (record,) in self._pages("record IS NOT NULL", "record"):
            yield record

    def paths(self) -> Iterator[str]:
        """All paths that were given to entries."""
        after = 0
        while page := self._query(
            "SELECT first, entries FROM chunk WHERE first > ? ORDER BY first LIMIT ?", (after, PAGE_CHUNKS)
        ):
            after = page[-1][0]
            paths = {number: path for _, entries in page for number, _, path in orjson.loads(entries)}
            later = "SELECT n, path FROM entry WHERE n BETWEEN ? AND ? AND path IS NOT NULL"
            paths.update(self._query(later, (min(paths), max(paths))))
            yield from filter(None, paths.values())

    def completed(self) -> Iterator[tuple[Any, ...]]:
        """Path and size of every complete file."""
        yield from self._pages(f"state = {EntryStatus.DONE:d} AND path IS NOT NULL", "path, size")

    def failed(self) -> Iterator[tuple[Any, ...]]:
        """`retry_lines` and record of every entry that failed."""
        yield from self._pages(f"state = {EntryStatus.FAILED:d}", "again, record")

    def lines_without_outcome(self, limit: int) -> list[int]:
        """The first lines, at most `limit`, that were given a path and have no outcome."""
        found: list[int] = []
        for first, text in self._query("SELECT first, entries FROM chunk ORDER BY first"):
            entries = [(number, line) for number, line, path in orjson.loads(text) if path is not None]
            last = max((number for number, _ in entries), default=first)
            done = "SELECT n FROM entry WHERE n BETWEEN ? AND ? AND state != ?"
            settled = {number for (number,) in self._query(done, (first, last, int(EntryStatus.QUEUED)))}
            found += [line for number, line in entries if number not in settled]
            if len(found) >= limit:
                break
        return found[:limit]

    def _read_chunk(self, number: int) -> dict[int, tuple[int, str | None]]:
        """Line and path of entry `number` and of the others in its chunk, by number."""
        entries = self._query_value("SELECT entries FROM chunk WHERE first <= ? ORDER BY first DESC LIMIT 1", (number,))
        return {number: (line, path) for number, line, path in orjson.loads(entries)}

    def _pages(self, condition: str, columns: str) -> Iterator[tuple[Any, ...]]:
        after = 0
        statement = f"SELECT n, {columns} FROM entry WHERE n > ? AND {condition} ORDER BY n LIMIT {PAGE_ROWS}"  # noqa: S608  constants alone
        while page := self._query(statement, (after,)):
            for after, *values in page:  # noqa: B007  the last one's number is where the next page begins
                yield tuple(values)

    def _query(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        with self._lock:
            try:
                return self._db.execute(statement, values).fetchall()
            except sqlite3.Error as error:
                raise SinkError(f"{self._path} cannot be read: {error}") from error

    def _query_value(self, statement: str, values: Sequence[Any] = ()) -> Any:
        return self._query(statement, values)[0][0]

    def _commit(self, changes: Sequence[Change]) -> None:
        with self._lock:
            try:
                self._db.execute("BEGIN IMMEDIATE")
                for change in changes:
                    change(self._db)
                self._db.execute("COMMIT")
            except sqlite3.Error as error:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                full = (getattr(error, "sqlite_errorcode", 0) & 0xFF) == sqlite3.SQLITE_FULL
                cause = "the disk is full; free some space and run the same command again" if full else str(error)
                raise SinkError(f"{self._path} cannot be written: {cause}") from error


def _entry_values(outcome: EntryOutcome) -> tuple[object, ...]:
    # int(): for any other type, also an enumeration, sqlite3 searches for an adapter.
    return outcome.number, int(outcome.state), outcome.path, outcome.size, outcome.record, outcome.retry_lines
