"""YAML text to plain values, each with its line and column.

The usual loaders lose the positions, let the last of two equal keys win, expand aliases without bound and read YAML
1.1, where `off` is false and `12:30:00` is 45,000. So this file builds the values itself from the parser's events:

- Scalars follow the core schema of YAML 1.2.2 (chapter 10.3): only true/false are booleans, only null, ~ and nothing
  are null, and a text such as `off`, `yes` or `12:30` stays a text.
- Keys are always texts. A key that is given twice is an error that names both lines.
- Aliases, tags and merge keys are rejected: no value can grow beyond its own text.
- Size, depth and the number of values are bounded.

Problems are collected; only broken syntax ends the reading, because nothing after it can be trusted. A rejected value
becomes `REJECTED_VALUE`, so that the schema does not complain about it a second time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import yaml

from scraper.errors import ConfigError, Problem

# Characters of the text, and bytes of the file.
MAX_CONFIG_CHARS = 1 << 20
MAX_NESTING_DEPTH = 20
MAX_VALUES = 100_000
# A longer run of digits is a text: converting it would take quadratic time.
MAX_NUMBER_CHARS = 40

KeyPath = tuple[str | int, ...]
_LOADER: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class SourcePosition(NamedTuple):
    """Line and column of a value, and those of its key (of the value itself where it has no key); all count from 1."""

    line: int
    column: int
    key_line: int
    key_column: int


class RejectedValue:
    """Takes the place of a value that could not be used and whose problem is already recorded."""


REJECTED_VALUE = RejectedValue()


@dataclass(slots=True)
class Document:
    """A text that was read: plain values, their positions, and the problems found so far."""

    file: str
    value: Any = None
    positions: dict[KeyPath, SourcePosition] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


_INT_PATTERN = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT_PATTERN = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,4})?")
_CONSTANTS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}
# The characters that YAML 1.2 does not allow in a text (chapter 5.1).
_FORBIDDEN_CHAR = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def parse_scalar(text: str) -> Any:
    """What an unquoted text means in YAML 1.2: null, a boolean, a number, or the text itself."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if len(text) > MAX_NUMBER_CHARS:
        return text
    if _INT_PATTERN.fullmatch(text):
        return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
    return float(text) if _FLOAT_PATTERN.fullmatch(text) else text


def decode_utf8(raw: bytes, file: str) -> str:
    """The text of a file's bytes; raises `ConfigError` when it is not UTF-8."""
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise ConfigError([Problem("is written in UTF-16; save it as UTF-8", file=file)])
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8", "replace")
        line, column = _line_and_column(before, len(before))
        message = f"is not UTF-8: the byte 0x{raw[error.start]:02x} cannot be read"
        raise ConfigError([Problem(message, file=file, line=line, column=column, hint="save it as UTF-8")]) from None


def read_yaml(text: str, file: str) -> Document:
    """Read one document; raises `ConfigError` only for what makes the whole text unreadable."""
    # A byte order mark is part of the encoding, not of the text.
    text = text.removeprefix("\ufeff")
    if len(text) > MAX_CONFIG_CHARS:
        raise ConfigError([Problem(too_large(), file=file)])
    if bad := _FORBIDDEN_CHAR.search(text):
        line, column = _line_and_column(text, bad.start())
        name = "a NUL character" if bad[0] == "\0" else f"the control character U+{ord(bad[0]):04X}"
        raise ConfigError([Problem(f"holds {name}", file=file, line=line, column=column)])
    reader = _DocumentBuilder(file)
    try:
        reader.read(yaml.parse(text, Loader=_LOADER))
    except yaml.MarkedYAMLError as error:
        raise ConfigError([*reader.document.problems, _syntax_problem(error, text, file)]) from None
    # The parser written in Python raises ValueError for an escape beyond Unicode.
    except (yaml.YAMLError, ValueError):
        raise ConfigError([*reader.document.problems, Problem("is not YAML", file=file)]) from None
    return reader.document


def too_large() -> str:
    """The message for a text over `MAX_CONFIG_CHARS`."""
    return (
        f"is larger than {MAX_CONFIG_CHARS >> 20} MiB, too large for a config; put long lists of URLs into a seeds file"
    )


