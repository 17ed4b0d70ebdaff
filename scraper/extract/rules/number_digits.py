"""The digits of one number with its marks: which mark groups, and which one is the decimal mark."""

from __future__ import annotations

import re
from dataclasses import dataclass

from scraper.extract.rules.parse_failure import ParseFailure

UNKNOWN_FORM = ParseFailure("not a number in a known form")
COMMA_GROUPED_REGEX = re.compile(r"[1-9][0-9]{0,2}(?:,[0-9]{3})+|[1-9][0-9]?(?:,[0-9]{2})+,[0-9]{3}")
POINT_GROUPED_REGEX = re.compile(r"[1-9][0-9]{0,2}(?:\.[0-9]{3})+")
SPACE_GROUPED_REGEX = re.compile(r"[1-9][0-9]{0,2}(?:(?: [0-9]{3})+|(?:'[0-9]{3})+)(?:[.,][0-9]+)?")


@dataclass(frozen=True, slots=True)
class DigitContext:
    """What the text around a number says about its marks.

    `whole`: the field's type has no fraction. `whole_currency`: the currency has none. `thousandths`: the currency has
    three digits behind a point. `unclear_thousandths`: three digits behind a comma may be a fraction, too. `unit`: a
    unit of measure follows. `spaces_group`: what stands in front and behind does not make two numbers of two groups.
    `no_fraction`: `,-` follows, which stands for no cents.
    """

    whole: bool = False
    whole_currency: bool = False
    thousandths: bool = False
    unclear_thousandths: bool = False
    unit: bool = False
    spaces_group: bool = True
    no_fraction: bool = False


def read_digits(digits: str, context: DigitContext) -> str | ParseFailure:
    """`digits` with a point as its decimal mark and without grouping, or why they cannot be read."""
    # 1. Spaces or apostrophes group: 1 234,5
    if " " in digits or "'" in digits:
        if not SPACE_GROUPED_REGEX.fullmatch(digits):
            return UNKNOWN_FORM
        if " " in digits and not context.spaces_group:
            return ParseFailure("one number with a space, or two numbers")
        return digits.replace(" ", "").replace("'", "").replace(",", ".")
    commas, points = digits.count(","), digits.count(".")
    # 2. No marks: 1234
    if not commas and not points:
        return digits
    # 3. Both marks: the last one is the decimal mark: 1,234.5 or 1.234,5
    if commas and points:
        decimal_mark = "," if digits.rindex(",") > digits.rindex(".") else "."
        integer, _, fraction = digits.rpartition(decimal_mark)
        if decimal_mark in integer or context.no_fraction:
            return UNKNOWN_FORM
        grouped = COMMA_GROUPED_REGEX if decimal_mark == "." else POINT_GROUPED_REGEX
        return f"{re.sub('[.,]', '', integer)}.{fraction}" if grouped.fullmatch(integer) else UNKNOWN_FORM
    # 4. One mark: it groups three digits, or is the decimal mark: 1,234 or 1.5
    if commas + points == 1:
        return _read_one_mark(digits, "," if commas else ".", context)
    # 5. One mark repeated: it groups: 1.234.567. Four numbers up to 255 may be an address: 192.168.100.200
    grouped = COMMA_GROUPED_REGEX if commas else POINT_GROUPED_REGEX
    if points == 3 and all(int(part or "999") <= 255 for part in digits.split(".")):
        return UNKNOWN_FORM
    return re.sub("[.,]", "", digits) if grouped.fullmatch(digits) else UNKNOWN_FORM


def _read_one_mark(digits: str, mark: str, context: DigitContext) -> str | ParseFailure:
    integer, _, fraction = digits.partition(mark)
    grouped, as_decimal = integer + fraction, f"{integer or '0'}.{fraction}"
    could_group = len(fraction) == 3 and 1 <= len(integer) <= 3 and not integer.startswith("0")
    if context.no_fraction:
        return grouped if could_group else UNKNOWN_FORM
    if not could_group:
        # ,500 may be the rest of 1,500.
        return UNKNOWN_FORM if mark == "," and not integer and len(fraction) == 3 else as_decimal
    unclear = ParseFailure(f"{grouped} or {as_decimal}")
    if context.unclear_thousandths:
        return unclear
    if mark == ",":
        return grouped
    if context.whole_currency:
        return grouped
    if context.thousandths:
        return as_decimal
    return grouped if context.whole and not context.unit else unclear
