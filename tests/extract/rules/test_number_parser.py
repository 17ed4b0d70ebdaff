"""Numbers: what is read, and what is rejected because it could mean two things."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.extract.rules.number_parser import MAX_NUMBER_CHARS, parse_decimal, parse_float, parse_int
from scraper.extract.rules.parse_failure import ParseFailure


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12.34", "12.34"),
        ("GBP 12.34", "12.34"),
        ("£1,234.50", "1234.50"),
        ("EUR 1.234,50", "1234.50"),
        ("1.234.567,89 €", "1234567.89"),
        ("1,234,567.89", "1234567.89"),
        ("12,50 €", "12.50"),
        ("1,234", "1234"),
        ("0,125", "0.125"),
        ("1.234", "1.234"),
        ("1234,567", "1234.567"),
        ("1.234.567", "1234567"),
        ("1,23,456.78", "123456.78"),
        ("1 234,50 zł", "1234.50"),
        ("1\u00a0234\u202f567", "1234567"),
        ("CHF 1'234.50", "1234.50"),
        ("CHF 1’234.-", "1234"),
        ("$.99", "0.99"),
        ("-5", "-5"),
        ("−5.5", "-5.5"),
        ("-£5.00", "-5.00"),
        ("£-5.00", "-5.00"),
        ("+7", "7"),
        ("15%", "15"),
        ("In stock (22 available)", "22"),
        ("SKU-12", "12"),
        ("No.5", "5"),
        ("1.5e3", "1500"),
        ("007", "7"),
        ("5.", "5"),
    ],
)
def test_a_number_is_read_as_people_write_it(text: str, value: str) -> None:
    """Signs of currency, words and either way of grouping are understood."""
    number = parse_decimal(text)
    assert isinstance(number, Decimal)
    assert number == Decimal(value)
    assert parse_float(text) == float(value)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no number"),
        ("free", "no number"),
        ("10 - 20", "more than one number"),
        ("2 for 5.00", "more than one number"),
        ("£15.00 (was £20.00)", "more than one number"),
        ("v1.2.3", "not a number"),
        ("1,2,3", "not a number"),
        ("1.234,567.8", "not a number"),
        ("12,34.567", "not a number"),
        ("1234 567", "not a number"),
        ("9" * 41, "not a number"),
        ("9" * (MAX_NUMBER_CHARS + 1), "too long"),
        ("1e9999", "more than one number"),
    ],
)
def test_what_is_no_single_number_is_rejected(text: str, why: str) -> None:
    """Ranges, versions, wrong groups and endless digits are rejected with a reason, never guessed."""
    number = parse_decimal(text)
    assert isinstance(number, ParseFailure)
    assert why in number


@pytest.mark.parametrize(
    ("text", "value"),
    [("1,234", 1234), ("1.234", 1234), ("12.00", 12), ("22 left", 22), ("-3", -3), ("1e3", 1000)],
)
def test_an_int_takes_one_mark_before_three_digits_as_grouping(text: str, value: int) -> None:
    """Both 1,234 and 1.234 are one thousand odd, since an int has no fraction."""
    assert parse_int(text) == value


@pytest.mark.parametrize("text", ["12.50", "9223372036854775808", "1e99"])
def test_an_int_rejects_what_it_cannot_hold(text: str) -> None:
    """A fraction is not rounded, and what databases cannot store is no int."""
    assert isinstance(parse_int(text), ParseFailure)


@given(st.text(max_size=300))
def test_no_text_makes_a_number_parser_raise(text: str) -> None:
    """Whatever the page says, the result is a finite number or a failure."""
    number = parse_decimal(text)
    assert isinstance(number, ParseFailure) or number.is_finite()
    assert isinstance(parse_int(text), int | ParseFailure)
    assert isinstance(parse_float(text), float | ParseFailure)


@given(st.decimals(min_value=0, max_value=10**12, places=2))
def test_both_ways_of_grouping_read_back(number: Decimal) -> None:
    """A price with cents means the same in English and in German writing."""
    english = f"{number:,.2f}"
    assert parse_decimal(f"£{english}") == number
    assert parse_decimal(f"{english.translate(str.maketrans(',.', '.,'))} €") == number
