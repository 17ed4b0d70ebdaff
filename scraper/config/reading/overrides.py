"""Overrides a config with options before it is checked: `--set limits.max_pages=10`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from scraper.config.reading.yaml import Document, KeyPath, RejectedValue, key_path, read_yaml
from scraper.config.types.value_format import describe_value
from scraper.errors import ConfigError, Problem

# The highest index of a list that an option may name.
MAX_LIST_INDEX = 10_000

_PATH_STEP = re.compile(r"""(?:"([^"]*)"|'([^']*)'|([^.\[\]"'=\s]+)|\[(\d{1,5})\])""")


def apply_overrides(document: Document, overrides: Sequence[str]) -> dict[KeyPath, str]:
    """Set each `key.path=value` in the document; return which paths now come from which option.

    A part with a dot in it is quoted (`politeness.hosts."api.books.example".rate=5/s`), a list's member is named
    by its index (`seeds[0]`); the index after the last one appends. Values are YAML. What cannot be set is added to the
    document's problems.
    """
    origins: dict[KeyPath, str] = {}
    for option in overrides:
        path, text = _split_option(option)
        if path is None:
            message = "expected KEY.PATH=VALUE"
            document.problems.append(Problem(message, file="--set", hint="for example --set limits.max_pages=10"))
            continue
        name = f"--set {key_path(path)}"
        try:
            value = read_yaml(text, name)
        except ConfigError as error:
            document.problems += [Problem(p.message, file=name, hint=p.hint) for p in error.problems]
            continue
        document.problems += [Problem(p.message, file=name, hint=p.hint) for p in value.problems]
        if problem := _set_value(document, path, value.value, name, origins):
            document.problems.append(problem)
    return origins


def _split_option(option: str) -> tuple[KeyPath | None, str]:
    """The path before the first `=` outside quotes, and the text after it; None when that is no path."""
    steps: list[str | int] = []
    at = 0
    while step := _PATH_STEP.match(option, at):
        double, single, bare, index = step.groups()
        steps.append(int(index) if index else next(s for s in (double, single, bare) if s is not None))
        at = step.end()
        after = option[at : at + 1]
        if after == "=":
            return tuple(steps), option[at + 1 :]
        if after == ".":
            at += 1
        elif after != "[":
            break
    return None, ""


def _set_value(
    document: Document, path: KeyPath, value: Any, option_name: str, origins: dict[KeyPath, str]
) -> Problem | None:
    # `here` is the value at `path[:depth]`; each turn goes one step down, creating mappings that are missing.
    here = document.value
    for depth, step in enumerate(path):
        last = depth == len(path) - 1
        if isinstance(here, RejectedValue):
            return None  # its problem is known already
        if isinstance(here, list):
            index = int(step) if isinstance(step, int) or (step.isascii() and step.isdigit() and len(step) < 6) else -1
            if not 0 <= index <= min(len(here), MAX_LIST_INDEX):
                return Problem(
                    f"{key_path(path[:depth])} is a list of {len(here)}; its members are [0], [1] ...", file=option_name
                )
            if index == len(here):
                here.append(None)
            step = index
        elif not isinstance(here, dict) or isinstance(step, int):
            what = describe_value(here) if depth else "the config"
            return Problem(
                f"{key_path(path[:depth]) or 'the config'} is {what} here", file=option_name, hint="set it whole"
            )
        # In a list the step may have been a text of digits: the path names it by its index from here on.
        path = (*path[:depth], step, *path[depth + 1 :])
        if last:
            here[step] = value
            _drop_positions(document, path)
            origins[path] = option_name
        else:
            missing = isinstance(here, dict) and here.get(str(step)) is None
            if missing or here[step] is None:
                here[step] = {}
                origins.setdefault(path[: depth + 1], option_name)
            here = here[step]
    return None


def _drop_positions(document: Document, path: KeyPath) -> None:
    """Forget the positions of what an option replaced: they would blame a line of the file."""
    for old in [p for p in document.positions if p[: len(path)] == path]:
        del document.positions[old]
