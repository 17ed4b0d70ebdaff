"""The key `transform`: the steps a field's text takes, each a word or a mapping with one word."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from scraper.config.reading.suggest import closest
from scraper.config.types.forms import TEXT_LIMIT, Form, FormError, Surroundings, describe, expected

MAX_STEPS = 50
STEP_WORDS = "`strip`, `lower`, `upper`, `absolute_url`, `parse_date`, or one of `{strip: '€ '}`, `{replace: [a, b]}`, "
STEP_WORDS += "`{split: ','}`, `{join: ' '}`, `{default: x}`"
_ALONE = ("strip", "lower", "upper", "absolute_url", "parse_date")
_WITH = ("strip", "replace", "split", "join", "default")


@dataclass(frozen=True, slots=True)
class Step:
    """One step: its word, and what stands behind it (None, a text, a number, or two texts)."""

    name: str
    given: Any = None


def _some_text(value: Any, words: str, *, empty: bool = False) -> str:
    if not isinstance(value, str) or (not value and not empty):
        raise expected(words, value)
    if len(value) > TEXT_LIMIT:
        raise FormError(f"{len(value):,} characters are too many; at most {TEXT_LIMIT:,}")
    return value


def check_step(value: Any, _: Surroundings) -> Step:
    """One step; raises `FormError`."""
    if isinstance(value, str):
        if value in _ALONE:
            return Step(value)
        raise FormError(f"unknown step {describe(value)}", _hint(value))
    if not isinstance(value, dict) or len(value) != 1:
        raise expected("a step such as strip or {split: ','}", value)
    ((name, given),) = value.items()
    if name not in _WITH:
        hint = f"write it alone: {name}" if name in _ALONE else _hint(name)
        raise FormError(f"unknown step {describe(name)}", hint)
    return Step(name, _given(name, given))


def _given(name: str, given: Any) -> Any:
    match name:
        case "replace":
            if not isinstance(given, list | tuple) or len(given) != 2:
                raise expected("two texts: what, and by what", given, "for example {replace: [',', '.']}")
            return (_some_text(given[0], "a text to replace"), _some_text(given[1], "a text", empty=True))
        case "default":
            if isinstance(given, bool) or not isinstance(given, str | int | float):
                raise expected("a text or a number", given)
            return given
        case "join":
            return _some_text(given, "a text to put between", empty=True)
        case _:
            return _some_text(given, "the text to split at" if name == "split" else "the characters to strip")


def _hint(name: Any) -> str:
    near = closest(name, {*_ALONE, *_WITH}) if isinstance(name, str) else None
    if near is None:
        return ""
    return f"did you mean {near}?" if near in _ALONE else f"write it with what it needs: {{{near}: ...}}"


def _show(step: Step) -> Any:
    if step.given is None:
        return step.name
    return {step.name: list(step.given) if isinstance(step.given, tuple) else step.given}


_TEXT = {"type": "string", "minLength": 1}
STEP = Form(
    STEP_WORDS,
    {
        "anyOf": [
            {"enum": list(_ALONE)},
            {
                "type": "object",
                "properties": {
                    "strip": _TEXT,
                    "replace": {"type": "array", "items": {"type": "string"}, "minItems": 2, "maxItems": 2},
                    "split": _TEXT,
                    "join": {"type": "string"},
                    "default": {"type": ["string", "number"]},
                },
                "additionalProperties": False,
                "minProperties": 1,
                "maxProperties": 1,
            },
        ]
    },
    check_step,
    _show,
)
StepEntry = Annotated[Step, STEP]
