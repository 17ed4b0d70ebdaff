"""The steps a text takes before its type is read, and the conditions for an item."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scraper.extract.rules import transforms
from scraper.extract.rules.conditions import ConditionSettings
from scraper.extract.rules.field_settings import FieldSettings
from scraper.extract.rules.rule import RuleSettings
from scraper.extract.rules.transforms import apply_transforms
from scraper.extract.rules.value_parsers import ParseFailure
from tests.extract.rules.test_css_field import view_of
from tests.extract.rules.test_field_sources import fields_of, harvest, value_of


@pytest.mark.parametrize(
    ("steps", "before", "after"),
    [
        ([("strip", None)], " a ", "a"),
        ([("strip", "€ ")], "€ 5", "5"),
        ([("lower", None)], "AbC", "abc"),
        ([("upper", None)], ["a", "b"], ["A", "B"]),
        ([("replace", (",", "."))], "1,5,0", "1.5.0"),
        ([("split", ",")], "a, b,,c", ["a", "b", "c"]),
        ([("split", "/"), ("upper", None)], "a/b", ["A", "B"]),
        ([("join", " - ")], ["a", "b"], "a - b"),
        ([("join", "")], "alone", "alone"),
        ([("split", ","), ("join", ";")], "a,b", "a;b"),
        ([("default", "x")], None, "x"),
        ([("default", "x")], [], "x"),
        ([("default", "x")], "y", "y"),
        ([("strip", None)], None, None),
        ([("lower", None)], 5, 5),
        ([("join", ",")], [1, "a", None], "1,a"),
        ([("absolute_url", None)], "../x", "http://shop.example/a/x"),
        ([("parse_date", None)], "12 March 2024", "2024-03-12"),
    ],
    ids=str,
)
def test_a_step_changes_texts(steps: list[tuple[str, Any]], before: Any, after: Any) -> None:
    """One text or each of a list; what is no text passes."""
    assert apply_transforms(before, steps, view_of()) == after


@pytest.mark.parametrize(
    ("steps", "before"),
    [
        ([("parse_date", None)], "03/04/2024"),
        ([("absolute_url", None)], "mailto:a@b.example"),
        ([("parse_date", None), ("join", " ")], ["2024-01-01", "never"]),
        ([("replace", ("a", "b" * 100))], "a" * 100),
        ([("join", "x" * 90)], ["a"] * 100),
    ],
    ids=["date", "address", "joined", "replaced", "long"],
)
def test_a_step_may_refuse(steps: list[tuple[str, Any]], before: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A text that cannot be read or would grow without end is refused with the reason, before it has grown."""
    monkeypatch.setattr(transforms, "MAX_VALUE_CHARS", 5_000)
    assert isinstance(apply_transforms(before, steps, view_of()), ParseFailure)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [("strip", None), ("lower", None), ("split", ","), ("join", " "), ("default", "x"),
             ("replace", ("a", "bb")), ("absolute_url", None), ("parse_date", None)]
        ),
        max_size=6,
    ),
    st.none() | st.text(max_size=40) | st.lists(st.none() | st.integers() | st.text(max_size=9), max_size=5),
)  # fmt: skip
def test_any_steps_take_any_value(steps: list[tuple[str, Any]], value: Any) -> None:
    """No order of steps raises."""
    apply_transforms(value, steps, view_of())


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


def test_a_step_that_refuses_is_told() -> None:
    """The item is kept without the value, as for a type."""
    found = harvest(RuleSettings(fields=(FieldSettings("d", "h1", transform=(("parse_date", None),)),)))
    assert dict(found.items[0].fields) == {"d": None}
    assert "not a date" in found.field_errors[0].reason
    assert found.field_errors[0].item_kept


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


def test_an_item_that_is_not_wanted_is_not_told_of() -> None:
    """What is wrong with an item that no condition wants is nobody's concern."""
    fields = (FieldSettings("who", css="b"), FieldSettings("n", css="b", type="int"))
    found = harvest(RuleSettings(each="li.r", fields=fields, when=(ConditionSettings(field="n"),)))
    assert found.items == ()
    assert found.field_errors == ()
