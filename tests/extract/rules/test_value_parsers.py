"""Numbers, booleans and dates: what is read, and what is rejected because it could mean two things."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.extract.rules.value_parsers import (
    MAX_DATE_CHARS,
    MAX_NUMBER_CHARS,
    ParseFailure,
    parse_bool,
    parse_date,
    parse_decimal,
    parse_float,
    parse_int,
)


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


@pytest.mark.parametrize(
    ("text", "value"),
    [("yes", True), ("No", False), (" 0 ", False), ("off", False), ("", True), ("In stock", True), ("false", False)],
)
def test_a_bool_is_true_unless_the_text_says_no(text: str, value: bool) -> None:
    """What is there is true, but for the words that mean false."""
    assert parse_bool(text) is value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2024-03-12", "2024-03-12"),
        ("20240312", "2024-03-12"),
        ("2024-03-12T10:30:00Z", "2024-03-12T10:30:00+00:00"),
        ("2024-03-12T10:30+01:00", "2024-03-12T10:30:00+01:00"),
        ("2024-03-12 10:30", "2024-03-12T10:30:00"),
        ("Tue, 12 Mar 2024 10:30:00 +0100", "2024-03-12T10:30:00+01:00"),
        ("Tue, 12 Mar 2024 10:30:00 GMT", "2024-03-12T10:30:00+00:00"),
        ("12 Mar 2024 10:30 EST (winter)", "2024-03-12T10:30:00-05:00"),
        ("12 March 2024", "2024-03-12"),
        ("12th of March, 2024", "2024-03-12"),
        ("12. March 2024", "2024-03-12"),
        ("12-Mar-2024", "2024-03-12"),
        ("Tuesday 12 March 2024", "2024-03-12"),
        ("March 12, 2024", "2024-03-12"),
        ("mar. 12 2024", "2024-03-12"),
        ("Sept 1st, 2024 at 3:05 pm", "2024-09-01T15:05:00"),
        ("March 12, 2024, 12:00 a.m.", "2024-03-12T00:00:00"),
        ("2024/03/12", "2024-03-12"),
        ("2024-3-2", "2024-03-02"),
        ("2024/03/12 23:59:59", "2024-03-12T23:59:59"),
        ("12.03.2024", "2024-03-12"),
        ("25/03/2024", "2024-03-25"),
        ("03/25/2024", "2024-03-25"),
        ("04/04/2024", "2024-04-04"),
        ("  12 \n March\t2024 ", "2024-03-12"),
    ],
)
def test_a_date_is_read_in_its_common_forms(text: str, value: str) -> None:
    """ISO 8601, RFC 2822 and written forms become ISO 8601."""
    assert parse_date(text) == value
    assert not isinstance(parse_date(text), ParseFailure)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("03/04/2024", "cannot be told apart"),
        ("03-04-2024 10:00", "cannot be told apart"),
        ("30 February 2024", "no such date"),
        ("2024-13-01", "no such date"),
        ("12 March 2024 25:00", "no such date"),
        ("12 March 2024 13:00 pm", "no such date"),
        ("12 March 2024 10:00 XYZ", "no such date"),
        ("12 March 2024 10:00 +99:99", "no such date"),
        ("12 Marz 2024", "not a date"),
        ("March 2024", "not a date"),
        ("2024", "not a date"),
        ("12/03/24", "not a date"),
        ("yesterday", "not a date"),
        ("", "not a date"),
        ("1" * (MAX_DATE_CHARS + 1), "too long"),
    ],
)
def test_what_is_no_date_or_two_is_rejected(text: str, why: str) -> None:
    """An ambiguous, impossible or unknown date is rejected with a reason."""
    value = parse_date(text)
    assert isinstance(value, ParseFailure)
    assert why in value


@given(st.text(max_size=120) | st.from_regex(r"[0-9]{1,4}[ /.-][0-9A-Za-z]{1,9}[ /.-][0-9]{1,4}( [0-9:]{1,8})?"))
def test_no_text_makes_the_date_parser_raise(text: str) -> None:
    """Whatever the page says, the result is a date in ISO 8601 or a failure."""
    value = parse_date(text)
    assert isinstance(value, ParseFailure) or date.fromisoformat(value[:10])


@given(st.dates())
def test_every_date_reads_back_in_each_written_form(day: date) -> None:
    """A date written out is the same date."""
    year = f"{day.year:04d}"
    for text in (day.isoformat(), day.strftime(f"%d %B {year}"), day.strftime(f"%b %d, {year}"), f"{year}/{day:%m/%d}"):
        assert parse_date(text) == day.isoformat()
