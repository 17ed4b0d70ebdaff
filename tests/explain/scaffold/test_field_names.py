"""Names and types of guessed fields."""

from __future__ import annotations

import pytest

from scraper.explain.scaffold.field_names import field_name, field_type, snake_case, unique_name

NAMES: dict[str, tuple[str | None, str | None, str]] = {
    "itemprop": ("[itemprop=datePublished]", None, "date_published"),
    "an href": (".card a", "href", "link"),
    "a known word in a class": (".product-price", None, "price"),
    "its plural": (".tags", None, "tag"),
    "an unknown class": (".sub-heading", None, "sub_heading"),
    "a table column": ("td:nth-child(3)", None, "column_3"),
    "a heading": ("h2", None, "title"),
    "the block's own attribute": (None, "data-sku", "sku"),
}


@pytest.mark.parametrize("case", NAMES)
def test_a_name_is_the_most_meaningful_there_is(case: str) -> None:
    """Property, class, position, tag: in this order."""
    css, attr, name = NAMES[case]
    assert field_name(css, attr) == name


TYPES: dict[str, tuple[str | None, str | None, list[str], str]] = {
    "a link": ("a", "href", ["/x"], "url"),
    "a date": ("time", "datetime", ["2024-05-01"], "date"),
    "a datetime that is no date": ("time", "datetime", ["soon"], "text"),
    "whole numbers": (".n", None, ["1", "22"], "int"),
    "money": (".cost", None, ["€ 1.50", "€ 20"], "decimal"),
    "a price without a sign": (".price", None, ["1.50", "20"], "decimal"),
    "words": (".a", None, ["one"], "text"),
}


@pytest.mark.parametrize("case", TYPES)
def test_a_type_is_what_all_values_look_like(case: str) -> None:
    """Text, when they look like nothing else."""
    css, attr, values, expected = TYPES[case]
    assert field_type(css, attr, values) == expected


def test_names_in_an_item_differ() -> None:
    """Case does not tell them apart; `url` is taken by the page's own URL."""
    taken: set[str] = set()
    assert [unique_name(name, taken) for name in ("price", "Price", "price", "url")] == [
        "price",
        "Price_2",
        "price_3",
        "address",
    ]


@pytest.mark.parametrize(("text", "name"), [("datePublished", "date_published"), ("x-y", "x_y"), ("", "value")])
def test_any_notation_becomes_snake_case(text: str, name: str) -> None:
    """Camel case, hyphens; an empty name gets a word."""
    assert snake_case(text) == name
