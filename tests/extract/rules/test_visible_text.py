"""The text of an element as a reader sees it."""

from __future__ import annotations

import pytest
from selectolax.lexbor import LexborHTMLParser

from scraper.extract.rules.visible_text import visible_text


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<p>a<b>b</b>c</p>", "abc"),
        ("<p>a<br>b</p>", "a b"),
        ("<div>a<div>b</div>c</div>", "a b c"),
        ("<ul><li>a</li><li>b</li></ul>", "a b"),
        ("<div><p>a</p><i>b</i></div>", "a b"),
        ("<p>a<script>bad()</script><style>p{}</style>b</p>", "ab"),
        ("<p>a<!-- no -->b</p>", "ab"),
        ("<p>\n a\u00a0 \t b </p>", "a b"),
        ("<p></p>", ""),
        ("<p>&lt;x&gt; &amp;</p>", "<x> &"),
    ],
)
def test_visible_text_reads_as_a_reader_sees_it(markup: str, text: str) -> None:
    """Blocks are set apart, inline elements are not, scripts and comments are not there."""
    element = LexborHTMLParser(markup).css_first("p, div, ul")
    assert element is not None
    assert visible_text(element) == text


def test_text_outside_the_element_is_not_its_text() -> None:
    """Neighbors of the element do not count."""
    element = LexborHTMLParser("<div>x<p>a<b>b</b></p>y</div>").css_first("p")
    assert element is not None
    assert visible_text(element) == "ab"


def test_a_deep_page_is_read_without_recursion() -> None:
    """Ten thousand nested elements are no trouble."""
    element = LexborHTMLParser("<div>" * 10_000 + "x").css_first("div")
    assert element is not None
    assert visible_text(element) == "x"
