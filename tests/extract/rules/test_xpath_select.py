"""Elements by XPath: each is one item, read by every kind of field."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from scraper.extract.page_extractor import ExtractSettings, PageExtractor
from scraper.extract.rules.field_settings import FieldSettings
from scraper.extract.rules.page_context import PageContext, ReadBudgetExceeded
from scraper.extract.rules.parse_failure import ParseFailure
from scraper.extract.rules.rule import RuleSettings
from scraper.extract.rules.xpath_select import NUMBER_ATTRIBUTE, XPathSelector
from scraper.model import Body, Extraction, Headers, Request, Response, Url
from scraper.urls.canonicalize import BaseUrl, canonicalize
from scraper.urls.scope import Scope, ScopeSettings

pytest.importorskip("lxml")

PAGE = """<!doctype html><html><body><h1>Shop</h1>
<article class="p" id="1"><h2>Amber</h2><p class="sale">now <b>5</b></p><a href="/amber">see</a></article>
<article class="p" id="2"><h2>Birch</h2><a href="/birch">see</a></article>
<template><article id="3"><h2>Hidden</h2></article></template>
<table><tr><td>Cup</td><td>1</td></tr><tr><td>Jug</td></tr></table>
<p>a<p>b<ul><li>x<li data-scraper-number="7">y</ul><iframe><article id="4"></article></iframe></body></html>"""


def url_of(text: str) -> Url:
    url = canonicalize(text)
    assert isinstance(url, Url)
    return url


BASE = BaseUrl.of(url_of("http://shop.example/"))


def read(rule: RuleSettings, text: str = PAGE) -> Extraction:
    data = text.encode()
    url = url_of("http://shop.example/")
    headers = Headers([(b"content-type", b"text/html; charset=utf-8")])
    page = Response(Request(url), 200, headers, Body(len(data), len(data), "", data))
    return PageExtractor(ExtractSettings(Scope(ScopeSettings(), [url]), (rule,))).extract(page)


def found(path: str, markup: str = PAGE) -> list[Any] | ParseFailure:
    tree = LexborHTMLParser(markup)
    before = tree.html
    nodes = XPathSelector(path, "each").find(tree.root, PageContext(tree.root, BASE))
    assert NUMBER_ATTRIBUTE in markup or tree.html == before, "the page is left as it was"
    return nodes if isinstance(nodes, ParseFailure) else [node.text(deep=True, strip=True) for node in nodes]


@pytest.mark.parametrize(
    ("path", "texts"),
    [
        ("//article", ["Ambernow5see", "Birchsee"]),
        ("//article[p]", ["Ambernow5see"]),
        ("//h2/..", ["Ambernow5see", "Birchsee"]),
        ("//article[@id='2']/preceding-sibling::article", ["Ambernow5see"]),
        ("//tr[2]", ["Jug"]),
        ("//td", ["Cup", "1", "Jug"]),
        ("/html/body/h1", ["Shop"]),
        ("//li[not(@*)]", ["x", "y"]),
        ("//li[@data-scraper-number]", []),
        ("//*[re:test(@id, '^[12]$')]", ["Ambernow5see", "Birchsee"]),
        ("//nothing", []),
    ],
    ids=str,
)
def test_what_xpath_finds_are_elements_of_the_page(path: str, texts: list[str]) -> None:
    """In document order; the numbers that lead back to them are not seen by the expression, nor left on the page."""
    assert found(path) == texts


@pytest.mark.parametrize("path", ["//a/@href", "//h2/text()", "count(//a)", "//h2/@id | //h2/text()"])
def test_what_is_no_element_is_rejected(path: str) -> None:
    """Texts and numbers are no places to look in."""
    failure = found(path)
    assert isinstance(failure, ParseFailure)
    assert path in str(failure)


def test_fields_of_all_kinds_read_inside() -> None:
    """Selectors, XPath, regexes and the element itself; links are resolved as on the page."""
    fields = (
        FieldSettings("name", css="h2"),
        FieldSettings("price", xpath="./p/b", type="int"),
        FieldSettings("to", css="a", type="url"),
        FieldSettings("id", attr="id"),
        FieldSettings("sale", regex="class=.(sale)"),
    )
    extraction = read(RuleSettings(each_xpath="//article[starts-with(@class, 'p')]", fields=fields))
    assert [item.fields for item in extraction.items] == [
        {"name": "Amber", "price": 5, "to": "http://shop.example/amber", "id": "1", "sale": "sale"},
        {"name": "Birch", "price": None, "to": "http://shop.example/birch", "id": "2", "sale": None},
    ]


def test_objects_inside_an_item_have_places_by_xpath_too() -> None:
    """`each` of a field: its expression begins at the item's element."""
    rows = FieldSettings("rows", xpath=".//tr", many=True, fields=(FieldSettings("cell", css="td"),))
    extraction = read(RuleSettings(each="table", fields=(rows,)))
    assert [item.fields for item in extraction.items] == [{"rows": [{"cell": "Cup"}, {"cell": "Jug"}]}]


def test_a_rule_whose_expression_gives_texts_is_reported() -> None:
    """No items, and a reason among the rejected."""
    extraction = read(RuleSettings(each_xpath="//a/@href", fields=(FieldSettings("t", css="a"),)))
    assert extraction.items == ()
    (rejected,) = extraction.field_errors
    assert (rejected.field, rejected.item_kept) == ("each", False)
    assert "not elements" in rejected.reason


def test_reading_is_bounded() -> None:
    """The markup that is written for the expression counts as read."""
    tree = LexborHTMLParser("<p>" * 200)
    view = PageContext(tree.root, BASE)
    view.charge(10_000_000)
    with pytest.raises(ReadBudgetExceeded):
        XPathSelector("//p", "each").find(tree.root, view)
    assert NUMBER_ATTRIBUTE not in (tree.html or "")


TAGS = st.sampled_from(
    ["div", "p", "b", "table", "tr", "td", "li", "a", "h1", "form", "svg", "template", "title", "br"]
)


@given(st.lists(st.tuples(TAGS, st.booleans(), st.sampled_from(["", "x", "&amp;", "<!-- c -->"])), max_size=40))
def test_any_page_gives_the_elements_that_css_gives(pieces: list[tuple[str, bool, str]]) -> None:
    """However broken the markup is: what lxml keeps of an element leads to that very element, in document order."""
    markup = "".join(f"<{'/' if closing else ''}{tag}>{text}" for tag, closing, text in pieces)
    tree = LexborHTMLParser(markup)
    everything = [node.mem_id for node in tree.root.css("*")] if tree.root is not None else []
    nodes = XPathSelector("//b | //td | //p", "each").find(tree.root, PageContext(tree.root, BASE))
    assert not isinstance(nodes, ParseFailure)
    assert {node.tag for node in nodes} <= {"b", "td", "p"}
    order = [everything.index(node.mem_id) for node in nodes]
    assert order == sorted(set(order))
