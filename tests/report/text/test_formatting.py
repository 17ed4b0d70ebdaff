"""Numbers formatted for people."""

from __future__ import annotations

import math

import pytest

from scraper.report.text.formatting import bytes_text, clock_text, duration_text, instant_text, latency_text, rate_text


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
