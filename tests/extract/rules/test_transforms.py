"""The steps a text takes before its type is read, and the conditions for an item."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scraper.extract.rules import transforms
from scraper.extract.rules.field_settings import FieldSettings
from scraper.extract.rules.parse_failure import ParseFailure
from scraper.extract.rules.rule import RuleSettings
from scraper.extract.rules.transforms import apply_transforms
from tests.extract.rules.product_page import context_of
from tests.extract.rules.shop_page import extract


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
        ([("unescape", None)], "Tom &amp; Jerry &#39;s &copy=2 &nope;", "Tom & Jerry 's &copy=2 &nope;"),
        ([("unescape", None)], "&amp;lt;", "&lt;"),
        ([("text", None)], "<p>a &lt;b&gt; &amp; c</p><p>d<br>e</p>", "a <b> & c d e"),
    ],
    ids=str,
)
def test_a_step_changes_texts(steps: list[tuple[str, Any]], before: Any, after: Any) -> None:
    """One text or each of a list; what is no text passes."""
    assert apply_transforms(before, steps, context_of()) == after


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
def test_a_step_may_fail(steps: list[tuple[str, Any]], before: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A text that cannot be read or would grow without end is rejected with the reason, before it has grown."""
    monkeypatch.setattr(transforms, "MAX_VALUE_CHARS", 5_000)
    assert isinstance(apply_transforms(before, steps, context_of()), ParseFailure)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [("strip", None), ("lower", None), ("split", ","), ("join", " "), ("default", "x"),
             ("replace", ("a", "bb")), ("absolute_url", None), ("parse_date", None), ("unescape", None),
             ("text", None)]
        ),
        max_size=6,
    ),
    st.none() | st.text(max_size=40) | st.lists(st.none() | st.integers() | st.text(max_size=9), max_size=5),
)  # fmt: skip
def test_any_steps_take_any_value(steps: list[tuple[str, Any]], value: Any) -> None:
    """No order of steps raises."""
    apply_transforms(value, steps, context_of())


def test_a_step_that_fails_is_reported() -> None:
    """The item is kept without the value, as for a type."""
    found = extract(RuleSettings(fields=(FieldSettings("d", "h1", transform=(("parse_date", None),)),)))
    assert dict(found.items[0].fields) == {"d": None}
    assert "not a date" in found.field_errors[0].reason
    assert found.field_errors[0].item_kept
