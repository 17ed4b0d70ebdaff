"""A proposed rule, and its YAML text with a comment beside each line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from scraper.config.reading.yaml import parse_scalar
from scraper.report.text.sanitize import clean

# Comments begin at this column, or right after a longer line.
COMMENT_COLUMN = 44
EXAMPLE_CHARS = 40
# A value in a rule.
YamlValue = str | bool | int | Sequence["YamlValue"] | Mapping[str, "YamlValue"]


class RuleEntry(NamedTuple):
    """One key of a rule, its value, and the comment beside it. A tuple of entries is a nested mapping."""

    key: str
    value: YamlValue | tuple[RuleEntry, ...]
    comment: str = ""


@dataclass(frozen=True, slots=True)
class RuleDraft:
    """A draft of a rule: its entries in order, and comment lines before and after it.

    `title` names it in messages. `fallback` is a simpler rule for when this one does not compile or extracts nothing.
    """

    title: str
    entries: tuple[RuleEntry, ...]
    comments_before: tuple[str, ...] = ()
    comments_after: tuple[str, ...] = ()
    fallback: RuleDraft | None = field(default=None)

    def without(self, key: str) -> RuleDraft:
        """The same rule without one of its keys."""
        return replace(self, entries=tuple(entry for entry in self.entries if entry.key != key))

    def get(self, key: str) -> YamlValue | tuple[RuleEntry, ...] | None:
        """The value of one key, or None."""
        return next((entry.value for entry in self.entries if entry.key == key), None)

    def lines(self) -> Iterator[str]:
        """The rule as a member of the list `extract`."""
        yield from (f"  # {clean(text, 200)}" for text in self.comments_before)
        indent = "  - "
        for entry in self.entries:
            yield from _entry_lines(entry, indent, "    ")
            indent = "    "
        yield from (f"  # {clean(text, 200)}" for text in self.comments_after)


def _entry_lines(entry: RuleEntry, first: str, indent: str) -> Iterator[str]:
    if isinstance(entry.value, tuple) and all(isinstance(member, RuleEntry) for member in entry.value):
        yield yaml_line(f"{first}{to_yaml(entry.key)}:", entry.comment)
        for member in entry.value:
            assert isinstance(member, RuleEntry)
            yield from _entry_lines(member, f"{indent}  ", f"{indent}  ")
    else:
        yield yaml_line(f"{first}{to_yaml(entry.key)}: {to_yaml(entry.value)}", entry.comment)


def yaml_line(text: str, comment: str) -> str:
    """A line of YAML with a comment, which is cleaned so that page text in it cannot end the line."""
    return f"{text:<{COMMENT_COLUMN}} # {clean(comment, 200)}" if comment else text


def to_yaml(value: object) -> str:
    """`value` as YAML on one line; strings are quoted when YAML would read them as another type or syntax."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{to_yaml(key)}: {to_yaml(member)}" for key, member in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(to_yaml(member) for member in value) + "]"
    return _yaml_text(str(value))


def _yaml_text(text: str) -> str:
    unquoted = r"[A-Za-z.][\w. -]*\w|[A-Za-z]"
    if re.fullmatch(unquoted, text, re.ASCII) and isinstance(parse_scalar(text), str):
        return text
    if text.isprintable():
        return "'" + text.replace("'", "''") + "'"
    escaped = (c if c.isprintable() and c not in '"\\' else f"\\U{ord(c):08x}" for c in text)
    return f'"{"".join(escaped)}"'


def examples_text(values: Iterable[object]) -> str:
    """Example values of a field, for the comment beside it."""
    return ", ".join(repr(clean(str(value), EXAMPLE_CHARS)) for value in values)
