"""The settings of a benchmark and their limits."""

from __future__ import annotations

from typing import Any

import pytest

from scraper.bench.measure.plan import BenchPlan, parse_latency, parse_levels
from scraper.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "levels"), [("1,4,16", (1, 4, 16)), ("16, 4,4", (4, 16)), ("8", (8,))], ids=["plain", "sorted", "one"]
)
def test_levels(text: str, levels: tuple[int, ...]) -> None:
    """Levels rise and none is there twice."""
    assert parse_levels(text) == levels


@pytest.mark.parametrize("text", ["", "0", "-1", "a", "1,,2", "9999", ",".join(map(str, range(1, 40)))])
def test_levels_that_make_no_sense(text: str) -> None:
    """A bad number is a sentence that names the option."""
    with pytest.raises(ConfigError, match="--concurrency"):
        parse_levels(text)


@pytest.mark.parametrize(("text", "seconds"), [("50ms", 0.05), ("0.2s", 0.2), ("1", 1.0), ("0", 0.0)])
def test_latencies(text: str, seconds: float) -> None:
    """They have a unit or are seconds."""
    assert parse_latency(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "fast", "-5ms", "11s", "1e9", "50 min"])
def test_latencies_that_make_no_sense(text: str) -> None:
    """A bad duration is a sentence that names the option."""
    with pytest.raises(ConfigError, match="--latency"):
        parse_latency(text)


@pytest.mark.parametrize("values", [{"repeat": 0}, {"pages": 0}, {"port": 70_000}, {"latency": -1.0}])
def test_plans_that_make_no_sense(values: dict[str, Any]) -> None:
    """Every number of a plan has a range."""
    with pytest.raises(ConfigError, match="--"):
        BenchPlan(**values)


def test_a_measurement_has_enough_waves() -> None:
    """High concurrency needs many pages, a slow server few, and the user's bound holds."""
    short = BenchPlan(seconds=1.0)
    assert short.pages_at(1, 20.0) == 20
    assert short.pages_at(256, 300.0) == 6 * 256
    assert BenchPlan(pages=30).pages_at(256, 5000.0) == 30
