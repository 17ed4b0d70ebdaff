"""Plain lists and aria2's input files."""

from __future__ import annotations

import gzip

import pytest
import zstandard

from scraper.downloads.lists.entry import Entry
from scraper.downloads.lists.line_source import MAX_LINE_CHARS
from scraper.transfer.checksum import Checksum
from tests.downloads.lists.reading import SHA, A, B, C, read, urls


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(f"{A}\n{B}\n", [A, B], id="lines"),
        pytest.param(f"{A}\n{B}", [A, B], id="no line end at the end"),
        pytest.param(f"\ufeff{A}\r\n\r\n  \r\n# x\r\n  # y\r\n{B}\r\n", [A, B], id="BOM, CRLF, blanks, comments"),
        pytest.param(f"\ufeff{A}\r\n{B}\r\n".encode("utf-16-le"), [A, B], id="UTF-16"),
        pytest.param(f"\ufeff{A}\n{B}\n".encode("utf-16-be"), [A, B], id="UTF-16, big-endian"),
        pytest.param(f"{A} # why\n{B}\t# why\n{C}#part\n", [A, B, C], id="comments after the URL, fragment"),
        pytest.param(f"  {A}  \n\t{B}\n", [A, B], id="indented URLs"),
        pytest.param(f"junk\n{A}\n", ["!1", A], id="junk"),
        pytest.param(f"{A} {B}\n", ["!1"], id="two URLs"),
        pytest.param("ftp://a.example/x\nhttp://u:secret@a.example/\n", ["!1", "!2"], id="other schemes, passwords"),
        pytest.param(f"http://a.example/\xff\n{A}\n".encode("latin-1"), ["!1", A], id="not UTF-8"),
        pytest.param("http://a.example/x y/é\n", ["http://a.example/x%20y/%C3%A9"], id="not escaped"),
        pytest.param(f"http://a.example/{'x' * MAX_LINE_CHARS}\n{A}\n", ["!1", A], id="long line"),
        pytest.param("", [], id="empty"),
        pytest.param("\n# nothing\n", [], id="comments alone"),
        pytest.param("x", ["!1"], id="one letter"),
        pytest.param(f"{A},x\n", [f"{A},x"], id="a comma is of the URL"),
        pytest.param(gzip.compress(f"{A}\n".encode()) + gzip.compress(f"{B}\n".encode()), [A, B], id="gzip members"),
        pytest.param(zstandard.compress(f"{A}\n".encode()) * 2, [A, A], id="zstd frames"),
        pytest.param(gzip.compress(f"{A}\n{B}\n".encode())[:-9], [A, "!2"], id="gzip, cut off"),
        pytest.param(gzip.compress(f"{A}\n".encode())[:-1] + b"x", [A, "!2"], id="gzip, damaged"),
        pytest.param(zstandard.compress(f"{A}\n".encode())[:-1], ["!1"], id="zstd, cut off"),
        pytest.param(b"\x28\xb5\x2f\xfdjunk junk", ["!1"], id="zstd, damaged"),
    ],
)
def test_a_plain_list(content: str | bytes, expected: list[str]) -> None:
    """One URL a line, packed or not; what is wrong with a line is that line's failure."""
    assert urls(content) == expected


def test_an_aria2_input_file() -> None:
    """TAB separates mirrors, indented options follow; options of aria2's own are told once."""
    notices: list[str] = [""]
    content = (
        f"{A}\tftp://m.example/x\t{B}\t{A}\n out=f.bin\n\tdir=/d\n  checksum=sha-256={SHA}\n header=X-A: b\n"
        f" header=X-C: d\n referer=http://r.example/\n split=5\n{C}\n split=4\n gid=1\n"
    )
    assert read(content, notices=notices) == [
        Entry(
            *(1, (A, B), "f.bin", "/d", Checksum("sha256", SHA)),
            (("X-A", "b"), ("X-C", "d"), ("Referer", "http://r.example/")),
        ),
        Entry(9, (C,)),
    ]
    assert notices[1:] == [
        "line 8: the option split= is ignored",
        "line 1: a mirror is left out: ftp: is neither http nor https",
        "line 11: the option gid= is ignored",
    ]
