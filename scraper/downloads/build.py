"""From a list and its options to a machine that is ready to run: what `assemble.py` is for a crawl.

What is opened is put on an exit stack in order (folder, lock, journal, queue, listeners, fetcher, outputs) and closed
in reverse, also when a later part cannot be opened.
"""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import Iterable, Sequence, Sized
from contextlib import AsyncExitStack, closing, suppress
from dataclasses import dataclass
from pathlib import Path

from scraper.clock import Clock, wall_time
from scraper.downloads.journal import Journal
from scraper.downloads.list_counts import Tally
from scraper.downloads.list_feed import ListFeed, lines_of
from scraper.downloads.lists.checksum_file import read_checksums
from scraper.downloads.lists.count import count_lines
from scraper.downloads.lists.entry import BadLine, Entry
from scraper.downloads.lists.pipe_source import Lull
from scraper.downloads.lists.read import read_as_it_comes
from scraper.downloads.manifest import FAILED, MANIFEST, ManifestSink
from scraper.downloads.mirrors import Mirrors
from scraper.downloads.options import (
    DownloadOptions,
    download_rules,
    engine_settings,
    fetch_settings,
    name_settings,
    transport_settings,
)
from scraper.engine.engine import Engine
from scraper.engine.host_registry import GATE_NOTE
from scraper.engine.session import CLOCK_MARK, epoch, set_back
from scraper.errors import FrontierError
from scraper.events import CrawlStarted, EventBus, Listener, Warned
from scraper.frontier.carryover import Remains, remains_of
from scraper.frontier.inspect import DOWNLOAD_STATE
from scraper.frontier.sqlite.frontier import SqliteFrontier, SqliteSettings
from scraper.model import Harvest, Page
from scraper.politeness.bandwidth_gate import Pace
from scraper.politeness.host_gate import HostGate
from scraper.politeness.host_overrides import PolitenessSettings
from scraper.rundir.fd_limit import affordable, too_few_files
from scraper.rundir.lock import RunLock
from scraper.transfer.file_fetcher import FileFetcher
from scraper.transfer.output_folder import Folder
from scraper.transfer.part_metadata import Notes
from scraper.transport.address_guard import AddressGuard
from scraper.transport.fast_transport import FastTransport

STATE = DOWNLOAD_STATE
"""The state of downloads inside the output folder; a crawl's lies beside it."""
JOURNAL = "journal.sqlite"
QUEUE = "queue.sqlite"
PARTS = "parts"
WINDOW_ROWS = 2_500
"""Requests that wait in RAM: what is read ahead of the list, and a batch."""
FILES_EACH = 3
"""Open files of one transfer: its connection, its file, an idle connection of a host that is done."""


@dataclass(frozen=True, slots=True)
class DownloadAssembly:
    """A machine that is ready: everything is open, nothing has been asked for. `notices` fill as the list is read."""

    engine: Engine
    frontier: SqliteFrontier
    sink: ManifestSink
    feed: ListFeed
    bus: EventBus
    clock: Clock
    notices: list[str]


class _FindsNothing:
    """The extractor of a download."""

    def extract(self, page: Page) -> Harvest:
        return Harvest()


