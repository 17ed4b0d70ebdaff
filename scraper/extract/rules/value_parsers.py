"""Text to typed values: numbers, truth and dates as people write them on web pages.

Every parser takes one text and returns a JSON-ready value or a `ParseFailure`, a sentence that says why not. A wrong
value
is worse than none, so what can be read in two ways is refused and not guessed:

- A number text holds exactly one number; signs of currency and words may stand around it.
- `,` and `.` in one number: the last one is the decimal mark, the other one groups digits.
- One comma and three digits after it is grouping (`1,234`), unless a zero stands alone before it (`0,125`).
- One point is the decimal mark, as machines write it (`1.234`); only for `int` it is grouping before three digits.
- A mark that is repeated groups; spaces and apostrophes group as well; groups are of three, or two in the Indian way.
- Dates are ISO 8601, RFC 2822, `12 March 2024`, `March 12, 2024`, `2024/03/12` or `12.03.2024` (day first). With
  slashes or dashes the day must be recognisable: `03/04/2024` is refused.
"""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal

# Longest text in which a number is looked for, in characters.
MAX_NUMBER_CHARS = 200
# Longest number, in digits.
MAX_NUMBER_DIGITS = 40
# Longest text read as a date, in characters.
MAX_DATE_CHARS = 80
# The only words of a present text that mean false.
FALSE_WORDS = frozenset({"false", "no", "n", "0", "off", "none", "null"})


class ParseFailure(str):
    """Why a text is not a value of the wanted type."""

    __slots__ = ()


NUMBER_REGEX = re.compile(
    r"(?P<sign>(?<![\w.,)])[-+−]\s?[^\w\s.,+−-]?\s?)?"  # a minus may stand before a currency sign: -£5
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
    """The one number in `text`; a fraction other than zero and more than 64 bits are refused."""
    number = _parse_number(text, whole=True)
    if isinstance(number, ParseFailure):
        return number
    if number != number.to_integral_value():
        return ParseFailure(f"not a whole number: {_quote(text)}")
    if not -(2**63) <= number < 2**63:
        return ParseFailure(f"larger than 64 bits: {_quote(text)}")
    return int(number)


def parse_bool(text: str) -> bool:
    """False for a word that says so (`FALSE_WORDS`), true for everything else that is there."""
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
    """`digits` with a point as its decimal mark and no grouping; None when the marks make no sense."""
    spaced = GROUPING_SPACE_REGEX.sub(" ", digits)
    if " " in spaced:
        return spaced.replace(" ", "").replace(",", ".") if SPACE_GROUPED_REGEX.fullmatch(spaced) else None
    commas, points = digits.count(","), digits.count(".")
    if not commas and not points:
        return digits
    if commas and points:
        mark = "," if digits.rindex(",") > digits.rindex(".") else "."
        if digits.count(mark) > 1:
            return None
        head, _, tail = digits.partition(mark)
        head = head.replace(".", ",")
        return f"{head.replace(',', '')}.{tail}" if COMMA_GROUPED_REGEX.fullmatch(head) else None
    if commas + points == 1:
        head, _, tail = digits.replace(",", ".").partition(".")
        groups = len(tail) == 3 and 1 <= len(head) <= 3 and not head.startswith("0")
        return head + tail if groups and (commas or whole) else f"{head or '0'}.{tail}"
    digits = digits.replace(".", ",")
    return digits.replace(",", "") if COMMA_GROUPED_REGEX.fullmatch(digits) else None


MONTH_NAMES = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
MONTH_NUMBERS = {name[:length]: number for number, name in enumerate(MONTH_NAMES, 1) for length in (3, len(name))} | {
    "sept": 9
}
ZONE_OFFSET_HOURS = {
    "z": 0, "ut": 0, "utc": 0, "gmt": 0, "est": -5, "edt": -4, "cst": -6, "cdt": -5, "mst": -7, "mdt": -6,
    "pst": -8, "pdt": -7,
}  # fmt: skip
WEEKDAY_PATTERN = r"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]{0,6}\.?,?\s+)?"
TIME_PATTERN = (
    r"(?:(?:,?\s+(?:at\s+)?|t)(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:\.[0-9]{1,9})?)?"
    r"\s?(?P<half>[ap]\.?m\.?)?\s?(?P<zone>[a-z]{1,3}|[-+][0-9]{2}:?[0-9]{2})?(?:\s\([^()]{0,40}\))?)?"
)
DATE_REGEXES = tuple(
    re.compile(WEEKDAY_PATTERN + day + TIME_PATTERN, re.IGNORECASE)
    for day in (
        r"(?P<day>[0-9]{1,2})(?:st|nd|rd|th)?\.?[\s-](?:of\s)?(?P<month>[a-z]{3,9})\.?,?[\s-](?P<year>[0-9]{4})",
        r"(?P<month>[a-z]{3,9})\.?\s(?P<day>[0-9]{1,2})(?:st|nd|rd|th)?,?\s(?P<year>[0-9]{4})",
        r"(?P<year>[0-9]{4})(?P<mark>[/.-])(?P<month>[0-9]{1,2})(?P=mark)(?P<day>[0-9]{1,2})",
        r"(?P<day>[0-9]{1,2})\.\s?(?P<month>[0-9]{1,2})\.\s?(?P<year>[0-9]{4})",
    )
)
SLASHED_DATE_REGEX = re.compile(r"([0-9]{1,2})([/-])([0-9]{1,2})\2([0-9]{4})" + TIME_PATTERN, re.IGNORECASE)


def parse_date(text: str) -> str | ParseFailure:
    """The date (`2024-03-12`) or the date and time (`2024-03-12T10:30:00+01:00`) that `text` is, in ISO 8601.

    A time without a zone stays without one. Month names are English.
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
    for form in DATE_REGEXES:
        if found := form.fullmatch(text):
            month = found["month"]
            number = int(month) if month.isdigit() else MONTH_NUMBERS.get(month.lower())
            return None if number is None else _with_time(date(int(found["year"]), number, int(found["day"])), found)
    if found := SLASHED_DATE_REGEX.fullmatch(text):
        first, second, year = int(found[1]), int(found[3]), int(found[4])
        if first <= 12 and second <= 12 and first != second:
            return ParseFailure(f"day and month cannot be told apart: {_quote(text)}")
        month, day = (first, second) if second > 12 else (second, first)
        return _with_time(date(year, month, day), found)
    return None


def _with_time(day: date, found: re.Match[str]) -> str:
    """`day` with the time that stands behind it, if one does. Raises ValueError when there is no such time."""
    if found["hour"] is None:
        return day.isoformat()
    hour, half = int(found["hour"]), (found["half"] or "").lower()
    if half:
        if not 1 <= hour <= 12:
            raise ValueError("no such hour")
        hour = hour % 12 + (12 if half.startswith("p") else 0)
    at = time(hour, int(found["minute"]), int(found["second"] or 0))
    return datetime.combine(day, at, _parse_zone(found["zone"])).isoformat()


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
    """`text` for a message, short."""
    return repr(text if len(text) <= 60 else f"{text[:57]}...")
