"""The settings of a benchmark: levels of concurrency, duration, repetitions, number of pages."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from scraper.errors import ConfigError

DEFAULT_LEVELS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
# Each request needs a file descriptor, and many systems allow 1,024 per process.
MAX_LEVEL = 1024
MAX_LEVELS = 16
MAX_REPEAT = 50
MAX_LATENCY_SECONDS = 10.0
# A measurement has at least this many times `concurrency` requests; the first and last of these waves are ramps.
MIN_WAVES = 6
# Upper bound of the pages of one measurement.
MAX_PAGES = 20_000
# The latency varies by this share of itself, in both directions.
LATENCY_JITTER_SHARE = 0.1

_DURATION_PATTERN = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(ms|s)?")


@dataclass(frozen=True, slots=True)
class BenchPlan:
    """How to measure. `latency` is the server's mean response time in seconds, `seconds` the length of a measurement.

    Every level is measured `repeat` times, in rounds. `pages` bounds the pages of one measurement. Port 0 picks a free
    one. Raises `ConfigError` for values out of range.
    """

    levels: tuple[int, ...] = DEFAULT_LEVELS
    latency: float = 0.05
    repeat: int = 3
    seconds: float = 1.0
    pages: int = MAX_PAGES
    port: int = 0

    def __post_init__(self) -> None:
        _check_range("--repeat", self.repeat, 1, MAX_REPEAT)
        _check_range("--pages", self.pages, 1, MAX_PAGES)
        _check_range("--port", self.port, 0, 65_535)
        if not 0 <= self.latency <= MAX_LATENCY_SECONDS:
            raise ConfigError(f"--latency: expected 0 to {MAX_LATENCY_SECONDS:g} seconds, got {self.latency:g}")

    def pages_at(self, concurrency: int, rate: float) -> int:
        """Number of pages to fetch at a concurrency if about `rate` pages per second are expected."""
        wanted = max(math.ceil(rate * self.seconds), MIN_WAVES * max(1, concurrency), 12)
        return min(wanted, self.pages)


def parse_levels(text: str) -> tuple[int, ...]:
    """Parse levels of concurrency such as `1,4,16,64`; sorted, without repetitions. Raises `ConfigError`."""
    try:
        levels = {int(part) for part in text.split(",")}
    except ValueError:
        raise ConfigError(f"--concurrency: expected whole numbers such as 1,4,16,64, got {text!r}") from None
    if len(levels) > MAX_LEVELS:
        raise ConfigError(f"--concurrency: at most {MAX_LEVELS} levels, got {len(levels)}")
    for level in levels:
        _check_range("--concurrency", level, 1, MAX_LEVEL)
    return tuple(sorted(levels))


def parse_latency(text: str) -> float:
    """Parse a latency such as `50ms`, `0.2s` or a number of seconds; returns seconds. Raises `ConfigError`."""
    found = _DURATION_PATTERN.fullmatch(text.strip())
    if found is None:
        raise ConfigError(f"--latency: expected a duration such as 50ms or 0.2s, got {text!r}")
    value = float(found[1]) / (1000 if found[2] == "ms" else 1)
    if value > MAX_LATENCY_SECONDS:
        raise ConfigError(f"--latency: expected 0 to {MAX_LATENCY_SECONDS:g} seconds, got {text!r}")
    return value


def _check_range(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise ConfigError(f"{name}: expected {low} to {high}, got {value}")
