"""Turns pydantic's errors into sentences for the author of the config: line, key path, what is wrong, what to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from scraper.config.docs.key_tree import (
    choices_of,
    container_of,
    field_at_path,
    paths_by_key,
    section_at_path,
    shorthand_of,
)
from scraper.config.reading.suggest import closest_match, key_hint
from scraper.config.reading.yaml import Document, KeyPath, RejectedValue, key_path
from scraper.config.types.value_format import InvalidValueError, describe_value
from scraper.errors import ConfigError, Problem

MAX_PROBLEMS = 100
# What others call our choices.
CHOICE_SYNONYMS = {
    "number": "decimal", "integer": "int", "str": "text", "string": "text", "boolean": "bool", "datetime": "date",
    "markup": "html", "link": "url", "href": "url", "json": "jsonl", "ndjson": "jsonl", "db": "sqlite", "site": "host",
    "all": "any", "folder": "prefix", "directory": "prefix", "subdomains": "domain", "respect": "obey",
}  # fmt: skip
SECRET_SECTIONS = ("auth", "headers")


class ValueSources:
    """Where values came from: positions in the file, and options that override it."""

    def __init__(self, document: Document, options: Mapping[KeyPath, str] | None = None) -> None:
        self._document = document
        self._options = options or {}

    def existing_part(self, path: KeyPath) -> KeyPath:
        """`path` up to the first step that is not in the config itself but came from a shorthand or a default."""
        value, depth = self._document.value, 0
        for part in path:
            member = isinstance(value, Mapping) and part in value
            if not member and not (isinstance(value, list) and isinstance(part, int) and part < len(value)):
                break
            value = value[part]
            depth += 1
        return path[:depth]

    def value_at(self, path: KeyPath) -> Any:
        """The value at a path that `existing_part` has returned."""
        value = self._document.value
        for part in path:
            value = value[part]
        return value

    def problem_at(self, path: KeyPath, message: str, hint: str, *, at_key: bool = False) -> Problem:
        """A problem with the value at `path`, or with its key."""
        # The nearest ancestor that has a position, or that an option set: a missing key has neither.
        for end in range(len(path), -1, -1):
            if option := self._options.get(path[:end]):
                return Problem(message, key_path(path), option, hint=hint)
            if position := self._document.positions.get(path[:end]):
                at_key = at_key and end == len(path)
                line = position.key_line if at_key else position.line
                column = position.key_column if at_key else position.column
                return Problem(message, key_path(path), self._document.file, line, column, hint)
        return Problem(message, key_path(path), self._document.file, hint=hint)


def problems_from(error: ValidationError, sources: ValueSources) -> list[Problem]:
    """One problem for each error, without those about values that were rejected before; at most `MAX_PROBLEMS`."""
    entries = error.errors(include_url=False, include_input=False)
    bad_keys = {entry["loc"][:-1] for entry in entries if entry["loc"][-1:] == ("[key]",)}
    found: list[Problem] = []
    # Missing keys last: a misspelled key must be known by then.
    for entry in sorted(entries, key=lambda entry: entry["type"] == "missing"):
        path: KeyPath = tuple(part for part in entry["loc"] if part != "[key]")
        # The path as far as the user wrote it: a shorthand adds steps of its own.
        written_path = sources.existing_part(path)
        value = sources.value_at(written_path)
        # Pydantic calls a list too short also when its members are wrong.
        known = isinstance(value, RejectedValue) or entry["loc"] in bad_keys or (entry["type"] == "too_short" and value)
        if known:
            continue
        problems = _problems_from_entry(entry, path, written_path, sources)
        if entry["type"] == "missing" and any(f"did you mean {key_path(path)}?" == other.hint for other in found):
            continue  # it is there, misspelled, and that is reported already
        found += problems
        if len(found) > MAX_PROBLEMS:
            break
    return found


def sorted_error(problems: list[Problem]) -> ConfigError:
    """The error that carries `problems`: those of the file by line and column, then those of options."""
    after_all_lines = (1 << 60, 0)
    ordered = sorted(problems, key=lambda p: (p.line, p.column or 0) if p.line else after_all_lines)
    if len(ordered) > MAX_PROBLEMS:
        ordered = [*ordered[:MAX_PROBLEMS], Problem("and more problems", file=ordered[0].file)]
    return ConfigError(ordered)


def _problems_from_entry(entry: Any, path: KeyPath, written_path: KeyPath, sources: ValueSources) -> list[Problem]:
    kind, context = entry["type"], entry.get("ctx", {})
    if kind == "value_error" and isinstance(error := context.get("error"), InvalidValueError):
        is_key = entry["loc"][-1:] == ("[key]",)
        return [_invalid_value(one, written_path, sources, at_key=is_key) for one in error.problems]
    if kind == "missing":
        return [sources.problem_at(path, "is missing", "", at_key=False)]
    if kind == "extra_forbidden":
        return [_unknown_key(path, sources)]
    return [sources.problem_at(written_path, *_wrong_shape(kind, path, written_path, sources))]


def _invalid_value(error: InvalidValueError, written_path: KeyPath, sources: ValueSources, *, at_key: bool) -> Problem:
    if error.path:
        return sources.problem_at(sources.existing_part((*written_path, *error.path)), error.message, error.hint)
    return sources.problem_at(written_path, error.message, error.hint, at_key=at_key)


def _unknown_key(path: KeyPath, sources: ValueSources) -> Problem:
    section = section_at_path(path[:-1])
    name = str(path[-1])
    if section is None:
        return sources.problem_at(path, "unknown key", "", at_key=True)
    if use := section.unavailable_keys.get(name):
        return sources.problem_at(path, "not available", use, at_key=True)
    return sources.problem_at(path, "unknown key", key_hint(name, section.model_fields, paths_by_key()), at_key=True)


def _wrong_shape(kind: str, path: KeyPath, written_path: KeyPath, sources: ValueSources) -> tuple[str, str]:
    """The message and the hint for a value whose type is not the one that its key needs."""
    value = sources.value_at(written_path)
    field = field_at_path(path)
    got = describe_value(value)
    # What is written there may be a password in the wrong place.
    if written_path and written_path[0] in SECRET_SECTIONS and isinstance(value, str):
        got = "a text"
    if kind == "literal_error" and field is not None:
        choices = choices_of(field)
        return f"expected {_join_with_or(choices)}, got {got}", _choice_hint(value, choices)
    if kind in ("too_short", "missing_argument"):
        return "must not be empty", ""
    if kind == "tuple_type":
        hint = f"write it as a list: [{value!r}]" if isinstance(value, str) and len(value) <= 60 else ""
        if isinstance(value, Mapping):
            hint = "each member begins with a dash, and its keys stand below each other"
        return f"expected a list, got {got}", hint
    is_member = field is not None and container_of(field) and section_at_path(path[:-1]) is None
    short = shorthand_of(field) if field is not None and (is_member or not container_of(field)) else None
    allowed = f"{short.description} or a mapping" if short else "a mapping"
    hint = "its members are written key: value, without dashes or brackets" if isinstance(value, list) else ""
    return f"expected {allowed}, got {got}", hint


def _join_with_or(choices: tuple[str, ...]) -> str:
    return choices[0] if len(choices) == 1 else ", ".join(choices[:-1]) + " or " + choices[-1]


def _choice_hint(value: Any, choices: tuple[str, ...]) -> str:
    if isinstance(value, bool):
        # YAML 1.1 files have off and on where we have words.
        spoken = {"off": False, "ignore": False, "auto": True, "obey": True}
        near = next((choice for choice in choices if spoken.get(choice) is value), None)
    else:
        near = closest_match(value, choices) if isinstance(value, str) else None
        if near is None and (meant := CHOICE_SYNONYMS.get(str(value).lower())) in choices:
            near = meant
    return f"did you mean {near}?" if near else ""
