"""`scrape extract`: changed extraction rules over the stored pages of a run, without requests.

The new items go to another folder, or replace the run's own. To replace them they are first written to
`.scrape/extract`, then moved over the old files, and then the run's checkpoints are set to the new lengths: a run that
is not finished continues after the new items.
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
from scraper.build.run_folder import make_folder
from scraper.config.schema.crawl import CrawlConfig
from scraper.config_to_settings import extract_settings, read_seeds, scope_for
from scraper.engine.hook_chain import HookChain
from scraper.errors import ConfigError, FrontierError, SinkError
from scraper.extract.page_extractor import PageExtractor
from scraper.frontier.sqlite.frontier import SqliteFrontier, SqliteSettings
from scraper.hooks.interface import Hook
from scraper.model import Item, Response, Result
from scraper.rundir.disk_errors import cause_text, sync_folder
from scraper.rundir.layout import PAGE_STORE, RunLayout
from scraper.rundir.lock import RunLock
from scraper.sinks.fanout import Fanout
from scraper.sinks.page_store import read_pages
from scraper.urls.canonicalize import KeyRules

PAGES_PER_BATCH = 32


@dataclass(frozen=True, slots=True)
class ReextractResult:
    """Counts of pages read, items extracted, unreadable values and failed pages, and the paths of the outputs."""

    pages: int
    items: int
    rejected: int
    problems: int
    outputs: dict[str, str]


async def reextract(
    folder: Path, config: CrawlConfig, output: Path | None = None, *, base: Path = Path(), hooks: Sequence[Hook] = ()
) -> ReextractResult:
    """Apply the rules of `config` to the pages stored in the run `folder`.

    Outputs go to `output`, which must not be the folder of a run; without it they replace the run's own. The hooks'
    `on_response` and `on_item` are called as in a run; `base` is the folder that hooks named by file are relative to.

    Raises `ConfigError`, `HookError`, `RunLockedError`, `FrontierError`, `SinkError`, `MissingExtraError`.
    """
    if not config.extract:
        raise ConfigError("the config has no extract: there is nothing to extract")
    layout = RunLayout(folder)
    if not layout.frontier.exists():
        raise FrontierError(f"{folder} is not the folder of a run")
    if output is not None and RunLayout(output).state.exists():
        raise SinkError(f"{output} is the folder of a run; choose another --output, or none to change its own items")
    keys = KeyRules(config.scope.strip_params, config.scope.sort_query)
    extractor = PageExtractor(extract_settings(config, scope_for(config, read_seeds(config, keys)), keys))
    run_hooks = HookChain(make_hooks(config, base, hooks))
    async with AsyncExitStack() as stack:
        stack.enter_context(RunLock(folder))
        frontier = await SqliteFrontier.open(layout.frontier, SqliteSettings(config.durability))
        stack.push_async_callback(frontier.aclose)
        stored_to = (await frontier.counts()).checkpoints.get(PAGE_STORE)
        if stored_to is None:
            raise SinkError(f"{folder} keeps no pages; crawl with output.store: pages first")
        target = output or layout.staging
        if output is None:
            # Left by an extract that was killed.
            await asyncio.to_thread(shutil.rmtree, target, ignore_errors=True)
        make_folder(target)
        sinks = make_item_sinks(config, target)
        outputs = Fanout(sinks)
        await outputs.open({})
        stack.push_async_callback(outputs.aclose)
        done, checkpoints = await _extract_all(folder, stored_to, extractor, run_hooks, outputs)
        await outputs.aclose()
        if output is None:
            await asyncio.to_thread(_replace_outputs, target, folder, config.durability == "power")
            await frontier.settle([], checkpoints)
        return replace(done, outputs=output_paths(sinks, output or folder))


async def _extract_all(
    folder: Path, checkpoint: str, extractor: PageExtractor, hooks: HookChain, outputs: Fanout
) -> tuple[ReextractResult, dict[str, str]]:
    pages = read_pages(folder, checkpoint)
    done = ReextractResult(0, 0, 0, 0, {})
    checkpoints = await outputs.flush()
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
        checkpoints = await outputs.flush()
    return done, checkpoints


def _next_batch(pages: Iterator[Response]) -> list[Response]:
    return list(islice(pages, PAGES_PER_BATCH))


async def _extract_page(page: Response, extractor: PageExtractor, hooks: HookChain) -> Result:
    seen = await hooks.on_response(page) if hooks.has_on_response else page
    if seen is None:
        return Result(page.request, page)
    extraction = await asyncio.to_thread(extractor.extract, seen)
    if hooks.has_on_item and extraction.items:
        items = [await hooks.on_item(item, seen) for item in extraction.items]
        extraction = replace(extraction, items=tuple(item for item in items if isinstance(item, Item)))
    return Result(page.request, page, extraction)


def _replace_outputs(source: Path, folder: Path, fsync: bool) -> None:
    """Move the new outputs over the old ones; with `fsync` they are on the disk then. Raises `SinkError`."""
    try:
        for path in sorted(source.iterdir()):
            target = folder / path.name
            if target.is_dir() and not target.is_symlink():
                shutil.rmtree(target)
            path.replace(target)
        # Before the frontier stores checkpoints of the new files: after a loss of power they must be these.
        if fsync:
            sync_folder(folder)
        source.rmdir()
    except OSError as error:
        raise SinkError(f"{folder}: cannot put the new items in place: {cause_text(error)}") from error
