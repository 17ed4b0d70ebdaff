"""Pydantic's errors put into sentences for the one who wrote the config: place, key path, what is wrong, what to do."""

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
CHOICE_SYNONYMS = {
    "number": "decimal", "integer": "int", "str": "text", "string": "text", "boolean": "bool", "datetime": "date",
    "markup": "html", "link": "url", "href": "url", "json": "jsonl", "ndjson": "jsonl", "db": "sqlite", "site": "host",
    "all": "any", "folder": "prefix", "directory": "prefix", "subdomains": "domain", "respect": "obey",
}  # fmt: skip
"""What others call the words of ours."""
SECRET_SECTIONS = ("auth", "headers")


class ValueSources:
    """Where values came from: places in the file, and options that were laid over it."""

    def __init__(self, document: Document, options: Mapping[KeyPath, str] | None = None) -> None:
        self._document = document
        self._options = options or {}

    def existing_part(self, path: KeyPath) -> KeyPath:
        """`path` without the steps that are not in the config itself but came from a shorthand or a default."""
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
        for end in range(len(path), -1, -1):
            if option := self._options.get(path[:end]):
                return Problem(message, key_path(path), option, hint=hint)
            if place := self._document.positions.get(path[:end]):
                at_key = at_key and end == len(path)
                line = place.key_line if at_key else place.line
                column = place.key_column if at_key else place.column
                return Problem(message, key_path(path), self._document.file, line, column, hint)
        return Problem(message, key_path(path), self._document.file, hint=hint)


def problems_from(error: ValidationError, origins: ValueSources) -> list[Problem]:
    """One problem for each error, without those about values that are known to be broken; at most `MAX_PROBLEMS`."""
    entries = error.errors(include_url=False, include_input=False)
    bad_keys = {entry["loc"][:-1] for entry in entries if entry["loc"][-1:] == ("[key]",)}
    found: list[Problem] = []
    for entry in sorted(entries, key=lambda entry: entry["type"] == "missing"):
        path: KeyPath = tuple(part for part in entry["loc"] if part != "[key]")
        source = origins.existing_part(path)
        value = origins.value_at(source)
        # Pydantic calls a list too short also when its members are wrong.
        known = isinstance(value, RejectedValue) or entry["loc"] in bad_keys or (entry["type"] == "too_short" and value)
        if known:
            continue
        problems = _problems(entry, path, source, origins)
        if entry["type"] == "missing" and any(f"did you mean {key_path(path)}?" == other.hint for other in found):
            continue  # it is there, under another name
        found += problems
        if len(found) > MAX_PROBLEMS:
            break
    return found


def sorted_error(problems: list[Problem]) -> ConfigError:
    """The error that carries `problems`: those in the file by their place, then those of options."""
    last = (1 << 60, 0)
    ordered = sorted(problems, key=lambda p: (p.line, p.column or 0) if p.line else last)
    if len(ordered) > MAX_PROBLEMS:
        ordered = [*ordered[:MAX_PROBLEMS], Problem("and more problems", file=ordered[0].file)]
    return ConfigError(ordered)


def _problems(entry: Any, path: KeyPath, source: KeyPath, origins: ValueSources) -> list[Problem]:
    kind, context = entry["type"], entry.get("ctx", {})
    if kind == "value_error" and isinstance(error := context.get("error"), InvalidValueError):
        is_key = entry["loc"][-1:] == ("[key]",)
        return [_invalid_value(one, source, origins, at_key=is_key) for one in error.problems]
    if kind == "missing":
        return [origins.problem_at(path, "is missing", "", at_key=False)]
    if kind == "extra_forbidden":
        return [_unknown(path, origins)]
    return [origins.problem_at(source, *_mismatch(kind, path, source, origins))]


def _invalid_value(error: InvalidValueError, source: KeyPath, origins: ValueSources, *, at_key: bool) -> Problem:
    if error.path:
        return origins.problem_at(origins.existing_part((*source, *error.path)), error.message, error.hint)
    return origins.problem_at(source, error.message, error.hint, at_key=at_key)


def _unknown(path: KeyPath, origins: ValueSources) -> Problem:
    section = section_at_path(path[:-1])
    name = str(path[-1])
    if section is None:
        return origins.problem_at(path, "unknown key", "", at_key=True)
    if use := section.unavailable_keys.get(name):
        return origins.problem_at(path, "not available", use, at_key=True)
    return origins.problem_at(path, "unknown key", key_hint(name, section.model_fields, paths_by_key()), at_key=True)


def _mismatch(kind: str, path: KeyPath, source: KeyPath, origins: ValueSources) -> tuple[str, str]:
    """The sentence and the hint for a value that has not the shape its key asks for."""
    value = origins.value_at(source)
    field = field_at_path(path)
    got = describe_value(value)
    if source and source[0] in SECRET_SECTIONS and isinstance(value, str):
        got = "a text"
    if kind == "literal_error" and field is not None:
        words = choices_of(field)
        return f"expected {_either(words)}, got {got}", _word_hint(value, words)
    if kind in ("too_short", "missing_argument"):
        return "must not be empty", ""
    if kind == "tuple_type":
        hint = f"write it as a list: [{value!r}]" if isinstance(value, str) and len(value) <= 60 else ""
        if isinstance(value, Mapping):
            hint = "each member begins with a dash, and its keys stand below each other"
        return f"expected a list, got {got}", hint
    is_member = field is not None and container_of(field) and section_at_path(path[:-1]) is None
    short = shorthand_of(field) if field is not None and (is_member or not container_of(field)) else None
    form = f"{short.description} or a mapping" if short else "a mapping"
    hint = "its members are written key: value, without dashes or brackets" if isinstance(value, list) else ""
    return f"expected {form}, got {got}", hint


def _either(words: tuple[str, ...]) -> str:
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " or " + words[-1]


def _word_hint(value: Any, words: tuple[str, ...]) -> str:
    if isinstance(value, bool):
        spoken = {"off": False, "ignore": False, "auto": True, "obey": True}
        near = next((word for word in words if spoken.get(word) is value), None)
    else:
        near = closest_match(value, words) if isinstance(value, str) else None
        if near is None and (meant := CHOICE_SYNONYMS.get(str(value).lower())) in words:
            near = meant
    return f"did you mean {near}?" if near else ""
