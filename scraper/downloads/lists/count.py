"""How many lines a list will give, found out before it is read: for whoever shows how much is left."""

from __future__ import annotations

import re
from pathlib import Path

from scraper.downloads.lists.line_source import read_text_chunks
from scraper.errors import ConfigError

# A line that begins with a blank is an option of aria2's, one that begins with a sharp a comment.
_ENTRY_START = re.compile(r"^[^\s#]", re.MULTILINE)


def count_lines(source: str | Path) -> int | None:
    """About as many lines as `read_list` will give entries and bad lines for the file `source`.

    Exact for plain lists of one URL a line; a header of columns, or a line break within quotes, counts as well. None
    when the list can be read only once (stdin, a pipe) or not at all.
    """
    text = str(source)
    if text.startswith("@") and not Path(text).exists():
        text = text[1:]
    try:
        if not Path(text).is_file():
            return None
        count, at_beginning = 0, True
        for piece in read_text_chunks(text):
            if piece:
                # `^` matches where the piece begins, which is seldom where a line does.
                count += len(_ENTRY_START.findall(piece, 0 if at_beginning else piece.find("\n") + 1 or len(piece)))
                at_beginning = piece.endswith("\n")
    except (ConfigError, OSError, ValueError):
        return None
    return count
