"""journal: what became of every entry, through kills, renamings and versions."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from scraper.downloads.journal import EntryOutcome, EntryStatus, Journal, JournalRow
from scraper.downloads.journal_schema import CHUNK_ENTRIES
from scraper.errors import SinkError
from scraper.structures.compact_map import hash_key


def key(number: int) -> bytes:
    return hash_key(f"entry {number}")


def waiting(number: int, path: str | None = None) -> JournalRow:
    return JournalRow(number, key(number), 10 * number, EntryStatus.QUEUED, path or f"f{number}.bin")


def done(number: int, *, again: bool = False) -> EntryOutcome:
    return EntryOutcome(number, EntryStatus.DONE, f"f{number}.bin", number, b'{"n":%d}\n' % number, None, again)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    with closing(Journal(path)) as opened:
        yield opened


@pytest.mark.parametrize("count", [1, CHUNK_ENTRIES - 1, CHUNK_ENTRIES, CHUNK_ENTRIES + 1, 1_000])
def test_what_is_added_and_settled_is_found_in_this_session_and_the_next(path: Path, count: int) -> None:
    """However many come at once: by its key each has its line, path, state, size and record."""
    rows = [waiting(number) for number in range(1, count + 1)]
    with closing(Journal(path)) as journal:
        assert journal.find([row.key for row in rows]) == {}
        journal.add(rows)
        assert journal.find([row.key for row in rows]) == {row.key: row for row in rows}
        journal.settle([done(row.number) for row in rows], [], 5)
        expected = {
            row.key: row._replace(state=EntryStatus.DONE, size=row.number, record=b'{"n":%d}\n' % row.number)
            for row in rows
        }
        assert journal.find([row.key for row in rows]) == expected
    with closing(Journal(path)) as journal:
        assert (journal.last_number, journal.manifest_length, journal.has_superseded) == (count, 5, False)
        assert journal.find([*reversed([row.key for row in rows]), key(0)]) == expected


def test_what_was_to_be_noted_is_unknown_until_its_record_is_there(path: Path) -> None:
    """A run killed between the two notes the line again, under another number."""
    noted = JournalRow(2, key(2), 20, EntryStatus.NO_FILE, None, None, b"{}\n")
    with closing(Journal(path)) as journal:
        journal.add([waiting(1), noted, waiting(3)])
    with closing(Journal(path)) as journal:
        assert journal.last_number == 3
        assert set(journal.find([key(1), key(2), key(3)])) == {key(1), key(3)}
        again = noted._replace(number=4)
        journal.add([again])
        journal.settle([], [again], 9)
    with closing(Journal(path)) as journal:
        assert journal.find([key(2)]) == {key(2): again}
        assert list(journal.records()) == [b"{}\n"]
        assert list(journal.paths()) == ["f1.bin", "f3.bin"]


def test_an_entry_that_was_renamed_keeps_its_new_path(path: Path) -> None:
    """Also when the run ends before it is settled; with its record, when it had one."""
    with closing(Journal(path)) as journal:
        journal.add([waiting(number) for number in (1, 2)])
        journal.settle([EntryOutcome(2, EntryStatus.FAILED, "f2.bin", None, b"{}\n", "url\n")], [], 3)
        journal.set_path(1, "new1.bin")
        journal.set_path(2, "new2.bin")
    with closing(Journal(path)) as journal:
        assert list(journal.paths()) == ["new1.bin", "new2.bin"]
        assert journal.find([key(1), key(2)]) == {
            key(1): waiting(1, "new1.bin"),
            key(2): JournalRow(2, key(2), 20, EntryStatus.FAILED, "new2.bin", None, b"{}\n"),
        }
        assert list(journal.failed()) == [("url\n", b"{}\n")]


def test_records_come_in_the_order_of_the_list(journal: Journal) -> None:
    """Whatever the entry in which the files came."""
    journal.add([waiting(number) for number in range(1, 6)])
    for number in (4, 1, 5):
        journal.settle([done(number)], [], number)
    assert list(journal.records()) == [b'{"n":1}\n', b'{"n":4}\n', b'{"n":5}\n']
    assert list(journal.completed()) == [("f1.bin", 1), ("f4.bin", 4), ("f5.bin", 5)]
    assert list(journal.paths()) == [f"f{number}.bin" for number in range(1, 6)]


def test_a_second_record_makes_the_manifest_stale_until_it_is_rewritten(journal: Journal) -> None:
    """A first one does not, though it is said that there may have been another."""
    journal.add([waiting(1), waiting(2)])
    journal.settle([done(1, again=True)], [], 8)
    assert not journal.has_superseded
    journal.settle([done(1, again=True), done(2)], [], 24)
    assert journal.has_superseded
    journal.set_rewritten(16)
    assert (journal.has_superseded, journal.manifest_length) == (False, 16)


def test_an_entry_that_did_not_change_keeps_its_record(journal: Journal) -> None:
    """And one that has none is complete without."""
    journal.add([waiting(1), waiting(2)])
    journal.settle([EntryOutcome(1, EntryStatus.FAILED, "f1.bin", 3, b"{}\n")], [], 3)
    journal.settle([EntryOutcome(number, EntryStatus.DONE, f"f{number}.bin", None, None) for number in (1, 2)], [], 3)
    assert journal.find([key(1)])[key(1)] == JournalRow(1, key(1), 10, EntryStatus.DONE, "f1.bin", 3, b"{}\n")
    assert journal.find([key(2)])[key(2)] == waiting(2)._replace(state=EntryStatus.DONE)
    assert list(journal.failed()) == []


def test_a_change_that_fails_leaves_nothing(path: Path, journal: Journal) -> None:
    """Its transaction is undone: neither the fates nor the manifest's length are there."""
    journal.add([waiting(1)])
    with closing(sqlite3.connect(path)) as other:
        other.execute("DROP TABLE fact")
    with pytest.raises(SinkError, match="cannot be written"):
        journal.settle([done(1)], [], 8)
    assert journal.find([key(1)]) == {key(1): waiting(1)}