async def assemble_download(
    source: str | Path | Iterable[str],
    folder: Path,
    options: DownloadOptions,
    stack: AsyncExitStack,
    *,
    listeners: Sequence[Listener] = (),
    tally: Tally | None = None,
) -> DownloadAssembly:
    """Open everything a download into `folder` needs, on `stack`.

    Raises `ConfigError`, `RunLocked`, `FrontierError`, `SinkError`, `FetchError`; all before any request.
    """
    checksums = await asyncio.to_thread(read_checksums, options.checksums) if options.checksums else None
    notices: list[str] = []
    halt = threading.Event()
    entries = _entries(source, notices, halt)

    files = await asyncio.to_thread(Folder, folder, power=options.fsync)
    stack.callback(files.close)
    stack.enter_context(RunLock(folder))
    state = folder / STATE
    rules = download_rules(options)
    remains = await asyncio.to_thread(_prepare, folder, files, options.fresh, rules.politeness)
    journal = await asyncio.to_thread(Journal, state / JOURNAL, power=options.fsync)
    stack.callback(journal.close)
    frontier = await SqliteFrontier.open(
        state / QUEUE,
        SqliteSettings(
            "power" if options.fsync else "process",
            known_keys=20_000,
            skipped_keys=1_000,
            host_rows=WINDOW_ROWS,
            window_rows=WINDOW_ROWS,
            cache_kib=2_048,
            lazy=True,
        ),
    )
    stack.push_async_callback(frontier.aclose)
    await frontier.settle([], remains.marks, remains.notes)
    clock = Clock(epoch(wall_time(), remains.marks.get(CLOCK_MARK)))
    concurrency = affordable(options.concurrency, FILES_EACH)

    bus = await stack.enter_async_context(EventBus(list(listeners)))
    mirrors = Mirrors(options.retries, options.backoff)
    feed = ListFeed(
        entries,
        name_settings(options),
        journal,
        files,
        checksums,
        refresh=options.refresh,
        tally=tally,
        halt=halt,
        mirrors=mirrors,
        count=lambda: _count(source),
    )
    stack.callback(feed.close)
    fetcher = _make_fetcher(options, concurrency, files, Notes(state / PARTS), clock, bus, feed)
    stack.push_async_callback(fetcher.aclose)
    sink = ManifestSink(folder, journal, power=options.fsync)
    await sink.open()
    stack.push_async_callback(sink.aclose)

    engine = Engine(
        engine_settings(options, concurrency),
        rules,
        frontier,
        fetcher,
        _FindsNothing(),
        sink,
        bus,
        clock,
        ledger=frontier,
        alternatives=mirrors,
    )
    fetcher.use(engine.places)
    bus.emit(CrawlStarted(clock.now(), "download", str(folder), journal.last > 0, 0, 0, concurrency, None))
    behind = set_back(wall_time(), clock.now())
    for sentence in (*too_few_files(options.concurrency, concurrency), *filter(None, [behind])):
        bus.emit(Warned(clock.now(), sentence))
    return DownloadAssembly(engine, frontier, sink, feed, bus, clock, notices)


def _entries(
    source: str | Path | Iterable[str], notices: list[str], halt: threading.Event
) -> Iterable[Entry | BadLine | Lull]:
    if isinstance(source, str | Path):
        return read_as_it_comes(source, halt.is_set, notice=notices.append)
    return lines_of(source)


def _count(source: str | Path | Iterable[str]) -> int | None:
    if isinstance(source, str | Path):
        return count_lines(source)
    return len(source) if isinstance(source, Sized) else None


def _make_fetcher(
    options: DownloadOptions, concurrency: int, files: Folder, notes: Notes, clock: Clock, bus: EventBus, feed: ListFeed
) -> FileFetcher:
    transport = transport_settings(options, concurrency)
    return FileFetcher(
        fetch_settings(options),
        FastTransport(transport, guard=AddressGuard(allow_private=True)),
        FastTransport(transport, guard=AddressGuard(allow_private=options.allow_private)),
        files,
        notes,
        clock=clock,
        emit=bus.emit,
        pace=Pace(clock, options.limit_rate, options.limit_rate_per_host),
        rename=feed.rename,
    )


def _prepare(folder: Path, files: Folder, fresh: bool, politeness: PolitenessSettings) -> Remains:
    """Make the state's folder, and take the queue of an earlier session away; return what it knew of hosts in trouble.

    With `fresh` all that an earlier run left is deleted.
    """
    state = folder / STATE
    if fresh and state.is_dir():
        _delete_run(folder, files)
    now = wall_time()

    def in_trouble(host: str, note: str) -> bool:
        return HostGate.restore(politeness.for_host(host), host, note).troubled(now)

    try:
        state.mkdir(parents=True, exist_ok=True)
        remains = remains_of(state / QUEUE, GATE_NOTE, in_trouble)
        for name in (QUEUE, f"{QUEUE}-wal", f"{QUEUE}-shm"):
            (state / name).unlink(missing_ok=True)
    except OSError as error:
        raise FrontierError(f"cannot write {state}: {error.strerror or error}") from error
    return remains


def _delete_run(folder: Path, files: Folder) -> None:
    """Delete the files that the journal lists and that are as it left them, parts, records, the journal itself."""
    state = folder / STATE
    for path in Notes(state / PARTS).paths():
        files.drop_part(path)
    if (state / JOURNAL).exists():
        with suppress(FrontierError), closing(Journal(state / JOURNAL)) as journal:
            for path, size in journal.done():
                if files.size(path) == size:
                    files.delete(path)
    shutil.rmtree(state, ignore_errors=True)
    for name in (MANIFEST, FAILED):
        (folder / name).unlink(missing_ok=True)
