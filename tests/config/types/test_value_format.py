"""Numbers, booleans and texts, and how a value is described in a message."""

from __future__ import annotations

import pytest

from scraper.config.types.value_format import (
    FLAG_FORMAT,
    InvalidValueError,
    ParseContext,
    describe_value,
    float_range,
    int_range,
)

CONTEXT = ParseContext({})

DESCRIPTIONS: list[tuple[object, str]] = [
    (None, "nothing (null)"),
    (True, "true"),
    ("a", "'a'"),
    ("", "an empty text"),
    ("x" * 100, repr("x" * 60 + "...")),
    ("user:pass@host", "a text that may hold a password"),
    (3, "the number 3"),
    (10**20, "a huge number"),
    (float("nan"), "not a number (nan)"),
    ({}, "a mapping"),
    ([], "a list"),
]


@pytest.mark.parametrize(("value", "text"), DESCRIPTIONS, ids=[row[1][:20] for row in DESCRIPTIONS])
def test_a_value_is_described_in_the_terms_of_yaml(value: object, text: str) -> None:
    """Shortened, and never with what may be a password."""
    assert describe_value(value) == text


@pytest.mark.parametrize("value", [0, 11, True, 3.0, "3", None], ids=repr)
def test_a_whole_number_outside_its_range_or_of_another_type_is_rejected(value: object) -> None:
    """Both ends belong to the range; a bool is no number."""
    assert [int_range(1, 10).parse(end, CONTEXT) for end in (1, 10)] == [1, 10]
    with pytest.raises(InvalidValueError):
        int_range(1, 10).parse(value, CONTEXT)


@pytest.mark.parametrize("value", [0, 1.1, True, "0.5", float("nan")], ids=repr)
def test_a_number_outside_its_range_or_of_another_type_is_rejected(value: object) -> None:
    """Both ends belong to the range."""
    assert [float_range(0.1, 1).parse(end, CONTEXT) for end in (0.1, 1)] == [0.1, 1.0]
    with pytest.raises(InvalidValueError):
        float_range(0.1, 1).parse(value, CONTEXT)


@pytest.mark.parametrize(("word", "meant"), [("yes", "true"), ("off", "false"), (1, "true"), ("0", "false")], ids=repr)
def test_other_words_for_booleans_are_rejected_with_the_right_one(word: object, meant: str) -> None:
    """YAML 1.2 has true and false."""
    with pytest.raises(InvalidValueError) as caught:
        FLAG_FORMAT.parse(word, CONTEXT)
    assert caught.value.hint == f"did you mean {meant}?"
