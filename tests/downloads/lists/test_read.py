"""read: lists as people have them, an entry at a time, whatever stands in them."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from scraper.downloads.lists import line_source as source
from scraper.downloads.lists.count import count_lines
from scraper.downloads.lists.delimited import MAX_RECORD_LINES
from scraper.downloads.lists.entry import MAX_HEADERS, MAX_MIRRORS, MAX_NAME_CHARS, MAX_SHOWN_CHARS, BadLine, Entry
from scraper.downloads.lists.line_source import MAX_LINE_CHARS
from scraper.downloads.lists.read import ListFormat, read_list
from scraper.errors import ConfigError
from scraper.transfer.checksum import Checksum

A, B, C = "http://a.example/a", "http://b.example/b", "http://c.example/c"
SHA = "a" * 64


def read(content: str | bytes, format: ListFormat = "auto", notices: list[str] | None = None) -> list[Entry | BadLine]:
    packed = content.encode() if isinstance(content, str) else content
    return list(read_list("-", format=format, notice=(notices or []).append, stdin=io.BytesIO(packed)))


def urls(content: str | bytes, format: ListFormat = "auto") -> list[str]:
    """The primary URL of each entry, `!` and the line's number for a bad line."""
    return [one.urls[0] if isinstance(one, Entry) else f"!{one.line}" for one in read(content, format)]


LINES = st.sampled_from(["http://a.example/a", "# no", "", "http://b.example/\thttp://c.example/", "nonsense", "#"])


@given(lines=st.lists(LINES, max_size=60), size=st.integers(4, 50), end=st.sampled_from(["", "\n"]))
def test_lines_are_counted_before_they_are_read(
    lines: list[str], size: int, end: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """`count_lines` knows how many entries and bad lines will come, wherever the pieces end that are read."""
    path = tmp_path_factory.mktemp("lists") / "list.txt"
    path.write_text("\n".join(lines) + end)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(source._ListInput.next, "__defaults__", (size,))
        assert count_lines(path) == len(list(read_list(path)))


@pytest.mark.parametrize("place", ["-", "no such file", "."])
def test_what_cannot_be_counted_is_not(place: str) -> None:
    """Stdin can be read once; what cannot be opened is told when it is read."""
    assert count_lines(place) is None


def test_packed_lists_are_counted(tmp_path: Path) -> None:
    """As they are read: unpacked."""
    path = tmp_path / "list.txt.gz"
    path.write_bytes(gzip.compress(f"# two\n{A}\n  out=x\n{B}\n".encode()))
    assert count_lines(f"@{path}") == 2


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


@pytest.mark.parametrize(
    ("content", "line", "reason"),
    [
        pytest.param(f"{A}\n checksum=md5=x\n", 1, "no checksum that is known", id="checksum"),
        pytest.param(f"{A}\n header=x\n", 1, "a header is a name", id="header"),
        pytest.param(f"{A}\n header=Range: bytes=0-\n", 1, "cannot be set", id="our header"),
        pytest.param(f"{A}\n" + " header=A: b\n" * (MAX_HEADERS + 1), 1, "more than 50 headers", id="headers"),
        pytest.param(f"{A}\n out={'x' * (MAX_NAME_CHARS + 1)}\n", 1, "name is longer", id="name"),
        pytest.param(" out=x\n", 1, "indented", id="option without a URL"),
        pytest.param(f"{A}\n no option\n", 2, "indented", id="no option"),
        pytest.param("x y\n out=x\n", 1, "not an absolute URL", id="options of a bad URL"),
        pytest.param("http://u:secret@a.example/\n", 1, "Authorization", id="password"),
        pytest.param("magnet:?xt=x\n", 1, "magnet: is neither http nor https", id="scheme"),
    ],
)
def test_a_bad_entry_is_reported_once(content: str, line: int, reason: str) -> None:
    """The reason says what to do, and the line is the one to look at; passwords are not repeated."""
    bad = [one for one in read(content) if isinstance(one, BadLine)]
    assert [one.line for one in bad] == [line]
    assert reason in bad[0].reason
    assert "secret" not in bad[0].text
    assert len(bad[0].text) <= MAX_SHOWN_CHARS


def test_mirrors_are_bounded() -> None:
    """More addresses than the limit are left out, and the user is told."""
    notices: list[str] = [""]
    (entry,) = read("\t".join(f"{A}{number}" for number in range(MAX_MIRRORS + 1)), notices=notices)
    assert isinstance(entry, Entry)
    assert len(entry.urls) == MAX_MIRRORS
    assert "mirrors" in notices[1]


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
    """Columns are found by their names, in any order and with any delimiter."""
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


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param({"url": A}, Entry(1, (A,)), id="url"),
        pytest.param(A, Entry(1, (A,)), id="string"),
        pytest.param({"urls": [A, B], "mirrors": [C]}, Entry(1, (A, B, C)), id="lists"),
        pytest.param(
            {"URL": A, "Out": "n", "dir": "d", "md5": "0" * 32},
            Entry(1, (A,), "n", "d", Checksum("md5", "0" * 32)),
            id="all",
        ),
        pytest.param({"url": A, "headers": {"A": "b"}}, Entry(1, (A,), headers=(("A", "b"),)), id="headers"),
        pytest.param({"url": A, "headers": ["A: b"]}, Entry(1, (A,), headers=(("A", "b"),)), id="headers as a list"),
        pytest.param({"url": A, "name": 7, "sha256": None, "other": {}}, Entry(1, (A,), "7"), id="number, null, other"),
        pytest.param(
            {"url": A, "md5": "0" * 32, "sha256": SHA}, Entry(1, (A,), checksum=Checksum("sha256", SHA)), id="two"
        ),
        pytest.param({"uri": ""}, "no URL", id="empty"),
        pytest.param({"x": 1}, "no URL", id="no url"),
        pytest.param({"url": A, "name": [1]}, "expected text", id="wrong type"),
        pytest.param({"url": True}, "expected text", id="boolean"),
        pytest.param({"url": A, "sha256": "0" * 32}, "sha256: ", id="wrong length"),
        pytest.param(7, "neither a JSON object", id="number"),
    ],
)
def test_a_json_line(value: object, expected: Entry | str) -> None:
    """An object has the columns of a CSV file; a string is the URL."""
    (found,) = read(orjson.dumps(value) + b"\n", "jsonl")
    if isinstance(expected, Entry):
        assert found == expected
    else:
        assert isinstance(found, BadLine)
        assert expected in found.reason


