"""Finds methods of a hook class that look like hook methods and are not: they would silently never be called."""

from __future__ import annotations

import difflib
import inspect
import linecache
import re
from collections.abc import Iterable

from scraper.errors import ConfigError, Problem
from scraper.hooks.interface import Hook

HOOK_METHODS = tuple(name for name in vars(Hook) if name.startswith("on_"))
# What Scrapy's middlewares and pipelines, and earlier versions of this package, call them.
_OTHER_NAMES = {
    "on_page": "on_response",
    "on_result": "on_response",
    "process_request": "on_request",
    "process_response": "on_response",
    "process_item": "on_item",
}
# Below this likeness (difflib's ratio) a public method is taken for a helper of the class's own.
_MIN_LIKENESS = 0.85


def check_methods(hooks: Iterable[tuple[str, Hook]]) -> None:
    """Check hooks, each with its name in messages. Raises `ConfigError` with the misspelled methods of all of them."""
    problems = [problem for name, hook in hooks for problem in unknown_methods(type(hook), name)]
    if problems:
        raise ConfigError(problems)


def unknown_methods(hook_class: type[object], name: str) -> list[Problem]:
    """One problem for each method that was meant as a hook method, in the order of the class; `name` is the hook's.

    Two kinds of public methods are refused: all that begin with `on_`, and others whose name is another crawler's word
    or nearly the one of a hook method. File, line and column are those of the definition, where Python knows them.
    """
    problems: list[Problem] = []
    for ancestor in hook_class.__mro__:
        if ancestor in (Hook, object):
            continue
        for method, value in vars(ancestor).items():
            if method.startswith("_") or method in HOOK_METHODS or not _is_method(value):
                continue
            meant = _meant(method)
            if meant is None and not method.startswith("on_"):
                continue
            hint = f"did you mean {meant}?" if meant else f"hook methods: {', '.join(HOOK_METHODS)}"
            file, line, column = _definition(value, method)
            problems.append(Problem(f"{method} is not a hook method", f"hooks: {name}", file, line, column, hint))
    return problems


def _is_method(value: object) -> bool:
    return callable(value) or isinstance(value, staticmethod | classmethod)


def _meant(method: str) -> str | None:
    folded = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", method).lower()
    if meant := _OTHER_NAMES.get(folded):
        return meant
    if folded.startswith("on_"):
        # Such a method has no other purpose, so less likeness will do; `on_` itself would make all of them alike.
        candidates = difflib.get_close_matches(folded[3:], [name[3:] for name in HOOK_METHODS], n=1, cutoff=0.6)
        return f"on_{candidates[0]}" if candidates else None
    candidates = difflib.get_close_matches(folded, HOOK_METHODS, n=1, cutoff=_MIN_LIKENESS)
    return candidates[0] if candidates else None


def _definition(value: object, method: str) -> tuple[str, int | None, int | None]:
    """File, line and column (from 1) of a method's name; empty and None for what is no Python function."""
    function = inspect.unwrap(value.__func__ if isinstance(value, staticmethod | classmethod) else value)  # type: ignore[arg-type]
    code = getattr(function, "__code__", None)
    if code is None:
        return "", None, None
    # A decorated function's code begins at its first decorator.
    for line in range(code.co_firstlineno, code.co_firstlineno + 20):
        if found := re.search(rf"\bdef\s+({re.escape(method)})\b", linecache.getline(code.co_filename, line)):
            return code.co_filename, line, found.start(1) + 1
    return code.co_filename, code.co_firstlineno, None
