"""Downloading lists: `download()` for a whole list, `Downloader` for whoever wants to stop it or watch.

It is the crawl's machine with an extractor that finds nothing and files in place of pages: the same frontier, hosts,
retries and events. What is different is known here alone:

- Requests come from a list that is read while the first files are on their way (`feed.py`), and each carries its
  `Order`. robots.txt is not read: the user names every URL himself.
- The journal, not the frontier, is what a run resumes from. The frontier is made anew in every session and filled with
  what the list asks for and the journal does not have, so a list may change between two runs.
- A redirect stays with its entry, because two entries may lead to one file. One that fails turns to its next mirror.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from scraper.clock import Clock
from scraper.engine.crawl import Engine
from scraper.engine.floor import Floor, Stop
from scraper.engine.premises import Rules
from scraper.engine.settings import EngineSettings
from scraper.engine.shutdown import INTERRUPTED
from scraper.errors import ConfigError, FrontierError
from scraper.events import CrawlStarted, EventBus, Listener, Warned
from scraper.feed import ListFeed, Tally, lines_of, next_mirror
from scraper.fetch.files import DownloadSettings, FileFetcher
from scraper.fetch.folder import Folder
from scraper.fetch.guard import AddressGuard
from scraper.fetch.limits import Timeouts, TransportSettings
from scraper.fetch.pace import Pace
from scraper.fetch.part import Notes
from scraper.fetch.transport import FastTransport
from scraper.frontier.lock import RunLock
from scraper.frontier.sqlite import SqliteFrontier, SqliteSettings
from scraper.lists.entry import BadLine, Entry
from scraper.lists.names import Collision, NameSettings
from scraper.lists.order import order_of
from scraper.lists.read import read_list
from scraper.lists.sums import Checksums, read_checksums
from scraper.model import ErrorKind, Failure, Harvest, NotModified, Outcome, Page, Request, Result
from scraper.politeness.breaker import BreakerSettings
from scraper.politeness.gate import GateSettings
from scraper.politeness.overlays import PolitenessSettings
from scraper.politeness.retry import RetrySettings
from scraper.politeness.robots import RobotsSettings
from scraper.sinks.disk import uninterrupted
from scraper.sinks.journal import Journal
from scraper.sinks.manifest import FAILED, MANIFEST, ManifestSink, Totals
from scraper.urls.canonicalise import KeyRules
from scraper.urls.scope import Scope, ScopeSettings

STATE = Path(".scrape") / "download"
"""The state of downloads inside the output folder; a crawl's lies beside it."""
USER_AGENT = "scraper/1.0"
GRACE = 1.0
"""Seconds that transfers may go on after a stop was asked for: what has come by then is kept anyway."""
DESCRIPTORS_KEPT = 32
"""File descriptors for all that is neither a connection nor a file on its way."""
DESCRIPTORS_EACH = 3
"""For every transfer: its connection, its file, an idle connection of a host that is done."""


@dataclass(frozen=True, slots=True)
class DownloadOptions:
    """How a list is downloaded. Times are seconds, sizes bytes, None is no limit.

    `concurrency` transfers at once, `per_host` to one host; `rate` starts a second at one host;
    `limit_rate` bytes a second in all, `limit_rate_per_host` from one. The pause
    before a retry doubles from `backoff`. `timeout` is the
    longest silence, `deadline` the longest time of one transfer. `name` is a template (see `lists.template`),
    `checksums` a file such as SHA256SUMS. `refresh` asks for complete files again, conditionally; `fresh` deletes
    what an earlier run left. `allow_private`: redirects may lead to private addresses, too; listed URLs always may.
    """

    concurrency: int = 64
    per_host: int = 4
    rate: float | None = None
    limit_rate: int | None = None
    limit_rate_per_host: int | None = None
    retries: int = 3
    backoff: float = 1.0
    timeout: float = 30.0
    deadline: float | None = None
    max_bytes: int | None = None
    max_redirects: int = 10
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    user_agent: str = USER_AGENT
    checksums: Path | None = None
    name: str = "{name}"
    collision: Collision = "rename"
    refresh: bool = False
    fresh: bool = False
    allow_private: bool = False


@dataclass(frozen=True, slots=True)
class DownloadSummary:
    """How a download ended: what the list held (`tally`), what this session recorded (`totals`), why it ended."""

    folder: Path
    stop: Stop
    tally: Tally
    totals: Totals

    @property
    def why(self) -> str:
        """Why the run ended: finished, interrupted or bug."""
        return self.stop.why

    @property
    def ok(self) -> int:
        """Entries whose file is in its place, those of earlier runs included."""
        return self.totals.done + self.totals.unchanged + self.tally.complete

    @property
    def failed(self) -> int:
        """Lines that brought no file: failures, bad lines, entries without a name."""
        return self.totals.failed + self.tally.bad + self.tally.refused

    @property
    def mismatched(self) -> int:
        """Entries whose bytes were not those of their checksum."""
        return self.totals.errors["checksum"]

    @property
    def idle(self) -> bool:
        """Whether nothing had to be asked for."""
        return self.tally.asked == 0