class Kept(RuleBasedStateMachine):
    """A journal beside a dict, through any entry of calls and any number of sessions."""

    @initialize()
    def begin(self) -> None:
        self.folder = TemporaryDirectory()
        self.path = Path(self.folder.name) / "j.sqlite"
        self.journal = Journal(self.path)
        self.rows: dict[int, JournalRow] = {}
        self.again: dict[int, str | None] = {}
        self.unnoted: list[JournalRow] = []
        self.last, self.length, self.stale = 0, 0, False

    @rule(kinds=st.lists(st.booleans(), max_size=3 * CHUNK_ENTRIES))
    def add(self, kinds: list[bool]) -> None:
        rows = []
        for is_noted in kinds:
            self.last += 1
            row = waiting(self.last)
            if is_noted:
                row = row._replace(state=EntryStatus.NO_FILE, path=None, record=b"noted\n")
                self.unnoted.append(row)
            else:
                self.rows[self.last] = row
            rows.append(row)
        self.journal.add(rows)

    @precondition(lambda self: self.rows)
    @rule(choice=st.data(), again=st.none() | st.text("ab"), is_new=st.booleans(), noted=st.booleans())
    def settle(self, choice: st.DataObject, again: str | None, is_new: bool, noted: bool) -> None:
        named = [number for number, row in self.rows.items() if row.state is not EntryStatus.NO_FILE]
        numbers = choice.draw(st.sets(st.sampled_from(named))) if named else set()
        fates = []
        for number in numbers:
            row = self.rows[number]
            state = EntryStatus.DONE if again is None else EntryStatus.FAILED
            assert row.path is not None
            if is_new:
                self.stale |= row.record is not None
                self.rows[number] = row._replace(state=state, size=self.length, record=b"%d\n" % self.length)
                self.again[number] = again
                fates.append(EntryOutcome(number, state, row.path, self.length, b"%d\n" % self.length, again, True))
            else:
                self.rows[number] = row._replace(state=EntryStatus.DONE)
                fates.append(EntryOutcome(number, EntryStatus.DONE, row.path, None, None))
        self.length += 1
        self.journal.settle(fates, self.unnoted if noted else [], self.length)
        if noted:
            self.rows.update((row.number, row) for row in self.unnoted)
            self.unnoted = []

    @precondition(lambda self: self.rows)
    @rule(choice=st.data())
    def rename(self, choice: st.DataObject) -> None:
        number = choice.draw(st.sampled_from(list(self.rows)))
        if self.rows[number].path is not None:
            self.rows[number] = self.rows[number]._replace(path=f"renamed {number} {self.length}")
            self.journal.set_path(number, str(self.rows[number].path))

    @rule()
    def reopen(self) -> None:
        self.unnoted = []
        self.journal.close()
        self.journal = Journal(self.path)
        assert self.journal.last_number == self.last

    @invariant()
    def is_as_it_was_told(self) -> None:
        if not hasattr(self, "journal"):
            return
        rows = [self.rows[number] for number in sorted(self.rows)]
        assert self.journal.find([key(number) for number in range(self.last + 1)]) == {row.key: row for row in rows}
        assert list(self.journal.records()) == [row.record for row in rows if row.record is not None]
        assert list(self.journal.paths()) == [row.path for row in rows if row.path is not None]
        assert list(self.journal.failed()) == [
            (self.again[row.number], row.record) for row in rows if row.state is EntryStatus.FAILED
        ]
        assert list(self.journal.completed()) == [(row.path, row.size) for row in rows if row.state is EntryStatus.DONE]
        assert (self.journal.manifest_length, self.journal.has_superseded) == (self.length, self.stale)

    def teardown(self) -> None:
        if hasattr(self, "journal"):
            self.journal.close()
            self.folder.cleanup()


Kept.TestCase.settings = settings(max_examples=30, stateful_step_count=12, deadline=None)


TestKept = Kept.TestCase
