"""Durations, sizes and rates as people write them: `90s`, `1h30m`, `20MB`, `2/s`.

Numbers are limited in length before they are converted: no text may make the arithmetic expensive. `Decimal` keeps
`0.1s` exact.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import Any

from scraper.config.types.value_format import (
    InvalidValueError,
    ParseContext,
    ValueFormat,
    describe_value,
    wrong_kind_error,
)

_NUMBER = r"\d{1,15}(?:\.\d{1,9})?"
_UNIT_SECONDS = {"ms": Decimal("0.001"), "s": Decimal(1), "m": Decimal(60), "h": Decimal(3600), "d": Decimal(86400)}
_DURATION_PART = re.compile(rf"\s*({_NUMBER})\s*(ms|[smhd])", re.IGNORECASE | re.ASCII)
_SIZE_PATTERN = re.compile(rf"\s*({_NUMBER})\s*([kmgt]?)(i?)b?\s*", re.IGNORECASE | re.ASCII)
_RATE_PATTERN = re.compile(rf"\s*({_NUMBER})\s*/\s*({_NUMBER})?\s*([smhd])\s*", re.IGNORECASE | re.ASCII)
_PLAIN_NUMBER = re.compile(rf"\s*({_NUMBER})\s*", re.ASCII)

DURATION_DESCRIPTION = "a duration such as 500ms, 30s, 5m, 2h or 1d (a plain number is seconds)"
SIZE_DESCRIPTION = "a size such as 500KB, 20MB or 1GiB (a plain number is bytes)"
RATE_DESCRIPTION = "a rate such as 2/s, 30/m or 500/h, a number per second, or unlimited"
UNLIMITED_RATE = "unlimited"
# Requests per second: one a day, and far more than one process can send.
MIN_RATE = 1 / 86_400
MAX_RATE = 100_000.0
# Larger plain numbers are a mistake, and would overflow later.
MAX_NUMBER = 1e18
MAX_SIZE_BYTES = 10 * 10**12

# Common spellings that are not accepted, for the hint: `5 minutes`, `20 megabytes`, `2 requests per second`.
_SPELLED_OUT_DURATION = re.compile(rf"({_NUMBER})\s*(s|m|h|d)(?:ec|in|our|r|ay)[a-z]*\.?", re.IGNORECASE | re.ASCII)
_SPELLED_OUT_SIZE = re.compile(rf"({_NUMBER})\s*([kmgt])(?:ilo|ega|iga|era)?[- ]?bytes?", re.IGNORECASE | re.ASCII)
_SPELLED_OUT_RATE = re.compile(
    rf"({_NUMBER})\s*(?:r(?:eq(?:uest)?s?)?|pages?)?\s*(?:/|per|an?|p)\s*(s|m|h|d)[a-z]*", re.IGNORECASE | re.ASCII
)


def _duration_hint(text: str) -> str:
    """How to write a duration that was spelled out (`5 minutes`) or written as on a clock (`1:30`)."""
    if clock := re.fullmatch(r"(\d{1,3}):(\d\d)(?::(\d\d))?", text):
        return f"for hours and minutes write {int(clock[1])}h{int(clock[2])}m"
    spoken = _SPELLED_OUT_DURATION.fullmatch(text)
    return f"did you mean {spoken[1]}{spoken[2].lower()}?" if spoken else ""


def parse_duration(text: str) -> float:
    """Seconds that `text` means: parts such as `1h30m`, or a plain number; raises `InvalidValueError`."""
    if plain := _PLAIN_NUMBER.fullmatch(text):
        return float(plain[1])
    total, at, units = Decimal(0), 0, list[str]()
    while part := _DURATION_PART.match(text, at):
        unit = part[2].lower()
        if unit in units:
            raise InvalidValueError(f"{describe_value(text)} gives {unit} twice")
        units.append(unit)
        total += Decimal(part[1]) * _UNIT_SECONDS[unit]
        at = part.end()
    # No part at all, or something after the last one.
    if not units or text[at:].strip():
        raise wrong_kind_error(DURATION_DESCRIPTION, text, _duration_hint(text.strip()))
    return float(total)


def parse_size(text: str) -> int:
    """Bytes that `text` means: KB, MB, GB, TB are powers of 1000, KiB ... of 1024; raises `InvalidValueError`."""
    found = _SIZE_PATTERN.fullmatch(text)
    if not found or (found[3] and not found[2]):
        spoken = _SPELLED_OUT_SIZE.fullmatch(text.strip())
        raise wrong_kind_error(
            SIZE_DESCRIPTION, text, f"did you mean {spoken[1]}{spoken[2].upper()}B?" if spoken else ""
        )
    # The index is the power: 0 for bytes, 1 for K, 2 for M ...
    power = " kmgt".index(found[2].lower() or " ")
    return int(Decimal(found[1]) * (1024 if found[3] else 1000) ** power)


def parse_rate(text: str) -> float | None:
    """Requests per second that `text` means: `2/s`, `30/m`, `1/10s` or a number; None for `unlimited`.

    Raises `InvalidValueError`.
    """
    if text.strip().lower() == UNLIMITED_RATE:
        return None
    if plain := _PLAIN_NUMBER.fullmatch(text):
        return float(plain[1])
    found = _RATE_PATTERN.fullmatch(text)
    if not found or (found[2] and not Decimal(found[2])):
        spoken = _SPELLED_OUT_RATE.fullmatch(text.strip())
        raise wrong_kind_error(
            RATE_DESCRIPTION, text, f"did you mean {spoken[1]}/{spoken[2].lower()}?" if spoken else ""
        )
    return float(Decimal(found[1]) / (Decimal(found[2] or 1) * _UNIT_SECONDS[found[3].lower()]))


def parse_byte_rate(text: str) -> int:
    """Bytes per second that `text` means, such as `10MB/s`; raises `InvalidValueError`."""
    amount, slash, unit = text.partition("/")
    if not slash or unit.strip().lower() not in ("s", "sec"):
        raise wrong_kind_error("a speed such as 500KB/s or 10MB/s", text)
    return parse_size(amount)


def exact_duration_text(seconds: float) -> str:
    """The shortest text that `parse_duration` reads as exactly `seconds`."""
    for unit in ("d", "h", "m", "s", "ms"):
        # repr() gives the decimal that was written, such as 0.1, and not the float's exact value.
        count = Decimal(repr(seconds)) / _UNIT_SECONDS[unit]
        if count == count.to_integral_value() and (count or unit == "s"):
            return f"{int(count)}{unit}"
    return f"{Decimal(repr(seconds)):f}s"


_SIZE_UNITS = (
    ("TB", 10**12), ("GiB", 1 << 30), ("GB", 10**9), ("MiB", 1 << 20), ("MB", 10**6), ("KiB", 1024), ("KB", 1000)
)  # fmt: skip


def exact_size_text(size: int) -> str:
    """A short text that `parse_size` reads as exactly `size` bytes."""
    for unit, factor in _SIZE_UNITS:
        if size and size % factor == 0:
            return f"{size // factor}{unit}"
    return f"{size}B"


def exact_rate_text(rate: float) -> str | float:
    """A short text that `parse_rate` reads as exactly `rate`; the bare number where no unit fits."""
    for unit in ("s", "m", "h", "d"):
        count = round(rate * float(_UNIT_SECONDS[unit]), 6)
        if count == int(count) and count >= 1 and parse_rate(f"{int(count)}/{unit}") == rate:
            return f"{int(count)}/{unit}"
    return rate


def _check_number(value: Any, description: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < MAX_NUMBER:
        raise wrong_kind_error(description, value)
    if value < 0:
        raise InvalidValueError(f"must not be negative, got {value}")
    return float(value)


def duration_range(low: float, high: float) -> ValueFormat:
    """A duration in seconds, from `low` to `high` seconds."""
    limits = f"{exact_duration_text(low)} to {exact_duration_text(high)}"

    def parse(value: Any, _: ParseContext) -> float:
        seconds = parse_duration(value) if isinstance(value, str) else _check_number(value, DURATION_DESCRIPTION)
        if not low <= seconds <= high:
            raise InvalidValueError(
                f"must be between {exact_duration_text(low)} and {exact_duration_text(high)}, got {value}"
            )
        return seconds

    schema = {
        "anyOf": [
            {
                "type": "string",
                "pattern": r"^\s*(\d+(\.\d+)?\s*([mM][sS]|[smhdSMHD])\s*)+$|^\s*\d+(\.\d+)?\s*$",
                "patternErrorMessage": f"expected {DURATION_DESCRIPTION}",
            },
            {"type": "number", "minimum": low, "maximum": high},
        ],
        "examples": ["30s", "5m", "2h"],
    }
    return ValueFormat(f"a duration, {limits}", schema, parse, exact_duration_text)


def size_range(low: int, high: int = MAX_SIZE_BYTES) -> ValueFormat:
    """A size in bytes, from `low` to `high` bytes."""

    def parse(value: Any, _: ParseContext) -> int:
        if isinstance(value, str):
            count = parse_size(value)
        elif isinstance(value, float) and not value.is_integer():
            raise wrong_kind_error(SIZE_DESCRIPTION, value)
        else:
            count = int(_check_number(value, SIZE_DESCRIPTION))
        if not low <= count <= high:
            raise InvalidValueError(f"must be between {exact_size_text(low)} and {exact_size_text(high)}, got {value}")
        return count

    schema = {
        "anyOf": [
            {
                "type": "string",
                "pattern": r"^\s*\d+(\.\d+)?\s*([kKmMgGtT][iI]?)?[bB]?\s*$",
                "patternErrorMessage": f"expected {SIZE_DESCRIPTION}",
            },
            {"type": "integer", "minimum": low, "maximum": high},
        ],
        "examples": ["500KB", "20MB"],
    }
    return ValueFormat(f"a size, {exact_size_text(low)} to {exact_size_text(high)}", schema, parse, exact_size_text)


def _parse_rate(value: Any, _: ParseContext) -> float | None:
    if value is None or value == math.inf:
        return None
    rate = parse_rate(value) if isinstance(value, str) else _check_number(value, RATE_DESCRIPTION)
    if rate is None:
        return None
    if rate == 0:
        raise InvalidValueError(
            "a rate of 0 would never send a request", "to leave a host out, use scope.deny; for no limit: unlimited"
        )
    if not MIN_RATE <= rate <= MAX_RATE:
        raise InvalidValueError(f"must be between 1/d and {MAX_RATE:,.0f}/s or unlimited, got {value}")
    return rate


_ANY_CASE_UNLIMITED = "".join(f"[{char}{char.upper()}]" for char in UNLIMITED_RATE)
RATE_FORMAT = ValueFormat(
    RATE_DESCRIPTION,
    {
        "anyOf": [
            {
                "type": "string",
                "pattern": rf"^\s*(\d+(\.\d+)?\s*(/\s*(\d+(\.\d+)?)?\s*[smhdSMHD])?|{_ANY_CASE_UNLIMITED})\s*$",
                "patternErrorMessage": f"expected {RATE_DESCRIPTION}",
            },
            {"type": "number", "exclusiveMinimum": 0, "maximum": MAX_RATE},
            {"type": "null"},
        ],
        "examples": ["2/s", "30/m", "unlimited"],
    },
    _parse_rate,
    exact_rate_text,
    UNLIMITED_RATE,
)
