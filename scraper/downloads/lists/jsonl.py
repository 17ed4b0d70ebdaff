"""Lists of JSON lines: an object a line with columns as in CSV, or a string that is the URL."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import orjson

from scraper.downloads.lists.columns import column_named, draft_of
from scraper.downloads.lists.entry import BadLine, Draft, Entry, Notices, bad_line
from scraper.downloads.lists.line_source import Line
from scraper.downloads.lists.pipe_source import Lull
from scraper.downloads.lists.plain import is_comment


def read_jsonl(lines: Iterable[Line | Lull], notices: Notices) -> Iterator[Entry | BadLine | Lull]:
    """The entries of a JSON lines file; blank lines and comments are left out."""
    for line in lines:
        if isinstance(line, Lull):
            yield line
        elif line.problem:
            yield bad_line(line.number, line.text, line.problem)
        elif not is_comment(line.text):
            yield _read(line, notices)


def _read(line: Line, notices: Notices) -> Entry | BadLine:
    try:
        value = orjson.loads(line.text)
    except orjson.JSONDecodeError as error:
        return bad_line(line.number, line.text, f"not JSON: {error.msg}")
    match value:
        case dict():
            row = {column_named(name): member for name, member in value.items()}
            return draft_of(line.number, line.text, row).finish(notices)
        case str():
            return Draft(line.number, line.text, [value]).finish(notices)
        case _:
            return bad_line(line.number, line.text, "neither a JSON object nor a string")
