"""The names of entries, beside those of earlier runs and those that servers suggest."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from scraper.downloads.entry_namer import EntryNamer
from scraper.downloads.journal import EntryStatus, Journal, JournalRow
from scraper.downloads.lists.entry import Entry
from scraper.downloads.lists.file_names import AssignedName, NameSettings
from scraper.model import EntryState, Headers
from scraper.structures.compact_map import hash_key
from scraper.transfer.output_folder import OutputFolder

URL = "https://h.example/get?id=1"
NAMELESS = "https://h.example/get/"
SUGGESTED = Headers([(b"Content-Disposition", b'attachment; filename="report.pdf"')])


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with closing(Journal(tmp_path / "journal.sqlite")) as opened:
        opened.add([JournalRow(1, hash_key("1"), 1, EntryStatus.QUEUED, "index.html")])
        yield opened


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[OutputFolder]:
    with closing(OutputFolder(tmp_path / "out")) as opened:
        yield opened


def test_a_name_of_an_earlier_run_is_not_given_again(journal: Journal, folder: OutputFolder) -> None:
    """Although its file is not on the disk yet."""
    named = EntryNamer(NameSettings(), journal, folder).assign(Entry(2, (NAMELESS,)), 1)
    assert named == AssignedName("index~2.html")


@pytest.mark.parametrize(
    ("entry", "headers", "template", "path"),
    [
        (EntryState(1, 1, NAMELESS, "index.html"), SUGGESTED, "{name}", "report.pdf"),
        (EntryState(1, 1, NAMELESS, "index.html"), Headers(), "{name}", None),
        (EntryState(1, 1, URL, "get"), SUGGESTED, "{name}", None),
        (EntryState(1, 1, NAMELESS, "a", name="a"), SUGGESTED, "{name}", None),
        (EntryState(1, 1, NAMELESS, "1"), SUGGESTED, "{index}", None),
    ],
    ids=["suggested", "no suggestion", "the URL has one", "the list has one", "the user's template"],
)
def test_a_suggested_name_counts_when_nobody_else_names_the_file(
    journal: Journal, folder: OutputFolder, entry: EntryState, headers: Headers, template: str, path: str | None
) -> None:
    """And the journal knows it at once."""
    namer = EntryNamer(NameSettings(template), journal, folder)
    assert namer.rename_from_headers(entry, headers) == path
    assert journal.find([hash_key("1")])[hash_key("1")].path == (path or "index.html")
