"""Lists of one address a line: plain ones, curl's `@file`, and aria2's input files.

aria2's format is a superset of the plain one: several addresses of one file on a line, separated by TAB, and below it
indented options, `key=value`. Options that say how aria2 should work are left out, and the user is told once each.
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
# A blank and a sharp never stand inside a URL: the one is escaped there, the other begins the fragment.
_TRAILING_COMMENT = re.compile(r"\s#.*", re.DOTALL)


def is_comment(text: str) -> bool:
    """Whether a line says nothing."""
    return not text.strip() or text.lstrip().startswith("#")


def looks_like_url(text: str) -> bool:
    """Whether `text` begins as a URL does."""
    return _URL_START.match(text.lstrip()) is not None


def read_plain(lines: Iterable[Line | NoData], notices: Notices) -> Iterator[Entry | BadLine | NoData]:
    """The entries of a plain or aria2 list. An entry is complete, and given out, when the next one begins.

    Also when the list falls silent, unless options have been met: then more of them may be on their way.
    """
    draft: EntryDraft | None = None
    has_options = False
    for line in lines:
        if isinstance(line, NoData):
            if draft is not None and line.silent and not has_options:
                yield draft.build(notices)
                draft = None
            yield line
            continue
        if _URL_LINE.fullmatch(line.text) and not line.problem:  # nearly every line there is
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
    """Read an indented option into the entry above it; False when it is none."""
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
