"""The tables of the frontier's file, and opening it.

    host, queue, later    hosts; requests that wait, in order; requests that wait for a retry
    seen, fresh           fingerprints of all URLs ever queued, merged and not yet merged (see statements.py)
    skip                  URLs that were seen and not requested
    note, mark            stored state of hosts; checkpoints
    tally, total          settled URLs by host and outcome; totals

A running version must read files of earlier ones: change a table only with `FORMAT_VERSION`.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from scraper.errors import FrontierError
from scraper.frontier.sqlite.settings import Durability
from scraper.rundir.disk_errors import cause_text

# "SCRF": tells our files from other SQLite files.
APPLICATION_ID = 0x53435246
FORMAT_VERSION = 1
CACHE_KIB = 32_768
# The write-ahead log is copied to the database after so many pages of 4 KiB: every 16 MB, with an fsync.
CHECKPOINT_PAGES = 4_000
# How long to wait for another process that has locked the file, such as `scrape status`.
BUSY_SECONDS = 5.0
# Prepared statements that the connection keeps; more than the frontier has.
CACHED_STATEMENTS = 256

CREATE_TABLES = """
CREATE TABLE host(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE seen(k INTEGER PRIMARY KEY);
CREATE TABLE fresh(n INTEGER PRIMARY KEY, k INTEGER NOT NULL);
CREATE TABLE queue(host INTEGER, prio INTEGER, seq INTEGER,
    depth INTEGER, kind TEXT, href TEXT, key TEXT, parent TEXT, extra TEXT,
    PRIMARY KEY(host, prio, seq)) WITHOUT ROWID;
CREATE TABLE later(prio INTEGER, due REAL, seq INTEGER, host INTEGER,
    depth INTEGER, kind TEXT, href TEXT, key TEXT, parent TEXT, extra TEXT,
    PRIMARY KEY(prio, due, seq)) WITHOUT ROWID;
CREATE INDEX later_host ON later(host, prio, seq);
CREATE TABLE skip(n INTEGER PRIMARY KEY, k INTEGER NOT NULL UNIQUE, dropped INTEGER NOT NULL,
    host TEXT, origin TEXT, href TEXT, key TEXT, parent TEXT, reason TEXT, rule TEXT);
CREATE TABLE note(host INTEGER, name TEXT, value TEXT, PRIMARY KEY(host, name)) WITHOUT ROWID;
CREATE TABLE tally(host INTEGER, outcome TEXT, n INTEGER, PRIMARY KEY(host, outcome)) WITHOUT ROWID;
CREATE TABLE mark(name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE total(name TEXT PRIMARY KEY, value INTEGER) WITHOUT ROWID;
"""


def open_database(path: Path, durability: Durability, cache_kib: int = CACHE_KIB) -> sqlite3.Connection:
    """Open or create the file at `path`. Raises `FrontierError` or `sqlite3.Error`."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FrontierError(f"cannot create {path.parent}: {cause_text(error)}") from error
    db = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, cached_statements=CACHED_STATEMENTS)
    try:
        _prepare(db, path, durability, cache_kib)
    except BaseException:
        db.close()
        raise
    return db


def _prepare(db: sqlite3.Connection, path: Path, durability: Durability, cache_kib: int) -> None:
    (version,) = db.execute("PRAGMA user_version").fetchone()
    (application,) = db.execute("PRAGMA application_id").fetchone()
    (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if tables and application != APPLICATION_ID:
        raise FrontierError(f"{path} is not the state of a crawl; choose another output folder")
    if tables and version != FORMAT_VERSION:
        raise FrontierError(
            f"{path} has format {version}, this version reads format {FORMAT_VERSION}: "
            "use the version of scraper that wrote it, or start over with --fresh"
        )
    db.execute(f"PRAGMA cache_size = -{cache_kib}")
    # Readers (`scrape status`) do not block the writer, and a commit appends to one file.
    db.execute("PRAGMA journal_mode = WAL")
    db.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
    db.execute(f"PRAGMA synchronous = {'FULL' if durability == 'power' else 'NORMAL'}")
    # In one transaction: a kill leaves no file with half of the tables, which would be taken for a damaged one.
    if not tables:
        db.executescript(
            f"BEGIN IMMEDIATE; {CREATE_TABLES} PRAGMA application_id = {APPLICATION_ID}; "
            f"PRAGMA user_version = {FORMAT_VERSION}; COMMIT;"
        )


def error_message(path: Path, error: sqlite3.Error) -> str:
    """A sentence for the user about what went wrong with the file at `path`."""
    return f"{path} cannot be used: {cause_text(error)}"
