"""The request for an entry: of a new one, and of one that an earlier run has left in some state."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from scraper.downloads.entry_requests import AlreadyComplete, EntryRequests
from scraper.downloads.journal import EntryStatus, JournalRow
from scraper.downloads.lists.checksum_file import Checksums
from scraper.downloads.lists.entry import Entry
from scraper.downloads.mirrors import EntryMirrors
from scraper.model import entry_of
from scraper.transfer.checksum import Checksum
from scraper.transfer.file_fetcher import ADOPT_EXISTING
from scraper.transfer.output_folder import OutputFolder

ENTRY = Entry(1, ("https://h.example/a.bin", "https://m.example/a.bin"))
RECORD = b'{"etag":"\\"e\\"","last_modified":"d"}'
DONE = JournalRow(1, b"12345678", 1, EntryStatus.DONE, "a.bin", 3, RECORD)
QUEUED = JournalRow(1, b"12345678", 1, EntryStatus.QUEUED, "a.bin")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[OutputFolder]:
    with closing(OutputFolder(tmp_path)) as opened:
        yield opened


@pytest.mark.parametrize(
    ("content", "row", "refresh", "expected"),
    [
        (b"abc", DONE, False, AlreadyComplete(3)),
        (b"abc", DONE, True, ('"e"', "d", ())),
        (b"abcd", DONE, False, (None, None, ())),
        (None, DONE, False, (None, None, ())),
        (b"abc", QUEUED, False, (None, "Thu, 01 Jan 1970 00:01:40 GMT", (ADOPT_EXISTING,))),
        (None, QUEUED, False, (None, None, ())),
    ],
    ids=["complete", "refresh", "another size", "deleted", "killed before its record", "killed before its name"],
)
def test_what_is_requested_of_a_known_entry(
    tmp_path: Path, folder: OutputFolder, content: bytes | None, row: JournalRow, refresh: bool, expected: object
) -> None:
    """ETag, Last-Modified and history of the request; nothing when the file is complete."""
    if content is not None:
        (tmp_path / "a.bin").write_bytes(content)
        os.utime(tmp_path / "a.bin", (100, 100))
    made = EntryRequests(folder, refresh=refresh).for_known(ENTRY, row, "a.bin")
    if not isinstance(made, AlreadyComplete):
        entry = entry_of(made)
        assert entry.may_replace, "the file at this path is the entry's own"
        assert (entry.etag, entry.last_modified, entry.history) == expected
    else:
        assert made == expected


def test_a_new_entry_has_its_checksum_and_its_mirrors(folder: OutputFolder) -> None:
    """The checksum is looked up by path; hosts with mirrors are remembered."""
    checksums, mirrors = Checksums(), EntryMirrors(3, 1.0)
    checksums.add("a.bin", Checksum("md5", "0" * 32))
    request = EntryRequests(folder, checksums, mirrors).for_new(ENTRY, 5, "a.bin", may_replace=False)
    entry = entry_of(request)
    assert (request.url.key, request.kind, entry.number) == ("entry 5", "file", 5)
    assert (entry.checksum, entry.urls, entry.may_replace) == ("md5:" + "0" * 32, ENTRY.urls, False)
    assert mirrors.has_mirror("m.example")
