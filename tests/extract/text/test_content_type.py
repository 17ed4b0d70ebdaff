"""Which bodies are read as HTML: WHATWG MIME Sniffing sections 5.2 and 7."""

from __future__ import annotations

import pytest

from scraper.extract.text.content_type import SNIFF_BYTES, is_html, is_text, is_xhtml
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
        ("text/html, text/html", True),
        ("text/plain, text/html", True),
        ("html", True),
        ('"text/html"', True),
        ("text", True),
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


XHTML_ROOT = b'<html lang="en" xmlns="http://www.w3.org/1999/xhtml">'


@pytest.mark.parametrize(
    ("start", "content_type", "xhtml"),
    [
        (XHTML_ROOT, "application/xhtml+xml", True),
        (b"<p>", "application/xhtml+xml", True),
        (XHTML_ROOT, "application/xml", True),
        (b'\xef\xbb\xbf<?xml version="1.0"?>\n<!-- x --><!DOCTYPE html>\n' + XHTML_ROOT, "text/xml", True),
        (b'<?xml version="1.0"?>' + XHTML_ROOT, None, True),
        (b"<html>", "text/xml", False),
        (b'<rss xmlns:h="http://www.w3.org/1999/xhtml">', "text/xml", False),
        (b"<rss><html xmlns='http://www.w3.org/1999/xhtml'>", "text/xml", False),
        (XHTML_ROOT, "text/html", False),
        (XHTML_ROOT, "image/svg+xml", False),
    ],
)
def test_xhtml_is_what_is_served_as_xml(start: bytes, content_type: str | None, xhtml: bool) -> None:
    """By its type, or as XML whose root element is `html` in XHTML's name space."""
    page = Response(make_request("http://a.example/"), 200, Headers(), Body(len(start), 0, "", start))
    assert is_xhtml(content_type, page) is xhtml


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"plain", True),
        (b"{}", True),
        (b"\xff\xfea\0", True),
        (b"\x1bx\n", True),
        (b"a\0b", False),
        (b"\x89PNG\x1a", False),
    ],
)
def test_what_has_no_type_is_text_without_binary_bytes(body: bytes, text: bool) -> None:
    """MIME Sniffing section 7.1: bytes that no text has make it something else."""
    page = Response(make_request("http://a.example/"), 200, Headers(), Body(len(body), 0, "", body))
    assert is_text(None, page) is text
