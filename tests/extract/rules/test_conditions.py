"""`when` and `unless`: which elements become items."""

from __future__ import annotations

from typing import Any

import pytest

from scraper.extract.rules.conditions import ConditionSettings
from scraper.extract.rules.field_settings import FieldSettings
from scraper.extract.rules.rule import RuleSettings
from tests.extract.rules.shop_page import extract, fields_of

REVIEW = (FieldSettings("who", css="b"), FieldSettings("stars", css="span", type="int"))


@pytest.mark.parametrize(
    ("conditions", "names"),
    [
        ({"when": (ConditionSettings(css="span"),)}, ["Ann"]),
        ({"unless": (ConditionSettings(css="span"),)}, ["Bob"]),
        ({"when": (ConditionSettings(css="b", equals=("Bob", "Eve")),)}, ["Bob"]),
        ({"when": (ConditionSettings(css="b", matches="^A"),)}, ["Ann"]),
        ({"when": (ConditionSettings(css="b", matches="n", equals=("Bob",)),)}, []),
        ({"when": (ConditionSettings(field="stars"),)}, ["Ann"]),
        ({"unless": (ConditionSettings(field="stars", equals=("5",)),)}, ["Bob"]),
        ({"when": (ConditionSettings(regex="<b>B"),)}, ["Bob"]),
        ({"when": (ConditionSettings(css="b"), ConditionSettings(field="who", matches="b"))}, ["Bob"]),
        ({"when": (ConditionSettings(css=".none"),)}, []),
        ({}, ["Ann", "Bob"]),
    ],
    ids=str,
)
def test_conditions_choose_what_is_an_item(conditions: dict[str, Any], names: list[str]) -> None:
    """All of `when` and none of `unless` must hold; the others are no loss."""
    assert [item["who"] for item in fields_of(*REVIEW, each="li.r", **conditions)] == names


def test_conditions_on_other_sources() -> None:
    """XPath and JMESPath say whether something is there, and what."""
    pytest.importorskip("lxml")
    pytest.importorskip("jmespath")
    found = fields_of(*REVIEW, each="li.r", when=(ConditionSettings(xpath="./span", equals=("5",)),))
    assert [item["who"] for item in found] == ["Ann"]
    text = '{"items": [{"id": 1, "ok": true}, {"id": 2, "ok": false}, {"id": 3, "n": 0}]}'
    rule = {"text": text, "kind": "application/json", "each_json": "items"}
    which = FieldSettings("id", json="id", type="any")
    assert fields_of(which, when=(ConditionSettings(json="ok"),), **rule) == [{"id": 1}]
    assert fields_of(which, when=(ConditionSettings(json="ok", equals=("false",)),), **rule) == [{"id": 2}]
    assert fields_of(which, unless=(ConditionSettings(json="n"),), **rule) == [{"id": 1}, {"id": 2}]


def test_an_item_that_is_not_wanted_is_not_reported() -> None:
    """What is wrong with an item that no condition wants is not reported."""
    fields = (FieldSettings("who", css="b"), FieldSettings("n", css="b", type="int"))
    found = extract(RuleSettings(each="li.r", fields=fields, when=(ConditionSettings(field="n"),)))
    assert found.items == ()
    assert found.field_errors == ()