def _line_and_column(text: str, index: int) -> tuple[int, int]:
    return text.count("\n", 0, index) + 1, index - (text.rfind("\n", 0, index) + 1) + 1


# A part of a message of the parser (libyaml and the one in Python word them differently), and what to do about it.
_SYNTAX_HINTS = [
    ("unknown escape", 'a backslash has a meaning in "double quotes"; write regular expressions in single quotes'),
    ("mapping values are not allowed", "check the indentation; a text with a colon and a space in it needs quotes"),
    ("unexpected end of stream", "a quote is not closed"),
    ("did not find expected ',' or", "a [list] or {mapping} is not closed, or a text in it needs quotes"),
    ("expected ',' or", "a [list] or {mapping} is not closed, or a text in it needs quotes"),
    ("expected node content", "a [list] or {mapping} is not closed"),
    ("expected the node content", "a [list] or {mapping} is not closed"),
    ("did not find expected key", "check the indentation, and quotes around texts"),
    ("expected <block end>", "check the indentation, and quotes around texts"),
    ("could not find expected ':'", "a key is followed by a colon and a space"),
    ("did not find expected alphabetic", "a text that begins with * or & needs quotes"),
    ("expected alphabetic", "a text that begins with * or & needs quotes"),
]


def _syntax_problem(error: yaml.MarkedYAMLError, text: str, file: str) -> Problem:
    at = error.problem_mark or error.context_mark
    problem = (error.problem or "is not YAML").replace("%r", "")
    hint = next((hint for part, hint in _SYNTAX_HINTS if part in problem), "")
    if at is None:
        return Problem(f"not valid YAML: {problem}", file=file, hint=hint)
    # The parser's own messages are for authors of parsers: two common mistakes get better ones.
    lines = text.split("\n", at.line + 1)
    char = lines[at.line][at.column : at.column + 1] if at.line < len(lines) else ""
    if "\t" in problem or "tab" in problem or char == "\t":
        problem, hint = "a tab where spaces are needed", "YAML is indented with spaces"
    elif "cannot start any token" in problem:
        problem, hint = f"a text cannot begin with {char}", "put the text in quotes"
    return Problem(f"not valid YAML: {problem}", file=file, line=at.line + 1, column=at.column + 1, hint=hint)


