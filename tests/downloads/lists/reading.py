"""Reads lists from memory, for the tests of their formats."""

from __future__ import annotations

import io

from scraper.downloads.lists.entry import BadLine, Entry
from scraper.downloads.lists.read import ListFormat, read_list

A, B, C = "http://a.example/a", "http://b.example/b", "http://c.example/c"


SHA = "a" * 64


def read(content: str | bytes, format: ListFormat = "auto", notices: list[str] | None = None) -> list[Entry | BadLine]:
    packed = content.encode() if isinstance(content, str) else content
    return list(read_list("-", format=format, notice=(notices or []).append, stdin=io.BytesIO(packed)))


def urls(content: str | bytes, format: ListFormat = "auto") -> list[str]:
    """The primary URL of each entry, `!` and the line's number for a bad line."""
    return [one.urls[0] if isinstance(one, Entry) else f"!{one.line}" for one in read(content, format)]
