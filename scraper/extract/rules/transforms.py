"""`transform`: steps that change the text of a field before it is converted to its type, in the order of the config.

A step takes a text or a list of texts. Steps for one text are applied to each member of a list. `split` makes a list of
a text, `join` a text of a list, `default` replaces a missing value. Values that are not text (JSON numbers) are left
unchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from scraper.extract.rules.date_parser import parse_date
from scraper.extract.rules.limits import MAX_VALUE_CHARS, MAX_VALUES
from scraper.extract.rules.markup_text import decode_entities, markup_to_text
from scraper.extract.rules.page_context import PageContext, absolute_url
from scraper.extract.rules.parse_failure import ParseFailure

# The name of a step and its argument: None, a text, or the two texts of `replace`.
TransformStep = tuple[str, Any]


def apply_transforms(value: Any, steps: Sequence[TransformStep], context: PageContext) -> Any:
    """`value` after all `steps`; a `ParseFailure` if a step cannot be applied, or makes a text too long."""
    for name, argument in steps:
        if name == "default":
            value = argument if value in (None, "", []) else value
        elif name == "split":
            value = _split(value, argument)
        elif name == "join":
            value = _join(value, argument)
        else:
            change = _TEXT_STEPS[name]
            value = (
                [_apply_to_text(member, change, argument, context) for member in value]
                if isinstance(value, list)
                else _apply_to_text(value, change, argument, context)
            )
        if isinstance(value, ParseFailure):
            return value
    return value


def _apply_to_text(
    value: Any, change: Callable[[str, Any, PageContext], str], argument: Any, context: PageContext
) -> Any:
    if isinstance(value, ParseFailure) or not isinstance(value, str) or not value:
        return value
    return change(value, argument, context)


def _replace(text: str, pair: Sequence[str], _: PageContext) -> str:
    old, new = pair
    # Computed before replacing, so that a text never grows beyond the limit in memory.
    if len(text) + text.count(old) * max(0, len(new) - len(old)) > MAX_VALUE_CHARS:
        return ParseFailure(f"replacing {old!r} makes it longer than {MAX_VALUE_CHARS} characters")
    return text.replace(old, new)


def _too_long(text: str) -> ParseFailure:
    return ParseFailure(f"too long: {len(text)} characters, at most {MAX_VALUE_CHARS}")


def _split(value: Any, separator: str) -> Any:
    parts: list[Any] = []
    for text in value if isinstance(value, list) else [value]:
        if isinstance(text, str) and not isinstance(text, ParseFailure):
            parts.extend(stripped for part in text.split(separator, MAX_VALUES) if (stripped := part.strip()))
        elif text is not None:
            parts.append(text)
    return parts


def _join(value: Any, separator: str) -> Any:
    if not isinstance(value, list):
        return value
    if failures := [text for text in value if isinstance(text, ParseFailure)]:
        return failures[0]
    texts = [text if isinstance(text, str) else str(text) for text in value if text is not None]
    if sum(map(len, texts)) + len(separator) * len(texts) > MAX_VALUE_CHARS:
        return ParseFailure(f"joined it is longer than {MAX_VALUE_CHARS} characters")
    return separator.join(texts)


_TEXT_STEPS: dict[str, Callable[[str, Any, PageContext], str]] = {
    "strip": lambda text, characters, _: text.strip(characters),
    "lower": lambda text, _, __: text.lower(),
    "upper": lambda text, _, __: text.upper(),
    "replace": _replace,
    "absolute_url": lambda text, _, context: absolute_url(text, context),
    "unescape": lambda text, _, __: decode_entities(text),
    "text": lambda text, _, __: markup_to_text(text) if len(text) <= MAX_VALUE_CHARS else _too_long(text),
    "parse_date": lambda text, _, __: parse_date(text),
}
