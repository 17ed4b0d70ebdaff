"""Runs the user's hooks, plain or async, one after the other."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from scraper.hooks.interface import Hook
from scraper.model import Item, Page, Request

T = TypeVar("T")


class Hooks:
    """All hooks of a run. `on_request`, `on_page` and `on_item` say whether any hook overrides that method."""

    def __init__(self, hooks: Sequence[Hook] = ()) -> None:
        self._requests = _overriding(hooks, "on_request")
        self._pages = _overriding(hooks, "on_page")
        self._items = _overriding(hooks, "on_item")
        self.on_request = bool(self._requests)
        self.on_page = bool(self._pages)
        self.on_item = bool(self._items)

    async def request(self, request: Request) -> Request | None:
        """The request after every hook; None when one of them said not to ask."""
        return await _chain(self._requests, request)

    async def page(self, page: Page) -> Page | None:
        """The page after every hook; None when one of them said not to read it."""
        return await _chain(self._pages, page)

    async def item(self, item: Item, page: Page) -> Item | None:
        """The item after every hook; None when one of them dropped it."""
        return await _chain(self._items, item, page)


def _overriding(hooks: Sequence[Hook], name: str) -> list[Callable[..., Any]]:
    return [getattr(hook, name) for hook in hooks if getattr(type(hook), name) is not getattr(Hook, name)]


async def _chain(calls: list[Callable[..., T | Awaitable[T | None] | None]], value: T, *more: object) -> T | None:
    for call in calls:
        answer = call(value, *more)
        result = await answer if inspect.isawaitable(answer) else answer
        if result is None:
            return None
        value = result
    return value