class _DocumentBuilder:
    """Builds one document from parser events."""

    def __init__(self, file: str) -> None:
        self.document = Document(file)
        self._values = 0

    def read(self, events: Iterator[Any]) -> None:
        documents = 0
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self._fail(event, "a second document begins here; a config is one document", "remove the line ---")
            elif isinstance(event, yaml.NodeEvent):
                self.document.value = self._build_node(event, events, (), event)

    def _problem(self, event: Any, path: KeyPath, message: str, hint: str = "") -> Problem:
        at = event.start_mark
        return Problem(message, key_path(path), self.document.file, at.line + 1, at.column + 1, hint)

    def _fail(self, event: Any, message: str, hint: str = "", path: KeyPath = ()) -> None:
        raise ConfigError([*self.document.problems, self._problem(event, path, message, hint)])

    def _reject(self, event: Any, path: KeyPath, message: str, hint: str = "") -> RejectedValue:
        self.document.problems.append(self._problem(event, path, message, hint))
        return REJECTED_VALUE

    def _build_node(self, event: Any, events: Iterator[Any], path: KeyPath, key: Any) -> Any:
        # Both limits end the reading at once: collecting problems of a hostile file would be its aim.
        self._values += 1
        if self._values > MAX_VALUES:
            self._fail(event, f"holds more than {MAX_VALUES:,} values", "put long lists of URLs into a seeds file")
        if len(path) > MAX_NESTING_DEPTH:
            self._fail(event, f"is nested more than {MAX_NESTING_DEPTH} levels deep", path=path[:3])
        # PyYAML counts from 0.
        at, at_key = event.start_mark, key.start_mark
        self.document.positions[path] = SourcePosition(at.line + 1, at.column + 1, at_key.line + 1, at_key.column + 1)
        value: Any
        match event:
            case yaml.AliasEvent():
                return self._reject(event, path, "aliases are not read; write the value out", "quote a text with *")
            case yaml.ScalarEvent():
                value = self._build_scalar(event, path)
            case yaml.SequenceStartEvent():
                value = self._build_sequence(events, path)
            case _:
                value = self._build_mapping(events, path)
        # "!" alone means "not resolved": a quoted text has it. It is harmless.
        if event.tag not in (None, "!"):
            return self._reject(event, path, "tags are not read here", "remove the ! and quote the text if need be")
        return value

    def _build_scalar(self, event: Any, path: KeyPath) -> Any:
        # Escapes can make what the text itself may not contain: NUL, and halves of surrogate pairs.
        if "\0" in event.value or any("\ud800" <= c <= "\udfff" for c in event.value):
            return self._reject(event, path, "holds an escaped character that no text can have")
        return event.value if event.style in ("'", '"', "|", ">") else parse_scalar(event.value)

    def _build_sequence(self, events: Iterator[Any], path: KeyPath) -> list[Any]:
        values: list[Any] = []
        for event in events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            values.append(self._build_node(event, events, (*path, len(values)), event))
        return values

    def _build_mapping(self, events: Iterator[Any], path: KeyPath) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key in events:
            if isinstance(key, yaml.MappingEndEvent):
                break
            name = self._build_key(key, events, path)
            event = next(events)
            if name is None:
                self._skip_node(event, events, path)
            elif name in values:
                first = self.document.positions[(*path, name)].key_line
                self._reject(key, (*path, name), f"this key is already on line {first}", "remove one of them")
                self._skip_node(event, events, path)
            else:
                values[name] = self._build_node(event, events, (*path, name), key)
        return values

    def _build_key(self, key: Any, events: Iterator[Any], path: KeyPath) -> str | None:
        """A key as text, or None when it cannot be one and its problem is recorded."""
        if not isinstance(key, yaml.ScalarEvent):
            self._reject(key, path, "a key must be a plain text", "a text in braces or brackets needs quotes")
            self._skip_node(key, events, path)
            return None
        if key.value == "<<" and key.style not in ("'", '"'):
            self._reject(key, path, "merge keys (<<) are not read; write the values out")
            return None
        if key.tag not in (None, "!"):
            self._reject(key, path, "tags are not read here", "remove the ! and quote the text if need be")
            return None
        if isinstance(self._build_scalar(key, path), RejectedValue):
            return None
        return str(key.value)

    def _skip_node(self, event: Any, events: Iterator[Any], path: KeyPath) -> None:
        """Skip a value that will not be used, without recording its positions or what is wrong in it."""
        depth = 0
        while True:
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
            if depth == 0:
                return
            if depth + len(path) > MAX_NESTING_DEPTH:
                self._fail(event, f"is nested more than {MAX_NESTING_DEPTH} levels deep", path=path[:3])
            event = next(events)


MAX_SHOWN_KEY_CHARS = 60


def key_path(path: KeyPath) -> str:
    """A path as people write it: `extract[0].fields.title`; a part with a dot in it is quoted.

    A typing slip can turn a password into a key (`{basic:me:pass}`): the path ends before a part that may be one.
    """
    text = ""
    for depth, part in enumerate(path):
        if isinstance(part, int):
            text += f"[{part}]"
            continue
        if _may_be_secret(path[0], part, depth):
            break
        shown = part if len(part) <= MAX_SHOWN_KEY_CHARS else part[:MAX_SHOWN_KEY_CHARS] + "..."
        quoted = shown if re.fullmatch(r"[\w*-]+", shown) else f'"{shown}"' if shown.isprintable() else ascii(shown)
        text += f".{quoted}" if text else quoted
    return text


def _may_be_secret(section: str | int, part: str, depth: int) -> bool:
    # There keys are hosts or header names, and anything else may be a password that was written as a key.
    if section in ("auth", "headers"):
        allowed = r"[\w.-]+(:\d{1,5})?|\[[0-9a-fA-F:.]+\](:\d{1,5})?" if (section, depth) == ("auth", 1) else r"[\w.-]+"
        return not re.fullmatch(allowed, part)
    return "@" in part or "://" in part
