"""html: parsing, and what a page says about itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.extract.links.document import (
    Document,
    RobotsDirectives,
    find_canonical,
    parse_document,
    refresh_target,
    robots_directives,
)
from scraper.model import Headers, Url
from scraper.urls.canonicalize import canonicalize

NONE = Headers()


def url(text: str) -> Url:
    found = canonicalize(text)
    assert isinstance(found, Url)
    return found


PAGE = url("http://books.example/shop/list.html")


def page(markup: str | bytes, content_type: str = "text/html; charset=utf-8") -> Document:
    return parse_document(markup.encode() if isinstance(markup, str) else markup, content_type, PAGE)


def headers(**values: str) -> Headers:
    return Headers([(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in values.items()])


@pytest.mark.parametrize(
    ("data", "content_type", "charset"),
    [
        ("<p>größer".encode(), "text/html; charset=utf-8", "utf-8"),
        ("\ufeff<p>größer".encode(), None, "utf-8"),
        ("<p>größer".encode("cp1252"), "text/html; charset=latin1", "windows-1252"),
        ("\ufeff<p>größer".encode("utf-16-le"), None, "utf-16le"),
        ("<meta charset=koi8-r><p>größer".encode(), "text/html; charset=utf-8", "utf-8"),
    ],
)
def test_a_page_is_read_in_its_encoding(data: bytes, content_type: str | None, charset: str) -> None:
    """The text is right whatever the encoding, and a byte order mark is not part of it."""
    document = parse_document(data, content_type, PAGE)
    assert document.charset == charset
    assert document.tree.body is not None
    assert document.tree.body.text() == "größer"


def test_broken_utf8_is_no_error() -> None:
    """Bytes that are no characters are read as U+FFFD, in text and in attributes."""
    node = page(b"<a href='\xff'>\xc3</a>").tree.css("a")[0]
    assert (node.attributes["href"], node.text()) == ("\ufffd", "\ufffd")


@pytest.mark.parametrize(
    ("markup", "base"),
    [
        ("<p>", "http://books.example/shop/list.html"),
        ("<base href=/other/>", "http://books.example/other/"),
        ("<base href=x><base href=y>", "http://books.example/shop/x"),
        ("<base target=_top><base href=y>", "http://books.example/shop/y"),
        ("<body><p><base href=y>", "http://books.example/shop/y"),
        ("<!--" + "x" * 5000 + "--><base href=//cdn.example/>", "http://cdn.example/"),
        ("<base href=data:,x><base href=y>", "http://books.example/shop/list.html"),
        ("<base href=javascript:x>", "http://books.example/shop/list.html"),
        ("<base href='http://['>", "http://books.example/shop/list.html"),
        ("<base href>", "http://books.example/shop/list.html"),
    ],
)
def test_the_base(markup: str, base: str) -> None:
    """The first base with an href counts, wherever it stands, resolved against the page's address."""
    assert page(markup).base.href == base


@pytest.mark.parametrize(
    ("markup", "header", "expected"),
    [
        ("<p>", "", (False, False)),
        ("<meta name=robots content=noindex>", "", (True, False)),
        ("<meta name=ROBOTS content='NoIndex, NoFollow'>", "", (True, True)),
        ("<meta name=robots content='noindex nofollow'>", "", (True, True)),
        ("<meta name=robots content=none>", "", (True, True)),
        ("<meta name=robots content=all>", "", (False, False)),
        ("<meta name=robots content='index,follow'><meta name=scraper content=nofollow>", "", (False, True)),
        ("<meta name=googlebot content=none>", "", (False, False)),
        ("<meta name=robots><meta content=none><meta name>", "", (False, False)),
        ("<body><meta name=robots content=nofollow>", "", (False, True)),
        ("<p>", "noindex", (True, False)),
        ("<p>", "NOINDEX, nofollow", (True, True)),
        ("<p>", "googlebot: none", (False, False)),
        ("<p>", "googlebot: noindex, nofollow", (False, False)),
        ("<p>", "Scraper: noindex, nofollow", (True, True)),
        ("<p>", "nofollow, googlebot: noindex", (False, True)),
        ("<p>", "googlebot: none, scraper: nofollow", (False, True)),
        ("<p>", "*: none", (True, True)),
        ("<p>", "unavailable_after: 25 Jun 2010 15:00:00 PST, nofollow", (False, True)),
        ("<p>", "max-snippet: 3, noindex", (True, False)),
        ("<meta name=robots content=noindex>", "nofollow", (True, True)),
    ],
)
def test_directives(markup: str, header: str, expected: tuple[bool, bool]) -> None:
    """All that apply to us are united; what is said to other robots is not for us."""
    found = robots_directives(page(markup), headers(x_robots_tag=header))
    assert found == RobotsDirectives(*expected)


def test_directives_repeat_and_need_no_page() -> None:
    """Several headers add up, also for what is not HTML; our name can be another."""
    repeated = Headers([(b"X-Robots-Tag", b"noindex"), (b"x-robots-tag", b"mybot: nofollow")])
    assert robots_directives(None, repeated) == RobotsDirectives(True, False)
    assert robots_directives(None, repeated, "MyBot") == RobotsDirectives(True, True)


@pytest.mark.parametrize(
    ("markup", "link", "expected"),
    [
        ("<p>", "", None),
        ("<link rel=canonical href=/a>", "", "http://books.example/a"),
        ("<base href=/b/><link rel='x CANONICAL' href=a#f>", "", "http://books.example/b/a"),
        ("<link rel=canonical href=/a><link rel=canonical href=/./a>", "", "http://books.example/a"),
        ("<link rel=canonical href=/a><link rel=canonical href=/b>", "", None),
        ("<link rel=canonical><link rel=canonical href=mailto:x>", "", None),
        ("<body><p><link rel=canonical href=/a>", "", None),
        ("<base href=/b/>", "<c>; rel=canonical", "http://books.example/shop/c"),
        ("<link rel=canonical href=/a>", "</b>; rel=canonical", None),
        ("<link rel=canonical href=/a>", "</b>; rel=next", "http://books.example/a"),
    ],
)
def test_the_canonical_address(markup: str, link: str, expected: str | None) -> None:
    """It stands in the head or in the header, and counts only when the page does not contradict itself."""
    assert find_canonical(page(markup), headers(link=link), PAGE) == expected


@pytest.mark.parametrize(
    ("content", "target"),
    [
        ("5; url=/x", "/x"),
        ("0;URL='/x y'", "/x y"),
        ('0,url="/x', "/x"),
        ("0 /x", "/x"),
        ("0.5; /x", "/x"),
        ("0;url = /x", "/x"),
        ("5", None),
        ("5;", None),
        ("url=/x", None),
        ("", None),
    ],
)
def test_meta_refresh(content: str, target: str | None) -> None:
    """The target is read as the HTML standard reads it."""
    assert refresh_target(content) == target


@given(
    st.one_of(st.binary(max_size=200), st.text("<>/=\"'! abhref-", max_size=200).map(str.encode)), st.text(max_size=30)
)
def test_any_bytes_are_a_page(data: bytes, content_type: str) -> None:
    """Nothing raises, whatever the page and its headers are."""
    document = parse_document(data, content_type, PAGE)
    sent = Headers([(b"Link", data), (b"X-Robots-Tag", data)])
    assert robots_directives(document, sent)._fields == ("noindex", "nofollow")
    found = find_canonical(document, sent, PAGE)
    assert found is None or found.startswith("http")
