"""Downloads the files of a list directly to their final place. A `Fetcher` for requests with an `EntryState`.

A body that is complete when its head is read (`TransportSettings.buffer_limit`) is one job: written, hashed, named. A
larger one is written in batches while it arrives (stream_writer.py).

One call may send several requests for the same URL, always for one reason: the response to a range request was no proof
that the rest belongs to the part file (resume_rules.py). Redirects, retries and mirrors go back to the frontier.
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
from scraper.model import (
    REDIRECT_STATUSES,
    Body,
    EntryState,
    ErrorKind,
    Failure,
    Headers,
    NotModified,
    Outcome,
    Request,
    entry_of,
)
from scraper.politeness.bandwidth import BandwidthLimiter
from scraper.transfer.attempt import DownloadAttempt
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

# Files up to this size are written on the event loop while the disk is fast (see `FileStorage.run_small`).
MAX_INLINE_BYTES = 64 * 1024
# Requests of one call at most: a range, two probes (see resume_rules.py), the whole file.
MAX_REQUESTS = 4
# In `EntryState.history`: the file may be complete already, from a run that was killed before it could record it.
ADOPT_EXISTING = "adopt"

_EMPTY_DIGEST = "sha256:"


class FileFetcher:
    """Fetches requests that have an `entry`. It owns the transports and closes them, but not `folder`.

    Hosts that the list names are reached by `listed_transport`, hosts that only redirects lead to by
    `redirect_transport`, which may refuse private addresses: a list is the user's permission to connect, a redirect is
    not. Header fields of the user and of the entry go to the former only.

    `rename(entry, headers)` may return another path for a file when its first response has come, else None. Raises
    `FetchError` for header fields that cannot be sent.
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

    def use_slots(self, slots: SlotProvider) -> None:
        """Allow several connections for one large file, as many as `slots` gives."""
        self._large_files.slots = slots

    async def fetch(self, request: Request) -> Outcome:
        """Download the file of `request.entry`; see `Fetcher.fetch`.

        A `Response` with status 200 means that the file is complete and has its name. Raises `SinkError` when the disk
        lets no file be written.
        """
        attempt = DownloadAttempt(request, entry_of(request), self._now())
        try:
            return await self._download(attempt)
        except SinkError:
            raise
        except Exception as error:  # noqa: BLE001  the only place where errors of a transport become outcomes
            return self._failure(attempt, error)

    async def aclose(self) -> None:
        """Close the connections and end the disk threads."""
        try:
            await self._listed_transport.aclose()
            await self._redirect_transport.aclose()
        finally:
            await self._storage.aclose()

    # -- requests

    async def _download(self, attempt: DownloadAttempt) -> Outcome:
        request, entry = attempt.request, attempt.entry
        url, listed = request.url, is_listed_origin(request)
        transport = self._listed_transport if listed else self._redirect_transport
        fields = self._headers.request_fields(request, entry, listed)
        # The first attempt at a new entry cannot find a part: it saves the job of looking for one.
        tried_before = entry.may_replace or entry.uncounted_attempts or request.attempt or request.slowdowns
        state = (
            await self._disk.run(self._storage.part_metadata.read, self._folder, entry.path) if tried_before else None
        )
        range_request = WHOLE_FILE if state is None else plan_request(state, url.origin)
        for _ in range(MAX_REQUESTS):
            headers = self._headers.with_cookies(fields, url, attempt.started_at)
            if range_request is not WHOLE_FILE or entry.etag or entry.last_modified:
                conditional = not range_request.has_range and not attempt.unconditional
                headers = [*headers, *range_request.headers(), *(conditional_headers(entry) if conditional else ())]
            response = await transport.request("GET", url.origin, url.target, headers, timeouts=self._timeouts)
            attempt.on_response(response)
            self._headers.store_cookies(url, response.headers, self._now())
            try:
                # The usual case first: no part, no range, nothing to decide.
                if response.status == 200 and state is None and not range_request.has_range:
                    outcome: Outcome | RetryWith = await self._store_from_start(attempt, response, False)
                else:
                    outcome = await self._handle_response(attempt, response, range_request, state)
            except OverlapMismatch:
                outcome = RetryWith(WHOLE_FILE, True, "changed: its bytes are different now")
            finally:
                if (closing := response.close()) is not None:
                    await close_quietly(closing)
            if not isinstance(outcome, RetryWith):
                return outcome
            range_request = outcome.request
            if outcome.delete_part:
                attempt.add_history(f"restarted: {outcome.reason}")
                await self._storage.delete_part(entry.path)
                state = None
        raise httpx.RemoteProtocolError("the server responds to each way of resuming in a different way")

    async def _send_once(self, attempt: DownloadAttempt, range_request: RangeRequest) -> RawResponse:
        """Send one more request for a file that is being downloaded. The deadline of the attempt holds for it, too."""
        request, entry, timeouts = attempt.request, attempt.entry, self._timeouts
        if timeouts.deadline is not None:
            left = timeouts.deadline - (self._now() - attempt.started_at)
            timeouts = replace(timeouts, deadline=max(left, 0.0))
        url, listed = request.url, is_listed_origin(request)
        transport = self._listed_transport if listed else self._redirect_transport
        headers = [*self._headers.request_fields(request, entry, listed), *range_request.headers()]
        return await transport.request("GET", url.origin, url.target, headers, timeouts=timeouts)

    async def _handle_response(
        self, attempt: DownloadAttempt, response: RawResponse, range_request: RangeRequest, state: PartState | None
    ) -> Outcome | RetryWith:
        """Do what the response calls for: store the file, continue the part, or send another request."""
        status, headers = response.status, attempt.headers
        if status == 304:
            return await self._handle_not_modified(attempt)
        if status not in (200, 203, 206, 416) or (status == 416 and not range_request.has_range):
            return await self._handle_without_file(attempt, response)
        if status == 206 and not range_request.has_range:
            raise httpx.RemoteProtocolError("206 (Partial Content) in response to a request without Range")
        # 203 is a 200 that a proxy has changed (RFC 9110 15.3.4).
        status = 200 if status == 203 else status
        match evaluate_response(range_request, state, status, headers, response.content_length):
            case RetryWith() as retry:
                return retry
            case Restart(reason):
                if reason:
                    attempt.add_history(f"restarted: {reason}")
                return await self._store_from_start(attempt, response, state is not None)
            case PartComplete():
                assert state is not None, "only a part can be complete"
                part = await self._large_files.open_part(attempt, state, keep_ranges=False)
                return await self._finish(attempt, part)
            case Continue():
                assert state is not None, "only a part can be continued"
                part = await self._large_files.continue_part(attempt, response, range_request, state)
                return await self._finish(attempt, part)

    # -- storing

    async def _store_from_start(self, attempt: DownloadAttempt, response: RawResponse, had_part: bool) -> Outcome:
        """Store the whole body of `response`."""
        self._writer.check_size(response.content_length)
        if not attempt.entry.may_replace and (path := self._rename(attempt.entry, attempt.headers)) is not None:
            attempt.rename_target(path)
        entry = attempt.entry
        checksums = attempt.expected_checksums(partial=False)
        if not response.complete:
            return await self._finish(attempt, await self._large_files.start(attempt, response))
        content = await response.read()
        self._writer.check_size(len(content))
        if not self._bandwidth.unlimited:
            await self._bandwidth.throttle(attempt.request.url.host, len(content))
        attempt.received = len(content)
        if had_part:
            await self._storage.delete_part(entry.path)
        args = (self._folder, entry.path, content, checksums, attempt.last_modified(self._now()), entry.may_replace)
        if len(content) <= MAX_INLINE_BYTES:
            return self._stored_outcome(attempt, await self._storage.run_small(entry.path, store_small_file, *args))
        return self._stored_outcome(attempt, await self._storage.run(store_small_file, *args))

    async def _finish(self, attempt: DownloadAttempt, part: PartFile) -> Outcome:
        """Check a complete part and give it its name."""
        job = self._disk.run(part.finish, attempt.last_modified(self._now()), attempt.entry.may_replace)
        stored = await self._storage.with_disk_errors(job, part.path)
        await self._storage.run(self._storage.part_metadata.delete, part.path)
        return self._stored_outcome(attempt, stored)

    # -- outcomes

    def _stored_outcome(self, attempt: DownloadAttempt, stored: StoredFile) -> Outcome:
        if stored.mismatch is not None:
            detail = f"{stored.mismatch} was expected; the received file is kept as {attempt.entry.path}.bad"
            return attempt.failure(ErrorKind.CHECKSUM, detail, self._now(), permanent=True)
        if stored.name_taken:
            detail = f"another program has created a file called {attempt.entry.path}"
            return attempt.failure(ErrorKind.IO, detail, self._now(), permanent=True)
        return attempt.success(200, self._now(), Body(stored.size, attempt.received, f"sha256:{stored.sha256}", b""))

    async def _handle_not_modified(self, attempt: DownloadAttempt) -> Outcome | RetryWith:
        """304: the file that is there is the current one."""
        entry = attempt.entry
        if attempt.unconditional or not (entry.etag or entry.last_modified):
            raise httpx.RemoteProtocolError("304 (Not Modified) in response to an unconditional request")
        if ADOPT_EXISTING not in entry.history:
            return NotModified(attempt.request, attempt.headers, attempt.started_at, self._now() - attempt.started_at)
        # The file has no record: hash it. If it cannot be read or is wrong, download it.
        try:
            checksums = attempt.expected_checksums(partial=True)
            stored = await self._storage.run(hash_file, self._folder, entry.path, checksums)
        except FileWriteError:
            stored = None
        if stored is None or stored.mismatch is not None:
            attempt.unconditional = True
            return RetryWith(WHOLE_FILE, False, "")
        return self._stored_outcome(attempt, stored)

    async def _handle_without_file(self, attempt: DownloadAttempt, response: RawResponse) -> Outcome:
        """A redirect, an error, or a status that makes no sense here."""
        status = response.status
        size = await discard_body(response)
        if status >= 400 or (status in REDIRECT_STATUSES and attempt.headers.get("location") is not None):
            return attempt.success(status, self._now(), Body(0, size, _EMPTY_DIGEST, b""))
        detail = f"status {status} brings no file"
        return attempt.failure(ErrorKind.HTTP, detail, self._now(), permanent=True)

    def _failure(self, attempt: DownloadAttempt, error: Exception) -> Failure:
        now = self._now()
        if isinstance(error, FileWriteError):
            return attempt.failure(ErrorKind.IO, str(error), now, permanent=True)
        if isinstance(error, FetchError):
            return attempt.failure(ErrorKind.OTHER, str(error), now, permanent=True)
        kind, detail, permanent = classify_error(error)
        # The address of a host does not become a public one by waiting.
        return attempt.failure(kind, detail, now, permanent=permanent or kind is ErrorKind.ADDRESS)
