from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scraper.report.text.formatting import bytes_text, clock_text, duration_text, instant_text, latency_text, rate_text
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


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (bytes_text(0), "0 B"),
        (bytes_text(999), "999 B"),
        (bytes_text(1000), "1.00 kB"),
        (bytes_text(999_949), "1.00 MB"),
        (bytes_text(12_345_678), "12.3 MB"),
        (bytes_text(5e20), "500000 PB"),
        (bytes_text(math.inf), "inf B"),
        (duration_text(0.04), "0.0s"),
        (duration_text(-3), "0.0s"),
        (duration_text(59.6), "1m 00s"),
        (duration_text(184), "3m 04s"),
        (duration_text(7_500), "2h 05m"),
        (duration_text(273_600), "3d 04h"),
        (duration_text(math.inf), "forever"),
        (latency_text(0.042), "42ms"),
        (latency_text(2.5), "2.5s"),
        (clock_text(3_723.9), "01:02:03"),
        (clock_text(-1), "00:00:00"),
        (rate_text(12.345), "12.3"),
        (rate_text(1234.5), "1234"),
        (instant_text(1_700_000_000.1239), "2023-11-14T22:13:20.123Z"),
        (instant_text(None), None),
        (instant_text(math.inf), None),
    ],
)
def test_amounts_read_well(shown: str | None, expected: str | None) -> None:
    """Each amount has two or three digits and its unit; what is no number does not fail."""
    assert shown == expected
