"""Lists in CSV and TSV."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.downloads.lists.delimited import MAX_RECORD_LINES
from scraper.downloads.lists.entry import Entry
from scraper.downloads.lists.read import ListFormat
from scraper.errors import ConfigError
from scraper.transfer.checksum import Checksum
from tests.downloads.lists.reading import SHA, A, B, C, read, urls

FULL = Entry(2, (A, B, C), "f.bin", "d", Checksum("sha256", SHA))


@pytest.mark.parametrize(
    ("content", "format", "expected"),
    [
        pytest.param(f"url,filename,dir,sha256,mirrors\n{A},f.bin,d,{SHA},{B} {C}\n", "auto", [FULL], id="csv"),
        pytest.param(f"URL;Name;Folder;sha-256;mirror\n{A};f.bin;d;{SHA};{B} {C}\n", "auto", [FULL], id="semicolons"),
        pytest.param(f"out\tdir\tchecksum\turl\tmirrors\nf.bin\td\t{SHA}\t{A}\t{B} {C}\n", "auto", [FULL], id="tabs"),
        pytest.param(f'"url","name"\r\n"{A}","a,""b"""\r\n', "auto", [Entry(2, (A,), 'a,"b"')], id="quotes"),
        pytest.param(
            f'url,x,name\n{A},"1\n2\n",n\n{B}\n', "csv", [Entry(2, (A,), "n"), Entry(5, (B,))], id="line breaks"
        ),
        pytest.param(
            f"{A},sub/f.bin\n{B}\n", "csv", [Entry(1, (A,), "sub/f.bin"), Entry(2, (B,))], id="without a head"
        ),
        pytest.param(f"url\n\n,,\n{A}\n", "csv", [Entry(4, (A,))], id="empty rows"),
        pytest.param(f"id,url\n1,{A},more,cells\n", "auto", [Entry(2, (A,))], id="other columns"),
        pytest.param(f'url,name\n{A},5" disk\n', "csv", [Entry(2, (A,), '5" disk')], id="quote inside"),
        pytest.param(f"url,headers\n{A},X: y\n", "csv", [Entry(2, (A,), headers=(("X", "y"),))], id="headers"),
        pytest.param("", "csv", [], id="empty"),
        pytest.param("url\n", "csv", [], id="head alone"),
    ],
)
def test_a_list_with_columns(content: str, format: ListFormat, expected: list[Entry]) -> None:
    """Columns are found by their names, in any entry and with any delimiter."""
    assert read(content, format) == expected


def test_an_open_quote_costs_one_line() -> None:
    """It does not swallow the rows below it, whether or not a later row has quotes."""
    many = "".join(f"{B}{number}\n" for number in range(MAX_RECORD_LINES + 5))
    found = urls(f'url\n"{A}\n{many}"{A}"\n', "csv")
    assert found[0] == "!2"
    assert found[1:] == [*(f"{B}{number}" for number in range(MAX_RECORD_LINES + 5)), A]
    assert urls(f'url\n"{A}\n{B}\n', "csv") == ["!2", B]
    assert urls(f'url\n"{A}"x\n{B}\n', "csv") == ["!2", B]


def test_a_csv_without_urls_is_refused() -> None:
    """Before any request, with the line that was taken for the head."""
    with pytest.raises(ConfigError, match="stdin:1: no column is called url in 'name,size'"):
        read("name,size\nx,1\n", "csv")


ROWS = st.lists(st.tuples(st.text(st.characters(exclude_categories=["Cs"]), max_size=9), st.booleans()), max_size=9)


@given(ROWS, st.sampled_from(",;\t"), st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
def test_what_the_csv_module_writes_is_read(rows: list[tuple[str, bool]], delimiter: str, quoting: int) -> None:
    """Names come back as they were, but for blanks at their ends."""
    names = [name.replace("\r", "").replace("\0", "").lstrip() for name, _ in rows]
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, quoting=quoting)  # type: ignore[arg-type]
    writer.writerows([["url", "name"], *([A, name] for name in names)])
    found = read(text.getvalue(), "csv")
    assert [one.name for one in found if isinstance(one, Entry)] == [name.strip() or None for name in names]
