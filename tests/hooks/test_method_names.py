"""Methods that look like hook methods and are not."""

from __future__ import annotations

import functools
from typing import Any

import pytest

from scraper.hooks.interface import Hook
from scraper.hooks.method_names import HOOK_METHODS, unknown_methods

HINTS = [
    ("on_respnse", "did you mean on_response?"),
    ("on_page", "did you mean on_response?"),
    ("on_requests", "did you mean on_request?"),
    ("on_Item", "did you mean on_item?"),
    ("onRequest", "did you mean on_request?"),
    ("onitem", "did you mean on_item?"),
    ("process_item", "did you mean on_item?"),
    ("on_close", "hook methods: on_request, on_response, on_item"),
]


@pytest.mark.parametrize(("method", "hint"), HINTS, ids=[row[0] for row in HINTS])
def test_a_method_that_would_never_be_called_is_named_with_the_near_one(method: str, hint: str) -> None:
    """Everything that begins with on_, and what is nearly a hook method or another crawler's word for one."""
    hook_class = type("Mine", (Hook,), {method: lambda self, value: value})
    (problem,) = unknown_methods(hook_class, "hooks.py")
    assert (problem.key, problem.message, problem.hint) == ("hooks: hooks.py", f"{method} is not a hook method", hint)


@pytest.mark.parametrize("name", [*HOOK_METHODS, "_on_respnse", "prices", "item", "request", "responses", "close"])
def test_hook_methods_and_helpers_are_no_problem(name: str) -> None:
    """The methods of `Hook`, private ones, and public ones that resemble none of them."""
    assert unknown_methods(type("Mine", (Hook,), {name: lambda self, value: value}), "hooks.py") == []


def test_values_that_are_no_methods_are_no_problem() -> None:
    """A plain attribute may have any name."""
    assert unknown_methods(type("Mine", (Hook,), {"on_sale": 3}), "hooks.py") == []


def test_methods_of_ancestors_count_too() -> None:
    """A base class or a mixin is as easily misspelled."""
    mixin = type("Mixin", (), {"on_responze": lambda self, value: value})
    (problem,) = unknown_methods(type("Mine", (mixin, Hook), {}), "hooks.py")
    assert problem.hint == "did you mean on_response?"


def test_the_position_is_that_of_the_name() -> None:
    """Below decorators, of static methods too; columns count from 1."""

    def logged(function: Any) -> Any:
        @functools.wraps(function)
        def call(*given: Any) -> Any:
            return function(*given)

        return call

    class Mine(Hook):
        @logged
        def on_itm(self, item: Any, page: Any) -> Any:
            return item

        @staticmethod
        def on_reqest(request: Any) -> Any:
            return request

    first, second = unknown_methods(Mine, "hooks.py")
    assert first.line is not None
    assert (first.file, first.column, second.line, second.column) == (__file__, 13, first.line + 4, 13)
