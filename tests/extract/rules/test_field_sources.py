"""Fields of other sources than CSS: XPath, JSON, regexes, structured data, main text, tables, objects."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scraper.extract.rules.field_settings import FieldSettings
from scraper.extract.rules.rule import RuleSettings
from tests.extract.rules.shop_page import API, extract, fields_of, value_of

UNREAD_JSON_LD = "1 of 1 scripts of JSON-LD cannot be read as JSON"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ({"xpath": "//h1"}, "Amber Lamp"),
        ({"xpath": "//h1/@class"}, "t"),
        ({"xpath": "//i", "many": True, "type": "int"}, [1, 2]),
        ({"xpath": "//i", "attr": "DATA-N", "many": True}, ["1", "2"]),
        ({"xpath": "//a", "type": "url"}, "http://shop.example/lamp"),
        ({"xpath": "//h1", "type": "html"}, '<h1 class="t">Amber <b>Lamp</b></h1>'),
        ({"xpath": "count(//i)", "type": "any"}, 2),
        ({"xpath": "boolean(//i)", "type": "any"}, True),
        ({"xpath": "//i[re:test(@data-n, '^2$')]"}, "2"),
        ({"xpath": "//li[2]/b/text()"}, "Bob"),
        ({"xpath": "//head"}, "Shop"),
        ({"xpath": "//nothing"}, None),
        ({"xpath": "//nothing", "many": True}, []),
        ({"xpath": "//nothing", "type": "bool"}, False),
        ({"xpath": "//h1", "regex": "L.*"}, "Lamp"),
    ],
    ids=str,
)
def test_xpath_selects_elements_attributes_and_values(field: dict[str, Any], value: Any) -> None:
    """An XPath field reads as a CSS field does, from lxml's own tree of the element."""
    pytest.importorskip("lxml")
    assert value_of(**field) == value


def test_xpath_inside_each_is_about_the_element() -> None:
    """Each item's element is a tree of its own."""
    pytest.importorskip("lxml")
    fields = (FieldSettings("who", xpath="./b"), FieldSettings("stars", xpath="./span", type="int"))
    assert fields_of(*fields, each="li.r") == [{"who": "Ann", "stars": 5}, {"who": "Bob", "stars": None}]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ({"json": "total", "type": "any"}, 2),
        ({"json": "total"}, "2"),
        ({"json": "items[0].price", "type": "decimal"}, Decimal("9.5")),
        ({"json": "items[0].ok"}, "true"),
        ({"json": "items[0].ok", "type": "bool"}, True),
        ({"json": "items[0].tags", "type": "any", "many": True}, ["x"]),
        ({"json": "items[].id", "type": "any", "many": True}, [1, 2]),
        ({"json": "items[].id", "type": "any"}, 1),
        ({"json": "items[0].at", "type": "date"}, "2024-03-12T10:00:00"),
        ({"json": "items[1].url", "type": "url"}, "http://shop.example/b"),
        ({"json": "items[1].name"}, None),
        ({"json": "items[1].price", "default": 0}, 0),
        ({"regex": r'"total":\s*(\d+)'}, "2"),
    ],
    ids=str,
)
def test_json_pages_are_read_by_jmespath(field: dict[str, Any], value: Any) -> None:
    """Values keep the kind that JSON gives them, unless a type is given."""
    pytest.importorskip("jmespath")
    assert value_of(API, "application/vnd.api+json; charset=utf-8", **field) == value


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ({"regex": r'sku = "([^"]+)"'}, "X-17"),
        ({"regex": r'"(X-\d+)"', "many": True}, ["X-17", "X-18"]),
        ({"regex": r"X-\d+", "type": "text"}, "X-17"),
        ({"regex": r"never"}, None),
        ({"regex": r'data-n="(\d)', "many": True, "type": "int"}, [1, 2]),
    ],
    ids=str,
)
def test_a_regex_alone_searches_the_page_as_it_came(field: dict[str, Any], value: Any) -> None:
    """Scripts and attributes are part of it."""
    assert value_of(**field) == value


def test_a_regex_inside_each_searches_the_element() -> None:
    """Only the item's own markup is looked at."""
    assert fields_of(FieldSettings("n", regex=r"<b>(\w+)"), each="li.r") == [{"n": "Ann"}, {"n": "Bob"}]


def test_json_inside_an_element_is_read() -> None:
    """`json` beside `css` reads the element's text as JSON."""
    pytest.importorskip("jmespath")
    assert value_of(css="#state", json="page.stock", type="any") == 7
    assert value_of(css="#state", json="page.tags", type="any", many=True) == ["a", "b"]
    found = extract(RuleSettings(fields=(FieldSettings("a", css="h1", json="x"),)))
    assert found.field_errors[0].reason == "the text is not JSON"


def test_main_text_is_markdown_without_the_frame() -> None:
    """Navigation is left out, headings and links are kept."""
    pytest.importorskip("trafilatura")
    text = "The lamp is made of glass and brass, and it was tested for ten thousand hours in three countries. " * 3
    main = f"<main><h1>Lamps</h1><h2>Glass</h2><p>{text}</p><p>{text}</p></main>"
    page = f"<html><body><nav><a href=/x>Menu</a></nav>{main}</body></html>"
    found = value_of(page, main_text="markdown")
    assert "## Glass" in found
    assert "tested for ten thousand hours" in found
    assert "Menu" not in found
    assert value_of("<p></p>", main_text="text") is None


@settings(max_examples=60, deadline=None)
@given(st.text("<>/=\"' abcdivtrhjson{}[]:,@type!-&;", max_size=300))
def test_any_markup_is_read_without_a_problem(markup: str) -> None:
    """No page makes a source raise."""
    fields = (
        FieldSettings("s", structured=("product", "opengraph"), type="any", many=True),
        FieldSettings("t", css="table", table="rows", type="any"),
        FieldSettings("r", regex="a.b"),
        FieldSettings("o", css="div", many=True, fields=(FieldSettings("x", css="a"),)),
    )
    page = f'<script type="application/ld+json">{markup}</script><div itemscope itemtype="/Product">{markup}</div>'
    assert extract(RuleSettings(fields=fields), text=page).problem in (None, UNREAD_JSON_LD)
