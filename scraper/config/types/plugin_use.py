"""A plug-in in a config: `{use: NAME, option: value, ...}`, its options checked by the plug-in's own model."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, SecretBytes, SecretStr, ValidationError
from pydantic_core import core_schema

from scraper.config.reading.suggest import closest_match
from scraper.config.types.secret import MASKED_TEXT, holds_only_references, interpolate
from scraper.config.types.value_format import (
    InvalidValueError,
    ParseContext,
    ValueFormat,
    wrong_kind_error,
)
from scraper.errors import PluginError
from scraper.plugins import PluginKind, PluginUse, installed_names, load_factory, options_model

# A password inside an address, such as a database's: it is masked also where the option is no secret by its type.
_PASSWORD_IN_ADDRESS = re.compile(r"(?<=://)([^/@\s]*:[^/@\s]*)(?=@)")


def parse_plugin(kind: PluginKind, value: Any, context: ParseContext) -> PluginUse:
    """Read a mapping with `use` and options. `${NAME}` in texts is read from the environment.

    Raises `InvalidValueError` with one problem for each option that is wrong.
    """
    if not isinstance(value, Mapping):
        raise wrong_kind_error(f"a mapping with use: and the options of a {kind}", value)
    written = dict(value)
    name = written.pop("use", None)
    if not isinstance(name, str) or not name:
        raise InvalidValueError(
            f"a {kind} that is a mapping needs use: with the name of an installed {kind}", key="use"
        )
    try:
        factory = load_factory(kind, name)
    except PluginError as error:
        near = closest_match(name, installed_names(kind))
        raise InvalidValueError(str(error), f"did you mean {near}?" if near else "", key="use") from None
    model = options_model(factory)
    filled = {key: _interpolate(option, context, key) for key, option in written.items()}
    if model is None:
        if written:
            raise InvalidValueError(f"{name} takes no options", key=next(iter(written)))
        return PluginUse(kind, name, factory, None, {"use": name})
    try:
        options = model.model_validate(filled)
    except ValidationError as error:
        problems = [_option_problem(entry, model) for entry in error.errors(include_url=False, include_input=False)]
        raise InvalidValueError.combined(problems) from None
    shown = {key: _masked(option, model.model_fields.get(key)) for key, option in written.items()}
    return PluginUse(kind, name, factory, options, {"use": name, **shown})


PLUGIN_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {"use": {"type": "string", "description": "The name of an installed plug-in."}},
    "required": ["use"],
}


@dataclass(frozen=True, slots=True, eq=False)
class OrPlugin:
    """Beside one of the annotated words, a mapping that names a plug-in of this kind."""

    kind: PluginKind

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        words = next(part for part in get_args(source) if get_origin(part) is Literal)
        return core_schema.with_info_wrap_validator_function(self._validate, handler(words))

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        return {"anyOf": [handler(schema), dict(PLUGIN_SCHEMA)]}

    def _validate(self, value: Any, parse_word: Any, call: core_schema.ValidationInfo[Any]) -> Any:
        if isinstance(value, Mapping):
            return parse_plugin(self.kind, value, call.context or ParseContext())
        return parse_word(value)


def plugin_format(kind: PluginKind) -> ValueFormat:
    """The format of a value that is always a plug-in."""
    return ValueFormat(
        f"a {kind} with use: and its options",
        PLUGIN_SCHEMA,
        lambda value, context: parse_plugin(kind, value, context),
    )


def _interpolate(option: Any, context: ParseContext, key: str) -> Any:
    if isinstance(option, str):
        try:
            return interpolate(option, context.env)
        except InvalidValueError as error:
            raise InvalidValueError(error.message, error.hint, key=key) from None
    if isinstance(option, Mapping):
        return {inner: _interpolate(member, context, key) for inner, member in option.items()}
    if isinstance(option, list):
        return [_interpolate(member, context, key) for member in option]
    return option


def _option_problem(entry: Any, model: type[BaseModel]) -> InvalidValueError:
    path = tuple(entry["loc"])
    if entry["type"] == "extra_forbidden":
        near = closest_match(str(path[-1]), sorted(model.model_fields)) if len(path) == 1 else None
        return InvalidValueError("unknown option", f"did you mean {near}?" if near else "", path=path)
    if entry["type"] == "missing":
        return InvalidValueError(f"the option {path[-1]} is missing")
    return InvalidValueError(entry["msg"][:1].lower() + entry["msg"][1:], path=path)


def _masked(option: Any, field: Any) -> Any:
    """An option as it may be shown: secrets as stars, unless they only name variables of the environment."""
    if field is not None and _is_secret(field.annotation) and isinstance(option, str):
        return option if holds_only_references(option) else MASKED_TEXT
    if isinstance(option, str):
        return _PASSWORD_IN_ADDRESS.sub(
            lambda found: found[0] if holds_only_references(found[0]) else MASKED_TEXT, option
        )
    if isinstance(option, Mapping):
        return {key: _masked(member, None) for key, member in option.items()}
    if isinstance(option, list):
        return [_masked(member, None) for member in option]
    return option


def _is_secret(annotation: Any) -> bool:
    inner = (annotation, *getattr(annotation, "__args__", ()))
    return any(part in (SecretStr, SecretBytes) for part in inner)
