"""The words for what a disk refuses."""

from __future__ import annotations

import errno
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from scraper.rundir.disk_errors import cause_text, is_disk_full, stops_every_file, sync_folder, write_error


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.ENOSPC, "disk is full"),
        (errno.EDQUOT, "quota"),
        (errno.EROFS, "read-only"),
        (errno.EACCES, "permission denied"),
        (errno.ENOTDIR, "not a folder"),
        (errno.EISDIR, "a folder has its name"),
        (errno.ENAMETOOLONG, "File name too long"),
    ],
)
def test_an_error_names_the_path_and_the_cause(code: int, words: str) -> None:
    """Each error of the disk says which file, why, and where possible what to do."""
    message = str(write_error(Path("/out/pages.jsonl"), OSError(code, os.strerror(code))))
    assert message.startswith("/out/pages.jsonl cannot be written: ")
    assert words in message


@pytest.mark.parametrize(
    ("error", "full", "every_file"),
    [
        (OSError(errno.ENOSPC, ""), True, True),
        (OSError(errno.EDQUOT, ""), True, True),
        (OSError(errno.EROFS, ""), False, True),
        (OSError(errno.EIO, ""), False, True),
        (OSError(errno.EACCES, ""), False, False),
        (OSError(errno.ENAMETOOLONG, ""), False, False),
    ],
    ids=["no space", "quota", "read-only", "failing", "permission", "name"],
)
def test_errors_of_the_whole_disk_are_told_from_those_of_one_file(error: OSError, full: bool, every_file: bool) -> None:
    """A full disk stops every file; a name that is too long stops one."""
    assert (is_disk_full(error), stops_every_file(error)) == (full, every_file)


def test_a_full_database_file_is_a_full_disk(tmp_path: Path) -> None:
    """SQLite reports it with a code of its own; the words are the same as for any other file."""
    with closing(sqlite3.connect(tmp_path / "db")) as db:
        db.execute("CREATE TABLE t(x)")
        db.execute("PRAGMA max_page_count = 2")
        with pytest.raises(sqlite3.Error) as caught:
            db.execute("INSERT INTO t VALUES (zeroblob(100000))")
    assert is_disk_full(caught.value)
    assert cause_text(caught.value) == cause_text(OSError(errno.ENOSPC, ""))


def test_an_error_without_a_code_speaks_for_itself() -> None:
    """An error of the module, not of SQLite, has no code."""
    assert cause_text(sqlite3.ProgrammingError("closed")) == "closed"
    assert not is_disk_full(sqlite3.ProgrammingError("closed"))


def test_a_folder_that_is_not_there_cannot_be_synced(tmp_path: Path) -> None:
    """The error is the caller's to word."""
    sync_folder(tmp_path)
    with pytest.raises(FileNotFoundError):
        sync_folder(tmp_path / "gone")
