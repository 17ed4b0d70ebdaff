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
from collections.abc import Callable, Iterator, Sequence
from enum import IntEnum
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from scraper.downloads.journal_schema import CHUNK, chunk, insert, open_journal
from scraper.errors import FrontierError, SinkError
from scraper.structures.compact_map import Table

LOOKUP = 500
"""Numbers asked for in one statement."""
PAGE_ROWS = 2_000
"""Rows read at once."""
PAGE_CHUNKS = 32
"""Chunks read at once."""

_STALE = """INSERT OR REPLACE INTO fact SELECT 'stale', '1' FROM json_each(?)
    WHERE EXISTS (SELECT 1 FROM entry WHERE n = value AND record IS NOT NULL)"""
_SETTLED = "OR REPLACE INTO entry(n, state, path, size, record, again)"
_STATE = "INTO entry(n, state, path)", "ON CONFLICT(n) DO UPDATE SET state = excluded.state"
_PATH = "INTO entry(n, state, path)", "ON CONFLICT(n) DO UPDATE SET path = excluded.path"
_LENGTH = "INSERT OR REPLACE INTO fact VALUES ('manifest', ?)"

Change = Callable[[sqlite3.Connection], object]


class State(IntEnum):
    """How an entry stands. `NOTED` is a line that asks for no file of its own: a repetition, a bad line."""

    WAITING = 0
    DONE = 1
    FAILED = 2
    NOTED = 3


class Row(NamedTuple):
    """One entry. `key` tells it from others, `size` is its file's, `record` its line in the manifest."""

    number: int
    key: bytes
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

    With `power` each change is on the disk when its method returns. Memory: the keys of all entries, see `Table`.
    Raises `FrontierError` when the file cannot be opened or is not a journal, later `SinkError`.
    """

    def __init__(self, path: Path, *, power: bool = False) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._numbers = Table()
        self.last = 0
        """The highest number of an entry when the journal was opened."""
        try:
            self._db = open_journal(path, "FULL" if power else "NORMAL")
            try:
                for (keys,) in self._db.execute("SELECT keys FROM chunk ORDER BY first"):
                    self.last = max(self.last, self._numbers.load(keys))
            except BaseException:
                self._db.close()
                raise
        except sqlite3.Error as error:
            raise FrontierError(f"cannot open {path}: {error}; start over with --fresh") from error

    def close(self) -> None:
        """Close the file. May be called again."""
        with self._lock:
            self._db.close()

    def find(self, keys: Sequence[bytes]) -> dict[bytes, Row]:
        """The entries that have these keys, by key; without those that have neither name nor record.

        Those are of lines that asked for no file, when the run was killed before their record was there.
        """
        with self._lock:
            known = sorted((number, key) for key in keys if (number := self._numbers.get(key)) is not None)
        if not known:
            return {}
        fates: dict[int, tuple[Any, ...]] = {}
        for at in range(0, len(known), LOOKUP):
            some = orjson.dumps([number for number, _ in known[at : at + LOOKUP]]).decode()
            rows = self._all(
                "SELECT n, state, path, size, record FROM entry WHERE n IN (SELECT value FROM json_each(?))", (some,)
            )
            fates.update((number, fate) for number, *fate in rows)
        found = {}
        told: dict[int, tuple[int, str | None]] = {}
        for number, key in known:
            if number not in told:
                told = self._chunk_of(number)
            line, path = told[number]
            if (fate := fates.get(number)) is not None:
                found[key] = Row(number, key, line, State(fate[0]), *fate[1:])
            elif path is not None:
                found[key] = Row(number, key, line, State.WAITING, path)
        return found

    def add(self, rows: Sequence[Row]) -> None:
        """Take in new entries, in the order of their numbers; of those that are noted the record comes later."""
        if not rows:
            return
        entries = [(row.number, row.key, row.line, row.path) for row in rows]
        chunks = [chunk(entries[at : at + CHUNK]) for at in range(0, len(entries), CHUNK)]
        self._write([partial(insert, into="INTO chunk", rows=chunks)])
        with self._lock:
            for row in rows:
                self._numbers.put(row.key, row.number)

    def rename(self, number: int, path: str) -> None:
        """Entry `number`, which is waiting, gets another path."""
        into, conflict = _PATH
        self._write([partial(insert, into=into, rows=[(number, int(State.WAITING), path)], conflict=conflict)])

    def settle(self, fates: Sequence[Fate], noted: Sequence[Row], length: int) -> None:
        """Store what became of entries, together with the length of the manifest that holds their records."""
        changes: list[Change] = []
        if again := [fate.number for fate in fates if fate.again_recorded and fate.record is not None]:
            changes.append(lambda db: db.execute(_STALE, (orjson.dumps(again).decode(),)))
        settled: list[tuple[object, ...]] = [_settled(fate) for fate in fates if fate.record is not None]
        settled += [(row.number, int(row.state), row.path, row.size, row.record, None) for row in noted]
        if settled:
            changes.append(partial(insert, into=_SETTLED, rows=settled))
        if unchanged := [_settled(fate)[:3] for fate in fates if fate.record is None]:
            into, conflict = _STATE
            changes.append(partial(insert, into=into, rows=unchanged, conflict=conflict))
        changes.append(lambda db: db.execute(_LENGTH, (str(length),)))
        self._write(changes)

    def rewritten(self, length: int) -> None:
        """The manifest was written anew and is `length` bytes long."""
        self._write(
            [
                lambda db: db.execute("DELETE FROM fact WHERE name = 'stale'"),
                lambda db: db.execute(_LENGTH, (str(length),)),
            ]
        )

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
            yield record

    def paths(self) -> Iterator[str]:
        """Every path that was given to an entry."""
        after = 0
        while page := self._all(
            "SELECT first, entries FROM chunk WHERE first > ? ORDER BY first LIMIT ?", (after, PAGE_CHUNKS)
        ):
            after = page[-1][0]
            paths = {number: path for _, entries in page for number, _, path in orjson.loads(entries)}
            later = "SELECT n, path FROM entry WHERE n BETWEEN ? AND ? AND path IS NOT NULL"
            paths.update(self._all(later, (min(paths), max(paths))))
            yield from filter(None, paths.values())

    def done(self) -> Iterator[tuple[Any, ...]]:
        """Path and size of every file that is complete."""
        yield from self._pages(f"state = {State.DONE:d} AND path IS NOT NULL", "path, size")

    def failed(self) -> Iterator[tuple[Any, ...]]:
        """Of every entry that failed: how a list would ask for it again, and its record."""
        yield from self._pages(f"state = {State.FAILED:d}", "again, record")

    def _chunk_of(self, number: int) -> dict[int, tuple[int, str | None]]:
        """Line and path of entry `number` and of its neighbours."""
        entries = self._one("SELECT entries FROM chunk WHERE first <= ? ORDER BY first DESC LIMIT 1", (number,))
        return {number: (line, path) for number, line, path in orjson.loads(entries)}

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

    def _one(self, statement: str, values: Sequence[Any] = ()) -> Any:
        return self._all(statement, values)[0][0]

    def _write(self, changes: Sequence[Change]) -> None:
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


def _settled(fate: Fate) -> tuple[object, ...]:
    # As an integer: sqlite3 looks for an adapter for whatever is of another type, an enumeration's too.
    return fate.number, int(fate.state), fate.path, fate.size, fate.record, fate.again
