"""The counts of the target server."""

from __future__ import annotations

from scraper.bench.measure.target import HostCounts


def test_bursts_are_counted_by_tenths_of_a_second() -> None:
    """The busiest window is what a herd shows in."""
    counts = HostCounts()
    for at in (0.0, 0.01, 0.09, 0.1, 0.2):
        counts.count(at)
    assert (counts.requests, counts.burst) == (5, 3)
