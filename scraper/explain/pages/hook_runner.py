"""The hooks of a config around one page, called as in a crawl; what they did and what they raised is told."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TypeVar

from scraper.engine.hook_chain import Hooks
from scraper.hooks.interface import Hook
from scraper.hooks.load import load_hook
from scraper.model import Item, Page, Request

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class HookNote:
    """What one hook did, in a sentence; `failed` when it raised."""

    text: str
    failed: bool = False


class HookFailed(Exception):  # noqa: N818  the state of a page: in a crawl it would be recorded as failed
    """A hook raised; the note says what and where."""


class HookedPage:
    """Calls hooks, one after the other as a run does, and notes what they do. `notes` grows as they are called."""

    def __init__(self, hooks: Sequence[tuple[str, Hook]] = ()) -> None:
        self._hooks = [(name, Hooks((hook,))) for name, hook in hooks]
        self.notes: list[HookNote] = []

    @classmethod
    def load(cls, names: Sequence[str], folder: Path) -> HookedPage:
        """The hooks that a config names, relative to its `folder`. Raises `HookError`."""
        return cls([(name, load_hook(name, folder)) for name in names])

    async def request(self, request: Request) -> Request | None:
        """The request after every `on_request`; None when one says not to ask. Raises `HookFailed`."""
        current = request
        for name, hooks in self._hooks:
            if hooks.on_request:
                try:
                    changed = await hooks.request(current)
                except Exception as error:
                    raise self._failed(name, "on_request", error) from error
                if changed is None:
                    self._note(name, "on_request", f"says not to ask for {request.url.href}")
                    return None
                self._note(name, "on_request", _changes(current, changed))
                current = changed
        return current

    async def page(self, page: Page) -> Page | None:
        """The page after every `on_page`; None when one says not to read it. Raises `HookFailed`."""
        current = page
        for name, hooks in self._hooks:
            if hooks.on_page:
                try:
                    changed = await hooks.page(current)
                except Exception as error:
                    raise self._failed(name, "on_page", error) from error
                if changed is None:
                    self._note(name, "on_page", "says not to read the page: it is recorded without links and items")
                    return None
                self._note(name, "on_page", _changes(current, changed))
                current = changed
        return current

    async def items(self, items: Sequence[Item], page: Page) -> tuple[Item, ...]:
        """The items after every `on_item`, without those dropped. Raises `HookFailed`."""
        current = list(items)
        for name, hooks in self._hooks:
            if hooks.on_item and current:
                kept: list[Item] = []
                changes = 0
                for number, item in enumerate(current):
                    try:
                        changed = await hooks.item(item, page)
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
        self.notes.append(HookNote(f"{name} {method} {text}"))

    def _failed(self, name: str, method: str, error: Exception, place: str = "") -> HookFailed:
        frames = traceback.extract_tb(error.__traceback__)
        where = f" ({Path(frames[-1].filename).name} line {frames[-1].lineno})" if frames else ""
        told = f"{name} {method} raises{place}{where}: {type(error).__name__}: {error}"
        self.notes.append(HookNote(f"{told}; a crawl records the page as failed", failed=True))
        return HookFailed(told)


def _changes(before: Request | Page, after: Request | Page) -> str:
    """Which parts a hook changed."""
    if type(before) is not type(after):
        return f"returns a {type(after).__name__}"
    changed = [one.name for one in fields(before) if getattr(before, one.name) is not getattr(after, one.name)]
    changed = [name for name in changed if getattr(before, name) != getattr(after, name)]
    return f"changes {', '.join(changed)}" if changed else "leaves it as it is"
