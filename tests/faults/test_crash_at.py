"""The crash points of `tests.faults.crash_at` fit the code."""

from __future__ import annotations

import pytest

from tests.faults.crash_at import CRASH_POINTS, Countdown


@pytest.mark.parametrize("point", CRASH_POINTS)
def test_every_crash_point_names_a_function(point: str) -> None:
    """A function that was renamed would make its crash point useless: the process would die of an AttributeError."""
    owner, name = CRASH_POINTS[point]
    assert callable(getattr(owner, name))


def test_a_countdown_is_reached_after_its_passes() -> None:
    """A crash point with the count 2 is passed twice and reached the third time."""
    countdown = Countdown(2)
    assert [countdown.reached() for _ in range(3)] == [False, False, True]
