"""Reads the arguments of a command without pydantic where they are plain words, numbers and paths.

typer lets pydantic look at every value, defaults included. To load pydantic and to have it make two dozen validators is
a fifth of what it costs to start and to download one file, and a download needs pydantic for nothing else. So values
are read here first. Here is only a short way to what typer would say, never another opinion: whatever is not plainly
right (a number out of its range, an unknown word, `--help`, shell completion) is read again from its beginning by
typer, and all errors are typer's. A typer whose parameters look otherwise than expected reads everything itself.
"""

from __future__ import annotations

import os
import re
from enum import StrEnum
from pathlib import Path
from typing import Any

from typer.core import TyperCommand

_PLAIN_NUMBER_PATTERN = re.compile(r"[0-9]{1,9}", re.ASCII)
# The declaration of a path of which nothing is asked but that it can be read where there is one: typer's default.
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


class NeedsTyper(Exception):  # noqa: N818  not an error: typer reads it
    """This is for typer to read."""


class FastCommand(TyperCommand):
    """A command whose arguments are read the short way where that is possible. For commands that never prompt."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read `args` into the context. Raises the usage errors of typer."""
        if not ctx.resilient_parsing:  # as completion does it: with half an argument, and no error wanted
            try:
                ctx.params.update(self._parse_fast(ctx, args))
            except NeedsTyper:
                pass
            else:
                ctx.args = []
                return []
        return super().parse_args(ctx, args)

    def _parse_fast(self, ctx: Any, args: list[str]) -> dict[str, Any]:
        given, rest, _ = self.make_parser(ctx).parse_args(list(args))  # a copy: the parser empties it
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
    """What typer would make of what was `given` for `parameter`, or of its default. Raises `NeedsTyper`."""
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
    """`value`, a word of the command line or a default, as a `kind`. Raises `NeedsTyper` where typer has to look."""
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
    """`text`, unless it holds halves of characters: what the system gives for bytes that are no text."""
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
    except OSError:  # nothing is there, or nothing that can be reached
        return path
    except ValueError:
        raise NeedsTyper from None
    if not os.access(path, os.R_OK):
        raise NeedsTyper
    return path
