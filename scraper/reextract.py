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

from scraper.build.crawl_sinks import make_item_sinks, output_paths
from scraper.build.plugin_context import make_hooks
from scraper.build.run_folder import STATE, make_folder
from scraper.config.schema.crawl import CrawlConfig
from scraper.config_to_settings import extract_settings, read_seeds, scope_for
from scraper.engine.hook_chain import HookChain
from scraper.errors import ConfigError, FrontierError, SinkError
from scraper.extract.page_extractor import PageExtractor
from scraper.frontier.sqlite.frontier import SqliteFrontier, SqliteSettings
from scraper.hooks.interface import Hook
from scraper.model import Item, Response, Result
from scraper.rundir.lock import RunLock
from scraper.sinks.disk_errors import sync_folder
from scraper.sinks.fanout import Fanout
from scraper.sinks.page_store import STORE_NAME, read_pages
from scraper.urls.canonicalize import KeyRules

PAGES_PER_BATCH = 32
"""Pages read at once."""
STAGING_FOLDER = "extract"
"""The folder in the run's state where items are written before they take the place of the old ones."""


@dataclass(frozen=True, slots=True)
class ReextractResult:
    """What was done: pages read, items made, values that could not be read, and where the outputs are."""

    pages: int
    items: int
    rejected: int
    problems: int
    outputs: dict[str, str]


async def reextract(
    folder: Path, config: CrawlConfig, output: Path | None = None, *, base: Path = Path(), hooks: Sequence[Hook] = ()
) -> ReextractResult:
    """Read the rules of `config` over the pages kept in the run `folder`.

    Outputs go to `output`, a folder that is no run's, or without one take the place of the run's own. The hooks'
    `on_response` and `on_item` are called as in a run; `base` is the folder that hooks named by file are relative to.
    Raises `ConfigError`, `HookError`, `RunLockedError`, `FrontierError`, `SinkError`, `MissingExtraError`.
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
    run_hooks = HookChain(make_hooks(config, base, hooks))
    async with AsyncExitStack() as stack:
        stack.enter_context(RunLock(folder))
        frontier = await SqliteFrontier.open(state / "frontier.sqlite", SqliteSettings(config.durability))
        stack.push_async_callback(frontier.aclose)
        mark = (await frontier.counts()).checkpoints.get(STORE_NAME)
        if mark is None:
            raise SinkError(f"{folder} keeps no pages; crawl with output.store: pages first")
        target = output or state / STAGING_FOLDER
        if output is None:
            await asyncio.to_thread(shutil.rmtree, target, ignore_errors=True)
        make_folder(target)
        sinks = make_item_sinks(config, target)
        outputs = Fanout(sinks)
        await outputs.open({})
        stack.push_async_callback(outputs.aclose)
        done, marks = await _extract_all(folder, mark, extractor, run_hooks, outputs)
        await outputs.aclose()
        if output is None:
            await asyncio.to_thread(_replace_outputs, target, folder, config.durability == "power")
            await frontier.settle([], marks)
        place = output or folder
        return replace(done, outputs=output_paths(sinks, place))


async def _extract_all(
    folder: Path, mark: str, extractor: PageExtractor, hooks: HookChain, outputs: Fanout
) -> tuple[ReextractResult, dict[str, str]]:
    pages = read_pages(folder, mark)
    done = ReextractResult(0, 0, 0, 0, {})
    marks = await outputs.flush()
    while batch := await asyncio.to_thread(_next_batch, pages):
        for page in batch:
            result = await _extract_page(page, extractor, hooks)
            outputs.write(result)
            found = result.extraction
            done = replace(
                done,
                pages=done.pages + 1,
                items=done.items + len(found.items),
                rejected=done.rejected + len(found.field_errors),
                problems=done.problems + (found.problem is not None),
            )
        marks = await outputs.flush()
    return done, marks


def _next_batch(pages: Iterator[Response]) -> list[Response]:
    return list(islice(pages, PAGES_PER_BATCH))


async def _extract_page(page: Response, extractor: PageExtractor, hooks: HookChain) -> Result:
    seen = await hooks.on_response(page) if hooks.has_on_response else page
    if seen is None:
        return Result(page.request, page)
    harvest = await asyncio.to_thread(extractor.extract, seen)
    if hooks.has_on_item and harvest.items:
        items = [await hooks.on_item(item, seen) for item in harvest.items]
        harvest = replace(harvest, items=tuple(item for item in items if isinstance(item, Item)))
    return Result(page.request, page, harvest)


def _replace_outputs(source: Path, folder: Path, fsync: bool) -> None:
    """Put what was written in the place of what the run had; with `power`, on the disk. Raises `SinkError`."""
    try:
        for path in sorted(source.iterdir()):
            target = folder / path.name
            if target.is_dir() and not target.is_symlink():
                shutil.rmtree(target)
            path.replace(target)
        if fsync:  # before the marks speak of the new ones
            sync_folder(folder)
        source.rmdir()
    except OSError as error:
        raise SinkError(f"{folder}: cannot put the new items in place: {error.strerror or error}") from error
