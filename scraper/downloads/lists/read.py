"""Reads a list of files to download in any of the formats, one entry at a time.

The extension gives the format (without `.gz` and `.zst`): `.csv`, `.tsv`, `.jsonl`. For any other extension and for
stdin the first line that is no comment does: a JSON object means JSON lines, column names with `url` mean CSV or TSV,
everything else is a plain list or one of aria2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import chain
from pathlib import Path, PurePath
from typing import BinaryIO, Literal, cast

from scraper.downloads.lists.delimited import parse_header_row, read_delimited
from scraper.downloads.lists.entry import BadLine, Entry, Notices
from scraper.downloads.lists.jsonl import read_jsonl
from scraper.downloads.lists.line_source import Line, read_live_lines
from scraper.downloads.lists.pipe_source import NoData
from scraper.downloads.lists.plain import is_comment, looks_like_url, read_plain
from scraper.errors import ConfigError, Problem

ListFormat = Literal["auto", "plain", "csv", "tsv", "jsonl"]

# Unreadable lines at the start of a list; after that many the format is decided without a readable one.
MAX_UNREADABLE_HEAD = 100

_EXTENSIONS: dict[str, ListFormat] = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".aria2": "plain",
}
_COMPRESSED_SUFFIXES = (".gz", ".zst")


def read_list(
    source: str | Path,
    *,
    format: ListFormat = "auto",
    notice: Callable[[str], None] | None = None,
    stdin: BinaryIO | None = None,
) -> Iterator[Entry | BadLine]:
    """Yield the entries of the list in the file `source`, or on stdin for `-`, in their order, in constant memory.

    `notice` is called once for each kind of thing that is ignored: options of aria2, mirrors that are not http. Raises
    `ConfigError` before the first entry only: the file cannot be opened, or is no list. A line with a mistake is a
    `BadLine`, and so is the last one of a file that cannot be read to its end.
    """
    # Without `is_stopped` there is no `NoData`.
    return cast("Iterator[Entry | BadLine]", read_live_list(source, None, format=format, notice=notice, stdin=stdin))


def read_live_list(
    source: str | Path,
    is_stopped: Callable[[], bool] | None,
    *,
    format: ListFormat = "auto",
    notice: Callable[[str], None] | None = None,
    stdin: BinaryIO | None = None,
) -> Iterator[Entry | BadLine | NoData]:
    """As `read_list`, for a list that may come through a pipe: yields `NoData` when there is no data at the moment.

    A plain entry is complete when the next one begins, and also when the writer stalls and the list has had no options
    so far. Raises `ReadStopped` when `is_stopped()` becomes true while there is no data.
    """
    text = str(source)
    if text.startswith("@") and not Path(text).exists():
        text = text[1:]  # as curl writes it: @list.txt, @-
    try:
        with closing(read_live_lines(text, stdin, is_stopped)) as lines:
            head = _first_lines(lines)
            if not head:
                return
            _reject_other_formats(head[-1])
            if format == "auto":
                format = _detect_format(text, head[-1])
            yield from _reader_for(format, chain(head, lines), Notices(notice))
    except ConfigError as error:
        raise _with_file_name(error, text) from None


def _reader_for(
    format: ListFormat, lines: Iterator[Line | NoData], notices: Notices
) -> Iterator[Entry | BadLine | NoData]:
    match format:
        case "jsonl":
            return read_jsonl(lines, notices)
        case "csv" | "tsv":
            return read_delimited(lines, notices, "\t" if format == "tsv" else ",")
        case _:
            return read_plain(lines, notices)


def _first_lines(lines: Iterator[Line | NoData]) -> list[Line]:
    """The lines up to the first readable one that is neither blank nor a comment."""
    head: list[Line] = []
    for line in lines:
        if not isinstance(line, NoData) and (line.problem or not is_comment(line.text)):
            head.append(line)
            if not line.problem or len(head) == MAX_UNREADABLE_HEAD:
                break
    return head


def _detect_format(source: str, line: Line) -> ListFormat:
    path = PurePath(source.lower())
    while path.suffix in _COMPRESSED_SUFFIXES:
        path = path.with_suffix("")
    if by_extension := _EXTENSIONS.get(path.suffix):
        return by_extension
    text = line.text.lstrip()
    if text.startswith("{"):
        return "jsonl"
    if not looks_like_url(text) and parse_header_row(text, ","):
        return "csv"
    return "plain"


def _reject_other_formats(line: Line) -> None:
    text = line.text.lstrip()[:200].lower()
    if text.startswith(("<?xml", "<!doctype", "<html", "<metalink", "<urlset")):
        raise ConfigError([Problem("is XML or HTML, not a list", line=line.number, hint="write one URL a line")])
    if text in ("[", "[{") or text.startswith(('[{"', '["')):
        raise ConfigError([Problem("is a JSON array", line=line.number, hint="write one object a line: jq -c '.[]'")])


def _with_file_name(error: ConfigError, source: str) -> ConfigError:
    name = "stdin" if source == "-" else source
    return ConfigError([Problem(p.message, p.key, p.file or name, p.line, p.column, p.hint) for p in error.problems])