def test_json_that_is_broken_costs_one_line() -> None:
    """Deep nesting and half objects are bad lines; comments and blank lines are allowed."""
    content = f'{{"url":"{A}"}}\n\n# x\n{{"url"\n["{A}"]\n' + "[" * 5000 + f'\n{{"url":"{B}"}}\n'
    assert urls(content) == [A, "!4", "!5", "!6", B]


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


class Pipe(io.RawIOBase):
    """A pipe whose writer makes a piece only when it is asked for; `asked` counts them."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._left, self.asked = pieces, b"", 0

    def read(self, size: int = -1) -> bytes:
        if not self._left:
            self.asked += 1
            self._left = next(self._pieces, b"")
        taken, self._left = self._left[:size], self._left[size:]
        return taken


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstandard.compress])
def test_a_list_is_read_as_it_comes(pack: type[bytes]) -> None:
    """Entries of an endless list are given out while its writer is at work, and no more is asked for than needed."""

    def pieces() -> Iterator[bytes]:
        number = 0
        while True:
            yield pack(f"http://a.example/{number}\n".encode())
            number += 1

    pipe = Pipe(pieces())
    found = read_list("-", stdin=pipe)  # type: ignore[arg-type]
    assert [next(found) for _ in range(50)][-1] == Entry(50, ("http://a.example/49",))
    assert pipe.asked < 60


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_a_bomb_is_one_bad_line(pack: type[bytes]) -> None:
    """A line without end is dropped as it comes: what is held never exceeds a piece."""
    found = read(pack(b"x" * 50_000_000 + b"\n" + A.encode()))
    assert [one.line for one in found] == [1, 2]
    assert len(found[0].text if isinstance(found[0], BadLine) else "") == MAX_SHOWN_CHARS


def test_a_list_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Past the limit of its unpacked size a list ends with a bad line."""
    monkeypatch.setattr(source, "MAX_LIST_BYTES", 1000)
    found = read(gzip.compress(f"{A}\n".encode() * 100_000))
    assert isinstance(found[-1], BadLine)
    assert "larger than 1,000 bytes" in found[-1].reason


def test_a_device_error_ends_the_list_with_a_bad_line() -> None:
    """What was read before it stays; the user is told where the list was cut."""

    class Failing(Pipe):
        def read(self, size: int = -1) -> bytes:
            if piece := super().read(size):
                return piece
            raise OSError(5, "Input/output error")

    found = list(read_list("-", stdin=Failing(iter([f"{A}\n{B}".encode()]))))  # type: ignore[arg-type]
    assert [one.line for one in found] == [1, 2]
    assert isinstance(found[1], BadLine)
    assert found[1].reason == "the list ends here: Input/output error"


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
    """Any bytes are entries and bad lines in order, or a ConfigError before the first of them."""
    found: list[Entry | BadLine] = []
    try:
        for one in read_list("-", format=format, stdin=io.BytesIO(content)):
            found.append(one)  # noqa: PERF402
    except ConfigError:
        assert not found
    for one in found:
        assert 1 <= one.line <= content.count(b"\n") + 1
        assert isinstance(one, BadLine) or all(url.startswith("http") for url in one.urls)


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
