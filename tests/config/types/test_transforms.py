"""The steps of `transform`."""

from __future__ import annotations

import pytest

from scraper.config.types.transforms import TRANSFORM_STEP_FORMAT, TransformStep
from scraper.config.types.value_format import InvalidValueError, ParseContext

STEPS = [
    ("strip", TransformStep("strip")),
    ({"strip": "€ "}, TransformStep("strip", "€ ")),
    ({"replace": [",", ""]}, TransformStep("replace", (",", ""))),
    ({"split": ","}, TransformStep("split", ",")),
    ({"join": ""}, TransformStep("join", "")),
    ({"default": 3}, TransformStep("default", 3)),
]


@pytest.mark.parametrize(("value", "step"), STEPS, ids=[str(row[0]) for row in STEPS])
def test_a_step_is_a_word_or_a_mapping_with_one_and_written_back(value: object, step: TransformStep) -> None:
    """`serialize` gives what `parse` accepts again."""
    assert TRANSFORM_STEP_FORMAT.parse(value, ParseContext({})) == step
    assert TRANSFORM_STEP_FORMAT.serialize(step) == value


MISTAKES = [
    ("stripp", "did you mean strip?"),
    ("split", "write it with what it needs: {split: ...}"),
    ({"lower": "x"}, "write it alone: lower"),
    ({"replace": [","]}, "for example {replace: [',', '.']}"),
    ({"split": ",", "join": " "}, ""),
    ({"split": ""}, ""),
    ({"default": True}, ""),
    (5, ""),
]


@pytest.mark.parametrize(("value", "hint"), MISTAKES, ids=[str(row[0]) for row in MISTAKES])
def test_a_wrong_step_is_rejected_with_a_hint(value: object, hint: str) -> None:
    """An unknown word, a word without or with an argument, an argument of the wrong type."""
    with pytest.raises(InvalidValueError) as caught:
        TRANSFORM_STEP_FORMAT.parse(value, ParseContext({}))
    assert caught.value.hint == hint
