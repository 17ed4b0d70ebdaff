"""items.sqlite: table `items` with `id`, `url`, `rule` and a column for every configured field.

Columns have no declared type: numbers are numbers, `Decimal` and dates are exact text, booleans are 0 and 1, lists
and mappings are JSON text, None is NULL. SQLite ignores case in names, so a field whose name differs from an earlier
column only by case, or is `id` or `rule`, gets `_2` after its name. A field called `url` replaces the page's URL.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scraper.errors import SinkError
from scraper.model import Result
from scraper.rundir.disk_errors import write_error
from scraper.rundir.layout import ITEMS_SQLITE
from scraper.sinks.checkpoints import incomplete_error, parse_count_checkpoint
from scraper.sinks.records import as_text, item_record
from scraper.sinks.run_to_completion import run_to_completion

BUSY_SECONDS = 30.0
_INT64_LIMIT = 2**63


class SqliteSink:
    """Writes one row for each extracted item to FOLDER/items.sqlite. Implements `Sink`.

    `columns` are the names of the fields. One transaction a flush, in a thread; the checkpoint is the last `id`. A new
    output drops the table. With `fsync` what was flushed survives a loss of power.
    """

    name = ITEMS_SQLITE

    def __init__(self, folder: Path, columns: Sequence[str], *, fsync: bool = False) -> None:
        self._path = folder / self.name
        self._synchronous = "FULL" if fsync else "NORMAL"
        self._fields = [field for field in dict.fromkeys(columns) if field != "url"]
        names = _column_names(self._fields)
        self._create_table = f"CREATE TABLE items ({', '.join(['id INTEGER PRIMARY KEY', 'url', 'rule', *names])})"
        placeholders = ", ".join("?" * (3 + len(names)))
        self._insert_row = f"INSERT INTO items ({', '.join(['id', 'url', 'rule', *names])}) VALUES ({placeholders})"  # noqa: S608  names are quoted
        self._db: sqlite3.Connection | None = None
        self._rows: list[tuple[Any, ...]] = []
        self._last_id = 0

    async def open(self, checkpoint: str | None) -> None:
        """Open at `checkpoint` and delete later rows.

        Raises `SinkError` when rows up to the checkpoint are missing, the columns differ or the file cannot be written.
        """
        last = None if checkpoint is None else parse_count_checkpoint(self._path, checkpoint)
        await run_to_completion(asyncio.to_thread(self._open_database, last))

    def write(self, result: Result) -> None:
        """Put the items of one result into the buffer."""
        for item in result.items:
            # Ids are given here and without gaps: the last one is the checkpoint, and says how many rows there must be.
            self._last_id += 1
            record = item_record(result, item)
            values = [_sql_value(record.get(field)) for field in self._fields]
            self._rows.append((self._last_id, _sql_value(record["url"]), item.rule, *values))

    async def flush(self) -> str:
        """Commit the buffer; return the checkpoint. Raises `SinkError`; what was not written stays in the buffer."""
        if self._rows:
            if self._db is None:
                raise SinkError(f"{self._path} is not open")
            await run_to_completion(asyncio.to_thread(self._commit, self._db))
        return str(self._last_id)

    async def aclose(self) -> None:
        """Commit and close; closed even when it raises `SinkError`. A second call does nothing."""
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
            raise write_error(self._path, error) from error
        try:
            self._prepare(db, last)
        except sqlite3.Error as error:
            db.close()
            raise write_error(self._path, error) from error
        except SinkError:
            db.close()
            raise
        self._db = db

    def _prepare(self, db: sqlite3.Connection, last: int | None) -> None:
        # In WAL a reader may look at the rows while the crawl runs; NORMAL survives a kill of the
        # process, FULL a
        # loss of power.
        db.execute("PRAGMA journal_mode=WAL")
        db.execute(f"PRAGMA synchronous={self._synchronous}")
        db.execute("BEGIN IMMEDIATE")
        if last is None:
            db.execute("DROP TABLE IF EXISTS items")
            db.execute(self._create_table)
        else:
            # SQLite keeps the text of CREATE TABLE: comparing it compares all columns and their order.
            known = db.execute("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = 'items'").fetchone()
            if known is None or known[0] != self._create_table:
                raise SinkError(f"{self._path} has other columns than the config asks for; start over with --fresh")
            db.execute("DELETE FROM items WHERE id > ?", (last,))
            (count,) = db.execute("SELECT count(*) FROM items").fetchone()
            if count < last:
                raise incomplete_error(self._path, f"holds {count:,} items where {last:,} were committed")
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
            raise write_error(self._path, error) from error
        self._rows.clear()

    def _close_database(self, db: sqlite3.Connection) -> None:
        try:
            if self._rows:
                self._commit(db)
        finally:
            db.close()


def _column_names(fields: Sequence[str]) -> list[str]:
    """The quoted name of each field's column; all differ when case is ignored, as SQLite does."""
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
