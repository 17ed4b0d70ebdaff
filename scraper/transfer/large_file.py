"""Downloads too large for memory: into a new part file or to the end of one, over one or more connections."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from scraper.fetch.interface import NoSlots, SlotProvider
from scraper.transfer.attempt import DownloadAttempt
from scraper.transfer.byte_ranges import ByteRange, RangeSet, Segment
from scraper.transfer.file_requests import DownloadSettings
from scraper.transfer.file_storage import FileStorage, FileWriteError
from scraper.transfer.part_file import PartFile, read_tail
from scraper.transfer.resume_rules import WHOLE_FILE, PartState, RangeRequest, Validators, validators_of
from scraper.transfer.segment_map import SegmentMap
from scraper.transfer.segmented_download import SegmentDependencies, SegmentedDownload
from scraper.transfer.stream_writer import OverlapMismatch, StreamWriter
from scraper.transport.adapter import RawResponse
from scraper.transport.errors import TruncatedResponse

# Sends one request for an attempt's URL.
SendRequest = Callable[[DownloadAttempt, RangeRequest], Awaitable[RawResponse]]


class LargeFileDownload:
    """Receives bodies into part files. `slots` gives permission for a second stream: none, until it is set.

    Its methods raise `SinkError` and `FileWriteError` for disk errors, and as `StreamWriter.write_body`. What has
    arrived stays in the part file when they fail.
    """

    def __init__(
        self,
        settings: DownloadSettings,
        storage: FileStorage,
        writer: StreamWriter,
        send: SendRequest,
        now: Callable[[], float],
    ) -> None:
        self.slots: SlotProvider = NoSlots()
        self._settings = settings.segments
        self._storage, self._writer = storage, writer
        self._send, self._now = send, now

    async def start(self, attempt: DownloadAttempt, response: RawResponse) -> PartFile:
        """Receive the whole body of `response` into a new part file."""
        storage, path, length = self._storage, attempt.entry.path, response.content_length
        await storage.check_free_space(length)
        validators = validators_of(attempt.headers, length, self._now())
        part = await storage.run(PartFile.create, storage.folder, path, attempt.expected_checksums(partial=False))
        try:
            await storage.run(storage.part_metadata.write, path, attempt.request.url.origin, validators)
            await self._receive(attempt, response, WHOLE_FILE, part, validators, None, b"")
        except BaseException:
            part.close()
            raise
        return part

    async def continue_part(
        self, attempt: DownloadAttempt, response: RawResponse, request: RangeRequest, state: PartState
    ) -> PartFile:
        """Complete the part file that `state` describes with the 206 `response` to `request`.

        Raises also `OverlapMismatch`, and `TruncatedResponse` when the file is not complete afterwards.
        """
        storage, path, total = self._storage, attempt.entry.path, state.validators.total
        self._writer.check_size(total)
        # A bounded request fills the first gap of a file that was downloaded in segments: ranges behind it stay.
        ranges = state.ranges if request.stop is not None else None
        await storage.check_free_space(
            response.content_length if ranges is None else total and total - RangeSet(ranges).size
        )
        overlap = b""
        if request.overlap:
            tail = await storage.run(read_tail, storage.folder, path, state.size, request.overlap)
            if tail is None or len(tail) != request.overlap:
                raise OverlapMismatch
            overlap = tail
        part = await self.open_part(attempt, state, keep_ranges=ranges is not None)
        attempt.add_history(f"resumed at {state.size}")
        attempt.resumed = True
        try:
            await self._receive(attempt, response, request, part, state.validators, ranges, overlap)
            _check_complete(part, total)
        except BaseException:
            part.close()
            raise
        return part

    async def open_part(self, attempt: DownloadAttempt, state: PartState, *, keep_ranges: bool) -> PartFile:
        """Open the part file that `state` describes; without `keep_ranges`, cut off what is behind the first gap.

        Raises `OverlapMismatch` when the file is not as `state` says.
        """
        storage, path = self._storage, attempt.entry.path
        has_ranges = state.ranges is not None
        checksums = attempt.expected_checksums(partial=True)
        try:
            part = await storage.run(PartFile.open_existing, storage.folder, path, state.size, checksums, has_ranges)
        except FileWriteError:
            raise OverlapMismatch from None
        if has_ranges and not keep_ranges:
            # Truncate first: a part whose metadata have no ranges counts as complete up to its length.
            try:
                await storage.with_disk_errors(storage.disk.run(part.truncate), path)
                await storage.run(storage.part_metadata.replace, path, state.origin, state.validators, None)
            except BaseException:
                part.close()
                raise
        return part

    async def _receive(
        self,
        attempt: DownloadAttempt,
        response: RawResponse,
        request: RangeRequest,
        part: PartFile,
        validators: Validators,
        ranges: tuple[ByteRange, ...] | None,
        overlap: bytes,
    ) -> None:
        """Download what is missing. `ranges` are those present in a part with gaps; None for a part without gaps."""
        if ranges is None and not self._can_split(attempt, request, validators):
            segment = Segment(part.size)
            length = response.content_length
            total = None if length is None else part.size - len(overlap) + length
            await self._writer.write_body(attempt, response, segment, part.append, overlap, total)
            return
        needs = SegmentDependencies(
            self._settings, self.slots, self._writer, self._storage, partial(self._send, attempt), self._now
        )
        segment_map = SegmentMap(
            part,
            RangeSet([(0, part.size)] if ranges is None else ranges),
            attempt.request.url.origin,
            validators,
            self._storage,
            self._now,
            saves_ranges=ranges is not None,
        )
        await SegmentedDownload(attempt, segment_map, needs).run(response, request)

    def _can_split(self, attempt: DownloadAttempt, request: RangeRequest, validators: Validators) -> bool:
        """Whether the file is large enough for segments, and the server can prove that they belong together."""
        return (
            self._settings.max_streams > 1
            and validators.total is not None
            and validators.total - request.offset >= self._settings.min_file_bytes
            and validators.for_if_range is not None
            and not request.overlap
            and (attempt.headers.get("accept-ranges") or "").lower() != "none"
        )


def _check_complete(part: PartFile, total: int | None) -> None:
    if total is not None and part.size != total:
        raise TruncatedResponse(f"{part.size} of {total} bytes are present")
