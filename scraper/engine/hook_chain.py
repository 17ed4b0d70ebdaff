"""Runs the user's hooks, plain or async, one after the other."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from scraper.hooks.interface import Hook
from scraper.model import Item, Request, Response

T = TypeVar("T")


class HookChain:
    """All hooks of a run. `on_request`, `on_response` and `on_item` say whether any hook overrides that method."""

    def __init__(self, hooks: Sequence[Hook] = ()) -> None:
        self._request_methods = _overridden_methods(hooks, "on_request")
        self._response_methods = _overridden_methods(hooks, "on_response")
        self._item_methods = _overridden_methods(hooks, "on_item")
        self.has_on_request = bool(self._request_methods)
        self.has_on_response = bool(self._response_methods)
        self.has_on_item = bool(self._item_methods)

    async def on_request(self, request: Request) -> Request | None:
        """The request after every hook; None when one of them said not to ask."""
        return await _run_chain(self._request_methods, request)

    async def on_response(self, page: Response) -> Response | None:
        """The page after every hook; None when one of them said not to read it."""
        return await _run_chain(self._response_methods, page)

    async def on_item(self, item: Item, page: Response) -> Item | None:
        """The item after every hook; None when one of them dropped it."""
        return await _run_chain(self._item_methods, item, page)


def _overridden_methods(hooks: Sequence[Hook], name: str) -> list[Callable[..., Any]]:
    return [getattr(hook, name) for hook in hooks if getattr(type(hook), name) is not getattr(Hook, name)]


async def _run_chain(calls: list[Callable[..., T | Awaitable[T | None] | None]], value: T, *more: object) -> T | None:
    for call in calls:
        answer = call(value, *more)
        result = await answer if inspect.isawaitable(answer) else answer
        if result is None:
            return None
        value = result
    return value
