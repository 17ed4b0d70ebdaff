"""The text of an element as a reader sees it."""

from __future__ import annotations

import pytest
from selectolax.lexbor import LexborHTMLParser

from scraper.extract.rules.field_sources import lxml_visible_text
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


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<p>19<sup>99</sup> €</p>", "19|99 €"),
        ("<p><b>19</b><i>99</i></p>", "19|99"),
        ("<p><b><i>19</i></b><b>99</b></p>", "19|99"),
        ("<p>1<b></b><i>2</i></p>", "1|2"),
        ("<p>19<!-- x -->99</p>", "1999"),
        ("<p>19.<sup>99</sup></p>", "19.99"),
        ("<p>$<span>19</span>,<span>99</span></p>", "$19,99"),
        ("<div>19<div>99</div></div>", "19 99"),
        ("<p><b>1</b>2<b>3</b></p>", "1|2|3"),
    ],
)
def test_digits_of_two_elements_are_kept_apart_for_numbers(markup: str, text: str) -> None:
    """A raised 99 is cents: joined to the digits before it, it would make a price a hundred times too high."""
    element = LexborHTMLParser(markup).css_first("p, div")
    assert element is not None
    assert visible_text(element, joint="|") == text
    html = pytest.importorskip("lxml.html")
    assert lxml_visible_text(html.fragment_fromstring(markup), "|") == text
