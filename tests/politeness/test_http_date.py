"""HTTP dates: the three forms of RFC 9110 and nothing else."""

from __future__ import annotations

import calendar
import re

import pytest

from scraper.politeness.http_date import parse_http_date
from tests.politeness.outcomes import NOW

DATES = [
    ("IMF-fixdate", "Sun, 06 Nov 1994 08:49:37 GMT", 784111777.0),
    ("RFC 850", "Sunday, 06-Nov-94 08:49:37 GMT", 784111777.0),
    ("asctime", "Sun Nov  6 08:49:37 1994", 784111777.0),
    ("asctime, two digits", "Tue Nov 14 22:13:20 2023", NOW),
    ("two-digit year within 50 years ahead", "Friday, 14-Nov-73 22:13:20 GMT", 3277923200.0),
    ("two-digit year beyond that", "Wednesday, 14-Nov-74 22:13:20 GMT", 153699200.0),
    ("leap second", "Sat, 31 Dec 2016 23:59:60 GMT", 1483228799.0),
    ("weekday that is wrong", "Mon, 06 Nov 1994 08:49:37 GMT", 784111777.0),
    ("no weekday", "06 Nov 1994 08:49:37 GMT", None),
    ("other zone", "Sun, 06 Nov 1994 08:49:37 CET", None),
    ("offset", "Sun, 06 Nov 1994 08:49:37 +0000", None),
    ("lower case", "sun, 06 nov 1994 08:49:37 gmt", None),
    ("one-digit day", "Sun, 6 Nov 1994 08:49:37 GMT", None),
    ("no such day", "Tue, 31 Feb 2023 00:00:00 GMT", None),
    ("no such hour", "Tue, 14 Nov 2023 25:00:00 GMT", None),
    ("other digits", "Sun, 0٦ Nov 1994 08:49:37 GMT", None),
    ("ISO 8601", "2023-11-14T22:13:20Z", None),
    ("trailing", "Sun, 06 Nov 1994 08:49:37 GMT;", None),
    ("empty", "", None),
]


@pytest.mark.parametrize(("text", "instant"), [row[1:] for row in DATES], ids=[row[0] for row in DATES])
def test_http_dates_are_read_strictly_in_three_forms(text: str, instant: float | None) -> None:
    """RFC 9110 section 5.6.7 and nothing else."""
    assert parse_http_date(text, NOW) == instant


MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()  # noqa: SIM905
IMF_FIXDATE = re.compile(
    rf"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), ([0-9]{{2}}) ({'|'.join(MONTHS)}) ([0-9]{{4}}) "
    r"([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9]|60) GMT"
)


def parse_imf_fixdate(text: str) -> float | None:
    """What an IMF-fixdate names, by the grammar and the calendar alone."""
    found = IMF_FIXDATE.fullmatch(text)
    if found is None:
        return None
    day, year, hour, minute, second = (int(found[part]) for part in (1, 3, 4, 5, 6))
    month = MONTHS.index(found[2]) + 1
    if year < 1 or not 1 <= day <= calendar.monthrange(year, month)[1]:
        return None
    return float(calendar.timegm((year, month, day, hour, minute, min(second, 59))))


SAMPLE_FIXDATE = "Thu, 29 Feb 2024 19:05:23 GMT"


@pytest.mark.parametrize("position", range(len(SAMPLE_FIXDATE) + 1))
def test_one_wrong_character_makes_a_fixdate_another_or_none(position: int) -> None:
    """Wherever a character is repositiond, left out or put in, grammar and calendar alone say what the date names."""
    for other in ("", *" :,0123456789٦²+-_.aGT\t\n\0"):
        for text in (
            SAMPLE_FIXDATE[:position] + other + SAMPLE_FIXDATE[position + 1 :],
            SAMPLE_FIXDATE[:position] + other + SAMPLE_FIXDATE[position:],
        ):
            assert parse_http_date(text, NOW) == parse_imf_fixdate(text), text


@pytest.mark.parametrize(
    "position", [5, 12, 14, 17, 20, 23], ids=["day", "century", "year", "hour", "minute", "second"]
)
def test_every_number_in_a_fixdate_has_its_range(position: int) -> None:
    """Two digits that no calendar and no clock shows name nothing, and a leap second is the one before."""
    for number in range(100):
        text = f"{SAMPLE_FIXDATE[:position]}{number:02}{SAMPLE_FIXDATE[position + 2 :]}"
        assert parse_http_date(text, NOW) == parse_imf_fixdate(text), text
