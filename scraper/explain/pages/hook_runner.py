"""The hooks of a config around one page, called as in a crawl; what they did and what they raised is told."""

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
    """A hook raised; the note says what and where."""


class HookRunner:
    """Calls hooks, one after the other as a run does, and notes what they do. `notes` grows as they are called."""

    def __init__(self, hooks: Sequence[tuple[str, Hook]] = ()) -> None:
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
        """The request after every `on_request`; None when one says not to ask. Raises `HookFailedError`."""
        current = request
        for name, hooks in self._hooks:
            if hooks.has_on_request:
                try:
                    changed = await hooks.on_request(current)
                except Exception as error:
                    raise self._failed(name, "on_request", error) from error
                if changed is None:
                    self._note(name, "on_request", f"says not to ask for {request.url.href}")
                    return None
                self._note(name, "on_request", _changes(current, changed))
                current = changed
        return current

    async def run_on_response(self, page: Response) -> Response | None:
        """The page after every `on_response`; None when one says not to read it. Raises `HookFailedError`."""
        current = page
        for name, hooks in self._hooks:
            if hooks.has_on_response:
                try:
                    changed = await hooks.on_response(current)
                except Exception as error:
                    raise self._failed(name, "on_response", error) from error
                if changed is None:
                    self._note(name, "on_response", "says not to read the page: it is recorded without links and items")
                    return None
                self._note(name, "on_response", _changes(current, changed))
                current = changed
        return current

    async def run_on_item(self, items: Sequence[Item], page: Response) -> tuple[Item, ...]:
        """The items after every `on_item`, without those dropped. Raises `HookFailedError`."""
        current = list(items)
        for name, hooks in self._hooks:
            if hooks.has_on_item and current:
                kept: list[Item] = []
                changes = 0
                for number, item in enumerate(current):
                    try:
                        changed = await hooks.on_item(item, page)
                        changes += isinstance(changed, Item) and changed != item
                    except Exception as error:
                        raise self._failed(
                            name, "on_item", error, f" at item {number + 1} of {len(current)}"
                        ) from error
                    if isinstance(changed, Item):
                        kept.append(changed)
                dropped = len(current) - len(kept)
                self._note(name, "on_item", f"changes {changes} and drops {dropped} of {len(current)} items")
                current = kept
        return tuple(current)

    def _note(self, name: str, method: str, text: str) -> None:
        self.results.append(HookResult(f"{name} {method} {text}"))

    def _failed(self, name: str, method: str, error: Exception, place: str = "") -> HookFailedError:
        frames = traceback.extract_tb(error.__traceback__)
        where = f" ({Path(frames[-1].filename).name} line {frames[-1].lineno})" if frames else ""
        told = f"{name} {method} raises{place}{where}: {type(error).__name__}: {error}"
        self.results.append(HookResult(f"{told}; a crawl records the page as failed", failed=True))
        return HookFailedError(told)


def _changes(before: Request | Response, after: Request | Response) -> str:
    """Which parts a hook changed."""
    if type(before) is not type(after):
        return f"returns a {type(after).__name__}"
    changed = [one.name for one in fields(before) if getattr(before, one.name) is not getattr(after, one.name)]
    changed = [name for name in changed if getattr(before, name) != getattr(after, name)]
    return f"changes {', '.join(changed)}" if changed else "leaves it as it is"
