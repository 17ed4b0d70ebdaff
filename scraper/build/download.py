"""The recipe of a download: a list and its options become a run that is ready. The phases are described in parts.py."""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import Iterable, Iterator, Sized
from contextlib import AsyncExitStack, closing, suppress
from dataclasses import dataclass
from pathlib import Path

from scraper.build.parts import CustomParts, OnResult, Ports, RunParts, announce, wire
from scraper.clock import Clock, wall_time
from scraper.downloads.entry_namer import EntryNamer
from scraper.downloads.entry_requests import EntryRequests
from scraper.downloads.journal import Journal
from scraper.downloads.list_counts import ListCounts
from scraper.downloads.list_feed import ListFeed, ListReader, entries_from_urls
from scraper.downloads.lists.checksum_file import Checksums, read_checksums
from scraper.downloads.lists.count import count_lines
from scraper.downloads.lists.entry import BadLine, Entry
from scraper.downloads.lists.pipe_source import NoData
from scraper.downloads.lists.read import read_live_list
from scraper.downloads.manifest import ManifestSink
from scraper.downloads.mirrors import EntryMirrors
from scraper.downloads.options import (
    DownloadOptions,
    download_rules,
    engine_settings,
    fetch_settings,
    name_settings,
    transport_settings,
)
from scraper.engine.run_context import RunRules
from scraper.engine.session import CLOCK_CHECKPOINT, clock_set_back_notice, session_start
from scraper.engine.settings import EngineSettings
from scraper.errors import FrontierError
from scraper.events import CrawlStarted, EventBus
from scraper.frontier.carryover import CarryOver, read_carry_over
from scraper.frontier.interface import InspectableFrontier
from scraper.frontier.sqlite.frontier import SqliteFrontier, SqliteSettings
from scraper.model import Extraction, Response
from scraper.politeness.bandwidth import BandwidthLimiter
from scraper.politeness.host_gate import HOST_STATE_GATE, HostGate
from scraper.politeness.host_overrides import PolitenessSettings
from scraper.rundir.disk_errors import cause_text
from scraper.rundir.fd_limit import few_files_warnings, max_concurrency
from scraper.rundir.layout import RunLayout, with_sqlite_files
from scraper.rundir.lock import RunLock
from scraper.sinks.fanout import Fanout
from scraper.transfer.file_fetcher import FileFetcher
from scraper.transfer.output_folder import OutputFolder
from scraper.transfer.part_metadata import PartMetadataStore
from scraper.transport.address_guard import AddressGuard
from scraper.transport.fast_transport import FastTransport

# Requests in memory: the low-water mark of the feed and one batch.
WINDOW_ROWS = 2_500
# File descriptors of one download: its connection, its file, an idle connection of a host without requests.
FILES_PER_TRANSFER = 3


@dataclass(frozen=True, slots=True)
class DownloadParts:
    """The parts of a download: all are open, no request has been sent.

    `notices` are sentences for the user; reading the list adds to them.
    """

    run: RunParts
    manifest: ManifestSink
    feed: ListFeed
    notices: list[str]


@dataclass(frozen=True, slots=True)
class _Plan:
    """The settings that follow from the options. Reading `entries` adds to `notices`; `stop_reading` ends it."""

    settings: EngineSettings
    rules: RunRules
    checksums: Checksums | None
    entries: Iterable[Entry | BadLine | NoData]
    notices: list[str]
    stop_reading: threading.Event


@dataclass(frozen=True, slots=True)
class _Opened:
    """What is on the disk: the output folder, the journal, and the queue of this session."""

    files: OutputFolder
    journal: Journal
    frontier: InspectableFrontier
    clock: Clock


class _NoExtractor:
    """Downloads read no links."""

    def extract(self, page: Response) -> Extraction:
        return Extraction()


async def build_download(
    source: str | Path | Iterable[str],
    folder: Path,
    options: DownloadOptions,
    stack: AsyncExitStack,
    custom: CustomParts,
    *,
    counts: ListCounts | None = None,
    on_result: OnResult | None = None,
) -> DownloadParts:
    """Open the parts of a download into `folder`, and put them on `stack`.

    Raises `ConfigError`, `RunLockedError`, `FrontierError`, `SinkError`, `FetchError`; all before any request.
    """
    plan = await _translate(source, options)
    opened = await _open_state(folder, options, stack, custom, plan.rules.politeness)
    bus = await stack.enter_async_context(EventBus(list(custom.listeners)))
    mirrors = EntryMirrors(options.retries, options.backoff)
    namer = EntryNamer(name_settings(options), opened.journal, opened.files)
    feed = ListFeed(
        ListReader(plan.entries, plan.stop_reading, lambda: _count_lines(source)),
        namer,
        EntryRequests(opened.files, plan.checksums, mirrors, refresh=options.refresh),
        opened.journal,
        counts,
    )
    stack.callback(feed.close)
    file_fetcher = _make_fetcher(options, plan, folder, opened, bus, namer)
    fetcher = custom.fetcher or file_fetcher
    stack.push_async_callback(fetcher.aclose)
    manifest = ManifestSink(folder, opened.journal, fsync=options.fsync, also=Fanout(custom.sinks))
    await manifest.open()
    stack.push_async_callback(manifest.aclose)

    ports = Ports(opened.frontier, fetcher, _NoExtractor(), manifest, bus, opened.clock)
    run = wire(plan.settings, plan.rules, ports, hooks=custom.hooks, on_result=on_result, mirror_policy=mirrors)
    file_fetcher.use_slots(run.engine.connection_slots)
    resumed, concurrency = opened.journal.last_number > 0, plan.settings.concurrency
    started = CrawlStarted(opened.clock.now(), "download", str(folder), resumed, 0, 0, concurrency, None)
    announce(ports, started, _warnings(options, concurrency, opened.clock))
    return DownloadParts(run, manifest, feed, plan.notices)


