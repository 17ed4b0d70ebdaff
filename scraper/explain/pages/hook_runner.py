"""Run the hooks of a config on one page as a crawl would, and record what each did or raised."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TypeVar

from scraper.build.plugin_context import make_hooks
from scraper.config.schema.crawl import CrawlConfig
from scraper.engine.hook_chain import HookChain
from scraper.hooks.interface import Hook
from scraper.model import Item, Request, Response

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class HookResult:
    """What one hook did, in a sentence; `failed` when it raised."""

    text: str
    failed: bool = False


class HookFailedError(Exception):
    """A hook raised an exception; the last of `HookRunner.results` says which and where."""


class HookRunner:
    """Calls hooks one after the other as a crawl does. `results` has one entry for each call."""

    def __init__(self, hooks: Sequence[tuple[str, Hook]] = ()) -> None:
        # One chain for each hook, so that a change or an exception can be attributed to it.
        self._hooks = [(name, HookChain((hook,))) for name, hook in hooks]
        self.results: list[HookResult] = []

    @classmethod
    def load(cls, config: CrawlConfig, folder: Path) -> HookRunner:
        """The hooks that `config` names, those of files relative to `folder`.

        Raises `HookError`, `PluginError`, `ConfigError`.
        """
        names = [named if isinstance(named, str) else named.name for named in config.hooks]
        return cls(list(zip(names, make_hooks(config, folder), strict=True)))

    async def run_on_request(self, request: Request) -> Request | None:
        """The request after every `on_request`; None when a hook skips it. Raises `HookFailedError`."""
        current = request
        for name, hooks in self._hooks:
            if hooks.has_on_request:
                try:
                    changed = await hooks.on_request(current)
                except Exception as error:
                    raise self._failure(name, "on_request", error) from error
                if changed is None:
                    self._record(name, "on_request", f"skips {request.url.href}")
                    return None
                self._record(name, "on_request", _describe_changes(current, changed))
                current = changed
        return current

    async def run_on_response(self, page: Response) -> Response | None:
        """The page after every `on_response`; None when a hook skips it. Raises `HookFailedError`."""
        current = page
        for name, hooks in self._hooks:
            if hooks.has_on_response:
                try:
                    changed = await hooks.on_response(current)
                except Exception as error:
                    raise self._failure(name, "on_response", error) from error
                if changed is None:
                    self._record(name, "on_response", "skips the page: it is recorded without links and items")
                    return None
                self._record(name, "on_response", _describe_changes(current, changed))
                current = changed
        return current

    async def run_on_item(self, items: Sequence[Item], page: Response) -> tuple[Item, ...]:
        """The items after every `on_item`, without those that hooks drop. Raises `HookFailedError`."""
        current = list(items)
        for name, hooks in self._hooks:
            # Without items a crawl does not call the hook either.
            if hooks.has_on_item and current:
                kept: list[Item] = []
                changes = 0
                for number, item in enumerate(current):
                    try:
                        changed = await hooks.on_item(item, page)
                        changes += isinstance(changed, Item) and changed != item
                    except Exception as error:
                        raise self._failure(
                            name, "on_item", error, f" at item {number + 1} of {len(current)}"
                        ) from error
                    # A hook drops an item by returning None.
                    if isinstance(changed, Item):
                        kept.append(changed)
                dropped = len(current) - len(kept)
                self._record(name, "on_item", f"changes {changes} and drops {dropped} of {len(current)} items")
                current = kept
        return tuple(current)

    def _record(self, name: str, method: str, text: str) -> None:
        self.results.append(HookResult(f"{name} {method} {text}"))

    def _failure(self, name: str, method: str, error: Exception, item: str = "") -> HookFailedError:
        # The last frame is where the hook itself, or what it called, raised.
        frames = traceback.extract_tb(error.__traceback__)
        where = f" ({Path(frames[-1].filename).name} line {frames[-1].lineno})" if frames else ""
        message = f"{name} {method} raises{item}{where}: {type(error).__name__}: {error}"
        self.results.append(HookResult(f"{message}; a crawl records the page as failed", failed=True))
        return HookFailedError(message)


def _describe_changes(before: Request | Response, after: Request | Response) -> str:
    """The names of the fields that a hook changed."""
    if type(before) is not type(after):
        return f"returns a {type(after).__name__}"
    # Identity first: equality of untouched bodies and headers would compare megabytes.
    changed = [one.name for one in fields(before) if getattr(before, one.name) is not getattr(after, one.name)]
    changed = [name for name in changed if getattr(before, name) != getattr(after, name)]
    return f"changes {', '.join(changed)}" if changed else "leaves it as it is"
