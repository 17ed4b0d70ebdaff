"""Lists in CSV and TSV, with a line of column names or without one.

Without one, the first column is the URL and the second, if there is one, the file's name: what `rclone copyurl --urls`
reads. Excel writes semicolons where the comma is the decimal sign; the delimiter is the one that shows a `url` column.

A field may hold line breaks. A quote that is never closed would therefore swallow the rest of the file: after
`RECORD_LINES` lines the first of them is bad, and reading goes on with the second.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain

from scraper.downloads.lists.columns import column_named, draft_of, url_column
from scraper.downloads.lists.entry import BadLine, Entry, Notices, bad_line
from scraper.downloads.lists.line_source import MAX_LINE, Line
from scraper.downloads.lists.pipe_source import Lull
from scraper.downloads.lists.plain import looks_like_url
from scraper.errors import ConfigError, Problem

RECORD_LINES = 50
"""Lines that one record may span."""
_DELIMITERS = (",", ";", "\t", "|")
_WITHOUT_HEAD = ("url", "name")
_UNCLOSED = "a quote is not closed"


def column_names(text: str, preferred: str) -> tuple[str, tuple[str, ...]] | None:
    """The delimiter and the columns of a line of column names; None when no column is that of the URL."""
    for delimiter in (preferred, *_DELIMITERS):
        fields = _fields(text, delimiter)
        if not isinstance(fields, str):
            names = tuple(map(column_named, fields))
            if url_column(names) is not None:
                return delimiter, names
    return None


def read_delimited(lines: Iterable[Line | Lull], notices: Notices, delimiter: str) -> Iterator[Entry | BadLine | Lull]:
    """The entries of a CSV file, or of TSV when the delimiter is TAB.

    Raises `ConfigError` when the first line neither names a column `url` nor begins with a URL.
    """
    lines = iter(lines)
    first = next((line for line in _without_lulls(lines) if line.problem or line.text.strip()), None)
    if first is None:
        return
    if found := column_names(first.text, delimiter):
        delimiter, columns = found
    elif first.problem or looks_like_url(first.text.lstrip().removeprefix('"')):
        columns, lines = _WITHOUT_HEAD, chain([first], lines)
    else:
        shown = first.text.strip()[:80]
        raise ConfigError([Problem(f"no column is called url in {shown!r}", line=first.number, hint="name one url")])
    for line, fields in _records(lines, delimiter):
        if isinstance(line, Lull):
            yield line
        elif isinstance(fields, str):
            yield bad_line(line.number, line.text, fields)
        elif any(field.strip() for field in fields):
            yield draft_of(line.number, line.text, dict(zip(columns, fields, strict=False))).finish(notices)


def _records(lines: Iterator[Line | Lull], delimiter: str) -> Iterator[tuple[Line | Lull, list[str] | str]]:
    """The first line of each record, and its fields or what is wrong with it."""
    ahead: deque[Line] = deque()
    while (line := ahead.popleft() if ahead else next(lines, None)) is not None:
        if isinstance(line, Lull):
            yield line, ""
        elif line.problem:
            yield line, line.problem
        elif '"' not in line.text:
            yield line, line.text.split(delimiter)
        else:
            yield line, _whole_record(line, _without_lulls(lines), ahead, delimiter)


def _without_lulls(lines: Iterator[Line | Lull]) -> Iterator[Line]:
    return (line for line in lines if not isinstance(line, Lull))


def _whole_record(first: Line, lines: Iterator[Line], ahead: deque[Line], delimiter: str) -> list[str] | str:
    """The fields of the record that begins at `first`. Lines that turn out not to belong to it are put on `ahead`."""
    text, taken = first.text, list[Line]()
    while (fields := _fields(text, delimiter)) == _UNCLOSED:
        # Only a line with another quote can close it: no need to read the fields again before.
        while len(taken) < RECORD_LINES and len(text) <= MAX_LINE:
            line = ahead.popleft() if ahead else next(lines, None)
            if line is None or line.problem:
                ahead.extendleft([line] if line else [])
                ahead.extendleft(reversed(taken))
                return _UNCLOSED
            taken.append(line)
            text += "\n" + line.text
            if '"' in line.text:
                break
        else:
            ahead.extendleft(reversed(taken))
            return _UNCLOSED
    return fields


def _fields(text: str, delimiter: str) -> list[str] | str:
    try:
        return next(csv.reader([text], delimiter=delimiter, strict=True, skipinitialspace=True), [])
    except csv.Error as error:
        return _UNCLOSED if "unexpected end" in str(error) else f"not CSV: {error}"
