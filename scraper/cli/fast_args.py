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

_NUMBER = re.compile(r"[0-9]{1,9}", re.ASCII)
_ORDINARY_PATH = {
    "exists": False,
    "file_okay": True,
    "dir_okay": True,
    "writable": False,
    "readable": True,
    "resolve_path": False,
    "allow_dash": False,
    "path_type": None,
}
"""The declaration of a path of which nothing is asked but that it can be read where there is one: typer's default."""


class NotPlain(Exception):  # noqa: N818  not an error: typer reads it
    """This is for typer to read."""


class PlainlyRead(TyperCommand):
    """A command whose arguments are read the short way where that is possible. For commands that never prompt."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read `args` into the context. Raises the usage errors of typer."""
        if not ctx.resilient_parsing:  # as completion does it: with half an argument, and no error wanted
            try:
                ctx.params.update(self._read(ctx, args))
            except NotPlain:
                pass
            else:
                ctx.args = []
                return []
        return super().parse_args(ctx, args)

    def _read(self, ctx: Any, args: list[str]) -> dict[str, Any]:
        given, rest, _ = self.make_parser(ctx).parse_args(list(args))  # a copy: the parser empties it
        if rest:
            raise NotPlain
        values = {}
        for parameter in self.get_params(ctx):
            value = given.get(parameter.name)
            if parameter.expose_value:
                values[parameter.name] = _value(parameter, value)
            elif value is not None:  # --help
                raise NotPlain
        return values


def _value(parameter: Any, given: Any) -> Any:
    """What typer would make of what was `given` for `parameter`, or of its default. Raises `NotPlain`."""
    declared = getattr(parameter, "type_descriptor", None)
    value = parameter.default if given is None else given
    if declared is None or parameter.callback is not None or parameter.envvar is not None:
        raise NotPlain
    if value is None:
        if parameter.required:
            raise NotPlain
        return () if parameter.multiple else None
    if declared.annotation == list[str] and isinstance(value, list):
        return [read_plainly(str, one, declared.parameter_info) for one in value]
    return read_plainly(declared.annotation, value, declared.parameter_info)


def read_plainly(kind: Any, value: Any, declaration: Any) -> Any:
    """`value`, a word of the command line or a default, as a `kind`. Raises `NotPlain` where typer has to look."""
    if declaration.parser is not None:
        raise NotPlain
    if kind is bool and isinstance(value, bool):
        return value
    if kind is int:
        return _number(value, declaration)
    if kind is str and isinstance(value, str):
        return _encodable(value)
    if kind is Path and isinstance(value, str | Path):
        return _path(value, declaration)
    if isinstance(kind, type) and issubclass(kind, StrEnum) and value in set(kind):
        return kind(value)
    raise NotPlain


def _number(value: Any, declaration: Any) -> int:
    if not (isinstance(value, int) or (isinstance(value, str) and _NUMBER.fullmatch(value))):
        raise NotPlain
    number = int(value)
    if (declaration.min is not None and number < declaration.min) or (
        declaration.max is not None and number > declaration.max
    ):
        raise NotPlain
    return number


def _encodable(text: str) -> str:
    """`text`, unless it holds halves of characters: what the system gives for bytes that are no text."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise NotPlain from None
    return text


def _path(value: str | Path, declaration: Any) -> Path:
    if any(getattr(declaration, name, None) != usual for name, usual in _ORDINARY_PATH.items()):
        raise NotPlain
    path = Path(_encodable(str(value)))
    try:
        path.stat()
    except OSError:  # nothing is there, or nothing that can be reached
        return path
    except ValueError:
        raise NotPlain from None
    if not os.access(path, os.R_OK):
        raise NotPlain
    return path
