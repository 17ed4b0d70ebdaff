"""The recipe of a crawl: a config becomes a run that is ready. The phases are described in parts.py."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from scraper.build.crawl_fetcher import make_fetcher
from scraper.build.crawl_sinks import make_sinks, output_paths
from scraper.build.parts import CustomParts, OnResult, Ports, RunParts, announce, wire
from scraper.build.plugin_context import make_hooks, plugin_context
from scraper.build.retry_failed import requeue_failed
from scraper.build.run_folder import delete_run, make_folder, write_config_copy
from scraper.clock import Clock, wall_time
from scraper.config.reading.effective import changed_sections, section_hashes
from scraper.config.reading.pattern_warnings import pattern_warnings
from scraper.config.schema.crawl import CrawlConfig
from scraper.config_to_settings import (
    engine_settings,
    extract_settings,
    politeness_settings,
    post_secrets,
    robots_settings,
    scope_for,
    seed_requests,
)
from scraper.engine.run_context import RunRules
from scraper.engine.session import (
    CLOCK_CHECKPOINT,
    PROGRESS_CHECKPOINT,
    clock_set_back_notice,
    config_change_notices,
    session_start,
)
from scraper.engine.settings import EngineSettings
from scraper.errors import ConfigError
from scraper.events import CrawlStarted, EventBus
from scraper.extract.interface import Extractor
from scraper.extract.page_extractor import PageExtractor
from scraper.fetch.filled_posts import FilledPosts
from scraper.fetch.interface import Fetcher
from scraper.frontier.interface import FrontierCounts, InspectableFrontier
from scraper.frontier.sqlite.frontier import SqliteFrontier, SqliteSettings
from scraper.hooks.interface import Hook
from scraper.model import Request
from scraper.politeness.retry import RetrySettings
from scraper.rundir.fd_limit import few_files_warnings, max_concurrency
from scraper.rundir.layout import RunLayout
from scraper.rundir.lock import RunLock
from scraper.sinks.fanout import LEFT_OUT_CHECKPOINT, Fanout
from scraper.urls.canonicalize import KeyRules

# The name under which the hashes of the config's sections are kept in the frontier, to tell what has changed.
CONFIG_CHECKPOINT = "config"


@dataclass(frozen=True, slots=True)
class CrawlParts:
    """A crawl that is ready to run. `outputs` maps the name of each output to its path.

    `before` is how the frontier stood when it was opened.
    """

    run: RunParts
    seeds: tuple[Request, ...]
    folder: Path
    outputs: Mapping[str, str]
    before: FrontierCounts


@dataclass(frozen=True, slots=True)
class _Plan:
    """A config in the words of the rooms."""

    settings: EngineSettings
    rules: RunRules
    seeds: tuple[Request, ...]
    extractor: Extractor
    hooks: tuple[Hook, ...]


async def build_crawl(
    config: CrawlConfig,
    stack: AsyncExitStack,
    custom: CustomParts,
    *,
    fresh: bool = False,
    base: Path = Path(),
    all_sitemaps: bool = False,
    retry_failed: bool = False,
    on_result: OnResult | None = None,
) -> CrawlParts:
    """Open everything a crawl needs, on `stack`.

    `base` is the folder that hooks named by file are relative to. With `fresh` what an earlier run left is deleted.
    With `all_sitemaps` the page budget does not end the reading of sitemaps. With `retry_failed` what earlier sessions
    recorded as failed is asked for again.
    Raises `ConfigError`, `HookError`, `RunLockedError`, `FrontierError`, `SinkError`, `FetchError`,
    `MissingExtraError`.
    """
    plan = _translate(config, custom, base, all_sitemaps)
    folder = config.output.folder
    await _open_folder(config, folder, stack, fresh)
    notices = await _requeue_failed(folder, custom, plan) if retry_failed else []
    frontier, before = await _open_frontier(config, folder, stack, custom)
    ports, outputs = await _open_ports(config, plan, stack, custom, frontier, before)
    run = wire(plan.settings, plan.rules, ports, hooks=plan.hooks, on_result=on_result)
    warnings = [*_warnings(config, plan, before, ports.clock), *notices]
    announce(ports, _started(config, plan, before, ports.clock), warnings)
    await _store_checkpoints(config, frontier, before, outputs.names)
    return CrawlParts(run, plan.seeds, folder, output_paths(outputs.sinks, folder), before)


def _translate(config: CrawlConfig, custom: CustomParts, base: Path, all_sitemaps: bool) -> _Plan:
    keys = KeyRules(config.scope.strip_params, config.scope.sort_query)
    seeds = tuple(seed_requests(config, keys))
    scope = scope_for(config, [request.url for request in seeds])
    rules = RunRules(
        scope,
        keys,
        politeness_settings(config),
        RetrySettings(config.limits.retries, max_retry_after=config.politeness.max_retry_after),
        robots_settings(config),
    )
    concurrency = max_concurrency(config.limits.concurrency)
    settings = replace(engine_settings(config), concurrency=concurrency, all_sitemaps=all_sitemaps)
    hooks = make_hooks(config, base, custom.hooks)
    extractor = custom.extractor or PageExtractor(extract_settings(config, scope, keys))
    return _Plan(settings, rules, seeds, extractor, hooks)


async def _open_folder(config: CrawlConfig, folder: Path, stack: AsyncExitStack, fresh: bool) -> None:
    layout = RunLayout(folder)
    make_folder(layout.state)
    stack.enter_context(RunLock(folder))
    # Bodies that were on their way when a session was killed.
    await asyncio.to_thread(shutil.rmtree, layout.spool, ignore_errors=True)
    if fresh:
        delete_run(layout)
        make_folder(layout.state)
    write_config_copy(config, layout.config)


async def _requeue_failed(folder: Path, custom: CustomParts, plan: _Plan) -> list[str]:
    """Queue again what failed; return sentences for the user."""
    if custom.frontier is not None:
        raise ConfigError("retry_failed works with the frontier in the output folder, and not with one of your own")
    file = RunLayout(folder).frontier
    if not file.exists():
        return ["--retry-failed: there is no earlier run in this folder"]
    requeued = await asyncio.to_thread(requeue_failed, folder, file, plan.rules.key_rules)
    return list(requeued.sentences())


async def _open_frontier(
    config: CrawlConfig, folder: Path, stack: AsyncExitStack, custom: CustomParts
) -> tuple[InspectableFrontier, FrontierCounts]:
    frontier = custom.frontier or await SqliteFrontier.open(
        RunLayout(folder).frontier, SqliteSettings(config.durability)
    )
    stack.push_async_callback(frontier.aclose)
    return frontier, await frontier.counts()


async def _open_ports(
    config: CrawlConfig,
    plan: _Plan,
    stack: AsyncExitStack,
    custom: CustomParts,
    frontier: InspectableFrontier,
    before: FrontierCounts,
) -> tuple[Ports, Fanout]:
    clock = Clock(session_start(wall_time(), before.checkpoints.get(CLOCK_CHECKPOINT)))
    bus = await stack.enter_async_context(EventBus(list(custom.listeners)))
    fewer = plan.settings.concurrency if plan.settings.concurrency < config.limits.concurrency else None
    seed_urls = [request.url for request in plan.seeds]
    layout = RunLayout(config.output.folder)
    fetcher: Fetcher
    if custom.fetcher is not None:
        fetcher = custom.fetcher
    elif config.network.fetcher is not None:
        fetcher = config.network.fetcher.create(plugin_context(config, config.output.folder))
    else:
        fetcher = make_fetcher(config, plan.rules.scope, seed_urls, clock, bus, layout.spool, fewer, layout.cookies)
    if secrets := post_secrets(config):
        fetcher = FilledPosts(fetcher, secrets)
    stack.push_async_callback(fetcher.aclose)
    outputs = Fanout([*make_sinks(config), *custom.sinks])
    await outputs.open(before.checkpoints)
    stack.push_async_callback(outputs.aclose)
    return Ports(frontier, fetcher, plan.extractor, outputs, bus, clock), outputs


def _started(config: CrawlConfig, plan: _Plan, before: FrontierCounts, clock: Clock) -> CrawlStarted:
    return CrawlStarted(
        clock.now(),
        config.name,
        str(config.output.folder),
        before.known > 0,
        before.settled,
        before.waiting + before.delayed,
        plan.settings.concurrency,
        config.limits.max_pages,
    )


def _warnings(config: CrawlConfig, plan: _Plan, before: FrontierCounts, clock: Clock) -> Iterator[str]:
    """What the user should know about a run that goes on: what has changed in its config, and in the time."""
    stored = before.checkpoints.get(CONFIG_CHECKPOINT, "")
    earlier = dict(part.split("=", 1) for part in stored.split(";") if "=" in part)
    if earlier and before.known:
        yield from config_change_notices(changed_sections(earlier, section_hashes(config)))
    if before.known and config.network.cookies and not RunLayout(config.output.folder).cookies.exists():
        for seed in plan.seeds:
            if seed.content is not None:
                yield (
                    f"the cookies of earlier sessions were not kept: a login by {seed.url.href} is lost, and what is "
                    "fetched now may be without it (--fresh starts over)"
                )
                break
    if notice := clock_set_back_notice(wall_time(), clock.now()):
        yield notice
    yield from pattern_warnings(config)
    yield from few_files_warnings(config.limits.concurrency, plan.settings.concurrency)


async def _store_checkpoints(
    config: CrawlConfig, frontier: InspectableFrontier, before: FrontierCounts, outputs: Sequence[str]
) -> None:
    """Keep what the next session compares with: the config's hashes, and which outputs this session does without."""
    left_out = before.checkpoints.keys() - {CONFIG_CHECKPOINT, CLOCK_CHECKPOINT, PROGRESS_CHECKPOINT, *outputs}
    hashes = ";".join(f"{name}={value}" for name, value in sorted(section_hashes(config).items()))
    await frontier.settle([], {**dict.fromkeys(left_out, LEFT_OUT_CHECKPOINT), CONFIG_CHECKPOINT: hashes})
