"""Parses command-line arguments without pydantic if they are simple words, numbers and paths.

typer validates every value with pydantic, defaults included. Importing pydantic and building two dozen validators is a
fifth of the cost of starting `scrape download` for one file, and a download needs pydantic for nothing else.

So values are parsed here first. This is only a shortcut to the result that typer would give: anything that is not
clearly valid (a number out of range, an unknown word, `--help`, shell completion) raises `NeedsTyper`, and typer parses
the whole command line again and reports the errors. The same happens if a version of typer declares its parameters in
another way than expected here.
"""

from __future__ import annotations

import os
import re
from enum import StrEnum
from pathlib import Path
from typing import Any

from typer.core import TyperCommand

_PLAIN_NUMBER_PATTERN = re.compile(r"[0-9]{1,9}", re.ASCII)
# typer's default declaration of a Path: it need not exist, but if it does it must be readable.
_DEFAULT_PATH_DECLARATION = {
    "exists": False,
    "file_okay": True,
    "dir_okay": True,
    "writable": False,
    "readable": True,
    "resolve_path": False,
    "allow_dash": False,
    "path_type": None,
}


class NeedsTyper(Exception):  # noqa: N818  not an error: a signal to let typer parse
    """The shortcut does not apply; typer must parse the arguments."""


class FastCommand(TyperCommand):
    """A command that parses its arguments without pydantic if it can. Not for options that prompt the user."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse `args` into the context. Raises the usage errors of typer."""
        if not ctx.resilient_parsing:  # set by shell completion, which must not raise errors
            try:
                ctx.params.update(self._parse_fast(ctx, args))
            except NeedsTyper:
                pass
            else:
                ctx.args = []
                return []
        return super().parse_args(ctx, args)

    def _parse_fast(self, ctx: Any, args: list[str]) -> dict[str, Any]:
        given, rest, _ = self.make_parser(ctx).parse_args(list(args))  # a copy, because the parser consumes the list
        if rest:
            raise NeedsTyper
        values = {}
        for parameter in self.get_params(ctx):
            value = given.get(parameter.name)
            if parameter.expose_value:
                values[parameter.name] = _parse_value(parameter, value)
            elif value is not None:  # --help
                raise NeedsTyper
        return values


def _parse_value(parameter: Any, given: Any) -> Any:
    """The value typer would pass for `parameter`: parsed from `given`, or its default. Raises `NeedsTyper`."""
    declared = getattr(parameter, "type_descriptor", None)
    value = parameter.default if given is None else given
    if declared is None or parameter.callback is not None or parameter.envvar is not None:
        raise NeedsTyper
    if value is None:
        if parameter.required:
            raise NeedsTyper
        return () if parameter.multiple else None
    if declared.annotation == list[str] and isinstance(value, list):
        return [parse_fast(str, one, declared.parameter_info) for one in value]
    return parse_fast(declared.annotation, value, declared.parameter_info)


def parse_fast(kind: Any, value: Any, declaration: Any) -> Any:
    """Convert `value`, an argument or a default, to the type `kind`. Raises `NeedsTyper` if it is not clearly valid."""
    if declaration.parser is not None:
        raise NeedsTyper
    if kind is bool and isinstance(value, bool):
        return value
    if kind is int:
        return _parse_number(value, declaration)
    if kind is str and isinstance(value, str):
        return _require_encodable(value)
    if kind is Path and isinstance(value, str | Path):
        return _parse_path(value, declaration)
    if isinstance(kind, type) and issubclass(kind, StrEnum) and value in set(kind):
        return kind(value)
    raise NeedsTyper


def _parse_number(value: Any, declaration: Any) -> int:
    if not (isinstance(value, int) or (isinstance(value, str) and _PLAIN_NUMBER_PATTERN.fullmatch(value))):
        raise NeedsTyper
    number = int(value)
    if (declaration.min is not None and number < declaration.min) or (
        declaration.max is not None and number > declaration.max
    ):
        raise NeedsTyper
    return number


def _require_encodable(text: str) -> str:
    """Return `text`. Raises `NeedsTyper` for lone surrogates, which stand for undecodable bytes of the command line."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise NeedsTyper from None
    return text


def _parse_path(value: str | Path, declaration: Any) -> Path:
    if any(getattr(declaration, name, None) != usual for name, usual in _DEFAULT_PATH_DECLARATION.items()):
        raise NeedsTyper
    path = Path(_require_encodable(str(value)))
    try:
        path.stat()
    except OSError:  # it does not exist or is not accessible: valid for typer, the command will report it
        return path
    except ValueError:
        raise NeedsTyper from None
    if not os.access(path, os.R_OK):
        raise NeedsTyper
    return path
