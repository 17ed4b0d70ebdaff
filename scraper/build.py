"""From a configuration to a machine that is ready to run: the one place that knows concrete names.

What is opened is put on an exit stack in order (lock, frontier, listeners, fetcher, outputs) and closed in reverse,
also when a later part cannot be opened. Optional rooms are imported when a config asks for them.
"""

from __future__ import annotations

import asyncio
import ipaddress
import shutil
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from scraper.clock import Clock, wall_time
from scraper.config.reading.effective import changed_sections, effective_yaml, section_hashes
from scraper.config.schema.crawl import CrawlConfig, CredentialsSection
from scraper.config_to_settings import (
    column_kinds,
    engine_settings,
    extract_settings,
    politeness_settings,
    robots_settings,
    scope_for,
    seed_requests,
)
from scraper.engine.engine import Engine
from scraper.engine.run_context import RunRules
from scraper.engine.session import CLOCK_CHECKPOINT, clock_set_back_notice, config_change_notices, session_start
from scraper.errors import ConfigError, MissingExtraError, Problem, SinkError
from scraper.events import CrawlStarted, EventBus, Listener, Warned
from scraper.extract.page_extractor import PageExtractor
from scraper.fetch.body_writer import SpoolSettings
from scraper.fetch.page_fetcher import FetchSettings, HttpFetcher
from scraper.frontier.interface import FrontierCounts
from scraper.frontier.sqlite.frontier import SqliteFrontier, SqliteSettings
from scraper.hooks.interface import Hook
from scraper.hooks.load import load_hook
from scraper.model import Request, Result, Url
from scraper.politeness.retry import RetrySettings
from scraper.rundir.fd_limit import few_files_warnings, max_concurrency
from scraper.rundir.layout import RunLayout
from scraper.rundir.lock import RunLock
from scraper.sinks.fanout import LEFT_OUT_CHECKPOINT, Fanout
from scraper.sinks.interface import Sink
from scraper.transport.address_guard import AddressGuard
from scraper.transport.fast_transport import FastTransport
from scraper.transport.request_headers import BasicAuth, BearerAuth
from scraper.transport.settings import Timeouts, TransportSettings
from scraper.urls.canonicalize import KeyRules
from scraper.urls.scope import Scope

if TYPE_CHECKING:
    import httpx

CONFIG_MARK = "config"
PAGE_IN_MEMORY = 256 * 1024
"""Bytes of a body that is held in memory; a larger one goes through a file, for hundreds may wait to be recorded."""
KEPT_CONNECTIONS = 8
"""Connections that may be kept open, however few requests run at once: to one host each, as a rule."""


@dataclass(frozen=True, slots=True)
class Assembly:
    """A machine that is ready: everything is open, nothing has been asked for."""

    engine: Engine
    frontier: SqliteFrontier
    bus: EventBus
    clock: Clock
    seeds: tuple[Request, ...]
    folder: Path
    outputs: Mapping[str, str]
    before: FrontierCounts


