"""The key `transform`: the steps that change a field's text, each a word or a mapping with one word."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from scraper.config.reading.suggest import closest_match
from scraper.config.types.value_format import (
    MAX_TEXT_CHARS,
    InvalidValueError,
    ParseContext,
    ValueFormat,
    describe_value,
    wrong_kind_error,
)

MAX_TRANSFORM_STEPS = 50
STEP_DESCRIPTION = (
    "`strip`, `lower`, `upper`, `absolute_url`, `parse_date`, `unescape`, `text`, or one of `{strip: '€ '}`, "
    "`{replace: [a, b]}`, `{split: ','}`, `{join: ' '}`, `{default: x}`"
)
# `strip` is in both: alone it strips blanks.
_STEPS_WITHOUT_ARGUMENT = ("strip", "lower", "upper", "absolute_url", "parse_date", "unescape", "text")
_STEPS_WITH_ARGUMENT = ("strip", "replace", "split", "join", "default")


@dataclass(frozen=True, slots=True)
class TransformStep:
    """One step: its word, and its argument (None, a text, a number, or two texts)."""

    name: str
    argument: Any = None


def _check_text(value: Any, description: str, *, allow_empty: bool = False) -> str:
    if not isinstance(value, str) or (not value and not allow_empty):
        raise wrong_kind_error(description, value)
    if len(value) > MAX_TEXT_CHARS:
        raise InvalidValueError(f"{len(value):,} characters are too many; at most {MAX_TEXT_CHARS:,}")
    return value


def check_transform_step(value: Any, _: ParseContext) -> TransformStep:
    """One step; raises `InvalidValueError`."""
    if isinstance(value, str):
        if value in _STEPS_WITHOUT_ARGUMENT:
            return TransformStep(value)
        raise InvalidValueError(f"unknown step {describe_value(value)}", _step_hint(value))
    if not isinstance(value, dict) or len(value) != 1:
        raise wrong_kind_error("a step such as strip or {split: ','}", value)
    ((name, argument),) = value.items()
    if name not in _STEPS_WITH_ARGUMENT:
        hint = f"write it alone: {name}" if name in _STEPS_WITHOUT_ARGUMENT else _step_hint(name)
        raise InvalidValueError(f"unknown step {describe_value(name)}", hint)
    return TransformStep(name, _check_argument(name, argument))


def _check_argument(name: str, argument: Any) -> Any:
    match name:
        case "replace":
            if not isinstance(argument, list | tuple) or len(argument) != 2:
                raise wrong_kind_error("two texts: what, and by what", argument, "for example {replace: [',', '.']}")
            return (_check_text(argument[0], "a text to replace"), _check_text(argument[1], "a text", allow_empty=True))
        case "default":
            if isinstance(argument, bool) or not isinstance(argument, str | int | float):
                raise wrong_kind_error("a text or a number", argument)
            return argument
        case "join":
            return _check_text(argument, "a text to put between", allow_empty=True)
        case _:
            return _check_text(argument, "the text to split at" if name == "split" else "the characters to strip")


def _step_hint(name: Any) -> str:
    near = closest_match(name, {*_STEPS_WITHOUT_ARGUMENT, *_STEPS_WITH_ARGUMENT}) if isinstance(name, str) else None
    if near is None:
        return ""
    return (
        f"did you mean {near}?" if near in _STEPS_WITHOUT_ARGUMENT else f"write it with what it needs: {{{near}: ...}}"
    )


def _serialize_step(step: TransformStep) -> Any:
    if step.argument is None:
        return step.name
    return {step.name: list(step.argument) if isinstance(step.argument, tuple) else step.argument}


_TEXT_SCHEMA = {"type": "string", "minLength": 1}
TRANSFORM_STEP_FORMAT = ValueFormat(
    STEP_DESCRIPTION,
    {
        "anyOf": [
            {"enum": list(_STEPS_WITHOUT_ARGUMENT)},
            {
                "type": "object",
                "properties": {
                    "strip": _TEXT_SCHEMA,
                    "replace": {"type": "array", "items": {"type": "string"}, "minItems": 2, "maxItems": 2},
                    "split": _TEXT_SCHEMA,
                    "join": {"type": "string"},
                    "default": {"type": ["string", "number"]},
                },
                "additionalProperties": False,
                "minProperties": 1,
                "maxProperties": 1,
            },
        ]
    },
    check_transform_step,
    _serialize_step,
)
TransformStepEntry = Annotated[TransformStep, TRANSFORM_STEP_FORMAT]
