"""A JSON page as a value: numbers keep all their digits, and one bad value costs itself, not the page.

RFC 8259 (section 6) leaves it open how exact a number is read; here none loses a digit, because ids and prices do not
survive a binary float. What JSON lacks and programs write all the same (half a surrogate pair, NaN, raw control
characters in texts) is read, and told.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any, NamedTuple

import orjson

# A number that a binary float or 64 bits may not hold, or a text that looks like one: then the exact reader is used.
# Patterns that begin with a literal are searched for twenty times as fast as those that begin with a class.
_FRACTION_OR_EXPONENT = (
    re.compile(r"\.(?<=[0-9]\.)[0-9]"),
    re.compile(r"e(?<=[0-9]e)[-+0-9]"),
    re.compile(r"E(?<=[0-9]E)[-+0-9]"),
)
_LONG_INTEGER = re.compile(r"[0-9]{19}")
# Longest integer that is read as one, in digits: Python takes quadratic time, and refuses 4,300.
_MAX_INTEGER_DIGITS = 300
# Escapes in JSON texts. A whole surrogate pair is one escape; half of one is in group 1.
_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)
_LARGEST_EXPONENT = 40


class ExactFloat(float):
    """A number of JSON with a fraction or an exponent. `text`: as the page writes it, with all its digits."""

    __slots__ = ("text",)

    text: str

    def to_decimal(self) -> Decimal:
        """The number exactly."""
        return Decimal(self.text)

    def to_text(self) -> str:
        """The number as the page writes it; with an exponent written out, unless that is absurd."""
        if "e" not in self.text.lower():
            return self.text
        number = self.to_decimal()
        return f"{number:f}" if abs(number.adjusted()) <= _LARGEST_EXPONENT else str(number)

    def __reduce__(self) -> tuple[Any, ...]:
        return _exact_float, (self.text,)


# JMESPath knows types by their names: its functions (`sum`, `max_by`) take no number of another name.
ExactFloat.__name__ = "float"


class JsonDocument(NamedTuple):
    """The value of a page. `problem`: a sentence if something in it had to be replaced."""

    value: Any
    problem: str | None = None


def read_json(text: str) -> JsonDocument:
    """Parse `text`, a JSON text without a byte order mark. Raises `ValueError`, which says where it is none.

    Half of a surrogate pair becomes U+FFFD, and NaN and infinity null; both are told in `problem`.
    """
    failure: ValueError | None = None
    if not _may_lose_digits(text):
        try:
            return JsonDocument(orjson.loads(text))
        except orjson.JSONDecodeError as error:
            failure = error
    problems: list[str] = []
    repaired = _without_lone_surrogates(text, problems)
    constants: list[str] = []
    try:
        value = _load_exactly(repaired, constants)
    except ValueError as error:
        raise failure or error from None
    if constants:
        problems.append(f"{len(constants)} numbers that JSON lacks ({', '.join(sorted(set(constants)))}) read as null")
    return JsonDocument(value, f"JSON: {'; '.join(problems)}" if problems else None)


def looks_like_json(data: bytes) -> bool:
    """Whether a body begins as an object or a list of JSON does, in UTF-8, UTF-16 or UTF-32."""
    return data[:64].lstrip(b"\xef\xbb\xbf\xff\xfe\x00 \t\r\n")[:1] in (b"{", b"[")


def to_plain_json(value: Any) -> Any:
    """`value` with Python's own numbers: a number that these cannot hold exactly becomes a `Decimal`.

    The outputs write a `Decimal` as text, so no digit is lost on the way.
    """
    if isinstance(value, ExactFloat):
        plain = float(value)
        exact = value.to_decimal()
        return plain if Decimal(repr(plain)) == exact else exact
    if isinstance(value, dict):
        return {key: to_plain_json(member) for key, member in value.items()}
    if isinstance(value, list):
        return [to_plain_json(member) for member in value]
    return value


def write_json(value: Any) -> str:
    """A value of `read_json` as JSON text, numbers with all their digits."""
    try:
        return orjson.dumps(value, default=_write_exact).decode()
    except TypeError:  # an integer beyond 64 bits
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)


def _may_lose_digits(text: str) -> bool:
    if any(pattern.search(text) for pattern in _FRACTION_OR_EXPONENT):
        return True
    # Of nineteen digits in a row every ninth character meets two: a ninth of the text tells that there are none.
    return re.search("[0-9][0-9]", text[::9]) is not None and _LONG_INTEGER.search(text) is not None


def _load_exactly(text: str, constants: list[str]) -> Any:
    options: dict[str, Any] = {"strict": False, "parse_float": _exact_float, "parse_constant": constants.append}
    try:
        try:
            return json.loads(text, **options)
        except json.JSONDecodeError:
            raise
        except ValueError:  # an integer with thousands of digits, which Python refuses
            constants.clear()
            return json.loads(text, parse_int=_parse_long_int, **options)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _write_exact(value: Any) -> Any:
    if isinstance(value, ExactFloat):
        return orjson.Fragment(value.text)
    raise TypeError


def _exact_float(text: str) -> ExactFloat:
    number = ExactFloat(text)
    number.text = text
    return number


def _parse_long_int(text: str) -> int | ExactFloat:
    return int(text) if len(text) <= _MAX_INTEGER_DIGITS else _exact_float(text)


def _without_lone_surrogates(text: str, problems: list[str]) -> str:
    if "\\ud" not in text and "\\uD" not in text:
        return text
    replaced = 0

    def repair(found: re.Match[str]) -> str:
        nonlocal replaced
        if found[1] is None:
            return found[0]
        replaced += 1
        return "\\ufffd"

    text = _ESCAPE.sub(repair, text)
    if replaced:
        problems.append(f"{replaced} {'half' if replaced == 1 else 'halves'} of a surrogate pair replaced by U+FFFD")
    return text
