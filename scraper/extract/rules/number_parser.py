"""Text to numbers, as people write them on web pages.

A wrong number is worse than none, so a text with two possible meanings is rejected:

- The text contains exactly one number. Currency signs and words around it are ignored.
- With `,` and `.` in one number, the last one is the decimal mark and the other one groups digits.
- One comma before three digits groups them (`1,234`), except after a lone zero (`0,125`).
- One point is a decimal mark, as programs write it (`1.234`). Only for `int` it groups, before three digits.
- A repeated mark groups; so do spaces and apostrophes. Groups have three digits, or two in the Indian way.
"""

from __future__ import annotations

import re
from decimal import Decimal

from scraper.extract.rules.parse_failure import ParseFailure, quote

# Longest text that is searched for a number, in characters.
MAX_NUMBER_CHARS = 200
# Longest number, in digits.
MAX_NUMBER_DIGITS = 40

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
        return ParseFailure(f"not a whole number: {quote(text)}")
    if not -(2**63) <= number < 2**63:
        return ParseFailure(f"larger than 64 bits: {quote(text)}")
    return int(number)


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
        return ParseFailure(f"no number in {quote(text)}")
    if NUMBER_REGEX.search(text, found.end()):
        return ParseFailure(f"more than one number in {quote(text)}")
    digits = _normalize_digits(found["digits"], whole=whole)
    if digits is None or len(digits) > MAX_NUMBER_DIGITS:
        return ParseFailure(f"not a number in a known form: {quote(text)}")
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
