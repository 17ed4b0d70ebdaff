"""Runs the user's hooks, plain or async, one after the other."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from scraper.errors import ScraperError
from scraper.hooks.interface import Hook
from scraper.model import Item, Request, Response

T = TypeVar("T")


class HookRaisedError(Exception):
    """A hook raised what the engine must not act upon; `str()` names the hook and what it raised.

    For example `asyncio.CancelledError`, which would end the task that called the hook, `SystemExit`, which would end
    the process, or a `ScraperError`, which would end the run. Other exceptions of hooks pass as they are.
    """


class HookChain:
    """All hooks of a run. `has_on_request`, `has_on_response` and `has_on_item`: some hook overrides that method.

    Whatever a hook raises comes out as an `Exception` that is no `ScraperError`.
    """

    def __init__(self, hooks: Sequence[Hook] = ()) -> None:
        self._request_methods = _overridden_methods(hooks, "on_request")
        self._response_methods = _overridden_methods(hooks, "on_response")
        self._item_methods = _overridden_methods(hooks, "on_item")
        self.has_on_request = bool(self._request_methods)
        self.has_on_response = bool(self._response_methods)
        self.has_on_item = bool(self._item_methods)

    async def on_request(self, request: Request) -> Request | None:
        """The request after every hook; None when one of them said not to send it."""
        return await _run_chain(self._request_methods, request)

    async def on_response(self, response: Response) -> Response | None:
        """The response after every hook; None when one of them said not to extract from it."""
        return await _run_chain(self._response_methods, response)

    async def on_item(self, item: Item, page: Response) -> Item | None:
        """The item after every hook; None when one of them dropped it."""
        return await _run_chain(self._item_methods, item, page)


def is_cancellation_of(task: asyncio.Task[Any] | None) -> bool:
    """Whether `task` itself is being cancelled or closed, while it handles an exception that is no `Exception`.

    False if user code merely raised such an exception, as awaiting a cancelled future does.
    """
    try:
        current = asyncio.current_task()
    except RuntimeError:  # the loop has stopped, and the coroutine is closed
        return True
    # A coroutine that is closed runs outside its task.
    return current is not task or (task is not None and task.cancelling() > 0)


def _overridden_methods(hooks: Sequence[Hook], name: str) -> list[Callable[..., Any]]:
    return [getattr(hook, name) for hook in hooks if getattr(type(hook), name) is not getattr(Hook, name)]


async def _run_chain(methods: list[Callable[..., Any]], value: T, *context: object) -> T | None:
    task = asyncio.current_task()
    for method in methods:
        try:
            result = method(value, *context)
            if inspect.isawaitable(result):
                result = await result
        except BaseException as error:
            ordinary = isinstance(error, Exception) and not isinstance(error, ScraperError)
            if ordinary or is_cancellation_of(task):
                raise
            raised = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            raise HookRaisedError(f"{method.__qualname__} raised {raised}") from error
        if result is None:
            return None
        value = result
    return value
