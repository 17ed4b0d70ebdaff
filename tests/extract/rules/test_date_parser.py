"""Dates: what is read, and what is rejected because it could mean two things."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.extract.rules.date_parser import MAX_DATE_CHARS, parse_date
from scraper.extract.rules.parse_failure import ParseFailure


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
