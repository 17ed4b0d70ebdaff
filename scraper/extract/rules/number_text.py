"""Finds the numbers in a text, and what around one makes its value unclear."""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

from scraper.extract.rules.number_words import PERCENT_OFF_REGEX, is_currency, words_of

# Digits with marks between them.
NUMBER_REGEX = re.compile(r"(?:[0-9]+|(?<![\w.,])[.,][0-9]+)(?:[.,][0-9]+|[' ][0-9]{3}(?![0-9]))*")
# A minus belongs to the number it touches, or to the currency between: -5, -£5, -EUR 5; not the one of A-5 or 3-5.
SIGN_REGEX = re.compile(r"(?<![\w.,)])(?P<sign>[-+])(?:[^\W\d_]{1,3}[^\w\s.,+-]{0,2} ?|[^\w\s.,+-]{1,2} ?)?$")
DASH_AND_SPACE_REGEX = re.compile(r"- [^\w\s]?[^\W\d_]{0,3}[^\w\s.,+-]{0,2} ?$")
# A long dash is a minus, or a dash: –5. Not behind a word, and a space on both sides: Price – 5
LONG_DASH_REGEX = re.compile(r"(?:^|[^\w\s]|(?<=\s))[–—][^\w\s]{0,2}$|^[–—] ?[^\w\s]{0,2} ?$")
# 99¢ is no price of 99; ct are carats, too, and 1080p are lines.
CENTS_REGEX = re.compile(r" ?(?:¢|cts?\b|cents?\b)|p\b", re.IGNORECASE)
INVISIBLE_REGEX = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]")
SPACE_REGEX = re.compile(r"\s")
# Characters that are written for an ASCII one: minus signs, apostrophes, marks of full width and of Arabic.
SAME_AS_ASCII = str.maketrans(
    {
        "−": "-", "﹣": "-", "－": "-", "‐": "-", "‑": "-", "＋": "+", "，": ",", "．": ".", "’": "'", "‘": "'",
        "ʼ": "'", "＇": "'", "٫": ".", "٬": ",", "％": "%", "٪": "%", "（": "(", "）": ")", "＜": "<", "＞": ">",
        "＄": "$", "：": ":", "／": "/",
    }
)  # fmt: skip


class NumberMatch(NamedTuple):
    """A number in a text: its digits with their marks, where it stands, and where its neighbours end and begin."""

    digits: str
    start: int
    end: int
    previous_end: int
    next_start: int
    alone: bool


def normalize_text(text: str) -> str:
    """`text` with ASCII digits, marks, signs and spaces in place of those of other scripts and typography."""
    if text.isascii():
        return SPACE_REGEX.sub(" ", text)
    text = SPACE_REGEX.sub(" ", INVISIBLE_REGEX.sub("", text)).translate(SAME_AS_ASCII).strip()
    return "".join(str(unicodedata.decimal(char)) if char > "\x7f" and char.isdecimal() else char for char in text)


def find_numbers(text: str) -> list[NumberMatch]:
    """The numbers in a text that `normalize_text` gave."""
    found = list(NUMBER_REGEX.finditer(text))
    ends = [0, *(match.end() for match in found)]
    starts = [*(match.start() for match in found[1:]), len(text)]
    return [
        NumberMatch(match[0], match.start(), match.end(), ends[index], starts[index], len(found) == 1)
        for index, match in enumerate(found)
    ]


def unread_number_sign(text: str) -> str | None:
    """A character that is a number of its own and not read: ①, Ⅳ, a raised digit, a fraction without a number."""
    if text.isascii():
        return None
    for index, char in enumerate(text):
        if char > "\x7f" and unicodedata.category(char) in ("No", "Nl"):
            before = text[:index].rstrip()[-1:]
            if unicodedata.normalize("NFKC", char).find("\u2044") > 0:
                if not ("0" <= before <= "9"):
                    return char
            elif not before.isalpha():  # of m² it is a part of the unit
                return char
    return None


def sign_before(text_before: str) -> str:
    """The sign at the end of the whole text before a number: `-`, `+` or nothing."""
    found = SIGN_REGEX.search(text_before)
    return found["sign"] if found else ""


def why_unclear_before(before: str, match: NumberMatch) -> str | None:
    """What in front of a number makes its value unclear."""
    if before.endswith((".", ",")) and not (before[-1] == "." and before[-2:-1].isalpha()):
        return "a mark in front that belongs to no number"
    stripped = before.rstrip()
    if stripped.endswith(("<", ">", "≤", "≥", "±", "⩽", "⩾", "≠")):
        return "a bound, no value"
    if before[-1:].isnumeric():
        return "a number in two scripts"
    if (
        match.previous_end
        and before.count("-") == 1
        and all(word == "-" or is_currency(word) for word in words_of(before))
    ):
        # A range is 10-20 or 10 - 20; of 10 -20 nobody knows.
        return "a minus, or a dash" if re.search(r"\s-\S?$", before) and not before.endswith("- ") else None
    if DASH_AND_SPACE_REGEX.search(before) or LONG_DASH_REGEX.search(before):
        return None if match.previous_end else "a minus, or a dash"
    return None


def why_unclear_after(after: str, before: str, *, alone: bool) -> str | None:
    """What behind a number makes its value unclear."""
    if after.startswith("+") or (after.strip() == "+"):
        return "a bound, no value"
    if alone and re.match(r"[-–—](?!\w)", after):
        return "a minus behind it, or a dash"
    if CENTS_REGEX.match(after):
        return "cents, or another unit"
    if PERCENT_OFF_REGEX.match(after):
        return "a discount, no price"
    # Accounts write a loss in parentheses: ($5.00)
    inside, behind = before.rpartition("(")[2], after.partition(")")[0]
    outside = before.rpartition("(")[0] + after.partition(")")[2]
    if alone and "(" in before and ")" in after and not outside.strip():
        words = words_of(inside) + words_of(behind)
        if words and all(map(is_currency, words)):
            return "a loss in parentheses, or a remark"
    return None
