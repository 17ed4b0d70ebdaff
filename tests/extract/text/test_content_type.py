"""Which bodies are read as HTML: WHATWG MIME Sniffing sections 5.2 and 7."""

from __future__ import annotations

import pytest

from scraper.extract.text.content_type import SNIFF_BYTES, is_html
from scraper.model import Body, Headers, Response
from scraper.testing.fakes import make_request

TAGS = ["!DOCTYPE HTML", "HTML", "HEAD", "SCRIPT", "IFRAME", "H1", "DIV", "FONT", "TABLE", "A", "STYLE", "TITLE", "B"]
TAGS += ["BODY", "BR", "P"]


def read_as_html(body: bytes, content_type: str | None = None) -> bool:
    return is_html(
        content_type, Response(make_request("http://a.example/"), 200, Headers(), Body(len(body), 0, "", body))
    )


@pytest.mark.parametrize("end", [b" ", b">"], ids=["space", "angle"])
@pytest.mark.parametrize("tag", TAGS)
def test_the_tags_of_the_table_are_html(tag: str, end: bytes) -> None:
    """In any case, behind white space and a byte order mark, when nothing says what the body is."""
    start = b"<" + tag.encode() + end
    assert read_as_html(start)
    assert read_as_html(b"\t\n\x0c\r " + start.lower())
    assert read_as_html(b"\xef\xbb\xbf" + start)


@pytest.mark.parametrize(
    ("body", "html"),
    [
        (b"<!--", True),
        (b"<!-- x", True),
        (b"", False),
        (b"<", False),
        (b"<a", False),
        (b"<ab>", False),
        (b"<html", False),
        (b"<!doctype  html>", False),
        (b"x<html>", False),
        (b"\x0b<html>", False),
        (b"<?xml version='1.0'?>", False),
        (b"%PDF-1.7", False),
        (b"\x89PNG\r\n\x1a\n", False),
        (b"PK\x03\x04<html>", False),
        (b"\0<html>", False),
        (b" " * (SNIFF_BYTES - 6) + b"<html>", True),
        (b" " * (SNIFF_BYTES - 5) + b"<html>", False),
        (b" " * 1_000_000 + b"<html>", False),
    ],
)
def test_what_else_is_and_is_not(body: bytes, html: bool) -> None:
    """The beginning decides, and only the beginning is looked at."""
    assert read_as_html(body) is html


@pytest.mark.parametrize(
    ("content_type", "html"),
    [
        ("text/html", True),
        ("TEXT/HTML;charset=x", True),
        (" text/html ; x", True),
        ("application/xhtml+xml", True),
        ("text/plain", False),
        ("image/png", False),
        ("application/octet-stream", False),
        ("text/htmlx", False),
        ("text/html, text/plain", False),
        ("", True),
        ("unknown/unknown", True),
        ("application/unknown", True),
        ("*/*", True),
        (";charset=utf-8", True),
    ],
)
def test_a_type_is_believed(content_type: str, html: bool) -> None:
    """A body is examined only when its type says nothing: what is declared as text stays text."""
    assert read_as_html(b"<html>", content_type) is html
