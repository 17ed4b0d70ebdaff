"""Lists of JSON lines: each line is an object with the columns of a CSV list, or a string with the URL."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import orjson

from scraper.downloads.lists.columns import draft_from_row, normalize_column
from scraper.downloads.lists.entry import BadLine, Entry, EntryDraft, Notices, make_bad_line
from scraper.downloads.lists.line_source import Line
from scraper.downloads.lists.pipe_source import NoData
from scraper.downloads.lists.plain import is_comment


def read_jsonl(lines: Iterable[Line | NoData], notices: Notices) -> Iterator[Entry | BadLine | NoData]:
    """Read the entries of a JSON lines file, without blank lines and comments."""
    for line in lines:
        if isinstance(line, NoData):
            yield line
        elif line.problem:
            yield make_bad_line(line.number, line.text, line.problem)
        elif not is_comment(line.text):
            yield _read(line, notices)


def _read(line: Line, notices: Notices) -> Entry | BadLine:
    try:
        value = orjson.loads(line.text)
    except orjson.JSONDecodeError as error:
        return make_bad_line(line.number, line.text, f"not JSON: {error.msg}")
    match value:
        case dict():
            row = {normalize_column(name): member for name, member in value.items()}
            return draft_from_row(line.number, line.text, row).build(notices)
        case str():
            return EntryDraft(line.number, line.text, [value]).build(notices)
        case _:
            return make_bad_line(line.number, line.text, "neither a JSON object nor a string")
