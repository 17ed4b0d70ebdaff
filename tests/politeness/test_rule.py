"""What all rules share: numbers read back from stored state, and lengths of time for people."""

from __future__ import annotations

import math

import pytest

from scraper.politeness.rule import format_duration, parse_numbers


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.5, "0.5 s"), (90, "90 s"), (900, "15 min"), (3600, "1 h"), (21600, "6 h"), (5400, "90 min")],
    ids=str,
)
def test_lengths_of_time_are_said_for_people(seconds: float, said: str) -> None:
    """Seconds, minutes or hours, whichever reads best."""
    assert format_duration(seconds) == said


STORED_NUMBERS = [
    ("integers and floats", [0, 1.5], [0.0, 1.5]),
    ("too few", [1], None),
    ("too many", [1, 2, 3], None),
    ("no list", {"0": 1}, None),
    ("negative", [1, -1], None),
    ("above the highest", [1, 11], None),
    ("infinite", [1, math.inf], None),
    ("not a number", [1, math.nan], None),
    ("a bool", [1, True], None),
    ("a text", [1, "2"], None),
]


@pytest.mark.parametrize(("raw", "found"), [row[1:] for row in STORED_NUMBERS], ids=[row[0] for row in STORED_NUMBERS])
def test_stored_numbers_are_taken_back_only_whole(raw: object, found: list[float] | None) -> None:
    """Exactly as many numbers as expected, each from 0 to the highest; anything else is junk."""
    assert parse_numbers(raw, 2, 10) == found
