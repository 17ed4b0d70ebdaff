"""Text to numbers, as people write them on web pages.

A wrong number is worse than none, so a text with two possible meanings is rejected:

- The text contains one number, or the same one several times. Currency signs and words around it are ignored, except
  those that change its meaning: multipliers (`1.2K`), bounds (`50+`, `<5`), fractions (`4½`).
- With `,` and `.` in one number, the last one is the decimal mark and the other one groups digits.
- One comma before three digits groups them (`1,234`), except after a lone zero (`0,125`).
- One point before three digits is rejected (`1.234`): of prices it groups, in measures it does not. It is read where
  that is settled: by the currency (`Rp 31.500`), by `,-` behind it, for `int`, and for values that programs write.
- Any other single mark is the decimal mark. A repeated mark groups; so do spaces and apostrophes. Groups have three
  digits, or two in the Indian way.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from decimal import Context, Decimal
from functools import lru_cache
from typing import Literal

from scraper.extract.rules.number_digits import DigitContext, read_digits
from scraper.extract.rules.number_text import (
    NumberMatch,
    find_numbers,
    normalize_text,
    sign_before,
    unread_number_sign,
    why_unclear_after,
    why_unclear_before,
)
from scraper.extract.rules.number_words import (
    FREE_WORDS,
    FUEL_UNIT_REGEX,
    MILLIME_CURRENCIES,
    PRICE_WORDS,
    THOUSANDTH_CURRENCIES,
    UNITS,
    WHOLE_CURRENCIES,
    is_currency,
    multiplier_after,
    words_of,
)
from scraper.extract.rules.parse_failure import ParseFailure, quote
from scraper.extract.rules.visible_text import ELEMENT_JOINT

# Longest text that is searched for a number, in characters.
MAX_NUMBER_CHARS = 200
# Longest number, in digits.
MAX_NUMBER_DIGITS = 40
# Decimals are otherwise rounded to 28 digits.
EXACT = Context(prec=2 * MAX_NUMBER_DIGITS)

SCIENTIFIC_REGEX = re.compile(r"[-+]?[0-9]{1,40}(?:\.[0-9]{1,40})?[eE][-+]?[0-9]{1,2}")
# As programs write a number.
BARE_NUMBER_REGEX = re.compile(r"[-+]?[0-9]{1,40}(?:\.[0-9]{1,40})?")
# The plainest prices, most of all texts: £51.77, 1,299.00 €, 12,50 €. None of the questions below arises.
PLAIN_PRICE_REGEX = re.compile(
    r"[$€£]? ?(?:(?P<integer>[1-9][0-9]{0,2}(?:,[0-9]{3}){1,4}|[0-9]{1,20})(?P<fraction>\.[0-9]{1,2})?"
    r"|(?P<comma>[0-9]{1,20},[0-9]{1,2}))(?: ?[€$£])?"
)
# A price with its currency in place of the decimal mark: 35€99, 35€ 99.
CURRENCY_AS_MARK_REGEX = re.compile(r"([0-9]{1,3}(?:[., ][0-9]{3})*|[0-9]+)€ ?([0-9]{2})")
# A price with a space behind its decimal mark: 118, 99 TL. Without a currency it may be a list of two numbers.
SPACE_IN_FRACTION_REGEX = re.compile(r"([^0-9\s]{0,4} ?)([0-9][0-9.,]{0,20})([.,]) ([0-9]{2})( ?[^0-9\s]{0,4})")
SPACE_BEHIND_MARK_REGEX = re.compile(r"[0-9][.,] [0-9]{2}(?![0-9.,])")
# 4 1/2, 4 1⁄2
WRITTEN_FRACTION_REGEX = re.compile("[0-9] ?\u2044 ?[0-9]|[0-9] [0-9]{1,2}/[0-9]{1,3}")
VULGAR_FRACTION_REGEX = re.compile("(?<=[0-9])[ ]?([¼½¾⅐-⅞↉])")

# Which number is taken of a text with several different ones.
NumberChoice = Literal["refuse", "first", "last", "min", "max"]


@dataclass(frozen=True, slots=True)
class NumberOptions:
    """`several`: which number of a text with several is taken. `machine`: a bare `1.234` is what a program wrote."""

    several: NumberChoice = "refuse"
    machine: bool = False


DEFAULT_OPTIONS = NumberOptions()


def parse_decimal(text: str, options: NumberOptions = DEFAULT_OPTIONS) -> Decimal | ParseFailure:
    """The one number in `text`, exactly."""
    return _parse_number(text, options, whole=False)


def parse_float(text: str, options: NumberOptions = DEFAULT_OPTIONS) -> float | ParseFailure:
    """The one number in `text`, as the nearest float."""
    number = _parse_number(text, options, whole=False)
    return number if isinstance(number, ParseFailure) else float(number)


def parse_int(text: str, options: NumberOptions = DEFAULT_OPTIONS) -> int | ParseFailure:
    """The one number in `text`, which must be whole (`3.00` is) and fit in 64 bits."""
    number = _parse_number(text, options, whole=True)
    if isinstance(number, ParseFailure):
        return number
    if number != number.to_integral_value():
        return ParseFailure(f"not a whole number: {quote(text)}")
    if not -(2**63) <= number < 2**63:
        return ParseFailure(f"larger than 64 bits: {quote(text)}")
    return int(number)


def _parse_number(text: str, options: NumberOptions, *, whole: bool) -> Decimal | ParseFailure:
    text = text.strip()
    if text.isascii() and text.isdigit() and len(text) <= MAX_NUMBER_DIGITS:
        return Decimal(text)
    if len(text) > MAX_NUMBER_CHARS:
        return ParseFailure(f"too long for a number: {len(text)} characters, at most {MAX_NUMBER_CHARS}")
    if SCIENTIFIC_REGEX.fullmatch(text) or (options.machine and BARE_NUMBER_REGEX.fullmatch(text)):
        return Decimal(text)
    if plain := PLAIN_PRICE_REGEX.fullmatch(text):
        comma, integer, fraction = plain["comma"], plain["integer"], plain["fraction"]
        return Decimal(comma.replace(",", ".") if comma else integer.replace(",", "") + (fraction or ""))
    return _parse_written(text, options.several, whole)


# Texts repeat in listings ("In stock", "5 stars"), and all the questions take some 20 microseconds.
@lru_cache(maxsize=2048)
def _parse_written(text: str, several: NumberChoice, whole: bool) -> Decimal | ParseFailure:
    if ELEMENT_JOINT in text:
        shown = quote(text.replace(ELEMENT_JOINT, "|"))
        return ParseFailure(f"digits of two elements beside each other: {shown}")
    text = normalize_text(text)
    if (price := _special_price(text, whole=whole)) is not None:
        return price
    if ("/" in text or "\u2044" in text) and WRITTEN_FRACTION_REGEX.search(text):
        return ParseFailure(f"a fraction: {quote(text)}")
    matches = find_numbers(text)
    if not matches:
        return ParseFailure(f"no number in {quote(text)}")
    if sign := unread_number_sign(text):
        return ParseFailure(f"more than one number in {quote(text)}: {sign} is another one")
    if len(matches) == 1:
        return _read_match(text, matches[0], whole=whole)
    return _choose(text, matches, several, whole=whole)


def _special_price(text: str, *, whole: bool) -> Decimal | ParseFailure | None:
    """The price that the whole text is, if it has one of the forms that only prices have."""
    if not whole and text.strip("!. ").lower() in FREE_WORDS:
        return Decimal(0)
    if found := CURRENCY_AS_MARK_REGEX.fullmatch(text):
        return Decimal(f"{re.sub('[., ]', '', found[1])}.{found[2]}")
    found = SPACE_IN_FRACTION_REGEX.fullmatch(text)
    if found and (is_currency(found[1].strip() or found[5].strip()) or _is_point_of_no_date(found)):
        digits = read_digits(found[2] + found[3] + found[4], DigitContext())
        if not isinstance(digits, ParseFailure):
            return Decimal(digits)
    return None


def _is_point_of_no_date(found: re.Match[str]) -> bool:
    """Whether a bare `36. 24` cannot be a day and a month, as 5. 12 can."""
    bare = not found[1].strip() and not found[5].strip() and found[3] == "." and found[2].isdigit()
    return bare and (int(found[2]) > 31 or not 1 <= int(found[4]) <= 12)


def _choose(text: str, matches: list[NumberMatch], choice: NumberChoice, *, whole: bool) -> Decimal | ParseFailure:
    """The number of a text with several: if all are the same that one, else by `choice`."""
    refusal = ParseFailure(f"more than one number in {quote(text)}")
    # 2 x 2 is no two.
    if choice == "refuse" and re.search(r"[0-9][^\w\s]{0,3} ?[-/:x×*–—] ?[^\w\s]{0,3}[0-9]", text):
        return refusal
    if choice != "refuse" and SPACE_BEHIND_MARK_REGEX.search(text):
        return ParseFailure(f"one number with a space, or two numbers: {quote(text)}")
    numbers = []
    for match in matches:
        number = _read_match(text, match, whole=whole)
        if isinstance(number, ParseFailure):
            return number if choice != "refuse" else refusal
        numbers.append(number)
    if len(set(numbers)) == 1:
        return numbers[0]
    # A percentage beside prices is none of them: 129,00 € (-15%)
    prices = [
        number
        for number, match in zip(numbers, matches, strict=True)
        if text[match.end :].lstrip()[:1] not in ("%", "٪")
    ]
    candidates = prices or numbers
    match choice:
        case "refuse":
            return refusal
        case "first":
            return candidates[0]
        case "last":
            return candidates[-1]
        case "min":
            return min(candidates)
        case "max":
            return max(candidates)


def _read_match(text: str, match: NumberMatch, *, whole: bool) -> Decimal | ParseFailure:
    """The value of one number in `text`, with what stands around it."""
    before, after = text[match.previous_end : match.start], text[match.end : match.next_start]
    if why := why_unclear_before(before, match) or why_unclear_after(after, before, alone=match.alone):
        return ParseFailure(f"{why}: {quote(text)}")
    multiplier = multiplier_after(after, money=_near_money(before, after)) if after else None
    if isinstance(multiplier, str):
        return ParseFailure(f"{multiplier!r} may multiply the number or not: {quote(text)}")
    digits: str | ParseFailure = match.digits
    if not digits.isdigit():
        context = _digit_context(before, after, whole=whole, multiplied=multiplier is not None)
        digits = read_digits(match.digits, context)
    if isinstance(digits, ParseFailure):
        return ParseFailure(f"{digits}: {quote(text)}")
    if len(digits) > MAX_NUMBER_DIGITS:
        return ParseFailure(f"not a number in a known form: {quote(text)}")
    value = Decimal(digits)
    # A fraction behind it: 4½
    if fraction := VULGAR_FRACTION_REGEX.match(text, match.end):
        added = Decimal(unicodedata.numeric(fraction[1]))
        if "." in digits or len(str(added)) > len("0.125"):  # a third has no end
            return ParseFailure(f"a fraction that no decimal is equal to: {quote(text)}")
        value = EXACT.add(value, added)
    if multiplier is not None:
        value = EXACT.multiply(value, Decimal(10**multiplier))
        value = value.quantize(Decimal(1), context=EXACT) if value == value.to_integral_value() else value
    # Not -value: that rounds.
    return value.copy_negate() if sign_before(text[: match.start]) == "-" else value


def _near_money(before: str, after: str) -> bool:
    return any(map(is_currency, (*words_of(before)[-1:], *words_of(after)[:1])))


def _digit_context(before: str, after: str, *, whole: bool, multiplied: bool) -> DigitContext:
    words_before, words_after = words_of(before), words_of(after)
    nearest = [*words_before[-1:], *words_after[:1]]
    currencies = {word.strip("+-") for word in nearest}
    # 15 128 is one number alone or with its currency, and two in "iPhone 15 128 GB".
    last = words_before[-1].strip("+-") if words_before else ""
    in_front = not last or before.rstrip().endswith(":") or is_currency(last) or last in PRICE_WORDS
    behind_unit = bool(words_after) and words_after[0] in UNITS
    return DigitContext(
        whole=whole,
        whole_currency=not currencies.isdisjoint(WHOLE_CURRENCIES),
        thousandths=not currencies.isdisjoint(THOUSANDTH_CURRENCIES),
        # 1,234 Mio. is 1.234 million where a comma is the decimal mark.
        unclear_thousandths=multiplied
        or not currencies.isdisjoint(MILLIME_CURRENCIES)
        or FUEL_UNIT_REGEX.match(after) is not None,
        unit=behind_unit,
        spaces_group=in_front and not behind_unit,
        no_fraction=re.match(r" ?[,.:] ?[-=–—]", after) is not None,
    )
