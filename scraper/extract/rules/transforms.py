"""What becomes of a field's text between its source and its type: small steps, in the order they are written.

A step takes a text or a list of texts. Steps about one text are done to each member of a list; `split` makes a list of
a text, `join` a text of a list, `default` stands in for what is missing. What is not text (JSON's numbers) passes as it
is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from scraper.extract.rules.limits import MAX_VALUE_CHARS, MAX_VALUES
from scraper.extract.rules.page_context import PageContext, absolute_url
from scraper.extract.rules.value_parsers import ParseFailure, parse_date

# The name of a step and what stands behind it: None, a text, or the texts to replace.
TransformStep = tuple[str, Any]


def apply_transforms(value: Any, steps: Sequence[TransformStep], context: PageContext) -> Any:
    """`value` after `steps`; a `ParseFailure` when a text in it cannot be changed so, or is too long then."""
    for name, given in steps:
        if name == "default":
            value = given if value in (None, "", []) else value
        elif name == "split":
            value = _split(value, given)
        elif name == "join":
            value = _join(value, given)
        else:
            change = _TEXT_STEPS[name]
            value = (
                [_apply_to_text(member, change, given, context) for member in value]
                if isinstance(value, list)
                else _apply_to_text(value, change, given, context)
            )
        if isinstance(value, ParseFailure):
            return value
    return value


def _apply_to_text(value: Any, change: Callable[[str, Any, PageContext], str], given: Any, context: PageContext) -> Any:
    if isinstance(value, ParseFailure) or not isinstance(value, str) or not value:
        return value
    return change(value, given, context)


def _replace(text: str, pair: Sequence[str], _: PageContext) -> str:
    old, new = pair
    if len(text) + text.count(old) * max(0, len(new) - len(old)) > MAX_VALUE_CHARS:
        return ParseFailure(f"replacing {old!r} makes it longer than {MAX_VALUE_CHARS} characters")
    return text.replace(old, new)


def _split(value: Any, mark: str) -> Any:
    parts: list[Any] = []
    for text in value if isinstance(value, list) else [value]:
        if isinstance(text, str) and not isinstance(text, ParseFailure):
            parts.extend(stripped for part in text.split(mark, MAX_VALUES) if (stripped := part.strip()))
        elif text is not None:
            parts.append(text)
    return parts


def _join(value: Any, mark: str) -> Any:
    if not isinstance(value, list):
        return value
    if refused := [text for text in value if isinstance(text, ParseFailure)]:
        return refused[0]
    texts = [text if isinstance(text, str) else str(text) for text in value if text is not None]
    if sum(map(len, texts)) + len(mark) * len(texts) > MAX_VALUE_CHARS:
        return ParseFailure(f"joined it is longer than {MAX_VALUE_CHARS} characters")
    return mark.join(texts)


_TEXT_STEPS: dict[str, Callable[[str, Any, PageContext], str]] = {
    "strip": lambda text, marks, _: text.strip(marks),
    "lower": lambda text, _, __: text.lower(),
    "upper": lambda text, _, __: text.upper(),
    "replace": _replace,
    "absolute_url": lambda text, _, context: absolute_url(text, context),
    "parse_date": lambda text, _, __: parse_date(text),
}
