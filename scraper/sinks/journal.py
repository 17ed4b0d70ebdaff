"""The journal of a download: what became of every entry of its lists, in one SQLite file.

It is the truth about the folder. `manifest.jsonl` follows it: a record is appended there first and committed here with
the manifest's new length, so a record that is not committed is cut off at the next start, and its entry is looked at
again. When an entry is recorded a second time (a failure tried again, a file refreshed) its earlier line in the
manifest is stale; the journal remembers that, and the manifest is written anew from here when the run ends.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from enum import IntEnum
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from scraper.errors import FrontierError, SinkError

APPLICATION_ID = 0x5343524A  # "SCRJ"
VERSION = 1
LOOKUP = 500
"""Keys asked for in one statement."""
PAGE_ROWS = 2_000
"""Rows read at once."""
CACHE_KIB = 4_096

_TABLES = """
CREATE TABLE entry(n INTEGER PRIMARY KEY, k INTEGER NOT NULL UNIQUE, line INTEGER NOT NULL, state INTEGER NOT NULL,
    path TEXT, size INTEGER, record TEXT, again TEXT);
CREATE TABLE fact(name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
"""
_COLUMNS = "n, k, line, state, path, size, record"


def _value(place: int) -> str:
    return f"json_extract(value, '$[{place}]')"


# All rows of a change go in as one JSON text in one statement: Python's sqlite3 lets go of the interpreter lock at
# every step of a statement, and with a step a row the event loop's thread and this one change places for each file.
_ADD = f"INSERT OR IGNORE INTO entry({_COLUMNS}) SELECT {', '.join(map(_value, range(7)))} FROM json_each(?)"  # noqa: S608
_UPDATE = f"""UPDATE entry SET state = {_value(1)}, path = {_value(2)}, size = {_value(3)}, record = {_value(4)},
    again = {_value(5)} FROM json_each(?) WHERE n = {_value(0)}"""  # noqa: S608
_UPDATE_STATE = f"UPDATE entry SET state = {_value(1)} FROM json_each(?) WHERE n = {_value(0)}"  # noqa: S608
_RENAME = f"UPDATE entry SET path = {_value(1)} FROM json_each(?) WHERE n = {_value(0)}"  # noqa: S608
_STALE = """INSERT OR REPLACE INTO fact SELECT 'stale', '1' FROM json_each(?)
    WHERE EXISTS (SELECT 1 FROM entry WHERE n = value AND record IS NOT NULL)"""


class State(IntEnum):
    """How an entry stands. `NOTED` is a line that asks for no file of its own: a repetition, a bad line."""

    WAITING = 0
    DONE = 1
    FAILED = 2
    NOTED = 3


class Row(NamedTuple):
    """One entry. `key` tells it from others, `size` is its file's, `record` its line in the manifest."""

    number: int
    key: int
    line: int
    state: State
    path: str | None = None
    size: int | None = None
    record: bytes | None = None


class Fate(NamedTuple):
    """What became of entry `number`. `again` is how a list would ask for it once more, when it failed.

    With `record` None the earlier one stands. `again_recorded`: it may have an earlier one, which this replaces.
    """

    number: int
    state: State
    path: str
    size: int | None
    record: bytes | None
    again: str | None = None
    again_recorded: bool = False


class Journal:
    """The journal in the file at `path`, made if it is missing. Its methods block; they may be called in any thread.

    With `power` each change is on the disk when its method returns.
    Raises `FrontierError` when the file cannot be opened or is not a journal of this version, later `SinkError`.
    """

    def __init__(self, path: Path, *, power: bool = False) -> None:
        self._path = path
        self._synchronous = "FULL" if power else "NORMAL"
        self._lock = threading.Lock()
        try:
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30.0)
            try:
                self._prepare()
            except BaseException:
                self._db.close()
                raise
        except sqlite3.Error as error:
            raise FrontierError(f"cannot open {path}: {error}; start over with --fresh") from error
        self.last = int(self._one("SELECT coalesce(max(n), 0) FROM entry"))
        """The highest number of an entry."""

    def close(self) -> None:
        """Close the file. May be called again."""
        with self._lock:
            self._db.close()

    def find(self, keys: Sequence[int]) -> dict[int, Row]:
        """The entries that have these keys, by key."""
        found = {}
        for at in range(0, len(keys), LOOKUP):
            some = keys[at : at + LOOKUP]
            marks = ",".join("?" * len(some))
            for row in self._all(f"SELECT {_COLUMNS} FROM entry WHERE k IN ({marks})", some):  # noqa: S608  marks alone
                record = None if row[6] is None else row[6].encode()
                found[row[1]] = Row(row[0], row[1], row[2], State(row[3]), row[4], row[5], record)
        return found

    def add(self, rows: Sequence[Row]) -> None:
        """Take in new entries."""
        self._write([(_ADD, _as_json([_columns(row) for row in rows]))] if rows else [], None)

    def rename(self, number: int, path: str) -> None:
        """Entry `number`, which is waiting, gets another path."""
        self._write([(_RENAME, _as_json([(number, path)]))], None)

    def settle(self, fates: Sequence[Fate], noted: Sequence[Row], length: int) -> None:
        """Store what became of entries, together with the length of the manifest that holds their records."""
        changed = [fate for fate in fates if fate.record is not None]
        changes = []
        if again := [fate.number for fate in changed if fate.again_recorded]:
            changes.append((_STALE, _as_json(again)))
        if changed:
            updates = [(f.number, f.state, f.path, f.size, _text(f.record), f.again) for f in changed]
            changes.append((_UPDATE, _as_json(updates)))
        if unchanged := [(f.number, f.state) for f in fates if f.record is None]:
            changes.append((_UPDATE_STATE, _as_json(unchanged)))
        if noted:
            changes.append((_ADD, _as_json([_columns(row) for row in noted])))
        self._write(changes, length)

    def rewritten(self, length: int) -> None:
        """The manifest was written anew and is `length` bytes long."""
        self._write([("DELETE FROM fact WHERE name = 'stale' AND ? = 0", 0)], length)

    @property
    def stale(self) -> bool:
        """Whether the manifest holds records that are superseded."""
        return bool(self._one("SELECT count(*) FROM fact WHERE name = 'stale'"))

    @property
    def length(self) -> int:
        """Bytes of the manifest that are committed."""
        return int(self._one("SELECT coalesce((SELECT value FROM fact WHERE name = 'manifest'), '0')"))

    def records(self) -> Iterator[bytes]:
        """Every record, in the order of the entries."""
        for (record,) in self._pages("record IS NOT NULL", "record"):
            yield record.encode()

    def paths(self) -> Iterator[str]:
        """Every path that was given to an entry."""
        for (path,) in self._pages(f"path IS NOT NULL AND state != {State.NOTED:d}", "path"):
            yield path

    def done(self) -> Iterator[tuple[Any, ...]]:
        """Path and size of every file that is complete."""
        yield from self._pages(f"state = {State.DONE:d} AND path IS NOT NULL", "path, size")

    def failed(self) -> Iterator[tuple[Any, ...]]:
        """Of every entry that failed: how a list would ask for it again, and its record."""
        yield from self._pages(f"state = {State.FAILED:d}", "again, record")

    def _prepare(self) -> None:
        (application,) = self._db.execute("PRAGMA application_id").fetchone()
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        (tables,) = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if tables and (application, version) != (APPLICATION_ID, VERSION):
            raise FrontierError(f"{self._path} is not a journal of this version; start over with --fresh")
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute(f"PRAGMA synchronous = {self._synchronous}")
        self._db.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        if not tables:
            self._db.executescript(
                f"BEGIN IMMEDIATE; {_TABLES} PRAGMA application_id = {APPLICATION_ID}; "
                f"PRAGMA user_version = {VERSION}; COMMIT;"
            )

    def _pages(self, condition: str, columns: str) -> Iterator[tuple[Any, ...]]:
        after = 0
        statement = f"SELECT n, {columns} FROM entry WHERE n > ? AND {condition} ORDER BY n LIMIT {PAGE_ROWS}"  # noqa: S608  constants alone
        while page := self._all(statement, (after,)):
            for after, *values in page:  # noqa: B007  the last one's number is where the next page begins
                yield tuple(values)

    def _all(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        with self._lock:
            try:
                return self._db.execute(statement, values).fetchall()
            except sqlite3.Error as error:
                raise SinkError(f"{self._path} cannot be read: {error}") from error

    def _one(self, statement: str) -> Any:
        return self._all(statement)[0][0]

    def _write(self, changes: Sequence[tuple[str, str | int]], length: int | None) -> None:
        with self._lock:
            try:
                self._db.execute("BEGIN IMMEDIATE")
                for statement, rows in changes:
                    self._db.execute(statement, (rows,))
                if length is not None:
                    self._db.execute("INSERT OR REPLACE INTO fact VALUES ('manifest', ?)", (str(length),))
                self._db.execute("COMMIT")
            except sqlite3.Error as error:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                full = (getattr(error, "sqlite_errorcode", 0) & 0xFF) == sqlite3.SQLITE_FULL
                cause = "the disk is full; free some space and run the same command again" if full else str(error)
                raise SinkError(f"{self._path} cannot be written: {cause}") from error


def _columns(row: Row) -> tuple[object, ...]:
    return (*row[:6], _text(row.record))


def _text(record: bytes | None) -> str | None:
    return None if record is None else record.decode()


def _as_json(rows: object) -> str:
    return orjson.dumps(rows).decode()
