"""read: lists as people have them, an entry at a time, whatever stands in them."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.downloads.lists.entry import BadLine, Entry
from scraper.downloads.lists.read import ListFormat, read_list
from scraper.errors import ConfigError
from tests.downloads.lists.reading import A, read


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("list.txt", f"{A}\n", A),
        ("list", f"{A}\n", A),
        ("list.txt", f"url\n{A}\n", A),
        ("list.csv", f"url\n{A}\n", A),
        ("LIST.TSV", f"x\turl\n1\t{A}\n", A),
        ("list.jsonl", f'"{A}"\n', A),
        ("list.txt", f'{{"url":"{A}"}}\n', A),
        ("list.csv.gz", f"url\n{A}\n", A),
        ("list.csv", f"{A},x\n", A),
        ("list.aria2", "url\n", "!1"),
    ],
)
def test_the_format_is_told_by_extension_then_content(tmp_path: Path, name: str, content: str, expected: str) -> None:
    """A known extension decides; without one the first line does."""
    file = tmp_path / name
    file.write_bytes(gzip.compress(content.encode()) if name.endswith(".gz") else content.encode())
    (found,) = read_list(file)
    assert (found.urls[0] if isinstance(found, Entry) else f"!{found.line}") == expected
    (again,) = read_list(f"@{file}")
    assert again == found


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "is not a text file"),
        (b"PK\x03\x04\x14\0\0\0", "is not a text file"),
        (b"<!DOCTYPE html>\n", "stdin:1: is XML or HTML"),
        (b'<?xml version="1.0"?>\n', "is XML or HTML"),
        (b'[\n{"url": "x"}]\n', "is a JSON array"),
    ],
)
def test_what_is_no_list_is_refused(content: bytes, reason: str) -> None:
    """One error before any request instead of a bad line for each of its lines."""
    with pytest.raises(ConfigError, match=reason):
        read(content)


def test_what_cannot_be_opened_is_refused(tmp_path: Path) -> None:
    """The error names the file and what is the matter with it."""
    with pytest.raises(ConfigError, match=r"none\.txt: cannot be read: No such file"):
        list(read_list(tmp_path / "none.txt"))
    with pytest.raises(ConfigError, match="is a folder"):
        list(read_list(tmp_path))
    with pytest.raises(ConfigError, match="null"):
        list(read_list("a\0b"))


def test_a_list_that_is_left_early_is_closed(tmp_path: Path) -> None:
    """Whoever stops reading leaves no open file behind (ResourceWarnings are errors here)."""
    file = tmp_path / "list.txt"
    file.write_text(f"{A}\n" * 1000)
    found = read_list(file)
    assert isinstance(next(found), Entry)
    found.close()  # type: ignore[attr-defined]


ALPHABET = st.sampled_from(
    [*"aé \t\n\r\"',;#={}[]:\\\0\ufeff", "http://a/", "url", "\n out=", "\n checksum=", "\n header="]
)


TEXTS = st.lists(ALPHABET).map("".join) | st.text(st.characters())


FORMATS: list[ListFormat] = ["auto", "plain", "csv", "tsv", "jsonl"]


@given(TEXTS.map(lambda text: text.encode("utf-8", "surrogatepass")) | st.binary(), st.sampled_from(FORMATS))
def test_no_list_raises_but_at_its_beginning(content: bytes, format: ListFormat) -> None:
    """Any bytes are entries and bad lines in entry, or a ConfigError before the first of them."""
    found: list[Entry | BadLine] = []
    try:
        for one in read_list("-", format=format, stdin=io.BytesIO(content)):
            found.append(one)  # noqa: PERF402
    except ConfigError:
        assert not found
    for one in found:
        assert 1 <= one.line <= content.count(b"\n") + 1
        assert isinstance(one, BadLine) or all(url.startswith("http") for url in one.urls)
