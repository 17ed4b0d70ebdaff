"""Dates: what is read, and what is rejected because it could mean two things."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path

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


@given(st.dates(date(1500, 1, 1), date(2199, 12, 31)))
def test_every_date_reads_back_in_each_written_form(day: date) -> None:
    """A date written out is the same date."""
    year = f"{day.year:04d}"
    for text in (day.isoformat(), day.strftime(f"%d %B {year}"), day.strftime(f"%b %d, {year}"), f"{year}/{day:%m/%d}"):
        assert parse_date(text) == day.isoformat()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2024-03-12T10:30:00.123Z", "2024-03-12T10:30:00.123000+00:00"),
        ("2024-03-12T10:30:00.123456789Z", "2024-03-12T10:30:00.123456789+00:00"),
        ("2024-03-12 10:30:00.5", "2024-03-12T10:30:00.500000"),
        ("2024-03-12t10:30z", "2024-03-12T10:30:00+00:00"),
        ("2024-03-12 10:30:00 +0100", "2024-03-12T10:30:00+01:00"),
        ("2024-03-12 10:30:00 UTC", "2024-03-12T10:30:00+00:00"),
        ("20240312T103000Z", "2024-03-12T10:30:00+00:00"),
        ("2024-W11-2", "2024-03-12"),
        ("2024-03-12T14", "2024-03-12T14:00:00"),
        ("03.25.2024 10:00 pm", "2024-03-25T22:00:00"),
        ("25.03.2024 1:00 pm", "2024-03-25T13:00:00"),
        ("12.03.2024 10:30", "2024-03-12T10:30:00"),
        ("12.03.2024, 10:30 Uhr", "2024-03-12T10:30:00"),
        ("12.03.2024.", "2024-03-12"),
        ("3. 12. 2024", "2024-12-03"),
        ("March 12, 2024 - 10:30 am", "2024-03-12T10:30:00"),
        ("12 March 2024 | 10:30", "2024-03-12T10:30:00"),
        ("March 12, 2024 @ 3:05 PM", "2024-03-12T15:05:00"),
        ("12 Mar 2024, at 10:30", "2024-03-12T10:30:00"),
        ("March 12, 2024 · 10am", "2024-03-12T10:00:00"),
        ("12 March 2024, 10.30am", "2024-03-12T10:30:00"),
        ("10:30 am, March 12, 2024", "2024-03-12T10:30:00"),
        ("10:30 AM EST, Tue Mar 12 2024", "2024-03-12T10:30:00-05:00"),
        ("10:30, 12 March 2024", "2024-03-12T10:30:00"),
        ("10:30 on 12 March 2024", "2024-03-12T10:30:00"),
        ("10:30 March 12, 2024", "2024-03-12T10:30:00"),
        ("10:30 12.03.2024", "2024-03-12T10:30:00"),
        ("3pm | 12 Mar 2024", "2024-03-12T15:00:00"),
        ("12-Mar-24", "2024-03-12"),
        ("Mar 12, '24", "2024-03-12"),
        ("12 Mar 99", "1999-03-12"),
        ("Published: 12 March 2024 10:30 GMT", "2024-03-12T10:30:00+00:00"),
        ("Posted on March 12, 2024", "2024-03-12"),
        ("Last updated: 12 Mar 2024 at 10:30 pm ET", "2024-03-12T22:30:00-04:00"),
        ("Updated January 12, 2024 10:30 a.m. PT", "2024-01-12T10:30:00-08:00"),
        ("Tue Mar 12 10:30:00 2024", "2024-03-12T10:30:00"),
        ("Tue Mar  5 10:30:00 GMT 2024", "2024-03-05T10:30:00+00:00"),
        ("Tue Mar 12 10:30:00 CET 2024", "2024-03-12T10:30:00+01:00"),
        ("Tue Mar 12 10:30:00 2024 +0100", "2024-03-12T10:30:00+01:00"),
        ("Tue Mar 12 2024 10:30:00 GMT+0100 (Central European Standard Time)", "2024-03-12T10:30:00+01:00"),
        ("Tuesday, 12-Mar-24 10:30:00 GMT", "2024-03-12T10:30:00+00:00"),
        ("Tue,12 Mar 2024 10:30:00 GMT", "2024-03-12T10:30:00+00:00"),
        ("Tue, 12 Mar 24 10:30:00 GMT", "2024-03-12T10:30:00+00:00"),
        ("Tue, 2024-03-12 10:30", "2024-03-12T10:30:00"),
        ("Tues, 12 March 2024 10:30:00 Z", "2024-03-12T10:30:00+00:00"),
        ("Tue, 12 Mar 2024 10:30:00 -0000", "2024-03-12T10:30:00+00:00"),
        ("Tue, 12 Mar 2024 10:30:00 GMT+2", "2024-03-12T10:30:00+02:00"),
        ("12/Mar/2024:10:30:00 +0000", "2024-03-12T10:30:00+00:00"),
        ("12 Mar 2024 10:30 (EST)", "2024-03-12T10:30:00-05:00"),
        ("the 12th of March 2024", "2024-03-12"),
        ("March 12th 2024", "2024-03-12"),
        ("2024 Mar 12", "2024-03-12"),
        ("2024. 3. 12.", "2024-03-12"),
        ("12 March 2024 (Tuesday)", "2024-03-12"),
        ("1403-01-12", "1403-01-12"),
        ("2024-3-2", "2024-03-02"),
        ("12 . 03 . 2024", "2024-03-12"),
        ("2024-03-12T10:30:00+0100", "2024-03-12T10:30:00+01:00"),
        ("2024-03-12 10:30:00,123", "2024-03-12T10:30:00.123000"),
        ("Sept. 1, 2024 3:05 p.m. EDT", "2024-09-01T15:05:00-04:00"),
        ("MARCH 12, 2024", "2024-03-12"),
        ("12MAR2024", "2024-03-12"),
        ("2024-03-12T10:30:00.000+00:00", "2024-03-12T10:30:00+00:00"),
        ("12 March 2024 22:30:00.25", "2024-03-12T22:30:00.250000"),
        ("12/13/2024 1:05:09 PM", "2024-12-13T13:05:09"),
    ],
)
def test_a_date_is_read_as_sites_write_it(text: str, value: str) -> None:
    """The clock stands behind or in front, feeds vary RFC 822, fractions of seconds and zones are kept."""
    assert parse_date(text) == value
    assert not isinstance(parse_date(text), ParseFailure)


@pytest.mark.parametrize(
    "text",
    [
        "2024-03-12-14",
        "20240312415",
        "2024-03-12x10:30",
        "2024-03-12_10:30:00",
        "2024-071",
        "2024-03-12-05:00",
        "2024-03-12 14",
        "03.04.2024 10:00 pm",
        "10:30 pm 03.04.2024",
        "12 Mar 60",
        "12/03/24",
        "12 March 10:30",
        "March 2024",
        "12 March 10.30 am",
        "10 Mar 2024 10:30 ET",
        "Published by X on 12 March 2024",
        "Published 12 March 2024, updated 13 March 2024",
        "12 Mar 2024 10:30 (Tuesday)",
        "12 Mar 2024 10:30 BST",
        "12 Mar 2024 10:30 IST",
        "12/03/2567",
        "1403/01/12",
        "25/12/2567",
        "March 12-14, 2024",
        "12–14 March 2024",
        "2024-03-12/2024-03-14",
        "1710239400",
        "3 days ago",
        "2024-03-12T24:00",
        "2024-03-12T10:30:60",
        "00:30 AM 12 Mar 2024",
        "12 monkey 2024",
        "monkey 12 March 2024",
        "12 mars 2024",
        "Monday 12 March 2024 at noon",
        "1/2/2024",
        "20240312103000",
    ],
)
def test_what_could_be_another_date_is_rejected(text: str) -> None:
    """Only T, t and a space stand before a time of ISO 8601; calendars, centuries and zones are not guessed."""
    assert isinstance(parse_date(text), ParseFailure)


DATE_TEXTS = [
    json.loads(line) for line in (Path(__file__).parent / "data/date_texts.jsonl").read_text("utf-8").splitlines()
]


def test_real_date_texts_are_right_or_refused() -> None:
    """Of the texts with a year by which dateparser (BSD licence) is tested none gives another date.

    Its results are the same instant in UTC, or the same clock. Most of what is refused is in other languages. Not in
    the table: texts that dateparser was told to read in another order, or in the future.
    """
    right, refused, wrong = 0, 0, []
    for text, expected in DATE_TEXTS:
        value = parse_date(text)
        if isinstance(value, ParseFailure):
            refused += 1
            continue
        moment = datetime.fromisoformat(value)
        instant = moment.astimezone(UTC) if moment.tzinfo else moment
        same = {moment.replace(tzinfo=None), instant.replace(tzinfo=None)}
        if datetime.fromisoformat(expected) in same:
            right += 1
        else:
            wrong.append((text, expected, value))
    print(f"{len(DATE_TEXTS)} date texts: {right} right, {refused} refused, {len(wrong)} wrong")
    assert not wrong
    assert right >= 75
