"""Fields by CSS: sources, types, what is missing and what is rejected."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.extract.rules import css_field as fields
from scraper.extract.rules import rule as rules
from scraper.extract.rules.field_settings import FieldSettings
from scraper.extract.rules.rule import RuleSettings
from scraper.model import FieldError
from tests.extract.rules.product_page import context_of, read_rule, value_of


@pytest.mark.parametrize(
    ("settings", "value"),
    [
        ({"css": "title"}, "A shop"),
        ({"css": "h1"}, "Amber Lamp"),
        ({"css": "h1, h2", "many": True}, ["Amber Lamp", "Other"]),
        ({"css": ".tag", "many": True}, ["new", "eco"]),
        ({"css": "article", "attr": "data-rating", "type": "int"}, 4),
        ({"css": "article", "attr": "DATA-RATING"}, "4"),
        ({"css": ".price_color", "type": "decimal"}, Decimal("1234.50")),
        ({"css": ".price_color", "type": "float"}, 1234.5),
        ({"css": ".availability", "type": "int"}, 7),
        ({"css": ".availability", "regex": r"\((\d+)"}, "7"),
        ({"css": ".availability", "regex": r"\d+"}, "7"),
        ({"css": ".availability", "regex": r"(gone)|stock"}, None),
        ({"css": "script", "regex": 'sku = "([^"]+)"'}, "X-17"),
        ({"css": "img", "attr": "src", "type": "url"}, "http://shop.example/a/c/1.png"),
        ({"css": "img", "type": "url"}, "http://shop.example/a/c/1.png"),
        ({"css": "a", "type": "url"}, "http://shop.example/next?utm_source=x#top"),
        ({"css": "img", "attr": "alt"}, None),
        ({"css": "img", "attr": "title"}, None),
        ({"css": "time", "attr": "datetime", "type": "date"}, "2024-03-12"),
        ({"css": "h2", "type": "html"}, "<h2>Other</h2>"),
        ({"css": "input", "attr": "checked", "type": "bool"}, True),
        ({"css": "input", "attr": "disabled", "type": "bool"}, False),
        ({"css": ".availability", "type": "bool"}, True),
        ({"css": ".availability", "type": "bool", "regex": "Out of"}, False),
        ({"css": ".nothing", "type": "bool"}, False),
        ({"css": ".nothing", "type": "bool", "default": True}, True),
        ({"css": ".nothing"}, None),
        ({"css": ".empty"}, None),
        ({"css": ".empty", "default": "-"}, "-"),
        ({"css": ".nothing", "many": True}, []),
        ({"css": ".nothing", "many": True, "default": ["x"]}, ["x"]),
        ({"css": "table"}, "Weight 12 kg"),
    ],
    ids=str,
)
def test_a_field_gives_its_value(settings: dict[str, Any], value: Any) -> None:
    """Source, regex and type in this order; what is empty or absent is the default."""
    assert value_of(**settings) == value


def test_many_urls_leave_out_elements_without_the_attribute() -> None:
    """An anchor without href gives no URL and no complaint."""
    assert value_of(css="a", attr="href", type="url", many=True) == ["http://shop.example/next?utm_source=x#top"]


def test_a_value_that_does_not_parse_is_null_and_reported() -> None:
    """The item is kept without the value, and `FieldError` says which field of which rule, and why."""
    items, field_errors = read_rule(
        RuleSettings(each="article", fields=(FieldSettings("price", ".price_color", type="float"),))
    )
    assert [dict(item.fields) for item in items] == [{"price": 1234.5}, {"price": None}]
    assert field_errors == [FieldError("price", "no number in 'on request'", 3)]


def test_a_value_that_does_not_parse_falls_back_to_its_default() -> None:
    """The default replaces what cannot be read, too."""
    items, field_errors = read_rule(RuleSettings(fields=(FieldSettings("n", "h2", type="int", default=0),)))
    assert items[0].fields == {"n": 0}
    assert len(field_errors) == 1


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"css": ".nothing"}, "nothing found for .nothing"),
        ({"css": ".empty"}, "nothing found for .empty"),
        ({"css": "img", "attr": "title"}, "nothing found for img @title"),
        ({"css": ".nothing", "type": "bool"}, "nothing found for .nothing"),
        ({"css": ".nothing", "many": True}, "nothing found for .nothing"),
        ({"css": "h1", "regex": "xyz"}, "nothing found for h1 that matches the regex"),
        ({"css": "h2", "type": "decimal"}, "no number in 'Other'"),
        ({"css": "a", "type": "date"}, "not a date in a known form: 'next'"),
        ({"links": "all"}, "nothing found for links: all"),
    ],
    ids=str,
)
def test_without_a_required_field_there_is_no_item(settings: dict[str, Any], reason: str) -> None:
    """A required field that is missing or does not parse rejects the item, with a reason."""
    rule = RuleSettings(fields=(FieldSettings("title", "h1"), FieldSettings("it", required=True, **settings)))
    assert read_rule(rule) == ([], [FieldError("it", reason, 3, item_kept=False)])


def test_bad_values_among_many_are_left_out_and_reported_once() -> None:
    """The good ones are kept, also when the field is required."""
    rule = RuleSettings(fields=(FieldSettings("p", ".price_color", type="decimal", many=True, required=True),))
    items, field_errors = read_rule(rule)
    assert items[0].fields == {"p": [Decimal("1234.50")]}
    assert field_errors == [FieldError("p", "1 of 2 not read, the first: no number in 'on request'", 3)]


@pytest.mark.parametrize("href", ["javascript:void(0)", "mailto:a@b.example", "http://", "http://a b/"], ids=str)
def test_a_url_that_cannot_be_fetched_is_rejected(href: str) -> None:
    """Only http and https URLs are values of type url."""
    context = context_of(f'<a href="{href}">x</a>')
    items, field_errors = read_rule(RuleSettings(fields=(FieldSettings("u", "a", type="url"),)), context)
    assert items[0].fields == {"u": None}
    assert "not a usable URL" in field_errors[0].reason


def test_a_page_without_links_gives_an_empty_list() -> None:
    """Links are a list even when there are none."""
    assert value_of(links="all") == []


def test_limits_hold_and_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """Values, items, texts and what a regex reads are bounded, and none is cut silently."""
    monkeypatch.setattr(fields, "MAX_VALUES", 2)
    monkeypatch.setattr(rules, "MAX_ITEMS", 3)
    monkeypatch.setattr(fields, "MAX_VALUE_CHARS", 50)
    monkeypatch.setattr(fields, "MAX_REGEX_CHARS", 5)
    context = context_of("<i>1</i>" * 4 + f"<p>{'x' * 51}</p><b>0123456</b>")
    items, field_errors = read_rule(RuleSettings(fields=(FieldSettings("f", "i", many=True),)), context)
    assert items[0].fields == {"f": ["1", "1"]}
    assert "only the first 2" in field_errors[0].reason
    items, field_errors = read_rule(RuleSettings(each="i", fields=(FieldSettings("f"),)), context)
    assert len(items) == 3
    assert field_errors[0].field == "each"
    for settings in (FieldSettings("f", "p"), FieldSettings("f", "b", regex="6")):
        items, field_errors = read_rule(RuleSettings(fields=(settings,)), context)
        assert items[0].fields == {"f": None}
        assert "characters" in field_errors[0].reason


@given(st.text(max_size=200), st.sampled_from(["text", "int", "float", "decimal", "bool", "url", "date", "html"]))
def test_no_page_makes_a_field_raise(markup: str, kind: Any) -> None:
    """Whatever the page, every field gives a value, its default or a reason."""
    rule = RuleSettings(fields=(FieldSettings("a", "*", type=kind), FieldSettings("b", "p", type=kind, many=True)))
    items, _ = read_rule(rule, context_of(f"<p>{markup}<p>{markup}"))
    assert set(items[0].fields) == {"a", "b"}


NUMBERS = """<p class=range>6.95 - 9.95</p><p class=sup>19<sup>99</sup> EUR</p><i data-n="1.234" title="1.234">1.234</i>
<b class="a b">1</b><b class=b>2</b>"""


@pytest.mark.parametrize(
    ("keys", "value", "reason"),
    [
        ({"css": ".range", "type": "decimal"}, None, "more than one number"),
        ({"css": ".range", "type": "decimal", "several_numbers": "max"}, Decimal("9.95"), ""),
        ({"css": ".range", "type": "float", "several_numbers": "first", "transform": (("strip", None),)}, 6.95, ""),
        ({"css": ".sup", "type": "decimal"}, None, "two elements"),
        ({"css": ".sup", "type": "int", "transform": (("strip", None),)}, None, "two elements"),
        ({"css": ".sup", "type": "int", "regex": "[0-9]+"}, 1999, ""),
        ({"css": ".sup"}, "1999 EUR", ""),
        ({"css": "i", "type": "decimal"}, None, "1234 or 1.234"),
        ({"css": "i", "type": "decimal", "attr": "title"}, None, "1234 or 1.234"),
        ({"css": "i", "type": "decimal", "attr": "data-n"}, Decimal("1.234"), ""),
        ({"css": ".a, .b", "many": True}, ["1", "2"], ""),
    ],
    ids=str,
)
def test_a_number_is_read_or_refused_with_a_reason(keys: dict[str, Any], value: Any, reason: str) -> None:
    """By the text as a page shows it, or by the attribute as a program wrote it."""
    items, field_errors = read_rule(RuleSettings(fields=(FieldSettings("it", **keys),)), context_of(NUMBERS))
    assert items[0].fields["it"] == value
    assert (reason in field_errors[0].reason) if reason else not field_errors
