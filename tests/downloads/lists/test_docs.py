"""docs/lists.md says what the code does."""

from __future__ import annotations

from pathlib import Path

import pytest

from scraper.downloads.lists import checksum_file as sums
from scraper.downloads.lists import columns, delimited, entry, read
from scraper.downloads.lists import file_names as names
from scraper.downloads.lists import line_source as source
from scraper.downloads.lists import name_template as template
from scraper.downloads.lists import request_header as header
from scraper.transfer.checksum import DIGEST_BYTES
from scraper.urls import filename

PAGE = (Path(__file__).parents[3] / "docs" / "lists.md").read_text("utf-8")


@pytest.mark.parametrize(
    "number",
    [
        *(
            source.MAX_LINE_CHARS,
            names.RESERVED_NAMES[0],
            f"{source.MAX_LIST_BYTES >> 30} GiB",
            f"{source.ZSTD_MAX_WINDOW_BYTES >> 20} MiB",
        ),
        *(f"{entry.MAX_MIRRORS}, {entry.MAX_HEADERS}", f"{entry.MAX_NAME_CHARS:,}, {header.MAX_VALUE_CHARS:,}"),
        *(f"{names.MAX_NAMES // 10**6} million", f"{sums.MAX_CHECKSUMS // 10**6} million"),
        *(f"up to {delimited.MAX_RECORD_LINES} lines", f"more than {filename.MAX_NAME_BYTES} bytes"),
        f"more than {filename.MAX_PATH_SEGMENTS} names or {filename.MAX_PATH_BYTES} bytes",
    ],
)
def test_the_limits_are_documented(number: int | str) -> None:
    """Every limit that a user can meet stands on the page with its value."""
    assert (f"{number:,}" if isinstance(number, int) else number) in PAGE


@pytest.mark.parametrize(
    "word",
    [*columns.URL_COLUMNS, *template.FIELD_NAMES, *DIGEST_BYTES, *names.RESERVED_NAMES, *read._EXTENSIONS],
)
def test_the_words_are_documented(word: str) -> None:
    """Columns, fields, algorithms and extensions are named on the page."""
    assert word in PAGE
