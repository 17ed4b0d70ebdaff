"""The SQLite file of a journal: its tables, and the migration from an earlier version."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

import orjson

from scraper.errors import FrontierError
from scraper.structures.compact_map import pack_entries

APPLICATION_ID = 0x5343524A  # "SCRJ"
SCHEMA_VERSION = 2
# Entries in one row of `chunk`.
CHUNK_ENTRIES = 64
# Parameters of one statement: SQLite before 3.32 allows 999.
MAX_PARAMETERS = 500
CACHE_KIB = 4_096

# `chunk` has the list as it was read: of `CHUNK_ENTRIES` entries the keys (`compact_map.py`) and, as JSON, number, line
# and path of each. `entry` has one row for each outcome; a queued entry has none, unless it was renamed. So each entry
# is written once into either table, in the order of numbers. An index of the keys, which are random, would write more
# pages than all the rest: it is built in memory instead, from twelve bytes an entry.
_CREATE_TABLES = """
CREATE TABLE chunk(first INTEGER PRIMARY KEY, keys BLOB NOT NULL, entries TEXT NOT NULL);
CREATE TABLE entry(n INTEGER PRIMARY KEY, state INTEGER NOT NULL, path TEXT, size INTEGER, record BLOB, again TEXT);
"""
_CREATE_FACTS = "CREATE TABLE fact(name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;"
_COPY_FROM_V1 = (
    "INSERT INTO entry SELECT n, state, path, size, CAST(record AS BLOB), again FROM former WHERE state != 0"
)


def open_journal(path: Path, synchronous: str) -> sqlite3.Connection:
    """Open the journal at `path`; create it if it is missing, migrate it if it is older.

    `synchronous` is SQLite's setting. Raises `FrontierError` for another file or a newer version, and `sqlite3.Error`.
    """
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30.0)
    try:
        version = _read_version(db, path)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute(f"PRAGMA synchronous = {synchronous}")
        db.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        if version is None:
            _create(db)
        elif version != SCHEMA_VERSION:
            _migrate_from_v1(db)
    except BaseException:
        db.close()
        raise
    return db


def _read_version(db: sqlite3.Connection, path: Path) -> int | None:
    """The version of the journal; None for an empty file."""
    (application,) = db.execute("PRAGMA application_id").fetchone()
    (version,) = db.execute("PRAGMA user_version").fetchone()
    (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if not tables:
        return None
    if application != APPLICATION_ID or version not in (1, SCHEMA_VERSION):
        raise FrontierError(f"{path} is not a journal of this version; start over with --fresh")
    return int(version)


def _create(db: sqlite3.Connection) -> None:
    db.executescript(
        f"BEGIN IMMEDIATE; {_CREATE_TABLES} {_CREATE_FACTS} PRAGMA application_id = {APPLICATION_ID}; "
        f"PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
    )


def _migrate_from_v1(db: sqlite3.Connection) -> None:
    """Version 1 had one table with an index of keys. One transaction: a kill leaves version 1 or version 2."""
    db.execute("BEGIN IMMEDIATE")
    try:
        db.execute("ALTER TABLE entry RENAME TO former")
        for statement in _CREATE_TABLES.split(";"):
            db.execute(statement)
        db.execute(_COPY_FROM_V1)
        db.executemany("INSERT INTO chunk VALUES (?, ?, ?)", _chunks_from_v1(db))
        db.execute("DROP TABLE former")
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        db.execute("COMMIT")
    except BaseException:
        db.execute("ROLLBACK")
        raise


def _chunks_from_v1(db: sqlite3.Connection) -> Iterator[tuple[int, bytes, str]]:
    rows = db.execute("SELECT n, k, line, path FROM former ORDER BY n")
    while page := rows.fetchmany(CHUNK_ENTRIES):
        yield chunk_row([(n, k.to_bytes(8, "big", signed=True), line, path) for n, k, line, path in page])


def chunk_row(entries: list[tuple[int, bytes, int, str | None]]) -> tuple[int, bytes, str]:
    """A row of `chunk`. Each entry is number, key, line, path; they are in the order of their numbers."""
    keys = pack_entries([(key, number) for number, key, _, _ in entries])
    return entries[0][0], keys, orjson.dumps([(number, line, path) for number, _, line, path in entries]).decode()


def insert_rows(db: sqlite3.Connection, into: str, rows: Sequence[tuple[object, ...]], conflict: str = "") -> None:
    """Insert `rows`, many with each statement.

    Python's sqlite3 releases the interpreter lock at each step of a statement. With one statement a row, as in
    `executemany`, this thread and the event loop would switch for each file.
    """
    width = len(rows[0])
    most = MAX_PARAMETERS // width
    at = 0
    while at < len(rows):
        # Only powers of two: sqlite3 caches the few statements that result.
        count = min(1 << (len(rows) - at).bit_length() - 1, 1 << most.bit_length() - 1)
        row = f"({', '.join('?' * width)})"
        values = tuple(chain.from_iterable(rows[at : at + count]))
        db.execute(f"INSERT {into} VALUES {', '.join([row] * count)} {conflict}", values)  # noqa: S608  constants alone
        at += count
