from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scraper.errors import SinkError
from scraper.sinks.csv import CsvSink, escape_formula
from scraper.testing.fakes import make_result

URL = "https://a.example/1"


async def written(folder: Path, columns: list[str], *items: Mapping[str, Any], exact: bool = False) -> bytes:
    sink = CsvSink(folder, columns, exact=exact)
    await sink.open(None)
    sink.write(make_result(URL, "", 200, *items))
    await sink.aclose()
    return (folder / "items.csv").read_bytes()


async def test_rows_follow_rfc_4180(tmp_path: Path) -> None:
    """A header, CRLF line ends, quotes doubled, line breaks and commas inside quotes, no byte order mark."""
    raw = await written(tmp_path, ["title", "note"], {"title": 'A "b", c', "note": "x\r\ny"}, {"note": "é"})
    assert raw.decode("utf-8") == (
        f'url,title,note\r\n{URL},"A ""b"", c","x\r\ny"\r\n{URL},,é\r\n'  # the second item has no title
    )


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (None, ""),
        (True, "true"),
        (12, "12"),
        (-1.5, "-1.5"),
        (Decimal("-19.90"), "-19.90"),
        (date(2024, 5, 1), "2024-05-01"),
        (["a", "é", 1, Decimal("1.10")], '["a","é",1,"1.10"]'),
        ({"k": [1]}, '{"k":[1]}'),
        ("nul \0 stays", "nul \0 stays"),
        ("a\ud800", "a?"),
    ],
)
async def test_values_in_a_cell(tmp_path: Path, value: object, cell: str) -> None:
    """Each type has one form in a cell; lists and mappings are JSON."""
    await written(tmp_path, ["v"], {"v": value})
    with (tmp_path / "items.csv").open(newline="", encoding="utf-8") as file:
        assert list(csv.reader(file))[1] == [URL, cell]


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("+1+cmd|' /C calc'!A0", "'+1+cmd|' /C calc'!A0"),
        ("-2+3", "'-2+3"),
        ("\t=1", "'\t=1"),
        ("＝1+1", "'＝1+1"),
        ("-12.50", "-12.50"),
        ("+49 170 1234567", "+49 170 1234567"),
        ("plain", "plain"),
        ("", ""),
    ],
)
def test_a_formula_is_made_plain_text(text: str, cell: str) -> None:
    """Text that a spreadsheet would run gets an apostrophe; numbers stay numbers."""
    assert escape_formula(text) == cell


async def test_exact_leaves_formulas_alone(tmp_path: Path) -> None:
    """`exact=True` writes the text as it is."""
    assert b"\r\n" + URL.encode() + b",=1+1\r\n" in await written(tmp_path, ["v"], {"v": "=1+1"}, exact=True)


async def test_a_field_called_url_replaces_the_pages(tmp_path: Path) -> None:
    """There is one url column; the item's own value wins, as in JSON."""
    assert await written(tmp_path, ["title", "url", "title"], {"title": "A", "url": "/x"}) == b"url,title\r\n/x,A\r\n"


async def test_other_columns_than_before_cannot_be_continued(tmp_path: Path) -> None:
    """Rows of another shape are never appended below a header."""
    await written(tmp_path, ["title"], {"title": "A"})
    size = (tmp_path / "items.csv").stat().st_size
    with pytest.raises(SinkError, match=r"other columns.*--fresh"):
        await CsvSink(tmp_path, ["price"]).open(str(size))


@settings(deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=4))
def test_any_text_is_read_back_as_it_was(cells: list[str]) -> None:
    """Whatever the text, a CSV reader gives it back."""
    sink = CsvSink(Path("unused"), ["a", "b", "c", "d"], exact=True)
    line = sink._encode_row(cells).decode("utf-8")
    assert list(csv.reader(io.StringIO(line, newline=""))) == [cells]
