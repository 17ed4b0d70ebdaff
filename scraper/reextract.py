"""Changed rules over the pages that a run has kept: new items without a request.

Items go to a new folder or take the place of the run's own. In place they are first written beside, then moved over the
old ones, and the run's marks are set to them, so that a run which is not finished goes on behind them.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from scraper.build import STATE, make_folder, make_item_sinks, output_paths
from scraper.config.schema.crawl import CrawlConfig
from scraper.config_to_settings import extract_settings, read_seeds, scope_for
from scraper.engine.hook_chain import Hooks
from scraper.errors import ConfigError, FrontierError, SinkError
from scraper.extract.page_extractor import PageExtractor
from scraper.frontier.sqlite.frontier import SqliteFrontier, SqliteSettings
from scraper.hooks.interface import Hook
from scraper.hooks.load import load_hook
from scraper.model import Item, Page, Result
from scraper.rundir.lock import RunLock
from scraper.sinks.disk_errors import sync_folder
from scraper.sinks.fanout import Fanout
from scraper.sinks.page_store import NAME, stored_pages
from scraper.urls.canonicalize import KeyRules

BATCH = 32
"""Pages read at once."""
BESIDE = "extract"
"""The folder in the run's state where items are written before they take the place of the old ones."""


@dataclass(frozen=True, slots=True)
class Reextracted:
    """What was done: pages read, items made, values that could not be read, and where the outputs are."""

    pages: int
    items: int
    rejected: int
    problems: int
    outputs: dict[str, str]


async def reextract(
    folder: Path, config: CrawlConfig, output: Path | None = None, *, base: Path = Path(), hooks: Sequence[Hook] = ()
) -> Reextracted:
    """Read the rules of `config` over the pages kept in the run `folder`.

    Outputs go to `output`, a folder that is no run's, or without one take the place of the run's own. Hooks `on_page`
    and `on_item` are called as in a run; `base` is the folder that hooks named by file are relative to. Raises
    `ConfigError`, `HookError`, `RunLocked`, `FrontierError`, `SinkError`, `MissingExtra`.
    """
    if not config.extract:
        raise ConfigError("the config has no extract: there is nothing to read pages for")
    state = folder / STATE
    if not (state / "frontier.sqlite").exists():
        raise FrontierError(f"{folder} is not the folder of a run")
    if output is not None and (output / STATE).exists():
        raise SinkError(f"{output} is the folder of a run; choose another --output, or none to change its own items")
    keys = KeyRules(config.scope.strip_params, config.scope.sort_query)
    extractor = PageExtractor(extract_settings(config, scope_for(config, read_seeds(config, keys)), keys))
    run_hooks = Hooks((*(load_hook(name, base) for name in config.hooks), *hooks))
    async with AsyncExitStack() as stack:
        stack.enter_context(RunLock(folder))
        frontier = await SqliteFrontier.open(state / "frontier.sqlite", SqliteSettings(config.durability))
        stack.push_async_callback(frontier.aclose)
        mark = (await frontier.counts()).marks.get(NAME)
        if mark is None:
            raise SinkError(f"{folder} keeps no pages; crawl with output.store: pages first")
        target = output or state / BESIDE
        if output is None:
            await asyncio.to_thread(shutil.rmtree, target, ignore_errors=True)
        make_folder(target)
        sinks = make_item_sinks(config, target)
        outputs = Fanout(sinks)
        await outputs.open({})
        stack.push_async_callback(outputs.aclose)
        done, marks = await _read_all(folder, mark, extractor, run_hooks, outputs)
        await outputs.aclose()
        if output is None:
            await asyncio.to_thread(_move, target, folder, config.durability == "power")
            await frontier.settle([], marks)
        place = output or folder
        return replace(done, outputs=output_paths(sinks, place))


async def _read_all(
    folder: Path, mark: str, extractor: PageExtractor, hooks: Hooks, outputs: Fanout
) -> tuple[Reextracted, dict[str, str]]:
    pages = stored_pages(folder, mark)
    done = Reextracted(0, 0, 0, 0, {})
    marks = await outputs.flush()
    while batch := await asyncio.to_thread(_some, pages):
        for page in batch:
            result = await _read(page, extractor, hooks)
            outputs.write(result)
            found = result.harvest
            done = replace(
                done,
                pages=done.pages + 1,
                items=done.items + len(found.items),
                rejected=done.rejected + len(found.rejected),
                problems=done.problems + (found.problem is not None),
            )
        marks = await outputs.flush()
    return done, marks


def _some(pages: Iterator[Page]) -> list[Page]:
    return list(islice(pages, BATCH))


async def _read(page: Page, extractor: PageExtractor, hooks: Hooks) -> Result:
    seen = await hooks.page(page) if hooks.on_page else page
    if seen is None:
        return Result(page.request, page)
    harvest = await asyncio.to_thread(extractor.extract, seen)
    if hooks.on_item and harvest.items:
        items = [await hooks.item(item, seen) for item in harvest.items]
        harvest = replace(harvest, items=tuple(item for item in items if isinstance(item, Item)))
    return Result(page.request, page, harvest)


def _move(source: Path, folder: Path, power: bool) -> None:
    """Put what was written in the place of what the run had; with `power`, on the disk. Raises `SinkError`."""
    try:
        for path in sorted(source.iterdir()):
            target = folder / path.name
            if target.is_dir() and not target.is_symlink():
                shutil.rmtree(target)
            path.replace(target)
        if power:  # before the marks speak of the new ones
            sync_folder(folder)
        source.rmdir()
    except OSError as error:
        raise SinkError(f"{folder}: cannot put the new items in place: {error.strerror or error}") from error
