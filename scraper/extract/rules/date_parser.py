"""Text to dates, as people write them on web pages.

Dates are ISO 8601, RFC 2822, `12 March 2024`, `March 12, 2024`, `2024/03/12` or `12.03.2024` (day first). With slashes
or dashes, day and month must be distinguishable: `03/04/2024` is rejected, because a wrong date is worse than none.
"""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta, timezone

from scraper.extract.rules.parse_failure import ParseFailure, quote

# Longest text that is parsed as a date, in characters.
MAX_DATE_CHARS = 80

MONTH_NAMES = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
# By full name and by the first three letters.
MONTH_NUMBERS = {name[:length]: number for number, name in enumerate(MONTH_NAMES, 1) for length in (3, len(name))} | {
    "sept": 9
}
# The zones of RFC 2822, section 4.3, in hours from UTC.
ZONE_OFFSET_HOURS = {
    "z": 0, "ut": 0, "utc": 0, "gmt": 0, "est": -5, "edt": -4, "cst": -6, "cdt": -5, "mst": -7, "mdt": -6,
    "pst": -8, "pdt": -7,
}  # fmt: skip
# Parts of the patterns below. A weekday in front of a date is ignored, not checked.
WEEKDAY_PATTERN = r"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]{0,6}\.?,?\s+)?"
TIME_PATTERN = (
    r"(?:(?:,?\s+(?:at\s+)?|t)(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:\.[0-9]{1,9})?)?"
    r"\s?(?P<am_or_pm>[ap]\.?m\.?)?\s?(?P<zone>[a-z]{1,3}|[-+][0-9]{2}:?[0-9]{2})?(?:\s\([^()]{0,40}\))?)?"
)
DATE_REGEXES = tuple(
    re.compile(WEEKDAY_PATTERN + day + TIME_PATTERN, re.IGNORECASE)
    for day in (
        # 12 March 2024, 12th of March, 2024
        r"(?P<day>[0-9]{1,2})(?:st|nd|rd|th)?\.?[\s-](?:of\s)?(?P<month>[a-z]{3,9})\.?,?[\s-](?P<year>[0-9]{4})",
        # March 12, 2024
        r"(?P<month>[a-z]{3,9})\.?\s(?P<day>[0-9]{1,2})(?:st|nd|rd|th)?,?\s(?P<year>[0-9]{4})",
        # 2024/03/12
        r"(?P<year>[0-9]{4})(?P<separator>[/.-])(?P<month>[0-9]{1,2})(?P=separator)(?P<day>[0-9]{1,2})",
        # 12.03.2024
        r"(?P<day>[0-9]{1,2})\.\s?(?P<month>[0-9]{1,2})\.\s?(?P<year>[0-9]{4})",
    )
)
SLASHED_DATE_REGEX = re.compile(r"([0-9]{1,2})([/-])([0-9]{1,2})\2([0-9]{4})" + TIME_PATTERN, re.IGNORECASE)


def parse_date(text: str) -> str | ParseFailure:
    """`text` as a date (`2024-03-12`) or as a date and time (`2024-03-12T10:30:00+01:00`) in ISO 8601.

    A time without a zone stays without one. Names of months and days must be English.
    """
    if len(text) > MAX_DATE_CHARS:
        return ParseFailure(f"too long for a date: {len(text)} characters, at most {MAX_DATE_CHARS}")
    text = " ".join(text.split())
    try:
        return _parse_iso(text) or _parse_written(text) or ParseFailure(f"not a date in a known form: {quote(text)}")
    except (ValueError, OverflowError):
        return ParseFailure(f"no such date: {quote(text)}")


def _parse_iso(text: str) -> str | None:
    if not (text[:4].isdigit() and text.isascii()):
        return None
    try:
        return date.fromisoformat(text).isoformat() if len(text) <= 10 else datetime.fromisoformat(text).isoformat()
    except ValueError:
        return None


def _parse_written(text: str) -> str | ParseFailure | None:
    for pattern in DATE_REGEXES:
        if found := pattern.fullmatch(text):
            month = found["month"]
            number = int(month) if month.isdigit() else MONTH_NUMBERS.get(month.lower())
            return None if number is None else _with_time(date(int(found["year"]), number, int(found["day"])), found)
    if found := SLASHED_DATE_REGEX.fullmatch(text):
        # 12 March or 3 December? Only a number above 12, or two equal ones, decide.
        first, second, year = int(found[1]), int(found[3]), int(found[4])
        if first <= 12 and second <= 12 and first != second:
            return ParseFailure(f"day and month cannot be told apart: {quote(text)}")
        month, day = (first, second) if second > 12 else (second, first)
        return _with_time(date(year, month, day), found)
    return None


def _with_time(day: date, found: re.Match[str]) -> str:
    """`day` with the time that was found behind it, if any. Raises ValueError for an impossible time."""
    if found["hour"] is None:
        return day.isoformat()
    hour, am_or_pm = int(found["hour"]), (found["am_or_pm"] or "").lower()
    if am_or_pm:
        if not 1 <= hour <= 12:
            raise ValueError("no such hour")
        hour = hour % 12 + (12 if am_or_pm.startswith("p") else 0)
    time_of_day = time(hour, int(found["minute"]), int(found["second"] or 0))
    return datetime.combine(day, time_of_day, _parse_zone(found["zone"])).isoformat()


def _parse_zone(name: str | None) -> timezone | None:
    if name is None:
        return None
    if name[0] in "+-":
        offset = timedelta(hours=int(name[1:3]), minutes=int(name[-2:]))
        return timezone(-offset if name[0] == "-" else offset)
    if name.lower() not in ZONE_OFFSET_HOURS:
        raise ValueError("no such zone")
    return timezone(timedelta(hours=ZONE_OFFSET_HOURS[name.lower()]))
