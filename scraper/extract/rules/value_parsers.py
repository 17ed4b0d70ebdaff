"""The parsers of a field's types: text to a JSON-ready value, or to a `ParseFailure`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from scraper.extract.rules.date_parser import parse_date
from scraper.extract.rules.number_parser import NumberOptions, parse_decimal, parse_float, parse_int

# The words that mean false; every other text is true.
FALSE_WORDS = frozenset({"false", "no", "n", "0", "off", "none", "null"})


def parse_bool(text: str) -> bool:
    """False if `text` is one of `FALSE_WORDS`, else true."""
    return text.strip().lower() not in FALSE_WORDS


# By `type` of a field: how a text becomes a value. `text`, `url`, `html` and `any` have no parser.
VALUE_PARSERS: dict[str, Callable[..., Any]] = {
    "int": parse_int,
    "float": parse_float,
    "decimal": parse_decimal,
    "bool": parse_bool,
    "date": parse_date,
}
# The types that are numbers, and of which `NumberOptions` say how they are read.
NUMBER_TYPES = frozenset({"int", "float", "decimal"})
# Attributes that people read; what stands in all others was written by and for programs.
ATTRIBUTES_FOR_PEOPLE = frozenset({"title", "alt", "label", "placeholder", "aria-label", "aria-valuetext", "summary"})


def value_parser(kind: str, numbers: NumberOptions) -> Callable[[str], Any] | None:
    """The parser of the type `kind`, or None if its texts stay as they are."""
    parse = VALUE_PARSERS.get(kind)
    return partial(parse, options=numbers) if parse is not None and kind in NUMBER_TYPES else parse
