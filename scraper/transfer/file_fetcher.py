"""Fetches the files of a list straight to their places: a `Fetcher` whose bodies never pass through anything else.

A body that is whole when its head is read (`TransportSettings.window`) is one job of a disk thread: written, hashed,
named. A larger one is written in batches while the next one arrives: see pouring.py.

One call may ask more than once for the same URL, always for the same reason: the answer to a resumption was no proof
that the rest belongs to the part (see resume.py). Everything else, redirects and retries and mirrors, goes back
to the frontier.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import httpx

from scraper.clock import Clock
from scraper.errors import FetchError, SinkError
from scraper.events import Event
from scraper.fetch.error_mapping import failure_of
from scraper.fetch.interface import Places
from scraper.model import Body, ErrorKind, Failure, Headers, NotModified, Outcome, Request
from scraper.politeness.bandwidth_gate import Pace
from scraper.transfer.attempt import Transfer
from scraper.transfer.entry_label import Order, order_of
from scraper.transfer.file_requests import DownloadSettings, FileHeaders, conditions, is_listed, let_go, read_and_drop
from scraper.transfer.file_storage import FileTrouble, Storage
from scraper.transfer.large_file import Streaming
from scraper.transfer.output_folder import Folder
from scraper.transfer.part_file import Part, Stored, examine, store_whole
from scraper.transfer.part_metadata import Notes
from scraper.transfer.resume_rules import WHOLE, Again, Ask, Complete, Continue, Partial, Restart, judge, plan
from scraper.transfer.stream_writer import OverlapDiffers, Pouring
from scraper.transport.adapter import LeanAnswer, LeanTransport

SMALL = 64 * 1024
"""Bytes up to which a file is a small job (see `DiskThreads.run_small`)."""
MOST_ASKS = 4
"""Requests one call may make: a resumption, what it proves, a probe, the whole."""
ADOPT = "adopt"
"""The note of an order whose file may be there already, from a run that died before it could record it."""

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_NO_BODY = "sha256:"


class FileFetcher:
    """A `Fetcher` for requests with an `Order` as their label. It owns its transports and closes them, not `folder`.

    `listed` carries requests to hosts that the list names, `elsewhere` those that redirects lead to: the list is the
    permission to connect to an address, a redirect is none. The user's headers and the entry's go with the first only.
    `rename` names a file anew when its first answer has come, or returns None. Raises `FetchError` for headers that
    cannot be sent.
    """

    def __init__(
        self,
        settings: DownloadSettings,
        listed: LeanTransport,
        elsewhere: LeanTransport,
        folder: Folder,
        notes: Notes,
        *,
        clock: Clock,
        emit: Callable[[Event], None],
        pace: Pace,
        rename: Callable[[Order, Headers], str | None] = lambda *_: None,
    ) -> None:
        self._timeouts = settings.timeouts
        self._listed, self._elsewhere = listed, elsewhere
        self._headers = FileHeaders(settings)
        self._storage = Storage(folder, notes)
        self._folder, self._disk = folder, self._storage.disk
        self._pace = pace
        self._pouring = Pouring(self._storage, pace, settings.max_bytes, emit=emit, now=clock.now)
        self._streaming = Streaming(settings, self._storage, self._pouring, self._ask_once, clock.now)
        self._rename = rename
        self._now = clock.now

    def use(self, places: Places) -> None:
        """From now on, large files may be brought in segments where `places` has room for them."""
        self._streaming.places = places

    async def fetch(self, request: Request) -> Outcome:
        """Ask for the file and store it; see `Fetcher.fetch`. A `Page` with status 200 says that it is in its place."""
        transfer = Transfer(request, order_of(request), self._now())
        try:
            return await self._serve(transfer)
        except SinkError:
            raise
        except Exception as error:  # noqa: BLE001  the one door: whatever a transport raises becomes an outcome
            return self._failed(transfer, error)

    async def aclose(self) -> None:
        """Close connections and end the disk threads."""
        try:
            await self._listed.aclose()
            await self._elsewhere.aclose()
        finally:
            await self._storage.aclose()

    # -- asking

    async def _serve(self, transfer: Transfer) -> Outcome:
        request, order = transfer.request, transfer.order
        url, listed = request.url, is_listed(request)
        transport = self._listed if listed else self._elsewhere
        fields = self._headers.of(request, order, listed)
        tried = order.replace or order.tries or request.attempt or request.slowdowns
        # A first attempt at a new entry has nothing to look for.
        partial = await self._disk.run(self._storage.notes.read, self._folder, order.path) if tried else None
        ask = WHOLE if partial is None else plan(partial, url.origin)
        for _ in range(MOST_ASKS):
            headers = self._headers.with_cookies(fields, url, transfer.started_at)
            if ask is not WHOLE or order.etag or order.modified:
                conditional = not ask.ranged and not transfer.unconditional
                headers = [*headers, *ask.headers(), *(conditions(order) if conditional else ())]
            answer = await transport.exchange("GET", url.origin, url.target, headers, timeouts=self._timeouts)
            transfer.head(answer)
            self._headers.heard(url, answer.headers, self._now())
            try:
                if answer.status == 200 and partial is None and not ask.ranged:  # nothing to judge: all comes
                    outcome: Outcome | Again = await self._from_start(transfer, answer, False)
                else:
                    outcome = await self._take(transfer, answer, ask, partial)
            except OverlapDiffers:
                outcome = Again(WHOLE, True, "changed: its bytes are others now")
            finally:
                if (closing := answer.close()) is not None:
                    await let_go(closing)
            if not isinstance(outcome, Again):
                return outcome
            ask = outcome.ask
            if outcome.drop:
                transfer.note(f"restarted: {outcome.why}")
                await self._storage.drop(order.path)
                partial = None
        raise httpx.RemoteProtocolError("the server answers every way of resuming in another way")

    async def _ask_once(self, transfer: Transfer, ask: Ask) -> LeanAnswer:
        """One more request for a file that is on its way."""
        request, order, timeouts = transfer.request, transfer.order, self._timeouts
        if timeouts.deadline is not None:
            left = timeouts.deadline - (self._now() - transfer.started_at)
            timeouts = replace(timeouts, deadline=max(left, 0.0))
        url, listed = request.url, is_listed(request)
        transport = self._listed if listed else self._elsewhere
        headers = [*self._headers.of(request, order, listed), *ask.headers()]
        return await transport.exchange("GET", url.origin, url.target, headers, timeouts=timeouts)

    async def _take(self, transfer: Transfer, answer: LeanAnswer, ask: Ask, partial: Partial | None) -> Outcome | Again:
        """What one answer means for the file."""
        status, headers = answer.status, transfer.headers
        if status == 304:
            return await self._unchanged(transfer)
        if status not in (200, 203, 206, 416) or (status == 416 and not ask.ranged):
            return await self._no_file(transfer, answer)
        if status == 206 and not ask.ranged:
            raise httpx.RemoteProtocolError("a part of the content (206) came where all of it was asked for")
        match judge(ask, partial, 200 if status == 203 else status, headers, answer.length):
            case Again() as again:
                return again
            case Restart(why):
                if why:
                    transfer.note(f"restarted: {why}")
                return await self._from_start(transfer, answer, partial is not None)
            case Complete():
                assert partial is not None, "only a part can be complete"
                part = await self._streaming.resume(transfer, partial, pieces=False)
                return await self._finish(transfer, part)
            case Continue():
                assert partial is not None, "only a part can be continued"
                part = await self._streaming.go_on(transfer, answer, ask, partial)
                return await self._finish(transfer, part)

    # -- taking

    async def _from_start(self, transfer: Transfer, answer: LeanAnswer, had_part: bool) -> Outcome:
        length = answer.length
        self._pouring.check_size(length)
        if not transfer.order.replace and (path := self._rename(transfer.order, transfer.headers)) is not None:
            transfer.call(path)
        order = transfer.order
        expected = transfer.expected(partial=False)
        if answer.complete:
            content = await answer.read()
            self._pouring.check_size(len(content))
            if not self._pace.free:
                await self._pace.keep(transfer.request.url.host, len(content))
            transfer.received = len(content)
            if had_part:
                await self._storage.drop(order.path)
            facts = (self._folder, order.path, content, expected, transfer.modified(self._now()), order.replace)
            if len(content) <= SMALL:
                return self._stored(transfer, await self._storage.write_small(order.path, store_whole, *facts))
            return self._stored(transfer, await self._storage.write(store_whole, *facts))
        part = await self._streaming.begin(transfer, answer)
        return await self._finish(transfer, part)

    # -- ending

    async def _finish(self, transfer: Transfer, part: Part) -> Outcome:
        job = self._disk.run(part.finish, transfer.modified(self._now()), transfer.order.replace)
        stored = await self._storage.translated(job, part.path)
        await self._storage.write(self._storage.notes.drop, part.path)
        return self._stored(transfer, stored)

    def _stored(self, transfer: Transfer, stored: Stored) -> Outcome:
        if stored.wrong is not None:
            detail = f"{stored.wrong} was expected; what came is kept as {transfer.order.path}.bad"
            return transfer.failure(ErrorKind.CHECKSUM, detail, self._now(), permanent=True)
        if stored.taken:
            detail = f"a file called {transfer.order.path} has appeared meanwhile"
            return transfer.failure(ErrorKind.IO, detail, self._now(), permanent=True)
        return transfer.page(200, self._now(), Body(stored.size, transfer.received, f"sha256:{stored.sha256}", b""))

    async def _unchanged(self, transfer: Transfer) -> Outcome | Again:
        order = transfer.order
        if transfer.unconditional or not (order.etag or order.modified):
            raise httpx.RemoteProtocolError("304 came where nothing was asked conditionally")
        if ADOPT not in order.notes:
            return NotModified(
                transfer.request, transfer.headers, transfer.started_at, self._now() - transfer.started_at
            )
        try:
            stored = await self._storage.write(examine, self._folder, order.path, transfer.expected(partial=True))
        except FileTrouble:
            stored = None
        if stored is None or stored.wrong is not None:
            transfer.unconditional = True
            return Again(WHOLE, False, "")
        return self._stored(transfer, stored)

    async def _no_file(self, transfer: Transfer, answer: LeanAnswer) -> Outcome:
        """An answer that brings no file: a redirect, an error, something odd."""
        status = answer.status
        size = await read_and_drop(answer)
        if status >= 400 or (status in _REDIRECTS and transfer.headers.get("location") is not None):
            return transfer.page(status, self._now(), Body(0, size, _NO_BODY, b""))
        detail = f"the server answered {status}, which brings no file"
        return transfer.failure(ErrorKind.HTTP, detail, self._now(), permanent=True)

    def _failed(self, transfer: Transfer, error: Exception) -> Failure:
        now = self._now()
        if isinstance(error, FileTrouble):
            return transfer.failure(ErrorKind.IO, str(error), now, permanent=True)
        if isinstance(error, FetchError):
            return transfer.failure(ErrorKind.OTHER, str(error), now, permanent=True)
        kind, detail, permanent = failure_of(error)
        return transfer.failure(kind, detail, now, permanent=permanent or kind is ErrorKind.ADDRESS)