class _FindsNothing:
    """The extractor of a download."""

    def extract(self, page: Page) -> Harvest:
        return Harvest()


class Downloader:
    """One run over one list. Use it once, as an async context manager.

    `source` is the path of a list (`-` for stdin), or URLs. `tally` is filled while the list is read.
    Entering raises `ConfigError`, `RunLocked`, `FrontierError`, `SinkError`, `FetchError`; all before any
    request.
    """

    def __init__(
        self,
        source: str | Path | Iterable[str],
        into: str | Path,
        options: DownloadOptions | None = None,
        *,
        listeners: Sequence[Listener] = (),
        tally: Tally | None = None,
    ) -> None:
        self._source = source
        self._folder = Path(into)
        self._options = options or DownloadOptions()
        self._listeners = listeners
        self._stack = AsyncExitStack()
        self._parts: _Parts | None = None
        self.tally = tally or Tally()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            self._parts = await self._open(stack)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close everything. May be called again."""
        await self._stack.aclose()

    @property
    def floor(self) -> Floor:
        """The running engine's shared state, for whoever handles signals."""
        return self._opened.engine.floor

    def stop(self, reason: Stop | None = None) -> None:
        """Ask for a clean end: what has come is kept, the rest stays for the next run."""
        self._opened.engine.stop(reason or Stop(INTERRUPTED, "stop was called"))

    async def run(self) -> DownloadSummary:
        """Download to the end and return the summary; manifest.jsonl and failed.txt are written.

        Raises `SinkError` or `FrontierError` when something cannot be written; the run can then be resumed.
        """
        parts = self._opened
        stop = await parts.engine.run((), self._batches(parts))
        if stop.why == "finished":
            await self._give_up_the_rest(parts, stop)
        await parts.sink.conclude()
        return DownloadSummary(self._folder, stop, self.tally, parts.sink.totals)

    @property
    def _opened(self) -> _Parts:
        if self._parts is None:
            raise RuntimeError("open the downloader first: async with Downloader(...) as downloader")
        return self._parts

    async def _open(self, stack: AsyncExitStack) -> _Parts:
        options, clock = self._options, Clock()
        checksums = await asyncio.to_thread(read_checksums, options.checksums) if options.checksums else None
        notices: list[str] = []
        entries = self._entries(notices)
        names = NameSettings(options.name, options.collision)

        files = await asyncio.to_thread(Folder, self._folder)
        stack.callback(files.close)
        stack.enter_context(RunLock(self._folder))
        state = self._folder / STATE
        await asyncio.to_thread(_prepare, self._folder, files, options.fresh)
        journal = await asyncio.to_thread(Journal, state / "journal.sqlite")
        stack.callback(journal.close)
        frontier = await SqliteFrontier.open(
            state / "queue.sqlite",
            SqliteSettings(known_keys=20_000, skipped_keys=1_000, window_rows=2_000, cache_kib=8_192),
        )
        stack.push_async_callback(frontier.aclose)

        bus = await stack.enter_async_context(EventBus(list(self._listeners)))
        feed = self._feed(entries, names, journal, files, checksums)
        stack.callback(feed.close)
        fetcher = self._fetcher(files, Notes(state / "parts"), clock, bus, feed)
        stack.push_async_callback(fetcher.aclose)
        sink = ManifestSink(self._folder, journal)
        await sink.open()
        stack.push_async_callback(sink.aclose)
        engine = Engine(
            EngineSettings(
                name="download",
                concurrency=_possible(options.concurrency),
                max_redirects=options.max_redirects,
                grace=GRACE,
                follow_in_place=True,
                sitemaps=False,
                obey_robots=False,
            ),
            self._rules(),
            frontier,
            fetcher,
            _FindsNothing(),
            sink,
            bus,
            clock,
            ledger=frontier,
            otherwise=_mirror_instead,
        )
        bus.emit(
            CrawlStarted(clock.now(), "download", str(self._folder), journal.last > 0, 0, 0, options.concurrency, None)
        )
        return _Parts(engine, frontier, sink, feed, bus, clock, notices)

    def _entries(self, notices: list[str]) -> Iterable[Entry | BadLine]:
        source = self._source
        if isinstance(source, str | Path):
            return read_list(source, notice=notices.append)
        return lines_of(source)

    def _feed(
        self,
        entries: Iterable[Entry | BadLine],
        names: NameSettings,
        journal: Journal,
        files: Folder,
        checksums: Checksums | None,
    ) -> ListFeed:
        return ListFeed(entries, names, journal, files, checksums, refresh=self._options.refresh, tally=self.tally)

    def _fetcher(self, files: Folder, notes: Notes, clock: Clock, bus: EventBus, feed: ListFeed) -> FileFetcher:
        options = self._options
        timeouts = Timeouts(
            connect=min(10.0, options.timeout),
            read=options.timeout,
            write=options.timeout,
            pool=None,
            deadline=options.deadline,
        )
        concurrency = _possible(options.concurrency)
        transport = TransportSettings(max_connections=concurrency, max_per_host=concurrency, timeouts=timeouts)
        listed = FastTransport(transport, guard=AddressGuard(allow_private=True))
        elsewhere = FastTransport(transport, guard=AddressGuard(allow_private=options.allow_private))
        settings = DownloadSettings(options.user_agent, options.headers, options.max_bytes, timeouts)
        pace = Pace(clock, options.limit_rate, options.limit_rate_per_host)
        return FileFetcher(
            settings, listed, elsewhere, files, notes, clock=clock, emit=bus.emit, pace=pace, rename=feed.rename
        )

    def _rules(self) -> Rules:
        options = self._options
        gate = GateSettings(
            rate=options.rate,
            concurrency=options.per_host,
            adaptive=False,
            breaker=BreakerSettings(open=10.0, max_open=300.0, give_up=4),
        )
        return Rules(
            Scope(ScopeSettings(mode="any"), ()),
            KeyRules(),
            PolitenessSettings(gate),
            RetrySettings(options.retries, base=options.backoff, cap=max(60.0, options.backoff)),
            RobotsSettings(options.user_agent, "ignore"),
        )

    async def _batches(self, parts: _Parts) -> AsyncIterator[list[Request]]:
        """What is to be asked for, as the list is read."""
        while (batch := await uninterrupted(asyncio.to_thread(parts.feed.batch))) is not None:
            for row in batch.noted:
                parts.sink.note(row)
            while parts.notices:
                parts.bus.emit(Warned(parts.clock.now(), parts.notices.pop(0)))
            if batch.requests:
                yield batch.requests
            elif batch.noted:
                await parts.sink.flush()

    async def _give_up_the_rest(self, parts: _Parts, stop: Stop) -> None:
        """Record what still waits at hosts that were given up."""
        async for request in parts.frontier.waiting():
            why = parts.engine.leftover(request, stop).rule
            failure = Failure(request, ErrorKind.CONNECT, why, started_at=parts.clock.now(), permanent=True)
            parts.sink.write(Result(request, failure))


