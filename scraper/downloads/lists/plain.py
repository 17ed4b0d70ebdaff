"""Lists with one URL on each line: plain ones, curl's `@file`, and aria2's input files.

aria2's format is a superset of the plain one: a line may have several URLs of one file, separated by TAB, and below it
indented options, `key=value`. Options about aria2's own work are ignored, with one notice for each.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from scraper.downloads.lists.entry import BadLine, Entry, EntryDraft, Notices, make_bad_line
from scraper.downloads.lists.line_source import Line
from scraper.downloads.lists.pipe_source import NoData

_OPTION_LINE = re.compile(r"([A-Za-z][A-Za-z0-9-]{0,60})\s*=(.*)", re.ASCII | re.DOTALL)
_URL_LINE = re.compile(r"https?://\S+")
_URL_START = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://", re.ASCII)
# " #" cannot be part of a URL: spaces are escaped there.
_TRAILING_COMMENT = re.compile(r"\s#.*", re.DOTALL)


def is_comment(text: str) -> bool:
    """Whether a line is blank or a comment."""
    return not text.strip() or text.lstrip().startswith("#")


def looks_like_url(text: str) -> bool:
    """Whether `text` begins with a scheme and `://`."""
    return _URL_START.match(text.lstrip()) is not None


def read_plain(lines: Iterable[Line | NoData], notices: Notices) -> Iterator[Entry | BadLine | NoData]:
    """Read the entries of a plain or aria2 list. An entry is complete, and yielded, when the next one begins.

    Also when the writer of the list stalls, unless the list has options: then more of them may follow.
    """
    draft: EntryDraft | None = None
    has_options = False
    for line in lines:
        if isinstance(line, NoData):
            if draft is not None and line.is_stalled and not has_options:
                yield draft.build(notices)
                draft = None
            yield line
            continue
        if _URL_LINE.fullmatch(line.text) and not line.problem:  # nearly all lines
            if draft is not None:
                yield draft.build(notices)
            draft = EntryDraft(line.number, line.text, [line.text])
            continue
        if not line.problem and is_comment(line.text):
            continue
        is_indented = line.text[:1] in (" ", "\t") and not line.problem
        if is_indented and not looks_like_url(line.text):
            has_options = True
            if draft is None or not _read_option(draft, line, notices):
                yield make_bad_line(line.number, line.text, "indented, but no option (key=value) of the URL above it")
            continue
        if draft is not None:
            yield draft.build(notices)
        draft = _draft_from_line(line)
    if draft is not None:
        yield draft.build(notices)


def _draft_from_line(line: Line) -> EntryDraft:
    draft = EntryDraft(line.number, line.text, problem=line.problem)
    if not line.problem:
        text = _TRAILING_COMMENT.sub("", line.text)
        draft.urls = [part for part in map(str.strip, text.split("\t")) if part]
    return draft


def _read_option(draft: EntryDraft, line: Line, notices: Notices) -> bool:
    """Read an indented option into the entry above it; False if the line is none."""
    match = _OPTION_LINE.fullmatch(line.text.strip())
    if match is None:
        return False
    key, value = match[1].lower(), match[2].strip()
    match key:
        case "out":
            draft.set_name(value)
        case "dir":
            draft.set_folder(value)
        case "checksum":
            draft.add_checksum(value)
        case "header":
            draft.add_header(value)
        case "referer":
            draft.add_header(f"Referer: {value}")
        case _:
            notices.emit_once(f"option {key}", f"line {line.number}: the option {key}= is ignored")
    return True
