"""The file of a journal: old versions are migrated, other files are refused."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from scraper.downloads import journal_schema as journal_file
from scraper.downloads.journal import EntryStatus, Journal, JournalRow
from scraper.downloads.journal_schema import CHUNK_ENTRIES
from scraper.errors import FrontierError
from scraper.structures.compact_map import hash_key


def key(number: int) -> bytes:
    return hash_key(f"entry {number}")


def waiting(number: int, path: str | None = None) -> JournalRow:
    return JournalRow(number, key(number), 10 * number, EntryStatus.QUEUED, path or f"f{number}.bin")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    with closing(Journal(path)) as opened:
        yield opened


TABLES_OF_1 = """
CREATE TABLE entry(n INTEGER PRIMARY KEY, k INTEGER NOT NULL UNIQUE, line INTEGER NOT NULL, state INTEGER NOT NULL,
    path TEXT, size INTEGER, record TEXT, again TEXT);
CREATE TABLE fact(name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
INSERT INTO fact VALUES ('manifest', '77'), ('stale', '1');
PRAGMA application_id = 0x5343524A; PRAGMA user_version = 1;
"""


def as_1(path: Path, rows: list[tuple[object, ...]]) -> None:
    """A journal of version 1 that holds `rows`."""
    with closing(sqlite3.connect(path)) as db:
        db.executescript(TABLES_OF_1)
        db.executemany("INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
        db.commit()


def number_of(key: bytes) -> int:
    return int.from_bytes(key, "big", signed=True)


ROWS_OF_1: list[tuple[object, ...]] = [
    (1, number_of(key(1)), 10, 1, "a.bin", 5, '{"é":1}\n', None),
    (2, number_of(key(2)), 20, 2, "b.bin", None, '{"b":1}\n', "url\n"),
    (3, number_of(key(3)), 30, 0, "c.bin", None, None, None),
    (4, number_of(key(4)), 40, 3, None, None, '{"d":1}\n', None),
    *[(n, number_of(key(n)), 10 * n, 0, f"f{n}.bin", None, None, None) for n in range(5, 3 * CHUNK_ENTRIES)],
]


def assert_is_version_1s(journal: Journal) -> None:
    found = journal.find([row.key for row in map(waiting, range(1, 3 * CHUNK_ENTRIES))])
    assert list(found.values())[:4] == [
        JournalRow(1, key(1), 10, EntryStatus.DONE, "a.bin", 5, '{"é":1}\n'.encode()),
        JournalRow(2, key(2), 20, EntryStatus.FAILED, "b.bin", None, b'{"b":1}\n'),
        JournalRow(3, key(3), 30, EntryStatus.QUEUED, "c.bin"),
        JournalRow(4, key(4), 40, EntryStatus.NO_FILE, None, None, b'{"d":1}\n'),
    ]
    assert list(found.values())[4:] == [waiting(n) for n in range(5, 3 * CHUNK_ENTRIES)]
    assert (journal.last_number, journal.manifest_length, journal.has_superseded) == (3 * CHUNK_ENTRIES - 1, 77, True)
    assert list(journal.records()) == ['{"é":1}\n'.encode(), b'{"b":1}\n', b'{"d":1}\n']
    assert list(journal.failed()) == [("url\n", b'{"b":1}\n')]
    assert list(journal.completed()) == [("a.bin", 5)]


def test_a_journal_of_version_1_goes_on(path: Path) -> None:
    """Whatever it knew is known, and programs of its time refuse it from then on."""
    as_1(path, ROWS_OF_1)
    for _ in range(2):
        with closing(Journal(path)) as journal:
            assert_is_version_1s(journal)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (2,)


def test_a_journal_of_version_1_survives_a_kill_on_its_way(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What breaks off while it is brought to this version leaves it as it was."""
    as_1(path, ROWS_OF_1)

    def broken(*_: object) -> Iterator[tuple[int, bytes, str]]:
        raise MemoryError
        yield

    with monkeypatch.context() as patched:
        patched.setattr(journal_file, "_chunks_from_v1", broken)
        with pytest.raises(MemoryError):
            Journal(path)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (1,)
        assert db.execute("SELECT count(*) FROM entry").fetchone() == (len(ROWS_OF_1),)
    with closing(Journal(path)) as journal:
        assert_is_version_1s(journal)


@pytest.mark.parametrize(
    "script",
    [
        pytest.param("CREATE TABLE other(x)", id="another program's"),
        pytest.param(TABLES_OF_1 + "PRAGMA user_version = 3", id="newer"),
        pytest.param(TABLES_OF_1 + "PRAGMA application_id = 1", id="no journal"),
    ],
)
def test_what_is_no_journal_is_refused_and_left_alone(path: Path, script: str) -> None:
    """With the way out."""
    with closing(sqlite3.connect(path)) as db:
        db.executescript(script)
    before = path.read_bytes()
    with pytest.raises(FrontierError, match="--fresh"):
        Journal(path)
    assert path.read_bytes() == before
