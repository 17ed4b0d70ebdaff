from __future__ import annotations

import math
import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.bench.measure.statistics import (
    SteadyPart,
    expected_rate,
    find_knee,
    interpolate,
    littles_law,
    percentile,
    spread,
    steady_part,
)


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        ([], 0.5, 0.0),
        ([3.0], 0.99, 3.0),
        ([1.0, 2.0, 3.0, 4.0], 0.5, 2.5),
        ([1.0, 2.0, 3.0, 4.0], 0.0, 1.0),
        ([1.0, 2.0, 3.0, 4.0], 1.0, 4.0),
        ([15.0, 20.0, 35.0, 40.0, 50.0], 0.4, 29.0),
        ([1.0, 2.0], 7.0, 2.0),
    ],
    ids=["nothing", "one", "median", "lowest", "highest", "textbook", "out-of-range"],
)
def test_percentiles_are_interpolated(values: list[float], share: float, expected: float) -> None:
    """A percentile lies between its neighbours in proportion (Hyndman and Fan's type 7)."""
    assert percentile(values, share) == pytest.approx(expected)


@given(st.lists(st.floats(0, 1e6), min_size=2, max_size=60))
def test_percentiles_agree_with_the_standard_library(values: list[float]) -> None:
    """`statistics.quantiles` with the inclusive method is the same definition."""
    ordered = sorted(values)
    quantiles = statistics.quantiles(ordered, n=100, method="inclusive")
    assert percentile(ordered, 0.95) == pytest.approx(quantiles[94], rel=1e-9, abs=1e-9)


def test_littles_law() -> None:
    """64 requests in flight that take 50 ms each are 1,280 a second; without latency there is no bound."""
    assert littles_law(64, 0.05) == pytest.approx(1280)
    assert littles_law(1, 0.0) == math.inf


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({}, 1280.0),
        ({"per_host": 4}, 80.0),
        ({"per_host": 4, "hosts": 3}, 240.0),
        ({"per_host": 4, "hosts": 100}, 1280.0),
        ({"rate": 2.0}, 2.0),
        ({"rate": 2.0, "hosts": 10}, 20.0),
        ({"rate": 2.0, "hosts": 10, "per_host": 1}, 20.0),
    ],
    ids=["free", "capped", "capped-hosts", "enough-hosts", "rate", "rate-hosts", "both"],
)
def test_politeness_bounds_littles_law(limits: dict[str, int], expected: float) -> None:
    """What is allowed is the least of Little's law, the hosts' concurrency and the hosts' rate."""
    assert expected_rate(64, 0.05, **limits) == pytest.approx(expected)


def test_spread_is_the_median_and_the_extremes() -> None:
    """One slow round moves the low end and not the middle."""
    found = spread([100.0, 40.0, 104.0])
    assert (found.median, found.low, found.high) == (100.0, 40.0, 104.0)
    assert found.relative == pytest.approx(0.32)
    assert spread([]).relative == 0.0


def waves(count: int, size: int, latency: float, jitter: float = 0.0) -> list[float]:
    """Completions of `count` waves of `size` requests each."""
    dice = random.Random(3)
    return [latency * (wave + 1) + jitter * dice.random() for wave in range(count) for _ in range(size)]


@pytest.mark.parametrize(("count", "size"), [(6, 64), (20, 8), (50, 1)])
def test_the_steady_part_of_waves_has_the_rate_of_littles_law(count: int, size: int) -> None:
    """Requests that end together are counted from wave to wave: neither end adds to the rate or takes from it."""
    part = steady_part(waves(count, size, 0.05, 0.01), size, started=0.0)
    assert part.rate == pytest.approx(size / 0.05, rel=0.03)


def test_ramps_are_left_out() -> None:
    """A slow start and a slow end do not change the rate."""
    steady = [10 + n * 0.01 for n in range(200)]
    part = steady_part([1.0, 2.0, 3.0, 4.0, *steady, 20.0, 30.0, 40.0, 50.0], 4, started=0.0)
    assert part.rate == pytest.approx(100, rel=0.02)


@pytest.mark.parametrize(
    ("instants", "expected"),
    [([], SteadyPart(5.0, 5.0, 0)), ([6.0, 7.0], SteadyPart(5.0, 7.0, 2)), ([6.0] * 9, SteadyPart(5.0, 6.0, 9))],
    ids=["nothing", "short", "at-once"],
)
def test_a_short_run_is_taken_whole(instants: list[float], expected: SteadyPart) -> None:
    """Too few completions have no steady part: the run counts from its start."""
    assert steady_part(instants, 2, started=5.0) == expected


@pytest.mark.parametrize(
    ("rates", "expected"),
    [
        ([20, 40, 80, 160, 320, 640, 1240, 1300, 1310], 64),
        ([20, 40, 80, 160, 320, 640, 1280, 2400, 3300], 128),
        ([20, 40, 80, 160, 320, 640, 1280, 2560, 5120], None),
        ([500, 510, 505, 500, 490, 480, 470, 460, 450], 1),
        ([20, 40, 80, 160, 320, 640, 1280, 900, 400], 64),
        ([20, 40], None),
        ([], None),
    ],
    ids=["flat-after-64", "bends-at-128", "none", "at-once", "collapse", "too-few", "nothing"],
)
def test_the_knee_is_where_a_doubling_stops_to_pay(rates: list[float], expected: int | None) -> None:
    """Up to the knee a doubling of concurrency brings more than 41 %; where it always does there is no knee."""
    assert find_knee([(2**n, rate) for n, rate in enumerate(rates)]) == expected


@pytest.mark.parametrize(("at", "value"), [(0.0, 10.0), (1.5, 15.0), (2.0, 20.0), (9.0, 20.0)])
def test_samples_are_interpolated(at: float, value: float) -> None:
    """Between two samples a quantity grows evenly; beyond them it is that of the nearest."""
    assert interpolate([(1.0, 10.0), (2.0, 20.0)], at) == value


def test_nothing_sampled_is_nothing() -> None:
    """Without samples the quantity is zero."""
    assert interpolate([], 1.0) == 0.0
