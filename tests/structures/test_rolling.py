from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scraper.structures.rolling import WINDOW_SECONDS, DurationHistogram, RollingRate


def test_a_rate_is_over_the_last_ten_seconds() -> None:
    """A steady flow shows its rate; ten quiet seconds later it is nought."""
    rate = RollingRate()
    for step in range(300):
        rate.add(100 + step / 10, 2)
    assert rate.per_second(129.9) == pytest.approx(20, rel=0.01)
    assert rate.per_second(134.9) == pytest.approx(10, rel=0.1)
    assert rate.per_second(140) == 0


def test_a_young_rate_is_over_its_own_age() -> None:
    """Two seconds after the first amount the rate is not diluted by eight seconds that were not."""
    rate = RollingRate()
    assert rate.per_second(5) == 0
    rate.add(100, 10)
    rate.add(101, 10)
    assert rate.per_second(102) == 10


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1e4), st.floats(0, 1e6)), max_size=60))
def test_a_rate_remembers_little(amounts: list[tuple[float, float]]) -> None:
    """Whatever comes, in whatever order, the memory is one sum a second of the window."""
    rate = RollingRate()
    for at, amount in amounts:
        rate.add(at, amount)
    assert len(rate._sums) <= WINDOW_SECONDS


@settings(deadline=None)
@given(st.lists(st.floats(0.001, 1000), min_size=1, max_size=200), st.sampled_from([0.5, 0.9, 0.99, 1.0]))
def test_a_quantile_is_right_to_ten_percent(durations: list[float], share: float) -> None:
    """The histogram's quantile is within one bucket of the exact one."""
    histogram = DurationHistogram()
    for duration in durations:
        histogram.add(duration)
    exact = sorted(durations)[max(0, math.ceil(share * len(durations)) - 1)]
    assert exact / 1.11 <= histogram.quantile(share) <= exact * 1.11


@pytest.mark.parametrize("odd", [0.0, -1.0, math.inf, math.nan, 1e300])
def test_an_odd_duration_is_counted(odd: float) -> None:
    """No duration is refused."""
    histogram = DurationHistogram()
    histogram.add(odd)
    assert histogram.total == 1
    assert histogram.quantile(0.5) >= 0
