"""Downloading lists: `download()` for a whole list, `Downloader` for whoever wants to stop it or watch.

It is the crawl's machine with an extractor that finds nothing and files in place of pages: the same frontier, hosts,
retries and events. What is different is known in this room alone:

- Requests come from a list that is read while the first files are on their way (feed.py), and each carries its
  `EntryState`. robots.txt is not read: the user names every URL himself.
- The journal, not the frontier, is what a run resumes from. The frontier is made anew in every session and filled with
  what the list asks for and the journal does not have, so a list may change between two runs.
- A redirect stays with its entry, because two entries may lead to one file. One that fails turns to its next mirror.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from scraper.downloads.build import DownloadParts, build_download
from scraper.downloads.list_counts import ListCounts
from scraper.downloads.list_feed import ListBatch, ListFeed
from scraper.downloads.manifest import SessionTotals
from scraper.downloads.options import DownloadOptions
from scraper.engine.run_state import RunState, StopReason
from scraper.events import Listener, Warned
from scraper.model import ErrorKind, Failure, Request, Result, StopKind
from scraper.sinks.disk_errors import run_to_completion

__all__ = ["DownloadOptions", "DownloadSummary", "Downloader", "download"]


@dataclass(frozen=True, slots=True)
class DownloadSummary:
    """How a download ended: what the list held (`tally`), what this session recorded (`totals`), why it ended."""

    folder: Path
    stop: StopReason
    counts: ListCounts
    totals: SessionTotals

    @property
    def why(self) -> str:
        """Why the run ended: finished, interrupted or bug."""
        return self.stop.kind

    @property
    def ok(self) -> int:
        """Entries whose file is in its place, those of earlier runs included."""
        return self.totals.done + self.totals.unchanged + self.counts.complete

    @property
    def failed(self) -> int:
        """Lines that brought no file: failures, bad lines, entries without a name."""
        return self.totals.failed + self.counts.bad_lines + self.counts.unnamed

    @property
    def mismatched(self) -> int:
        """Entries whose bytes were not those of their checksum."""
        return self.totals.errors["checksum"]

    @property
    def idle(self) -> bool:
        """Whether nothing had to be asked for."""
        return self.counts.requested == 0


class Downloader:
    """One run over one list. Use it once, as an async context manager.

    `source` is the path of a list (`-` for stdin), or URLs. `tally` is filled while the list is read.
    Entering raises `ConfigError`, `RunLockedError`, `FrontierError`, `SinkError`, `FetchError`; all before any
    request.
    """

    def __init__(
        self,
        source: str | Path | Iterable[str],
        into: str | Path,
        options: DownloadOptions | None = None,
        *,
        listeners: Sequence[Listener] = (),
        counts: ListCounts | None = None,
    ) -> None:
        self._source = source
        self._folder = Path(into)
        self._options = options or DownloadOptions()
        self._listeners = listeners
        self._stack = AsyncExitStack()
        self._parts: DownloadParts | None = None
        self.counts = counts or ListCounts()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            self._parts = await build_download(
                self._source, self._folder, self._options, stack, listeners=self._listeners, counts=self.counts
            )
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
    def run_state(self) -> RunState:
        """The running engine's shared state, for whoever handles signals."""
        return self._opened.engine.state

    def stop(self, reason: StopReason | None = None) -> None:
        """Ask for a clean end: what has come is kept, the rest stays for the next run."""
        self._opened.engine.stop(reason or StopReason(StopKind.INTERRUPTED, "stop was called"))

    async def run(self) -> DownloadSummary:
        """Download to the end and return the summary; manifest.jsonl and failed.txt are written.

        Raises `SinkError` or `FrontierError` when something cannot be written; the run can then be resumed.
        """
        parts = self._opened
        stop = await parts.engine.run((), self._batches(parts))
        if stop.kind is StopKind.FINISHED:
            await self._give_up_the_rest(parts, stop)
        await parts.sink.finish(list(self.counts.failed_comments()))
        return DownloadSummary(self._folder, stop, self.counts, parts.sink.totals)

    @property
    def _opened(self) -> DownloadParts:
        if self._parts is None:
            raise RuntimeError("open the downloader first: async with Downloader(...) as downloader")
        return self._parts

    async def _batches(self, parts: DownloadParts) -> AsyncIterator[list[Request]]:
        """What is to be asked for, as the list is read."""
        while (batch := await _next_batch(parts.feed)) is not None:
            for row in batch.rows:
                parts.sink.add_row(row)
            while parts.notices:
                parts.bus.emit(Warned(parts.clock.now(), parts.notices.pop(0)))
            if batch.requests:
                yield batch.requests
            elif batch.rows:
                await parts.sink.flush()

    async def _give_up_the_rest(self, parts: DownloadParts, stop: StopReason) -> None:
        """Record what still waits at hosts that were given up."""
        async for request in parts.frontier.waiting():
            why = parts.engine.skip_for_unfetched(request, stop).rule
            failure = Failure(request, ErrorKind.CONNECT, why, started_at=parts.clock.now(), permanent=True)
            parts.sink.write(Result(request, failure))


async def _next_batch(feed: ListFeed) -> ListBatch | None:
    """The next lines of the list. A cancellation ends the wait for them first: their thread works on what is open."""
    reading = asyncio.get_running_loop().create_task(asyncio.to_thread(feed.next_batch))
    try:
        return await asyncio.shield(reading)
    except asyncio.CancelledError:
        feed.stop_waiting()
        await run_to_completion(asyncio.wait([reading]))
        raise


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
