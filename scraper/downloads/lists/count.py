"""Counts the lines of a list before it is read, for progress displays."""

from __future__ import annotations

import re
from pathlib import Path

from scraper.downloads.lists.line_source import read_text_chunks
from scraper.errors import ConfigError

# Lines that begin with a space are options in aria2's format, lines that begin with # are comments.
_ENTRY_START = re.compile(r"^[^\s#]", re.MULTILINE)


def count_lines(source: str | Path) -> int | None:
    """About how many entries and bad lines `read_list` will give for the file `source`.

    Exact for plain lists; a row of column names and line breaks within quotes are counted, too. None when the list can
    be read only once (stdin, a pipe) or not at all.
    """
    text = str(source)
    if text.startswith("@") and not Path(text).exists():
        text = text[1:]
    try:
        if not Path(text).is_file():
            return None
        count, at_beginning = 0, True
        for chunk in read_text_chunks(text):
            if chunk:
                # `^` also matches at the start of a chunk, which is rarely the start of a line.
                count += len(_ENTRY_START.findall(chunk, 0 if at_beginning else chunk.find("\n") + 1 or len(chunk)))
                at_beginning = chunk.endswith("\n")
    except (ConfigError, OSError, ValueError):
        return None
    return count
