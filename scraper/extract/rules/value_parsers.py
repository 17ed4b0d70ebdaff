"""Text to numbers, booleans and dates, as people write them on web pages.

Every parser takes one text and returns a JSON-ready value, or a `ParseFailure` that says why it cannot. A wrong value
is worse than none, so a text with two possible meanings is rejected:

- The text contains exactly one number. Currency signs and words around it are ignored.
- With `,` and `.` in one number, the last one is the decimal mark and the other one groups digits.
- One comma before three digits groups them (`1,234`), except after a lone zero (`0,125`).
- One point is a decimal mark, as programs write it (`1.234`). Only for `int` it groups, before three digits.
- A repeated mark groups; so do spaces and apostrophes. Groups have three digits, or two in the Indian way.
- Dates are ISO 8601, RFC 2822, `12 March 2024`, `March 12, 2024`, `2024/03/12` or `12.03.2024` (day first). With
  slashes or dashes, day and month must be distinguishable: `03/04/2024` is rejected.
"""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal

# Longest text that is searched for a number, in characters.
MAX_NUMBER_CHARS = 200
# Longest number, in digits.
MAX_NUMBER_DIGITS = 40
# Longest text that is parsed as a date, in characters.
MAX_DATE_CHARS = 80
# The words that mean false; every other text is true.
FALSE_WORDS = frozenset({"false", "no", "n", "0", "off", "none", "null"})


class ParseFailure(str):
    """A sentence that says why a text could not be parsed. Returned in place of a value, never raised."""

    __slots__ = ()


# Digits with marks between them, and a minus or plus in front that belongs to them (not the one of `A-5` or `3-5`).
NUMBER_REGEX = re.compile(
    r"(?P<sign>(?<![\w.,)])[-+−]\s?[^\w\s.,+−-]?\s?)?"  # a minus may be in front of a currency sign: -£5
    r"(?P<digits>(?:[0-9]+|(?<![\w.,])\.[0-9]+)(?:[.,][0-9]+|['’ \u00a0\u2009\u202f][0-9]{3}(?![0-9]))*)"
)
SCIENTIFIC_REGEX = re.compile(r"[-+]?[0-9]{1,40}(?:\.[0-9]{1,40})?[eE][-+]?[0-9]{1,2}")
GROUPING_SPACE_REGEX = re.compile(r"['’ \u00a0\u2009\u202f]")
COMMA_GROUPED_REGEX = re.compile(r"[0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,2}(?:,[0-9]{2})+,[0-9]{3}")
SPACE_GROUPED_REGEX = re.compile(r"[0-9]{1,3}(?: [0-9]{3})+(?:[.,][0-9]+)?")


def parse_decimal(text: str) -> Decimal | ParseFailure:
    """The one number in `text`, exactly."""
    return _parse_number(text, whole=False)


def parse_float(text: str) -> float | ParseFailure:
    """The one number in `text`, as the nearest float."""
    number = _parse_number(text, whole=False)
    return number if isinstance(number, ParseFailure) else float(number)


def parse_int(text: str) -> int | ParseFailure:
    """The one number in `text`, which must be whole (`3.00` is) and fit in 64 bits."""
    number = _parse_number(text, whole=True)
    if isinstance(number, ParseFailure):
        return number
    if number != number.to_integral_value():
        return ParseFailure(f"not a whole number: {_quote(text)}")
    if not -(2**63) <= number < 2**63:
        return ParseFailure(f"larger than 64 bits: {_quote(text)}")
    return int(number)


def parse_bool(text: str) -> bool:
    """False if `text` is one of `FALSE_WORDS`, else true."""
    return text.strip().lower() not in FALSE_WORDS


def _parse_number(text: str, *, whole: bool) -> Decimal | ParseFailure:
    text = text.strip()
    if text.isascii() and text.isdigit() and len(text) <= MAX_NUMBER_DIGITS:
        return Decimal(text)
    if len(text) > MAX_NUMBER_CHARS:
        return ParseFailure(f"too long for a number: {len(text)} characters, at most {MAX_NUMBER_CHARS}")
    if SCIENTIFIC_REGEX.fullmatch(text):
        return Decimal(text)
    found = NUMBER_REGEX.search(text)
    if found is None:
        return ParseFailure(f"no number in {_quote(text)}")
    if NUMBER_REGEX.search(text, found.end()):
        return ParseFailure(f"more than one number in {_quote(text)}")
    digits = _normalize_digits(found["digits"], whole=whole)
    if digits is None or len(digits) > MAX_NUMBER_DIGITS:
        return ParseFailure(f"not a number in a known form: {_quote(text)}")
    negative = (found["sign"] or "")[:1] in ("-", "−")
    return Decimal(f"-{digits}" if negative else digits)


def _normalize_digits(digits: str, *, whole: bool) -> str | None:
    """`digits` with a point as its decimal mark and without grouping; None if they are written in no known way."""
    # 1. Spaces or apostrophes group: 1 234,5
    spaced = GROUPING_SPACE_REGEX.sub(" ", digits)
    if " " in spaced:
        return spaced.replace(" ", "").replace(",", ".") if SPACE_GROUPED_REGEX.fullmatch(spaced) else None
    commas, points = digits.count(","), digits.count(".")
    # 2. No marks: 1234
    if not commas and not points:
        return digits
    # 3. Both marks: the last one is the decimal mark: 1,234.5 or 1.234,5
    if commas and points:
        decimal_mark = "," if digits.rindex(",") > digits.rindex(".") else "."
        if digits.count(decimal_mark) > 1:
            return None
        integer, _, fraction = digits.partition(decimal_mark)
        integer = integer.replace(".", ",")
        return f"{integer.replace(',', '')}.{fraction}" if COMMA_GROUPED_REGEX.fullmatch(integer) else None
    # 4. One mark: it groups three digits, or is the decimal mark: 1,234 or 1.5
    if commas + points == 1:
        integer, _, fraction = digits.replace(",", ".").partition(".")
        could_group = len(fraction) == 3 and 1 <= len(integer) <= 3 and not integer.startswith("0")
        return integer + fraction if could_group and (commas or whole) else f"{integer or '0'}.{fraction}"
    # 5. One mark repeated: it groups: 1.234.567
    digits = digits.replace(".", ",")
    return digits.replace(",", "") if COMMA_GROUPED_REGEX.fullmatch(digits) else None


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
        return _parse_iso(text) or _parse_written(text) or ParseFailure(f"not a date in a known form: {_quote(text)}")
    except (ValueError, OverflowError):
        return ParseFailure(f"no such date: {_quote(text)}")


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
            return ParseFailure(f"day and month cannot be told apart: {_quote(text)}")
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


def _quote(text: str) -> str:
    """`text` in quotes for a message, shortened."""
    return repr(text if len(text) <= 60 else f"{text[:57]}...")
