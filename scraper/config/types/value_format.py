"""How one kind of value is written in a config: parsed strictly, described once, written back.

A `ValueFormat` stands in the schema's annotations. Pydantic calls it to parse a value; the JSON Schema,
the reference and every error message take their texts from it, and the effective config is written with `serialize`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    # Imported lazily at run time: downloads parse durations and sizes too, and need no schema and no pydantic.
    from pydantic_core import core_schema

# An error repeats this much of a value.
MAX_ECHO_CHARS = 60
# The limit of texts that have no limit of their own.
MAX_TEXT_CHARS = 2_000


class InvalidValueError(ValueError):
    """A value that cannot be used.

    `key` names the member of a mapping that is at fault, when it is one; `path` leads further in, from the value.
    """

    def __init__(self, message: str, hint: str = "", key: str | None = None, path: tuple[str | int, ...] = ()) -> None:
        super().__init__(message)
        self.message, self.hint = message, hint
        self.path = (key,) if key is not None else path
        # Every problem, where one value has several.
        self.problems: tuple[InvalidValueError, ...] = (self,)

    @classmethod
    def combined(cls, problems: Sequence[InvalidValueError]) -> InvalidValueError:
        """One error that carries several."""
        error = cls("; ".join(problem.message for problem in problems))
        error.problems = tuple(problems)
        return error


@dataclass(frozen=True, slots=True)
class ParseContext:
    """What a value may refer to: the environment's variables, and the folder that relative paths start from."""

    env: Mapping[str, str] = field(default_factory=lambda: os.environ)
    base_folder: Path | None = None


Parse = Callable[[Any, ParseContext], Any]


def _identity(value: Any) -> Any:
    return value


@dataclass(frozen=True, slots=True, eq=False)
class ValueFormat:
    """One kind of value: `description` is for people, `schema` for editors, `parse` checks and converts it.

    `parse` raises `InvalidValueError`. `serialize` returns a plain value that `parse` accepts again; `none_text` is how
    None is written where it has a meaning.
    """

    description: str
    schema: Mapping[str, Any]
    parse: Parse
    serialize: Callable[[Any], Any] = _identity
    none_text: str | None = None

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        from pydantic_core import core_schema

        as_text = core_schema.plain_serializer_function_ser_schema(self.to_plain, when_used="json")
        return core_schema.with_info_plain_validator_function(self._validate_with_context, serialization=as_text)

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        return dict(self.schema)

    def to_plain(self, value: Any) -> Any:
        """A parsed value, or None, as it is written in a config."""
        return self.none_text if value is None else self.serialize(value)

    def _validate_with_context(self, value: Any, call: core_schema.ValidationInfo[Any]) -> Any:
        return self.parse(value, call.context or ParseContext())


@dataclass(frozen=True, slots=True, eq=False)
class Shorthand:
    """A shorter way to write a mapping: `expand` turns it into the mapping, `collapse` back where that loses nothing.

    `expand` returns what it does not know unchanged, so that the mapping's own checks report it. `description` and
    `schema` describe the short way; with a `schema` of None it is one entry of the list that the key holds.
    """

    description: str
    schema: Mapping[str, Any] | None
    expand: Callable[[Any], Any]
    collapse: Callable[[Any], Any] = _identity

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        from pydantic_core import core_schema

        return core_schema.no_info_before_validator_function(self.expand, handler(source))

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        full_schema = handler(schema)
        # The mapping comes first: then an editor reports an unknown key in it, and not that a text was expected.
        return {"anyOf": [full_schema, dict(self.schema if self.schema is not None else full_schema["items"])]}


