"""Downloading lists: `download()` for a whole list, `Downloader` for whoever wants to stop it or watch.

It is the engine of a crawl with an extractor that finds nothing and files in place of pages: the same frontier, hosts,
retries and events. What is different:

- Requests come from a list that is read while the first files are downloaded (downloads/list_feed.py), and each carries
  its `EntryState`. robots.txt is not read: the user names every URL.
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
from typing import Any, Self

from scraper.build.download import DownloadParts, build_download
from scraper.build.parts import CustomParts, RunParts
from scraper.downloads.list_counts import ListCounts
from scraper.downloads.list_feed import ListBatch, ListFeed
from scraper.downloads.manifest import SessionTotals
from scraper.downloads.options import DownloadOptions
from scraper.engine.run_state import StopReason
from scraper.events import Listener, Warned
from scraper.fetch.interface import Fetcher
from scraper.frontier.interface import InspectableFrontier
from scraper.hooks.interface import Hook
from scraper.model import ErrorKind, Failure, Request, Result, StopKind
from scraper.run import Run
from scraper.sinks.interface import Sink
from scraper.sinks.run_to_completion import run_to_completion

__all__ = ["DownloadOptions", "DownloadSummary", "Downloader", "download"]


@dataclass(frozen=True, slots=True)
class DownloadSummary:
    """How a download ended: what the list held (`counts`), what this session recorded (`totals`), why it ended."""

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


class Downloader(Run[DownloadSummary]):
    """One run over one list. Use it once, as an async context manager or by `await Downloader.open(...)`.

    `source` is the path of a list (`-` for stdin), or URLs. `counts` is filled while the list is read.

    `sinks` get every result beside manifest.jsonl, `hooks` may change requests and responses, `listeners` watch;
    `fetcher` and `frontier` take the place of our own. The run opens and closes what it is given; each object can be
    used for one run. See docs/extending.md.

    Entering raises `ConfigError`, `RunLockedError`, `FrontierError`, `SinkError`, `FetchError`; all before any
    request.
    """

    def __init__(
        self,
        source: str | Path | Iterable[str],
        into: str | Path,
        options: DownloadOptions | None = None,
        *,
        sinks: Sequence[Sink] = (),
        fetcher: Fetcher | None = None,
        frontier: InspectableFrontier | None = None,
        hooks: Sequence[Hook] = (),
        listeners: Sequence[Listener] = (),
        counts: ListCounts | None = None,
    ) -> None:
        super().__init__()
        self._source = source
        self._folder = Path(into)
        self._options = options or DownloadOptions()
        self._custom = CustomParts(sinks, fetcher, None, frontier, hooks, listeners)
        self._parts: DownloadParts | None = None
        self.counts = counts or ListCounts()

    @classmethod
    async def open(
        cls,
        source: str | Path | Iterable[str],
        into: str | Path,
        options: DownloadOptions | None = None,
        **more: Any,
    ) -> Self:
        """A downloader that is ready to run; `more` are the other parameters of the class. Close it with `aclose`."""
        downloader = cls(source, into, options, **more)
        return await downloader.__aenter__()

    async def _build(self, stack: AsyncExitStack) -> RunParts:
        self._parts = await build_download(
            self._source,
            self._folder,
            self._options,
            stack,
            self._custom,
            counts=self.counts,
            on_result=self._channel.put,
        )
        return self._parts.run

    async def _run(self, parts: RunParts) -> DownloadSummary:
        download_parts = self._parts
        assert download_parts is not None
        stop = await parts.engine.run((), self._batches(download_parts))
        if stop.kind is StopKind.FINISHED:
            await self._give_up_the_rest(download_parts, stop)
        await download_parts.manifest.finish(list(self.counts.failed_comments()))
        return DownloadSummary(self._folder, stop, self.counts, download_parts.manifest.totals)

    async def _batches(self, parts: DownloadParts) -> AsyncIterator[list[Request]]:
        """What is to be asked for, as the list is read."""
        while (batch := await _next_batch(parts.feed)) is not None:
            for row in batch.rows:
                parts.manifest.add_row(row)
            while parts.notices:
                parts.run.ports.bus.emit(Warned(parts.run.ports.clock.now(), parts.notices.pop(0)))
            if batch.requests:
                yield batch.requests
            elif batch.rows:
                await parts.manifest.flush()

    async def _give_up_the_rest(self, parts: DownloadParts, stop: StopReason) -> None:
        """Record what still waits at hosts that were given up."""
        async for request in parts.run.ports.frontier.waiting():
            why = parts.run.engine.skip_for_unfetched(request, stop).rule
            failure = Failure(request, ErrorKind.CONNECT, why, started_at=parts.run.ports.clock.now(), permanent=True)
            parts.manifest.write(Result(request, failure))


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
    sinks: Sequence[Sink] = (),
    fetcher: Fetcher | None = None,
    frontier: InspectableFrontier | None = None,
    hooks: Sequence[Hook] = (),
    listeners: Sequence[Listener] = (),
) -> DownloadSummary:
    """Download a list of URLs, or the list in a file, into the folder `into`; see `Downloader`.

    Failures of single files are in the summary, manifest.jsonl and failed.txt; nothing is raised for them.
    """
    async with Downloader(
        urls,
        into,
        options,
        sinks=sinks,
        fetcher=fetcher,
        frontier=frontier,
        hooks=hooks,
        listeners=listeners,
    ) as downloader:
        return await downloader.run()