@dataclass(frozen=True, slots=True)
class _Parts:
    """What is open during a run."""

    engine: Engine
    frontier: SqliteFrontier
    sink: ManifestSink
    feed: ListFeed
    bus: EventBus
    clock: Clock
    notices: list[str]


async def download(
    urls: str | Path | Iterable[str],
    into: str | Path,
    options: DownloadOptions | None = None,
    *,
    listeners: Sequence[Listener] = (),
) -> DownloadSummary:
    """Download a list of URLs, or the list in a file, into the folder `into`; see `Downloader`.

    Failures of single files are in the summary, manifest.jsonl and failed.txt; nothing is raised for them.
    """
    async with Downloader(urls, into, options, listeners=listeners) as downloader:
        return await downloader.run()


def _mirror_instead(outcome: Outcome) -> Request | None:
    """The next mirror of an entry that has failed for good at this one."""
    if isinstance(outcome, NotModified) or (isinstance(outcome, Page) and outcome.status < 400):
        return None
    if isinstance(outcome, Failure) and outcome.error is ErrorKind.IO:
        return None
    request = outcome.request
    return next_mirror(order_of(request), request.attempt + request.slowdowns + 1)


def _prepare(folder: Path, files: Folder, fresh: bool) -> None:
    """Make the state's folder; with `fresh`, delete what an earlier run left. A queue of an earlier session goes."""
    state = folder / STATE
    if fresh and state.is_dir():
        _delete_run(folder, files)
    try:
        state.mkdir(parents=True, exist_ok=True)
        for name in ("queue.sqlite", "queue.sqlite-wal", "queue.sqlite-shm"):
            (state / name).unlink(missing_ok=True)
    except OSError as error:
        raise FrontierError(f"cannot write {state}: {error.strerror or error}") from error


def _delete_run(folder: Path, files: Folder) -> None:
    """Delete the files that the journal lists and that are as it left them, parts, records, the journal itself."""
    state = folder / STATE
    for path in Notes(state / "parts").paths():
        files.drop_part(path)
    if (state / "journal.sqlite").exists():
        with suppress(FrontierError), closing(Journal(state / "journal.sqlite")) as journal:
            for path, size in journal.done():
                if files.size(path) == size:
                    files.delete(path)
    shutil.rmtree(state, ignore_errors=True)
    for name in (MANIFEST, FAILED):
        (folder / name).unlink(missing_ok=True)


def _possible(concurrency: int) -> int:
    """How many of `concurrency` transfers the limit on open files allows."""
    try:
        import resource
    except ImportError:  # not on Windows, whose limit is far away
        return concurrency
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if soft == resource.RLIM_INFINITY:
        return concurrency
    room = (soft - DESCRIPTORS_KEPT) // DESCRIPTORS_EACH
    if room < 1:
        raise ConfigError(
            f"only {soft} files may be open at once (ulimit -n); at least {DESCRIPTORS_KEPT + 3} are needed"
        )
    return min(concurrency, room)