@dataclass(frozen=True, slots=True, eq=False)
class UniqueKeysCheck:
    """The keys of a mapping must differ in their canonical form; `key_kind` is the word for them in messages.

    Without this check the later of two spellings (`Accept`, `accept`) would silently replace the earlier one.
    """

    canonical: Callable[[str], str]
    key_kind: str

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        from pydantic_core import core_schema

        return core_schema.no_info_before_validator_function(self._check_distinct, handler(source))

    def _check_distinct(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            seen: set[str] = set()
            for key in value:
                name = self.canonical(str(key))
                if name in seen:
                    raise InvalidValueError(
                        f"the same {self.key_kind} is given twice, spelled differently", key=str(key)
                    )
                seen.add(name)
        return value


def describe_value(value: Any) -> str:
    """What a value is, in YAML's terms, for "expected ..., got ..."; never repeats what may be a password."""
    match value:
        case None:
            return "nothing (null)"
        case bool():
            return "true" if value else "false"
        case str() if re.search(r":.*@", value):
            return "a text that may hold a password"
        case str():
            short = value if len(value) <= MAX_ECHO_CHARS else value[:MAX_ECHO_CHARS] + "..."
            return repr(short) if short else "an empty text"
        case float() if value != value:  # NaN alone differs from itself
            return "not a number (nan)"
        case int() | float():
            # 15 digits are exact for a float; more would be noise, and thousands would fill the screen.
            return f"the number {value:.15g}" if abs(value) < 1e15 else "a huge number"
        case Mapping():
            return "a mapping"
        case list() | tuple():
            return "a list"
        case _:
            return f"a {type(value).__name__}"


def wrong_kind_error(description: str, value: Any, hint: str = "") -> InvalidValueError:
    """The error for a value that is not what `description` says."""
    return InvalidValueError(f"expected {description}, got {describe_value(value)}", hint)


def check_plain_text(value: Any, description: str, max_chars: int = MAX_TEXT_CHARS) -> str:
    """A non-empty one-line text; raises `InvalidValueError`."""
    if not isinstance(value, str) or not value.strip():
        raise wrong_kind_error(description, value)
    if len(value) > max_chars:
        raise InvalidValueError(f"{len(value):,} characters are too many; at most {max_chars:,}")
    if not value.isprintable():
        raise InvalidValueError("holds a line break or a control character")
    # Silently taken as it is, a reference would be a surprise.
    if "${" in value:
        raise InvalidValueError(
            "environment variables are not read here",
            "${NAME} works in auth, headers, network.proxy and what a seed posts",
        )
    return value


def _out_of_range(value: float, low: float, high: float) -> InvalidValueError:
    return InvalidValueError(
        f"must be between {low:,} and {high:,}, got {describe_value(value).removeprefix('the number ')}"
    )


def int_range(low: int, high: int) -> ValueFormat:
    """A whole number in a range, both ends allowed."""
    description = f"a whole number from {low:,} to {high:,}"

    def parse(value: Any, _: ParseContext) -> int:
        if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
            raise InvalidValueError(f"expected {description}", f"without a point and an exponent: {value:.0f}")
        if isinstance(value, bool) or not isinstance(value, int):
            raise wrong_kind_error(description, value)
        if not low <= value <= high:
            raise _out_of_range(value, low, high)
        return value

    return ValueFormat(description, {"type": "integer", "minimum": low, "maximum": high}, parse)


def float_range(low: float, high: float) -> ValueFormat:
    """A number in a range, both ends allowed."""
    description = f"a number from {low:g} to {high:g}"

    def parse(value: Any, _: ParseContext) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise wrong_kind_error(description, value)
        if not low <= value <= high:
            raise _out_of_range(value, low, high)
        return float(value)

    return ValueFormat(description, {"type": "number", "minimum": low, "maximum": high}, parse)


# What YAML 1.1 and people take for booleans.
_BOOLEAN_SYNONYMS = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}


def _parse_flag(value: Any, _: ParseContext) -> bool:
    if isinstance(value, bool):
        return value
    meant = _BOOLEAN_SYNONYMS.get(str(value).lower()) or {"1": "true", "0": "false"}.get(str(value))
    raise wrong_kind_error("true or false", value, f"did you mean {meant}?" if meant else "")


FLAG_FORMAT = ValueFormat("true or false", {"type": "boolean"}, _parse_flag)
