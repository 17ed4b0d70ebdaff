"""Pydantic's errors put into sentences for the one who wrote the config: place, key path, what is wrong, what to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from scraper.config.docs.key_tree import container_of, everywhere, field_at, section_at, shorthand_of, words_of
from scraper.config.reading.suggest import closest, key_hint
from scraper.config.reading.yaml import Broken, Document, Path, key_path
from scraper.config.types.forms import FormError, describe
from scraper.errors import ConfigError, Problem

MAX_PROBLEMS = 100
OTHER_WORDS = {
    "number": "decimal", "integer": "int", "str": "text", "string": "text", "boolean": "bool", "datetime": "date",
    "markup": "html", "link": "url", "href": "url", "json": "jsonl", "ndjson": "jsonl", "db": "sqlite", "site": "host",
    "all": "any", "folder": "prefix", "directory": "prefix", "subdomains": "domain", "respect": "obey",
}  # fmt: skip
"""What others call the words of ours."""
SECRET_SECTIONS = ("auth", "headers")


class Origins:
    """Where values came from: places in the file, and options that were laid over it."""

    def __init__(self, document: Document, options: Mapping[Path, str] | None = None) -> None:
        self._document = document
        self._options = options or {}

    def trim(self, path: Path) -> Path:
        """`path` without the steps that are not in the config itself but came from a shorthand or a default."""
        value, depth = self._document.value, 0
        for part in path:
            member = isinstance(value, Mapping) and part in value
            if not member and not (isinstance(value, list) and isinstance(part, int) and part < len(value)):
                break
            value = value[part]
            depth += 1
        return path[:depth]

    def value(self, path: Path) -> Any:
        """The value at a path that `trim` has returned."""
        value = self._document.value
        for part in path:
            value = value[part]
        return value

    def problem(self, path: Path, message: str, hint: str, *, at_key: bool = False) -> Problem:
        """A problem with the value at `path`, or with its key."""
        for end in range(len(path), -1, -1):
            if option := self._options.get(path[:end]):
                return Problem(message, key_path(path), option, hint=hint)
            if place := self._document.places.get(path[:end]):
                at_key = at_key and end == len(path)
                line = place.key_line if at_key else place.line
                column = place.key_column if at_key else place.column
                return Problem(message, key_path(path), self._document.file, line, column, hint)
        return Problem(message, key_path(path), self._document.file, hint=hint)


def explain(error: ValidationError, origins: Origins) -> list[Problem]:
    """One problem for each error, without those about values that are known to be broken; at most `MAX_PROBLEMS`."""
    entries = error.errors(include_url=False, include_input=False)
    bad_keys = {entry["loc"][:-1] for entry in entries if entry["loc"][-1:] == ("[key]",)}
    found: list[Problem] = []
    for entry in sorted(entries, key=lambda entry: entry["type"] == "missing"):
        path: Path = tuple(part for part in entry["loc"] if part != "[key]")
        source = origins.trim(path)
        value = origins.value(source)
        # Pydantic calls a list too short also when its members are wrong.
        known = isinstance(value, Broken) or entry["loc"] in bad_keys or (entry["type"] == "too_short" and value)
        if known:
            continue
        problem = _problem(entry, path, source, origins)
        if entry["type"] == "missing" and any(f"did you mean {key_path(path)}?" == other.hint for other in found):
            continue  # it is there, under another name
        found.append(problem)
        if len(found) > MAX_PROBLEMS:
            break
    return found


def in_file_order(problems: list[Problem]) -> ConfigError:
    """The error that carries `problems`: those in the file by their place, then those of options."""
    last = (1 << 60, 0)
    ordered = sorted(problems, key=lambda p: (p.line, p.column or 0) if p.line else last)
    if len(ordered) > MAX_PROBLEMS:
        ordered = [*ordered[:MAX_PROBLEMS], Problem("and more problems", file=ordered[0].file)]
    return ConfigError(ordered)


def _problem(entry: Any, path: Path, source: Path, origins: Origins) -> Problem:
    kind, context = entry["type"], entry.get("ctx", {})
    if kind == "value_error" and isinstance(error := context.get("error"), FormError):
        if error.key is not None:
            return origins.problem(origins.trim((*source, error.key)), error.message, error.hint)
        is_key = entry["loc"][-1:] == ("[key]",)
        return origins.problem(source, error.message, error.hint, at_key=is_key)
    if kind == "missing":
        return origins.problem(path, "is missing", "", at_key=False)
    if kind == "extra_forbidden":
        return _unknown(path, origins)
    return origins.problem(source, *_mismatch(kind, path, source, origins))


def _unknown(path: Path, origins: Origins) -> Problem:
    section = section_at(path[:-1])
    name = str(path[-1])
    if section is None:
        return origins.problem(path, "unknown key", "", at_key=True)
    if use := section.not_yet.get(name):
        return origins.problem(path, "not available", use, at_key=True)
    return origins.problem(path, "unknown key", key_hint(name, section.model_fields, everywhere()), at_key=True)


def _mismatch(kind: str, path: Path, source: Path, origins: Origins) -> tuple[str, str]:
    """The sentence and the hint for a value that has not the shape its key asks for."""
    value = origins.value(source)
    field = field_at(path)
    got = describe(value)
    if source and source[0] in SECRET_SECTIONS and isinstance(value, str):
        got = "a text"
    if kind == "literal_error" and field is not None:
        words = words_of(field)
        return f"expected {_either(words)}, got {got}", _word_hint(value, words)
    if kind in ("too_short", "missing_argument"):
        return "must not be empty", ""
    if kind == "tuple_type":
        hint = f"write it as a list: [{value!r}]" if isinstance(value, str) and len(value) <= 60 else ""
        if isinstance(value, Mapping):
            hint = "each member begins with a dash, and its keys stand below each other"
        return f"expected a list, got {got}", hint
    is_member = field is not None and container_of(field) and section_at(path[:-1]) is None
    short = shorthand_of(field) if field is not None and (is_member or not container_of(field)) else None
    form = f"{short.words} or a mapping" if short else "a mapping"
    hint = "its members are written key: value, without dashes or brackets" if isinstance(value, list) else ""
    return f"expected {form}, got {got}", hint


def _either(words: tuple[str, ...]) -> str:
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " or " + words[-1]


def _word_hint(value: Any, words: tuple[str, ...]) -> str:
    if isinstance(value, bool):
        spoken = {"off": False, "ignore": False, "auto": True, "obey": True}
        near = next((word for word in words if spoken.get(word) is value), None)
    else:
        near = closest(value, words) if isinstance(value, str) else None
        if near is None and (meant := OTHER_WORDS.get(str(value).lower())) in words:
            near = meant
    return f"did you mean {near}?" if near else ""
