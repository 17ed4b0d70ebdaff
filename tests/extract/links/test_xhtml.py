"""xhtml: XML's rules for XHTML."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from scraper.extract.links.xhtml import xhtml_to_html

START = '<?xml version="1.0" encoding="UTF-8"?>\n<html xmlns="http://www.w3.org/1999/xhtml"><head>'


def h1_of(markup: str) -> list[str]:
    tree = LexborHTMLParser(xhtml_to_html(markup.encode()))
    return [node.text().strip() for node in tree.css("body > h1")]


@pytest.mark.parametrize("broken", [False, True], ids=["well formed", "broken"])
@pytest.mark.parametrize(
    "element",
    [
        '<script src="a.js"/>',
        "<script src='a>b.js' />",
        "<style/>",
        "<title/>",
    ],
)
def test_an_empty_element_does_not_swallow_what_follows(element: str, broken: bool) -> None:
    """In the head, by XML's rules or, if the page is not well formed, as HTML with an end tag."""
    assert h1_of(f"{START}{element}</head><body><h1>x</h1>{'<br>' if broken else ''}</body></html>") == ["x"]


@pytest.mark.parametrize("element", ["<a id='x'/>", "<div/>", "<textarea/>", "<iframe src='/x'/>", "<select/>", "<b/>"])
def test_an_empty_element_of_the_body_holds_nothing(element: str) -> None:
    """What follows stands beside it."""
    assert h1_of(f"{START}</head><body>{element}<h1>x</h1></body></html>") == ["x"]
    assert h1_of(f"{START}</head><body>{element}<h1>x</h1><br></body></html>") == ["x"]


@pytest.mark.parametrize(
    ("inside", "text"),
    [
        ("a&nbsp;b&eacute;", "a\xa0b\xe9"),
        ("<![CDATA[a < b & c]]>", "a < b & c"),
        ("a &lt;b&gt; &amp;amp; &#233;", "a <b> &amp; \xe9"),
        ("<h:b xmlns:h='http://www.w3.org/1999/xhtml'>x</h:b>", "x"),
    ],
)
def test_texts_are_those_of_xml(inside: str, text: str) -> None:
    """CDATA is text, and HTML's entities are known."""
    assert h1_of(f"{START}</head><body><h1>{inside}</h1></body></html>") == [text]


def test_attributes_and_scripts_are_kept() -> None:
    """Names of XLink keep their prefix, scripts are not escaped."""
    markup = f"""{START}<script>//<![CDATA[
if (a < b && c) {{}}
//]]></script></head><body><svg xmlns="http://www.w3.org/2000/svg" xmlns:l="http://www.w3.org/1999/xlink">
<a l:href="/a?b=1&amp;c=2"/></svg></body></html>"""
    found = xhtml_to_html(markup.encode()).decode()
    assert '<a xlink:href="/a?b=1&amp;c=2"></a>' in found
    assert "if (a < b && c) {}" in found


def test_entities_that_the_page_declares_are_not_expanded() -> None:
    """No exponential expansion: it is read as HTML."""
    markup = (
        '<!DOCTYPE html [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>'
        + START.partition("\n")[2]
        + "</head><body>&b;</body></html>"
    )
    assert b"aaaaaaaa" not in xhtml_to_html(markup.encode())


@given(st.text(alphabet="<>/ab=\"'&;! -[]", max_size=80))
def test_any_text_is_read(text: str) -> None:
    """Nothing raises."""
    xhtml_to_html(text.encode())


@pytest.mark.parametrize("piece", ["<a ", "<a '", "<![CDATA[", "<a>", "<a/", "&a", '<a b="'])
def test_no_text_takes_long(piece: str) -> None:
    """However often something begins that does not end."""
    xhtml_to_html((piece * 200_000).encode())
