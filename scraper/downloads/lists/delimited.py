"""Lists in CSV and TSV, with or without a row of column names.

Without one, the first column is the URL and the second the file's name, as in `rclone copyurl --urls`. In countries
with a decimal comma Excel writes semicolons: the delimiter is the one that gives a column `url`.

A field may contain line breaks, so a quote that is never closed would swallow the rest of the file. After
`MAX_RECORD_LINES` lines the first of them is a bad line, and reading continues with the second.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain

from scraper.downloads.lists.columns import draft_from_row, find_url_column, normalize_column
from scraper.downloads.lists.entry import BadLine, Entry, Notices, make_bad_line
from scraper.downloads.lists.line_source import MAX_LINE_CHARS, Line
from scraper.downloads.lists.pipe_source import NoData
from scraper.downloads.lists.plain import looks_like_url
from scraper.errors import ConfigError, Problem

# Lines of one record at most.
MAX_RECORD_LINES = 50
_DELIMITERS = (",", ";", "\t", "|")
_DEFAULT_COLUMNS = ("url", "name")
_UNCLOSED_QUOTE = "a quote is not closed"


def parse_header_row(text: str, preferred: str) -> tuple[str, tuple[str, ...]] | None:
    """The delimiter and the columns of a row of column names; None if it has no column for the URL."""
    for delimiter in (preferred, *_DELIMITERS):
        fields = _split_fields(text, delimiter)
        if not isinstance(fields, str):
            names = tuple(map(normalize_column, fields))
            if find_url_column(names) is not None:
                return delimiter, names
    return None


def read_delimited(
    lines: Iterable[Line | NoData], notices: Notices, delimiter: str
) -> Iterator[Entry | BadLine | NoData]:
    """Read the entries of a CSV file; with TAB as `delimiter`, of TSV.

    Raises `ConfigError` when the first line neither names a column `url` nor begins with a URL.
    """
    lines = iter(lines)
    first = next((line for line in _only_lines(lines) if line.problem or line.text.strip()), None)
    if first is None:
        return
    if found := parse_header_row(first.text, delimiter):
        delimiter, columns = found
    elif first.problem or looks_like_url(first.text.lstrip().removeprefix('"')):
        columns, lines = _DEFAULT_COLUMNS, chain([first], lines)
    else:
        shown = first.text.strip()[:80]
        raise ConfigError([Problem(f"no column is called url in {shown!r}", line=first.number, hint="name one url")])
    for line, fields in _read_records(lines, delimiter):
        if isinstance(line, NoData):
            yield line
        elif isinstance(fields, str):
            yield make_bad_line(line.number, line.text, fields)
        elif any(field.strip() for field in fields):
            yield draft_from_row(line.number, line.text, dict(zip(columns, fields, strict=False))).build(notices)


def _read_records(lines: Iterator[Line | NoData], delimiter: str) -> Iterator[tuple[Line | NoData, list[str] | str]]:
    """The first line of each record, with its fields or a sentence about what is wrong."""
    pushed_back: deque[Line] = deque()
    while (line := pushed_back.popleft() if pushed_back else next(lines, None)) is not None:
        if isinstance(line, NoData):
            yield line, ""
        elif line.problem:
            yield line, line.problem
        elif '"' not in line.text:
            yield line, line.text.split(delimiter)
        else:
            yield line, _read_quoted_record(line, _only_lines(lines), pushed_back, delimiter)


def _only_lines(lines: Iterator[Line | NoData]) -> Iterator[Line]:
    return (line for line in lines if not isinstance(line, NoData))


def _read_quoted_record(
    first: Line, lines: Iterator[Line], pushed_back: deque[Line], delimiter: str
) -> list[str] | str:
    """The fields of the record that begins at `first`. Lines read for it in vain go to `pushed_back`."""
    text, taken = first.text, list[Line]()
    while (fields := _split_fields(text, delimiter)) == _UNCLOSED_QUOTE:
        # Only a line with a quote can close it: no need to parse again before.
        while len(taken) < MAX_RECORD_LINES and len(text) <= MAX_LINE_CHARS:
            line = pushed_back.popleft() if pushed_back else next(lines, None)
            if line is None or line.problem:
                pushed_back.extendleft([line] if line else [])
                pushed_back.extendleft(reversed(taken))
                return _UNCLOSED_QUOTE
            taken.append(line)
            text += "\n" + line.text
            if '"' in line.text:
                break
        else:
            pushed_back.extendleft(reversed(taken))
            return _UNCLOSED_QUOTE
    return fields


def _split_fields(text: str, delimiter: str) -> list[str] | str:
    try:
        return next(csv.reader([text], delimiter=delimiter, strict=True, skipinitialspace=True), [])
    except csv.Error as error:
        return _UNCLOSED_QUOTE if "unexpected end" in str(error) else f"not CSV: {error}"
