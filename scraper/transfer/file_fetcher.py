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
from scraper.fetch.error_mapping import classify_error
from scraper.fetch.interface import SlotProvider
from scraper.fetch.response_body import close_quietly, discard_body
from scraper.model import REDIRECT_STATUSES, Body, ErrorKind, Failure, Headers, NotModified, Outcome, Request
from scraper.politeness.bandwidth import BandwidthLimiter
from scraper.transfer.attempt import DownloadAttempt
from scraper.transfer.entry_state import EntryState, entry_of
from scraper.transfer.file_requests import (
    DownloadHeaders,
    DownloadSettings,
    conditional_headers,
    is_listed_origin,
)
from scraper.transfer.file_storage import FileStorage, FileWriteError
from scraper.transfer.large_file import LargeFileDownload
from scraper.transfer.output_folder import OutputFolder
from scraper.transfer.part_file import PartFile, StoredFile, hash_file, store_small_file
from scraper.transfer.part_metadata import PartMetadataStore
from scraper.transfer.resume_rules import (
    WHOLE_FILE,
    Continue,
    PartComplete,
    PartState,
    RangeRequest,
    Restart,
    RetryWith,
    evaluate_response,
    plan_request,
)
from scraper.transfer.stream_writer import OverlapMismatch, StreamWriter
from scraper.transport.adapter import RawResponse, RawTransport

MAX_INLINE_BYTES = 64 * 1024
"""Bytes up to which a file is a small job (see `DiskThreads.run_small`)."""
MAX_REQUESTS = 4
"""Requests one call may make: a resumption, what it proves, a probe, the whole."""
ADOPT_EXISTING = "adopt"
"""The note of an order whose file may be there already, from a run that died before it could record it."""

_EMPTY_DIGEST = "sha256:"


