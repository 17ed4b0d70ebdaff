"""The journal of a download: what became of every entry of its lists, in one SQLite file.

It is the truth about the folder. `manifest.jsonl` follows it: a record is appended there first and committed here with
the manifest's new length, so a record that is not committed is cut off at the next start, and its entry is looked at
again. When an entry is recorded a second time (a failure tried again, a file refreshed) its earlier line in the
manifest is stale; the journal remembers that, and the manifest is written anew from here when the run ends.

An entry is written down twice, each time once for many: when it is read, so that a run that is killed knows the names
it gave, and when its fate is known (see journal_file.py).
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

# Before the names of facts that are checkpoints of further outputs.
CHECKPOINT_PREFIX = "checkpoint "
LOOKUP_NUMBERS = 500
"""Numbers asked for in one statement."""
PAGE_ROWS = 2_000
"""Rows read at once."""
PAGE_CHUNKS = 32
"""Chunks read at once."""

_SET_SUPERSEDED = """INSERT OR REPLACE INTO fact SELECT 'stale', '1' FROM json_each(?)
    WHERE EXISTS (SELECT 1 FROM entry WHERE n = value AND record IS NOT NULL)"""
_UPSERT_ENTRY = "OR REPLACE INTO entry(n, state, path, size, record, again)"
_UPSERT_STATE = "INTO entry(n, state, path)", "ON CONFLICT(n) DO UPDATE SET state = excluded.state"
_UPSERT_PATH = "INTO entry(n, state, path)", "ON CONFLICT(n) DO UPDATE SET path = excluded.path"
_SET_LENGTH = "INSERT OR REPLACE INTO fact VALUES ('manifest', ?)"

Change = Callable[[sqlite3.Connection], object]


class EntryStatus(IntEnum):
    """How an entry stands. `NOTED` is a line that asks for no file of its own: a repetition, a bad line."""

    QUEUED = 0
    DONE = 1
    FAILED = 2
    NO_FILE = 3


class JournalRow(NamedTuple):
    """One entry. `key` tells it from others, `size` is its file's, `record` its line in the manifest."""

    number: int
    key: bytes
    line: int
    state: EntryStatus
    path: str | None = None
    size: int | None = None
    record: bytes | None = None


class EntryOutcome(NamedTuple):
    """What became of entry `number`. `again` is how a list would ask for it once more, when it failed.

    With `record` None the earlier one stands. `supersedes`: it may have an earlier one, which this replaces.
    """

    number: int
    state: EntryStatus
    path: str
    size: int | None
    record: bytes | None
    retry_lines: str | None = None
    supersedes: bool = False


class Journal:
    """The journal in the file at `path`, made if it is missing. Its methods block; they may be called in any thread.

    With `power` each change is on the disk when its method returns. Memory: the keys of all entries, see `Table`.
    Raises `FrontierError` when the file cannot be opened or is not a journal, later `SinkError`.
    """

    def __init__(self, path: Path, *, fsync: bool = False) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._numbers = CompactMap()
        self.last_number = 0
        """The highest number of an entry when the journal was opened."""
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
        """Close the file. May be called again."""
        with self._lock:
            self._db.close()

    def find(self, keys: Sequence[bytes]) -> dict[bytes, JournalRow]:
        """The entries that have these keys, by key; without those that have neither name nor record.

        Those are of lines that asked for no file, when the run was killed before their record was there.
        """
        with self._lock:
            known = sorted((number, key) for key in keys if (number := self._numbers.get(key)) is not None)
        if not known:
            return {}
        fates: dict[int, tuple[Any, ...]] = {}
        for at in range(0, len(known), LOOKUP_NUMBERS):
            some = orjson.dumps([number for number, _ in known[at : at + LOOKUP_NUMBERS]]).decode()
            rows = self._query(
                "SELECT n, state, path, size, record FROM entry WHERE n IN (SELECT value FROM json_each(?))", (some,)
            )
            fates.update((number, fate) for number, *fate in rows)
        found = {}
        told: dict[int, tuple[int, str | None]] = {}
        for number, key in known:
            if number not in told:
                told = self._read_chunk(number)
            line, path = told[number]
            if (fate := fates.get(number)) is not None:
                found[key] = JournalRow(number, key, line, EntryStatus(fate[0]), *fate[1:])
            elif path is not None:
                found[key] = JournalRow(number, key, line, EntryStatus.QUEUED, path)
        return found

    def add(self, rows: Sequence[JournalRow]) -> None:
        """Take in new entries, in the order of their numbers; of those that are noted the record comes later."""
        if not rows:
            return
        entries = [(row.number, row.key, row.line, row.path) for row in rows]
        chunks = [chunk_row(entries[at : at + CHUNK_ENTRIES]) for at in range(0, len(entries), CHUNK_ENTRIES)]
        self._commit([partial(insert_rows, into="INTO chunk", rows=chunks)])
        with self._lock:
            for row in rows:
                self._numbers.put(row.key, row.number)

    def set_path(self, number: int, path: str) -> None:
        """Entry `number`, which is waiting, gets another path."""
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
        """Store what became of entries, together with the length of the manifest that holds their records.

        `checkpoints` are those of further outputs, by name, stored in the same transaction.
        """
        changes: list[Change] = []
        if again := [fate.number for fate in outcomes if fate.supersedes and fate.record is not None]:
            changes.append(lambda db: db.execute(_SET_SUPERSEDED, (orjson.dumps(again).decode(),)))
        settled: list[tuple[object, ...]] = [_entry_values(fate) for fate in outcomes if fate.record is not None]
        settled += [(row.number, int(row.state), row.path, row.size, row.record, None) for row in rows]
        if settled:
            changes.append(partial(insert_rows, into=_UPSERT_ENTRY, rows=settled))
        if unchanged := [_entry_values(fate)[:3] for fate in outcomes if fate.record is None]:
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
        """The manifest was written anew and is `length` bytes long."""
        self._commit(
            [
                lambda db: db.execute("DELETE FROM fact WHERE name = 'stale'"),
                lambda db: db.execute(_SET_LENGTH, (str(manifest_length),)),
            ]
        )

    @property
    def has_superseded(self) -> bool:
        """Whether the manifest holds records that are superseded."""
        return bool(self._query_value("SELECT count(*) FROM fact WHERE name = 'stale'"))

    @property
    def manifest_length(self) -> int:
        """Bytes of the manifest that are committed."""
        return int(self._query_value("SELECT coalesce((SELECT value FROM fact WHERE name = 'manifest'), '0')"))

    def records(self) -> Iterator[bytes]:
        """Every record, in the order of the entries."""
        for (record,) in self._pages("record IS NOT NULL", "record"):
            yield record

    def paths(self) -> Iterator[str]:
        """Every path that was given to an entry."""
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
        """Path and size of every file that is complete."""
        yield from self._pages(f"state = {EntryStatus.DONE:d} AND path IS NOT NULL", "path, size")

    def failed(self) -> Iterator[tuple[Any, ...]]:
        """Of every entry that failed: how a list would ask for it again, and its record."""
        yield from self._pages(f"state = {EntryStatus.FAILED:d}", "again, record")

    def _read_chunk(self, number: int) -> dict[int, tuple[int, str | None]]:
        """Line and path of entry `number` and of its neighbours."""
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


def _entry_values(fate: EntryOutcome) -> tuple[object, ...]:
    # As an integer: sqlite3 looks for an adapter for whatever is of another type, an enumeration's too.
    return fate.number, int(fate.state), fate.path, fate.size, fate.record, fate.retry_lines
