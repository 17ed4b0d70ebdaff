"""Axes and shares of charts."""

from __future__ import annotations

import pytest

from scraper.report.html.charts import round_up_to_tick, share_text


@pytest.mark.parametrize(
    ("value", "top"), [(0.03, 0.03), (0.7, 0.8), (1.01, 2), (473, 500), (574, 600), (9_001, 10_000)]
)
def test_an_axis_ends_with_a_round_number(value: float, top: float) -> None:
    """Not far above the highest column."""
    assert round_up_to_tick(value) == pytest.approx(top)


def test_small_shares_are_not_told_as_none() -> None:
    """Nor nearly all as all."""
    assert [share_text(n, 10_000) for n in (0, 1, 5, 5_000, 9_999, 10_000)] == [
        "0.0 %", "<0.1 %", "0.1 %", "50.0 %", ">99.9 %", "100.0 %",
    ]  # fmt: skip
