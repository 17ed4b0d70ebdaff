"""Selecting elements: lists, attributes with a prefix, and what is refused."""

from __future__ import annotations

import pytest
from selectolax.lexbor import LexborHTMLParser

from scraper.css_support import unsupported_in
from scraper.errors import ExtractionRuleError
from scraper.extract.rules.compile import check_selector
from scraper.extract.rules.css_select import select, select_first

PAGE = LexborHTMLParser(
    "<div id=a class='product featured'></div><div id=b class=featured></div><div id=c class=product></div>"
    "<svg xml:lang=de id=pic><a id=s xlink:href='#q' class=ref><text>x</text></a><use id=u href='#z' /></svg>"
    "<a id=l href='/x, y' title='a[href], b'>y</a><p id=p lang=en><a id=m>z</a></p>"
)


def ids(css: str) -> list[str | None]:
    return [element.id for element in select(PAGE, css)]


@pytest.mark.parametrize(
    ("css", "found"),
    [
        (".product, .featured", ["a", "b", "c"]),
        (".featured,.product", ["a", "b", "c"]),
        ("#c, #a", ["a", "c"]),
        ("#a ~ .product, #b ~ .product, .product", ["a", "c"]),
        (".product:not(.featured, #c)", []),
        (":is(.product, .featured)", ["a", "b", "c"]),
        ("[href]", ["u", "l"]),
        ("a[href]", ["l"]),
        ("A[HREF]", ["l"]),
        ("svg > a[href]", []),
        ("a[href], .ref", ["s", "l"]),
        ("a[href], p a", ["l", "m"]),
        ("a[title='a[href], b']", ["l"]),
        ("a[href*=', y']", ["l"]),
        ("[lang]", ["p"]),
        ("a[href][title]", ["l"]),
        ("a", ["s", "l", "m"]),
    ],
)
def test_an_element_is_given_once_in_document_order(css: str, found: list[str]) -> None:
    """A list is a union, and an attribute with a prefix is another attribute."""
    assert ids(css) == found
    first = select_first(PAGE, css)
    assert (first.id if first is not None else None) == (found[0] if found else None)


@pytest.mark.parametrize(
    "css",
    [
        "input:enabled", ":disabled", "input:READ-ONLY", "textarea:read-write", "a:hover", ":focus", "a:not(:visited)",
        "li:nth-child(2 of .a, .b)",
    ],
)  # fmt: skip
def test_a_pseudo_class_that_selects_something_else_is_refused(css: str) -> None:
    """What the engine gets wrong is an error of the config, with what to write instead."""
    assert unsupported_in(css)
    with pytest.raises(ExtractionRuleError, match="css"):
        check_selector(css, "fields.x.css")


@pytest.mark.parametrize(
    "css",
    [
        "a[title=':enabled']",
        'a[title=":hover"]',
        ".a\\:hover",
        "a:not([disabled])",
        "li:nth-child(2 of .a)",
        "[disabled]",
    ],
)
def test_a_selector_that_only_looks_like_one_is_not(css: str) -> None:
    """Strings, escaped names and attributes are no pseudo-classes."""
    assert unsupported_in(css) is None
