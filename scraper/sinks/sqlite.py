"""items.sqlite: table `items` with `id`, `url`, `rule` and a column for every configured field.

Columns have no declared type: numbers are numbers, `Decimal` and dates are exact text, booleans are 0 and 1, lists
and mappings are JSON text, None is NULL. SQLite ignores case in names, so a field that differs from an earlier column
by case alone, or is called `id` or `rule`, gets `_2` behind its name. A field called `url` replaces the page's.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scraper.errors import SinkError
from scraper.model import Result
from scraper.rundir.layout import ITEMS_SQLITE
from scraper.sinks.disk_errors import (
    RESUME_HINT,
    incomplete_error,
    parse_count_checkpoint,
    run_to_completion,
    write_error,
)
from scraper.sinks.records import as_text, item_record

BUSY_SECONDS = 30.0
_INT64_LIMIT = 2**63


class SqliteSink:
    """Writes one row for every extracted item to FOLDER/items.sqlite. Implements `Sink`.

    `columns` are the names of the fields. One transaction a flush, in a thread; the mark is the last `id`. A new
    output drops the table. The buffer holds what was written since the last flush: a group of the recorder's. With
    `power` what was flushed outlives a loss of power.
    """

    name = ITEMS_SQLITE

    def __init__(self, folder: Path, columns: Sequence[str], *, fsync: bool = False) -> None:
        self._path = folder / self.name
        self._synchronous = "FULL" if fsync else "SYNCHRONOUS_NORMAL"
        self._fields = [field for field in dict.fromkeys(columns) if field != "url"]
        names = _column_names(self._fields)
        self._create_table = f"CREATE TABLE items ({', '.join(['id INTEGER PRIMARY KEY', 'url', 'rule', *names])})"
        marks = ", ".join("?" * (3 + len(names)))
        self._insert_row = f"INSERT INTO items ({', '.join(['id', 'url', 'rule', *names])}) VALUES ({marks})"  # noqa: S608  names are quoted
        self._db: sqlite3.Connection | None = None
        self._rows: list[tuple[Any, ...]] = []
        self._last_id = 0

    async def open(self, checkpoint: str | None) -> None:
        """Open at `mark` and forget later rows.

        Raises `SinkError` when rows up to the mark are missing, the columns differ or the file cannot be written.
        """
        last = None if checkpoint is None else parse_count_checkpoint(self._path, checkpoint)
        await run_to_completion(asyncio.to_thread(self._open_database, last))

    def write(self, result: Result) -> None:
        """Take the items of one result into the buffer."""
        for item in result.items:
            self._last_id += 1
            record = item_record(result, item)
            values = [_sql_value(record.get(field)) for field in self._fields]
            self._rows.append((self._last_id, _sql_value(record["url"]), item.rule, *values))

    async def flush(self) -> str:
        """Commit the buffer; return the mark. Raises `SinkError`; what was not written stays in the buffer."""
        if self._rows:
            if self._db is None:
                raise SinkError(f"{self._path} is not open")
            await run_to_completion(asyncio.to_thread(self._commit, self._db))
        return str(self._last_id)

    async def aclose(self) -> None:
        """Commit and close; raises `SinkError`, and is closed then, too. Calling it twice does nothing more."""
        db, self._db = self._db, None
        if db is not None:
            await run_to_completion(asyncio.to_thread(self._close_database, db))

    def _open_database(self, last: int | None) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            if last is not None and not self._path.exists():
                raise incomplete_error(self._path, "is missing")
            db = sqlite3.connect(self._path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        except OSError as error:
            raise write_error(self._path, error) from error
        except sqlite3.Error as error:
            raise self._to_sink_error(error) from error
        try:
            self._prepare(db, last)
        except sqlite3.Error as error:
            db.close()
            raise self._to_sink_error(error) from error
        except SinkError:
            db.close()
            raise
        self._db = db

    def _prepare(self, db: sqlite3.Connection, last: int | None) -> None:
        # In WAL a reader may look at the rows while the crawl runs; SYNCHRONOUS_NORMAL survives a kill of the
        # process, FULL a
        # loss of power.
        db.execute("PRAGMA journal_mode=WAL")
        db.execute(f"PRAGMA synchronous={self._synchronous}")
        db.execute("BEGIN IMMEDIATE")
        if last is None:
            db.execute("DROP TABLE IF EXISTS items")
            db.execute(self._create_table)
        else:
            known = db.execute("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = 'items'").fetchone()
            if known is None or known[0] != self._create_table:
                raise SinkError(f"{self._path} has other columns than the config asks for; start over with --fresh")
            db.execute("DELETE FROM items WHERE id > ?", (last,))
            (held,) = db.execute("SELECT count(*) FROM items").fetchone()
            if held < last:
                raise incomplete_error(self._path, f"holds {held:,} items where {last:,} were committed")
        db.execute("COMMIT")
        self._last_id = last or 0

    def _commit(self, db: sqlite3.Connection) -> None:
        try:
            db.execute("BEGIN IMMEDIATE")
            try:
                db.executemany(self._insert_row, self._rows)
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise self._to_sink_error(error) from error
        self._rows.clear()

    def _close_database(self, db: sqlite3.Connection) -> None:
        try:
            if self._rows:
                self._commit(db)
        finally:
            db.close()

    def _to_sink_error(self, error: sqlite3.Error) -> SinkError:
        cause = str(error)
        if "disk is full" in cause:
            cause = f"the disk is full; free some space and {RESUME_HINT}"
        elif "disk I/O" in cause:
            cause = f"{cause}: the disk may be failing, or a limit on the size of files is reached; see to it and {RESUME_HINT}"
        elif "locked" in cause:
            cause = f"another program has locked it for {BUSY_SECONDS:.0f} seconds; close that and {RESUME_HINT}"
        elif "not a database" in cause or "malformed" in cause:
            cause = "it is no sound SQLite database; move it away and start over with --fresh"
        return SinkError(f"{self._path} cannot be written: {cause}")


def _column_names(fields: Sequence[str]) -> list[str]:
    """The quoted name of each field's column, no two alike in SQLite's eyes."""
    taken = {"id", "url", "rule"}
    names = []
    for field in fields:
        name, number = as_text(field).replace("\0", ""), 1
        candidate = name
        while candidate.lower() in taken or not candidate:
            number += 1
            candidate = f"{name}_{number}"
        taken.add(candidate.lower())
        names.append('"' + candidate.replace('"', '""') + '"')
    return names


def _sql_value(value: object) -> int | float | str | bytes | None:
    if value is None or isinstance(value, float | bytes):
        return value
    if isinstance(value, int) and -_INT64_LIMIT <= value < _INT64_LIMIT:
        return int(value)
    return as_text(value)
