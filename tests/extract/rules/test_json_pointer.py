"""Places in what is posted: RFC 6901, and pages of a list that differ in a value there."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.errors import ExtractionRuleError
from scraper.extract.rules.json_pointer import JsonPointer
from scraper.extract.rules.parse_failure import ParseFailure
from scraper.model import Content

DOCUMENT = {"foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "m~n": 8, " ": 7, "deep": {"er": {"x": 1}}}


@pytest.mark.parametrize(
    ("pointer", "value"),
    [("/foo", ["bar", "baz"]), ("/foo/0", "bar"), ("/", 0), ("/a~1b", 1), ("/c%d", 2), ("/m~0n", 8), ("/ ", 7),
     ("/deep/er/x", 1), ("/none", None), ("/foo/2", None), ("/foo/-", None), ("/foo/00", None), ("/foo/x", None),
     ("/a~1b/c", None)],
)  # fmt: skip
def test_a_pointer_names_a_value(pointer: str, value: Any) -> None:
    """The table of RFC 6901 section 5; what is not there is None."""
    assert JsonPointer(pointer).read(DOCUMENT) == value


@pytest.mark.parametrize(
    ("pointer", "changed"),
    [
        ("/a", {"a": 9, "b": [1, {"c": 2}]}),
        ("/b/0", {"a": 1, "b": [9, {"c": 2}]}),
        ("/b/1/c", {"a": 1, "b": [1, {"c": 9}]}),
        ("/b/1/d", {"a": 1, "b": [1, {"c": 2, "d": 9}]}),
        ("/x/y", {"a": 1, "b": [1, {"c": 2}], "x": {"y": 9}}),
        ("/b/2", None),
        ("/b/-", None),
        ("/b/x", None),
        ("/a/b", None),
    ],
)
def test_a_value_is_put_in_its_place(pointer: str, changed: Any) -> None:
    """Missing objects are made, elements of lists are not; what it was stays as it is."""
    document: dict[str, Any] = {"a": 1, "b": [1, {"c": 2}]}
    found = JsonPointer(pointer).with_value(document, 9)
    assert isinstance(found, ParseFailure) if changed is None else found == changed
    assert document == {"a": 1, "b": [1, {"c": 2}]}


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=5), min_size=1, max_size=4), st.integers())
def test_what_was_put_in_is_read_again(steps: list[str], value: int) -> None:
    """Whatever the names hold."""
    pointer = JsonPointer("".join("/" + step.replace("~", "~0").replace("/", "~1") for step in steps))
    assert pointer.tokens == steps
    assert pointer.read(pointer.with_value({}, value)) == value


@pytest.mark.parametrize("text", ["", "page", "a.b", "/a~b", "/a~", "/x" * 40])
def test_what_is_no_pointer_is_an_error(text: str) -> None:
    """And one that is too long."""
    with pytest.raises(ExtractionRuleError, match="JSON Pointer"):
        JsonPointer(text)


@given(st.binary(max_size=60), st.text(max_size=10))
def test_any_content_is_changed_or_rejected(data: bytes, value: str) -> None:
    """Nothing is raised, also for what is no JSON and for half of a surrogate pair."""
    found = JsonPointer("/a").update_content(Content(data, "t"), value)
    assert isinstance(found, ParseFailure) or (json.loads(found.data)["a"], found.type) == (value, "t")