async def assemble(
    config: CrawlConfig,
    stack: AsyncExitStack,
    *,
    listeners: Sequence[Listener] = (),
    hooks: Sequence[Hook] = (),
    fresh: bool = False,
    base: Path = Path(),
    all_sitemaps: bool = False,
    on_result: Callable[[Result], Awaitable[None]] | None = None,
) -> Assembly:
    """Open everything a crawl needs, on `stack`.

    `base` is the folder that hooks named by file are relative to. With `fresh` what an earlier run left is deleted.
    With `all_sitemaps` the page budget does not end the reading of sitemaps.
    Raises `ConfigError`, `HookError`, `RunLockedError`, `FrontierError`, `SinkError`, `FetchError`,
    `MissingExtraError`.
    """
    keys = KeyRules(config.scope.strip_params, config.scope.sort_query)
    requests = tuple(seed_requests(config, keys))
    seeds = [request.url for request in requests]
    scope = scope_for(config, seeds)
    run_hooks = (*(load_hook(name, base) for name in config.hooks), *hooks)
    extractor = PageExtractor(extract_settings(config, scope, keys))

    folder = config.output.folder
    layout = RunLayout(folder)
    make_folder(layout.state)
    stack.enter_context(RunLock(folder))
    # Bodies that were on their way when a session was killed.
    await asyncio.to_thread(shutil.rmtree, layout.spool, ignore_errors=True)
    if fresh:
        delete_run(layout)
        make_folder(layout.state)
    keep_config(config, layout.config)
    frontier = await SqliteFrontier.open(layout.frontier, SqliteSettings(config.durability))
    stack.push_async_callback(frontier.aclose)
    before = await frontier.counts()
    clock = Clock(session_start(wall_time(), before.checkpoints.get(CLOCK_CHECKPOINT)))
    concurrency = max_concurrency(config.limits.concurrency)

    bus = await stack.enter_async_context(EventBus(list(listeners)))
    fewer = concurrency if concurrency < config.limits.concurrency else None
    fetcher = make_fetcher(config, scope, seeds, clock, bus, layout.spool, fewer)
    stack.push_async_callback(fetcher.aclose)
    sinks = make_sinks(config)
    outputs = Fanout(sinks)
    await outputs.open(before.checkpoints)
    stack.push_async_callback(outputs.aclose)

    engine = Engine(
        replace(engine_settings(config), concurrency=concurrency, all_sitemaps=all_sitemaps),
        RunRules(
            scope, keys, politeness_settings(config), RetrySettings(config.limits.retries), robots_settings(config)
        ),
        frontier,
        fetcher,
        extractor,
        outputs,
        bus,
        clock,
        frontier_view=frontier,
        hooks=run_hooks,
        on_result=on_result,
    )
    resumed = before.known > 0
    bus.emit(
        CrawlStarted(
            clock.now(),
            config.name,
            str(folder),
            resumed,
            before.settled,
            before.waiting + before.delayed,
            concurrency,
            config.limits.max_pages,
        )
    )
    for sentence in (*warnings(config, before, clock), *few_files_warnings(config.limits.concurrency, concurrency)):
        bus.emit(Warned(clock.now(), sentence))
    left_out = dict.fromkeys(
        before.checkpoints.keys() - {CONFIG_MARK, CLOCK_CHECKPOINT, *outputs.names}, LEFT_OUT_CHECKPOINT
    )
    await frontier.settle([], {**left_out, CONFIG_MARK: _joined(section_hashes(config))})
    written = output_paths(sinks, folder)
    return Assembly(engine, frontier, bus, clock, requests, folder, written, before)


