"""feed: from a list to requests, when runs are killed, names are taken, and journals are old."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from scraper.downloads.entry_namer import EntryNamer
from scraper.downloads.entry_requests import EntryRequests
from scraper.downloads.journal import EntryOutcome, EntryStatus, Journal
from scraper.downloads.list_feed import ListBatch, ListFeed, ListReader
from scraper.downloads.lists.entry import BadLine, Entry
from scraper.downloads.lists.file_names import NameSettings
from scraper.model import EntryState, entry_of
from scraper.structures.compact_map import hash_key
from scraper.transfer.output_folder import OutputFolder
from tests.downloads.test_journal_schema import as_1

H = "https://h.example/"


LINES: list[Entry | BadLine] = [
    Entry(1, (H + "a.bin",)),
    BadLine(2, "nonsense", "no URL"),
    Entry(3, (H + "a.bin",)),
    Entry(4, (H + "b.bin",)),
    Entry(5, (H + "taken.bin",)),
]


def read(folder: Path, lines: Iterable[Entry | BadLine] = LINES, *, settle: bool, skip: bool = True) -> ListBatch:
    """What one run takes from the list: killed before anything is settled, or after all of it is."""
    with closing(OutputFolder(folder)) as files, closing(Journal(folder / "journal.sqlite")) as journal:
        names = NameSettings(collision="skip" if skip else "rename")
        namer = EntryNamer(names, journal, files)
        feed = ListFeed(ListReader(lines), namer, EntryRequests(files), journal)
        whole = ListBatch([], [])
        while batch := feed.next_batch():
            whole.requests.extend(batch.requests)
            whole.rows.extend(batch.rows)
        if settle:
            entries = [entry_of(request) for request in whole.requests]
            outcomes = [EntryOutcome(entry.number, EntryStatus.DONE, entry.path, 3, b"done\n") for entry in entries]
            for entry in entries:
                (folder / entry.path).write_bytes(b"abc")
            journal.settle(outcomes, whole.rows, 0)
        return whole


def paths(batch: ListBatch) -> list[str]:
    return [entry_of(request).path for request in batch.requests]


def test_a_line_is_noted_again_until_its_record_is_there(tmp_path: Path) -> None:
    """Bad lines, repetitions and what was left out: their records are written exactly once, whenever the run dies."""
    (tmp_path / "taken.bin").touch()
    for settle in (False, False, True):
        batch = read(tmp_path, settle=settle)
        assert paths(batch) == ["a.bin", "b.bin"]
        assert [row.line for row in batch.rows] == [2, 3, 5]
    assert read(tmp_path, settle=False) == ListBatch([], [])


def test_a_killed_run_keeps_the_names_it_gave(tmp_path: Path) -> None:
    """Whatever lines come before them the next time."""
    same = [Entry(line, (f"https://h{line}.example/data.bin",)) for line in range(1, 200)]
    given = {
        request.url.href: entry_of(request).path for request in read(tmp_path, same, settle=False, skip=False).requests
    }
    assert given["https://h2.example/data.bin"] == "data~2.bin"
    again = read(tmp_path, [Entry(300, (H + "data.bin",)), *reversed(same)], settle=False, skip=False).requests
    assert {request.url.href: entry_of(request).path for request in again[1:]} == given
    assert entry_of(again[0]).path == "data~200.bin"


def test_a_list_goes_on_from_a_journal_of_version_1(tmp_path: Path) -> None:
    """Complete files are not asked for, waiting ones keep number and name, nothing is noted twice."""

    def number_of(*parts: str) -> int:
        return int.from_bytes(hash_key("\0".join(parts)), "big", signed=True)

    first = number_of("file", H + "a.bin", "", "")
    (tmp_path / "a.bin").write_bytes(b"abc")
    as_1(
        tmp_path / "journal.sqlite",
        [
            (1, first, 1, 1, "a.bin", 3, "{}\n", None),
            (2, number_of("bad", "2", "nonsense"), 2, 3, None, None, "{}\n", None),
            (3, number_of("again", "3", str(first)), 3, 3, None, None, "{}\n", None),
            (4, number_of("file", H + "b.bin", "", ""), 4, 0, "other.bin", None, None, None),
        ],
    )
    batch = read(tmp_path, settle=False)
    assert [entry_of(request) for request in batch.requests] == [
        EntryState(4, 4, H + "b.bin", "other.bin", may_replace=True),
        EntryState(5, 5, H + "taken.bin", "taken.bin"),
    ]
    assert batch.rows == []


def test_a_journal_is_small_beside_what_it_tells(tmp_path: Path) -> None:
    """An entry is written twice at most: as the list has it, and with its record."""
    lines = [Entry(line, (f"{H}f{line:06}.bin",)) for line in range(1, 3_001)]
    read(tmp_path, lines, settle=True)
    with closing(sqlite3.connect(tmp_path / "journal.sqlite")) as db:
        (pages,) = db.execute("PRAGMA page_count").fetchone()
        (size,) = db.execute("PRAGMA page_size").fetchone()
    assert pages * size < 3_000 * 100
