"""Fields with all steps (source, json, regex, transforms, type), and objects."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from scraper.extract.rules.field_settings import FieldSettings
from scraper.extract.rules.rule import RuleSettings
from tests.extract.rules.shop_page import API, extract, value_of


def test_what_json_holds_may_not_be_of_the_type() -> None:
    """A mapping is no number; a function that is given the wrong kind fails; both are reported."""
    pytest.importorskip("jmespath")
    fields = (FieldSettings("a", json="items[0].{x: id}", type="int"), FieldSettings("b", json="sum(items[].name)"))
    found = extract(RuleSettings(fields=fields), text=API, kind="application/json")
    assert [dict(item.fields) for item in found.items] == [{"a": None, "b": None}]
    assert [bad.field for bad in found.field_errors] == ["a", "b"]


def test_fields_inside_make_objects() -> None:
    """With `many` a list of objects, without it one; what fails inside is reported by its full name."""
    inner = (FieldSettings("who", css="b"), FieldSettings("stars", css="span", type="int", required=True))
    rule = RuleSettings(
        each="article",
        fields=(
            FieldSettings("title", css="h1"),
            FieldSettings("reviews", css="li.r", many=True, fields=inner),
            FieldSettings("first", css="li.r", fields=(FieldSettings("who", css="b"),)),
            FieldSettings("none", css="em", fields=(FieldSettings("who", css="b"),)),
        ),
    )
    found = extract(rule)
    assert [dict(item.fields) for item in found.items] == [
        {"title": "Amber Lamp", "reviews": [{"who": "Ann", "stars": 5}], "first": {"who": "Ann"}, "none": None}
    ]
    assert [(bad.field, bad.reason) for bad in found.field_errors] == [("reviews.stars", "nothing found for span")]


def test_objects_of_json_pages_and_structured_data() -> None:
    """Fields inside read what `json` or `structured` gives."""
    pytest.importorskip("jmespath")
    inner = (FieldSettings("n", json="name", type="any"),)
    assert value_of(API, "application/json", json="items", many=True, fields=inner) == [{"n": " A "}, {"n": None}]
    assert value_of(structured=("product",), fields=inner) == {"n": "Lamp"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ({"css": "h1", "transform": (("upper", None),)}, "AMBER LAMP"),
        ({"css": "h1", "transform": (("split", " "),)}, ["Amber", "Lamp"]),
        ({"css": "i", "many": True, "transform": (("join", "."),), "type": "decimal"}, Decimal("1.2")),
        ({"css": "i", "many": True, "transform": (("replace", ("1", "7")),), "type": "int"}, [7, 2]),
        ({"css": ".none", "transform": (("default", "0"),), "type": "int", "required": True}, 0),
        ({"css": ".none", "transform": (("lower", None),)}, None),
        ({"css": "h1", "transform": (("strip", "Amber Lap"),)}, None),
        ({"regex": "X-(\\d+)", "transform": (("replace", ("1", "")),), "type": "int"}, 7),
    ],
    ids=str,
)
def test_the_type_is_read_after_the_steps(field: dict[str, Any], value: Any) -> None:
    """Source, regex, steps, type: in this order; what is empty after them is missing."""
    assert value_of(**field) == value


RECIPE = """<script type="application/ld+json">{"@type": "Recipe", "name": "Mac &amp; Cheese", "n": 1.234, "t": "1.234",
"url": "/r?a=1&amp;b=2#top", "text": "<p>Stir &lt;5 min</p><p>Eat</p>", "own": "<your name>"}</script>"""


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        ({"json": "name", "type": "text"}, "Mac & Cheese"),
        ({"json": "name", "type": "any"}, "Mac & Cheese"),
        ({"json": "name", "type": "text", "plain_text": False}, "Mac &amp; Cheese"),
        ({"json": "text", "type": "text"}, "Stir <5 min Eat"),
        ({"json": "own", "type": "text"}, "<your name>"),
        ({"json": "url", "type": "url"}, "http://shop.example/r?a=1&b=2#top"),
        ({"json": "n", "type": "float"}, 1.234),
        ({"json": "t", "type": "float"}, 1.234),
    ],
    ids=str,
)
def test_texts_of_structured_data_are_plain(keys: dict[str, Any], value: Any) -> None:
    """Entities and tags of JSON-LD are none of the text; its numbers are those of a program."""
    assert value_of(text=RECIPE, structured=("recipe",), **keys) == value