def make_folder(folder: Path) -> None:
    """Make an output folder, or say why it cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SinkError(f"{folder}: cannot make the folder: {error.strerror or error}") from error


def keep_config(config: CrawlConfig, path: Path) -> None:
    """Write the effective config to `path`, passwords masked."""
    try:
        path.write_text(effective_yaml(config), encoding="utf-8")
    except OSError as error:
        raise SinkError(f"{path}: cannot be written: {error.strerror or error}") from error


def delete_run(layout: RunLayout) -> None:
    """Delete what an earlier run left: its own files and folders, nothing else. Raises `SinkError`."""
    try:
        for folder in layout.own_folders():
            # The lock file stays: it is held by us, and another process may be waiting at it.
            for child in folder.iterdir() if folder.is_dir() else ():
                if child.is_dir() and not child.is_symlink():
                    shutil.rmtree(child)
                elif child != layout.lock:
                    child.unlink()
        for path in layout.own_files():
            path.unlink(missing_ok=True)
    except OSError as error:
        raise SinkError(f"{layout.folder}: cannot delete the earlier run: {error.strerror or error}") from error


def make_fetcher(
    config: CrawlConfig,
    scope: Scope,
    seeds: Sequence[Url],
    clock: Clock,
    bus: EventBus,
    spool: Path,
    concurrency: int | None = None,
) -> HttpFetcher:
    """The fetcher with its transport: our own, or httpx's for HTTP/2 and proxies.

    `concurrency` is how many requests run at once where that is fewer than the config says.
    """
    network, limits = config.network, config.limits
    connections = concurrency or max(limits.concurrency, KEPT_CONNECTIONS)
    guard = AddressGuard(network.allow_private, frozenset(_named_addresses(seeds)))
    timeouts = Timeouts(
        connect=min(10.0, limits.timeout),
        read=limits.timeout,
        write=limits.timeout,
        pool=limits.deadline,
        deadline=limits.deadline,
    )
    settings = FetchSettings(
        spool=SpoolSettings(spool, PAGE_IN_MEMORY),
        user_agent=config.politeness.user_agent,
        headers={name: value.reveal() for name, value in config.headers.items()},
        in_scope=lambda url: scope.check(url, 0) is None,
        auth={host: _login(login) for host, login in config.auth.items()},
        cookies=network.cookies,
        max_bytes=limits.max_bytes,
        max_file_bytes=config.files.max_bytes,
        timeouts=timeouts,
    )
    if network.proxy is not None or network.http2:
        return HttpFetcher(settings, _httpx_transport(config, guard, connections), clock=clock, emit=bus.emit)
    transport = FastTransport(
        TransportSettings(
            max_connections=connections,
            max_per_host=connections,
            verify_tls=network.verify_tls,
            timeouts=timeouts,
        ),
        guard=guard,
    )
    return HttpFetcher(settings, transport, clock=clock, emit=bus.emit)


def _httpx_transport(config: CrawlConfig, guard: AddressGuard, connections: int) -> httpx.AsyncBaseTransport:
    import httpx

    from scraper.transport.guarded_httpx import GuardedHttpxTransport

    network = config.network
    if network.http2:
        try:
            import h2  # type: ignore[import-not-found, unused-ignore]  # noqa: F401
        except ImportError:
            raise MissingExtraError("http2", "network.http2") from None
    try:
        inner = httpx.AsyncHTTPTransport(
            verify=network.verify_tls,
            http2=network.http2,
            proxy=network.proxy.reveal() if network.proxy is not None else None,
            limits=httpx.Limits(max_connections=connections),
        )
    except ImportError:
        raise MissingExtraError("socks", "a SOCKS proxy") from None
    except ValueError as error:
        raise ConfigError([Problem(str(error), "network.proxy")]) from None
    return GuardedHttpxTransport(inner, guard, proxied=network.proxy is not None)


def _named_addresses(seeds: Iterable[Url]) -> Iterator[str]:
    """Hosts that the user named as an address, or as this machine: naming them is the permission to connect."""
    for url in seeds:
        name = urlsplit(url.href).hostname or ""
        if name == "localhost" or name.endswith(".localhost") or _is_address(name):
            yield url.host


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _login(login: CredentialsSection) -> BasicAuth | BearerAuth:
    if login.bearer is not None:
        return BearerAuth(login.bearer.reveal())
    assert login.basic is not None
    user, _, password = login.basic.reveal().partition(":")
    return BasicAuth(user, password)


def make_sinks(config: CrawlConfig) -> list[Sink]:
    """Every output that the config asks for; page records are always written."""
    from scraper.sinks.jsonl import PagesSink

    folder, power = config.output.folder, config.durability == "power"
    sinks: list[Sink] = [PagesSink(folder, fsync=power), *make_item_sinks(config, folder)]
    if config.output.store == "pages":
        from scraper.sinks.page_store import PageStore

        sinks.append(PageStore(folder, fsync=power))
    if config.files.match or config.files.css:
        from scraper.sinks.files import FilesSink

        sinks.append(FilesSink(folder, fsync=power))
    return sinks


def output_paths(sinks: Iterable[Sink], folder: Path) -> dict[str, str]:
    """Where each output is, by name."""
    return {sink.name: "standard output" if sink.name == "stdout" else str(folder / sink.name) for sink in sinks}


def make_item_sinks(config: CrawlConfig, folder: Path) -> list[Sink]:
    """The outputs of what rules find, in `folder`; none without rules."""
    from scraper.sinks.jsonl import ItemsSink, RejectedSink

    columns = list(dict.fromkeys(name for rule in config.extract for name in rule.fields))
    power = config.durability == "power"
    sinks: list[Sink] = []
    for name in config.output.sinks if config.extract else ():
        if name == "jsonl":
            sinks.append(ItemsSink(folder, fsync=power))
        elif name == "csv":
            from scraper.sinks.csv import CsvSink

            sinks.append(CsvSink(folder, columns, fsync=power))
        elif name == "sqlite":
            from scraper.sinks.sqlite import SqliteSink

            sinks.append(SqliteSink(folder, columns, fsync=power))
        elif name == "parquet":
            from scraper.sinks.parquet import ParquetSink

            sinks.append(ParquetSink(folder, column_kinds(config), fsync=power))
        else:
            from scraper.sinks.stdout import StdoutSink

            sinks.append(StdoutSink())
    if config.extract:
        sinks.append(RejectedSink(folder, fsync=power))
    return sinks


def warnings(config: CrawlConfig, before: FrontierCounts, clock: Clock) -> Iterator[str]:
    """What the user should know about a run that goes on: what has changed in its config, and in the time."""
    stored = before.checkpoints.get(CONFIG_MARK, "")
    earlier = dict(part.split("=", 1) for part in stored.split(";") if "=" in part)
    if earlier and before.known:
        yield from config_change_notices(changed_sections(earlier, section_hashes(config)))
    if behind := clock_set_back_notice(wall_time(), clock.now()):
        yield behind


def _joined(parts: Mapping[str, str]) -> str:
    return ";".join(f"{name}={value}" for name, value in sorted(parts.items()))