async def _translate(source: str | Path | Iterable[str], options: DownloadOptions) -> _Plan:
    checksums = await asyncio.to_thread(read_checksums, options.checksums) if options.checksums else None
    notices: list[str] = []
    stop_reading = threading.Event()
    entries = _read_entries(source, notices, stop_reading)
    concurrency = max_concurrency(options.concurrency, FILES_PER_TRANSFER)
    settings = engine_settings(options, concurrency)
    return _Plan(settings, download_rules(options), checksums, entries, notices, stop_reading)


async def _open_state(
    folder: Path, options: DownloadOptions, stack: AsyncExitStack, custom: CustomParts, politeness: PolitenessSettings
) -> _Opened:
    files = await asyncio.to_thread(OutputFolder, folder, fsync=options.fsync)
    stack.callback(files.close)
    stack.enter_context(RunLock(folder))
    layout = RunLayout(folder)
    carried = await asyncio.to_thread(_prepare_state, layout, files, options.fresh, politeness)
    journal = await asyncio.to_thread(Journal, layout.download_journal, fsync=options.fsync)
    stack.callback(journal.close)
    frontier = custom.frontier or await SqliteFrontier.open(layout.download_queue, _queue_settings(options))
    stack.push_async_callback(frontier.aclose)
    await frontier.settle([], carried.checkpoints, carried.host_state)
    clock = Clock(session_start(wall_time(), carried.checkpoints.get(CLOCK_CHECKPOINT)))
    return _Opened(files, journal, frontier, clock)


def _queue_settings(options: DownloadOptions) -> SqliteSettings:
    """The settings of a queue that is created again in each session, from the list and the journal."""
    return SqliteSettings(
        "power" if options.fsync else "process",
        known_cache_keys=20_000,
        skipped_cache_keys=1_000,
        max_host_rows=WINDOW_ROWS,
        max_buffered_rows=WINDOW_ROWS,
        cache_kib=2_048,
        write_only_on_evict=True,
    )


def _warnings(options: DownloadOptions, concurrency: int, clock: Clock) -> Iterator[str]:
    yield from few_files_warnings(options.concurrency, concurrency)
    if notice := clock_set_back_notice(wall_time(), clock.now()):
        yield notice


def _read_entries(
    source: str | Path | Iterable[str], notices: list[str], halt: threading.Event
) -> Iterable[Entry | BadLine | NoData]:
    if isinstance(source, str | Path):
        return read_live_list(source, halt.is_set, notice=notices.append)
    return entries_from_urls(source)


def _count_lines(source: str | Path | Iterable[str]) -> int | None:
    if isinstance(source, str | Path):
        return count_lines(source)
    return len(source) if isinstance(source, Sized) else None


def _make_fetcher(
    options: DownloadOptions, plan: _Plan, folder: Path, opened: _Opened, bus: EventBus, namer: EntryNamer
) -> FileFetcher:
    transport = transport_settings(options, plan.settings.concurrency)
    return FileFetcher(
        fetch_settings(options),
        # The user named the URLs of the list, so they may be on this machine; where redirects lead, nobody named.
        FastTransport(transport, guard=AddressGuard(allow_private=True)),
        FastTransport(transport, guard=AddressGuard(allow_private=options.allow_private)),
        opened.files,
        PartMetadataStore(RunLayout(folder).download_parts),
        clock=opened.clock,
        emit=bus.emit,
        bandwidth=BandwidthLimiter(opened.clock, options.limit_rate, options.limit_rate_per_host),
        rename=namer.rename_from_headers,
    )


def _prepare_state(layout: RunLayout, files: OutputFolder, fresh: bool, politeness: PolitenessSettings) -> CarryOver:
    """Create the state folder and delete the queue of the last session; return what it knew about unhealthy hosts.

    The journal, not the queue, is what a download resumes from. But hosts that asked to wait must not be asked again
    because a run was restarted. With `fresh` everything of earlier runs is deleted.
    """
    state = layout.download_state
    if fresh and state.is_dir():
        _delete_run(layout, files)
    now = wall_time()

    def is_unhealthy(host: str, state: str) -> bool:
        return HostGate.from_json(politeness.for_host(host), host, state).is_unhealthy(now)

    try:
        state.mkdir(parents=True, exist_ok=True)
        carried = read_carry_over(layout.download_queue, HOST_STATE_GATE, is_unhealthy)
        for path in with_sqlite_files(layout.download_queue):
            path.unlink(missing_ok=True)
    except OSError as error:
        raise FrontierError(f"cannot write {state}: {cause_text(error)}") from error
    return carried


def _delete_run(layout: RunLayout, files: OutputFolder) -> None:
    """Delete part files, files that are as the journal has recorded them, the records, and the journal itself."""
    for path in PartMetadataStore(layout.download_parts).paths():
        files.delete_part(path)
    if layout.download_journal.exists():
        with suppress(FrontierError), closing(Journal(layout.download_journal)) as journal:
            for path, size in journal.completed():
                if files.file_size(path) == size:
                    files.delete_file(path)
    shutil.rmtree(layout.download_state, ignore_errors=True)
    for record in (layout.manifest, layout.failed):
        record.unlink(missing_ok=True)
