"""Booleans: which texts mean false."""

from __future__ import annotations

import pytest

from scraper.extract.rules.value_parsers import parse_bool


@pytest.mark.parametrize(
    ("text", "value"),
    [("yes", True), ("No", False), (" 0 ", False), ("off", False), ("", True), ("In stock", True), ("false", False)],
)
def test_a_bool_is_true_unless_the_text_says_no(text: str, value: bool) -> None:
    """What is there is true, but for the words that mean false."""
    assert parse_bool(text) is value