class FileFetcher:
    """A `Fetcher` for requests with an `EntryState` as their label. It owns its transports and closes them, not
    `folder`.

    `listed` carries requests to hosts that the list names, `elsewhere` those that redirects lead to: the list is the
    permission to connect to an address, a redirect is none. The user's headers and the entry's go with the first only.
    `rename` names a file anew when its first answer has come, or returns None. Raises `FetchError` for headers that
    cannot be sent.
    """

    def __init__(
        self,
        settings: DownloadSettings,
        listed_transport: RawTransport,
        redirect_transport: RawTransport,
        folder: OutputFolder,
        part_metadata: PartMetadataStore,
        *,
        clock: Clock,
        emit: Callable[[Event], None],
        bandwidth: BandwidthLimiter,
        rename: Callable[[EntryState, Headers], str | None] = lambda *_: None,
    ) -> None:
        self._timeouts = settings.timeouts
        self._listed_transport, self._redirect_transport = listed_transport, redirect_transport
        self._headers = DownloadHeaders(settings)
        self._storage = FileStorage(folder, part_metadata)
        self._folder, self._disk = folder, self._storage.disk
        self._bandwidth = bandwidth
        self._writer = StreamWriter(self._storage, bandwidth, settings.max_bytes, emit=emit, now=clock.now)
        self._large_files = LargeFileDownload(settings, self._storage, self._writer, self._send_once, clock.now)
        self._rename = rename
        self._now = clock.now

    def use_slots(self, places: SlotProvider) -> None:
        """From now on, large files may be brought in segments where `places` has room for them."""
        self._large_files.slots = places

    async def fetch(self, request: Request) -> Outcome:
        """Ask for the file and store it; see `Fetcher.fetch`. A `Response` with status 200 says that it is in its
        place."""
        transfer = DownloadAttempt(request, entry_of(request), self._now())
        try:
            return await self._download(transfer)
        except SinkError:
            raise
        except Exception as error:  # noqa: BLE001  the one door: whatever a transport raises becomes an outcome
            return self._failure(transfer, error)

    async def aclose(self) -> None:
        """Close connections and end the disk threads."""
        try:
            await self._listed_transport.aclose()
            await self._redirect_transport.aclose()
        finally:
            await self._storage.aclose()

    # -- asking

    async def _download(self, transfer: DownloadAttempt) -> Outcome:
        request, order = transfer.request, transfer.order
        url, listed = request.url, is_listed_origin(request)
        transport = self._listed_transport if listed else self._redirect_transport
        fields = self._headers.request_fields(request, order, listed)
        tried = order.replace or order.tries or request.attempt or request.slowdowns
        # A first attempt at a new entry has nothing to look for.
        partial = await self._disk.run(self._storage.part_metadata.read, self._folder, order.path) if tried else None
        ask = WHOLE_FILE if partial is None else plan_request(partial, url.origin)
        for _ in range(MAX_REQUESTS):
            headers = self._headers.with_cookies(fields, url, transfer.started_at)
            if ask is not WHOLE_FILE or order.etag or order.modified:
                conditional = not ask.has_range and not transfer.unconditional
                headers = [*headers, *ask.headers(), *(conditional_headers(order) if conditional else ())]
            answer = await transport.request("GET", url.origin, url.target, headers, timeouts=self._timeouts)
            transfer.on_response(answer)
            self._headers.store_cookies(url, answer.headers, self._now())
            try:
                if answer.status == 200 and partial is None and not ask.has_range:  # nothing to judge: all comes
                    outcome: Outcome | RetryWith = await self._store_from_start(transfer, answer, False)
                else:
                    outcome = await self._handle_response(transfer, answer, ask, partial)
            except OverlapMismatch:
                outcome = RetryWith(WHOLE_FILE, True, "changed: its bytes are others now")
            finally:
                if (closing := answer.close()) is not None:
                    await close_quietly(closing)
            if not isinstance(outcome, RetryWith):
                return outcome
            ask = outcome.request
            if outcome.delete_part:
                transfer.add_history(f"restarted: {outcome.reason}")
                await self._storage.delete_part(order.path)
                partial = None
        raise httpx.RemoteProtocolError("the server answers every way of resuming in another way")

    async def _send_once(self, transfer: DownloadAttempt, ask: RangeRequest) -> RawResponse:
        """One more request for a file that is on its way."""
        request, order, timeouts = transfer.request, transfer.order, self._timeouts
        if timeouts.deadline is not None:
            left = timeouts.deadline - (self._now() - transfer.started_at)
            timeouts = replace(timeouts, deadline=max(left, 0.0))
        url, listed = request.url, is_listed_origin(request)
        transport = self._listed_transport if listed else self._redirect_transport
        headers = [*self._headers.request_fields(request, order, listed), *ask.headers()]
        return await transport.request("GET", url.origin, url.target, headers, timeouts=timeouts)

    async def _handle_response(
        self, transfer: DownloadAttempt, answer: RawResponse, ask: RangeRequest, partial: PartState | None
    ) -> Outcome | RetryWith:
        """What one answer means for the file."""
        status, headers = answer.status, transfer.headers
        if status == 304:
            return await self._handle_not_modified(transfer)
        if status not in (200, 203, 206, 416) or (status == 416 and not ask.has_range):
            return await self._handle_without_file(transfer, answer)
        if status == 206 and not ask.has_range:
            raise httpx.RemoteProtocolError("a part of the content (206) came where all of it was asked for")
        match evaluate_response(ask, partial, 200 if status == 203 else status, headers, answer.content_length):
            case RetryWith() as again:
                return again
            case Restart(why):
                if why:
                    transfer.add_history(f"restarted: {why}")
                return await self._store_from_start(transfer, answer, partial is not None)
            case PartComplete():
                assert partial is not None, "only a part can be complete"
                part = await self._large_files.open_part(transfer, partial, keep_ranges=False)
                return await self._finish(transfer, part)
            case Continue():
                assert partial is not None, "only a part can be continued"
                part = await self._large_files.continue_part(transfer, answer, ask, partial)
                return await self._finish(transfer, part)

    # -- taking

    async def _store_from_start(self, transfer: DownloadAttempt, answer: RawResponse, had_part: bool) -> Outcome:
        length = answer.content_length
        self._writer.check_size(length)
        if not transfer.order.replace and (path := self._rename(transfer.order, transfer.headers)) is not None:
            transfer.rename_target(path)
        order = transfer.order
        expected = transfer.expected_checksums(partial=False)
        if answer.complete:
            content = await answer.read()
            self._writer.check_size(len(content))
            if not self._bandwidth.unlimited:
                await self._bandwidth.throttle(transfer.request.url.host, len(content))
            transfer.received = len(content)
            if had_part:
                await self._storage.delete_part(order.path)
            facts = (self._folder, order.path, content, expected, transfer.last_modified(self._now()), order.replace)
            if len(content) <= MAX_INLINE_BYTES:
                return self._stored_outcome(
                    transfer, await self._storage.run_small(order.path, store_small_file, *facts)
                )
            return self._stored_outcome(transfer, await self._storage.run(store_small_file, *facts))
        part = await self._large_files.start(transfer, answer)
        return await self._finish(transfer, part)

    # -- ending

    async def _finish(self, transfer: DownloadAttempt, part: PartFile) -> Outcome:
        job = self._disk.run(part.finish, transfer.last_modified(self._now()), transfer.order.replace)
        stored = await self._storage.with_disk_errors(job, part.path)
        await self._storage.run(self._storage.part_metadata.delete, part.path)
        return self._stored_outcome(transfer, stored)

    def _stored_outcome(self, transfer: DownloadAttempt, stored: StoredFile) -> Outcome:
        if stored.mismatch is not None:
            detail = f"{stored.mismatch} was expected; what came is kept as {transfer.order.path}.bad"
            return transfer.failure(ErrorKind.CHECKSUM, detail, self._now(), permanent=True)
        if stored.name_taken:
            detail = f"a file called {transfer.order.path} has appeared meanwhile"
            return transfer.failure(ErrorKind.IO, detail, self._now(), permanent=True)
        return transfer.success(200, self._now(), Body(stored.size, transfer.received, f"sha256:{stored.sha256}", b""))

    async def _handle_not_modified(self, transfer: DownloadAttempt) -> Outcome | RetryWith:
        order = transfer.order
        if transfer.unconditional or not (order.etag or order.modified):
            raise httpx.RemoteProtocolError("304 came where nothing was asked conditionally")
        if ADOPT_EXISTING not in order.notes:
            return NotModified(
                transfer.request, transfer.headers, transfer.started_at, self._now() - transfer.started_at
            )
        try:
            stored = await self._storage.run(
                hash_file, self._folder, order.path, transfer.expected_checksums(partial=True)
            )
        except FileWriteError:
            stored = None
        if stored is None or stored.mismatch is not None:
            transfer.unconditional = True
            return RetryWith(WHOLE_FILE, False, "")
        return self._stored_outcome(transfer, stored)

    async def _handle_without_file(self, transfer: DownloadAttempt, answer: RawResponse) -> Outcome:
        """An answer that brings no file: a redirect, an error, something odd."""
        status = answer.status
        size = await discard_body(answer)
        if status >= 400 or (status in REDIRECT_STATUSES and transfer.headers.get("location") is not None):
            return transfer.success(status, self._now(), Body(0, size, _EMPTY_DIGEST, b""))
        detail = f"the server answered {status}, which brings no file"
        return transfer.failure(ErrorKind.HTTP, detail, self._now(), permanent=True)

    def _failure(self, transfer: DownloadAttempt, error: Exception) -> Failure:
        now = self._now()
        if isinstance(error, FileWriteError):
            return transfer.failure(ErrorKind.IO, str(error), now, permanent=True)
        if isinstance(error, FetchError):
            return transfer.failure(ErrorKind.OTHER, str(error), now, permanent=True)
        kind, detail, permanent = classify_error(error)
        return transfer.failure(kind, detail, now, permanent=permanent or kind is ErrorKind.ADDRESS)
