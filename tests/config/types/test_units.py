from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.config.types import units
from scraper.config.types.value_format import InvalidValueError, ParseContext

AROUND = ParseContext({})


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30),
        ("500ms", 0.5),
        ("2m", 120),
        ("1h30m", 5400),
        ("1h 30m", 5400),
        (" 2 h ", 7200),
        ("1d", 86_400),
        ("0.1s", 0.1),
        ("1.5H", 5400),
        ("90", 90),
        ("0.25", 0.25),
    ],
)
def test_durations_accept_units_and_plain_seconds(text: str, seconds: float) -> None:
    """A duration is parts with units, in seconds without one."""
    assert units.parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "s",
        "1x",
        "1 week",
        "-5s",
        "1h1h",
        "12:30",
        "12:30:00",
        "1e9s",
        "5s5",
        "٣s",
        "9" * 30 + "s",
        "1..5s",
        "nan",
    ],
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    """Nothing else is a duration: no clock times, no signs, no repeated units, no other digits."""
    with pytest.raises(InvalidValueError):
        units.parse_duration(text)


def test_a_clock_time_is_answered_with_the_duration_it_may_mean() -> None:
    """`12:30` is a slip that has an obvious correction."""
    with pytest.raises(InvalidValueError) as caught:
        units.parse_duration("12:30")
    assert caught.value.hint == "for hours and minutes write 12h30m"


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("20MB", 20_000_000),
        ("1.5GB", 1_500_000_000),
        ("1KiB", 1024),
        ("2mib", 2 * 1024 * 1024),
        ("512B", 512),
        ("512", 512),
        ("1k", 1000),
        ("1Ki", 1024),
        (" 3 TB ", 3 * 10**12),
        ("0.1KB", 100),
    ],
)
def test_sizes_accept_decimal_and_binary_units(text: str, size: int) -> None:
    """KB counts by 1000 and KiB by 1024; without a unit it is bytes."""
    assert units.parse_size(text) == size


@pytest.mark.parametrize("text", ["", "MB", "1XB", "1iB", "-1KB", "1 MB/s", "1e3", "1_000", "9" * 40, "1BB"])
def test_what_is_no_size_is_refused(text: str) -> None:
    """Nothing else is a size."""
    with pytest.raises(InvalidValueError):
        units.parse_size(text)


@pytest.mark.parametrize(
    ("text", "rate"),
    [("2/s", 2), ("30/m", 0.5), ("500/h", 500 / 3600), ("1/10s", 0.1), ("0.5", 0.5), ("1 / d", 1 / 86_400), ("3/S", 3)],
)
def test_rates_accept_a_count_in_a_time(text: str, rate: float) -> None:
    """A rate is a count in a unit of time or in several of them; a plain number is a second's."""
    assert units.parse_rate(text) == pytest.approx(rate)


@pytest.mark.parametrize("value", [None, "unlimited", "Unlimited", math.inf])
def test_an_unlimited_rate_is_none(value: object) -> None:
    """`unlimited`, null and infinity mean that there is no limit."""
    assert units.RATE_FORMAT.parse(value, AROUND) is None


@pytest.mark.parametrize("text", ["", "/s", "2/", "2/0s", "2/x", "-2/s", "fast", "2 per second", "2//s"])
def test_what_is_no_rate_is_refused(text: str) -> None:
    """Nothing else is a rate, and none divides by zero."""
    with pytest.raises(InvalidValueError):
        units.parse_rate(text)


@pytest.mark.parametrize(("text", "rate"), [("10MB/s", 10_000_000), ("1KiB/s", 1024), ("5 MB / s", 5_000_000)])
def test_speeds_are_sizes_in_a_second(text: str, rate: int) -> None:
    """A transfer limit is a size and `/s`."""
    assert units.parse_byte_rate(text) == rate


@pytest.mark.parametrize("text", ["10MB", "10MB/m", "/s", ""])
def test_what_is_no_speed_is_refused(text: str) -> None:
    """A size alone, or in another time, is not a transfer limit."""
    with pytest.raises(InvalidValueError):
        units.parse_byte_rate(text)


@given(st.floats(0.001, 1e9).map(lambda x: round(x, 6)))
def test_a_shown_duration_is_read_as_the_same(seconds: float) -> None:
    """exact_duration_text loses nothing."""
    assert units.parse_duration(units.exact_duration_text(seconds)) == seconds


@given(st.integers(0, 10**15))
def test_a_shown_size_is_read_as_the_same(size: int) -> None:
    """exact_size_text loses nothing."""
    assert units.parse_size(units.exact_size_text(size)) == size


@given(st.one_of(st.integers(1, 10**6).map(float), st.floats(units.MIN_RATE, units.MAX_RATE)))
def test_a_shown_rate_is_read_as_the_same(rate: float) -> None:
    """exact_rate_text loses nothing."""
    shown = units.exact_rate_text(rate)
    assert (units.parse_rate(shown) if isinstance(shown, str) else shown) == rate


@pytest.mark.parametrize("parse", [units.parse_duration, units.parse_size, units.parse_rate, units.parse_byte_rate])
@given(text=st.text(max_size=40) | st.text("0123456789.smhdkKMGiB/ ", max_size=20))
def test_any_text_is_read_or_refused(parse: Callable[[str], float | None], text: str) -> None:
    """The parsers give a number that is not negative, or raise InvalidValueError and nothing else."""
    try:
        value = parse(text)
    except InvalidValueError:
        return
    assert value is None or value >= 0


@pytest.mark.parametrize(
    "value", [True, [], {}, -1, -0.5, math.nan, math.inf, None, "", 10**400], ids=lambda v: repr(v)[:9]
)
def test_forms_refuse_values_of_other_kinds(value: object) -> None:
    """A duration or a size is never a boolean, a list, negative, infinite or nothing."""
    for form in (units.duration_range(1, 10), units.size_range(1)):
        with pytest.raises(InvalidValueError):
            form.parse(value, AROUND)
