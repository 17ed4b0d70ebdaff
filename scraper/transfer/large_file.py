"""Bodies too large to be taken whole: into a new part, or behind what a part holds, in one stream or in several."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial as bound

from scraper.fetch.interface import NoSlots, SlotProvider
from scraper.transfer.attempt import DownloadAttempt
from scraper.transfer.byte_ranges import RangeSet, Segment
from scraper.transfer.file_requests import DownloadSettings
from scraper.transfer.file_storage import FileStorage, FileWriteError
from scraper.transfer.part_file import PartFile, read_tail
from scraper.transfer.resume_rules import WHOLE_FILE, PartState, RangeRequest, Validators, validators_of
from scraper.transfer.segment_map import SegmentMap
from scraper.transfer.segmented_download import SegmentDependencies, SegmentedDownload
from scraper.transfer.stream_writer import OverlapMismatch, StreamWriter
from scraper.transport.adapter import RawResponse
from scraper.transport.errors import TruncatedResponse

# Sends one request for a transfer's URL.
SendRequest = Callable[[DownloadAttempt, RangeRequest], Awaitable[RawResponse]]


class LargeFileDownload:
    """Fills parts. `places` are asked before a file gets more than one stream; there are none until they are set."""

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

    async def start(self, transfer: DownloadAttempt, response: RawResponse) -> PartFile:
        """A new part with all that `answer` brings. What came is kept when it fails; errors as `Pouring.write_body`."""
        storage, path, length = self._storage, transfer.order.path, response.content_length
        await storage.check_free_space(length)
        version = validators_of(transfer.headers, length, self._now())
        part = await storage.run(PartFile.create, storage.folder, path, transfer.expected_checksums(partial=False))
        try:
            await storage.run(storage.part_metadata.write, path, transfer.request.url.origin, version)
            await self._receive(transfer, response, WHOLE_FILE, part, version, None, b"")
        except BaseException:
            part.close()
            raise
        return part

    async def continue_part(
        self, transfer: DownloadAttempt, response: RawResponse, range_request: RangeRequest, partial: PartState
    ) -> PartFile:
        """The part that `partial` tells of, with what a 206 brings. Errors as `begin`, and `TruncatedResponse`."""
        storage, path, total = self._storage, transfer.order.path, partial.validators.total
        self._writer.check_size(total)
        # A segment's gap may end before the part does: then it is in pieces, and stays so until they meet.
        pieces = partial.ranges if range_request.stop is not None else None
        await storage.check_free_space(
            response.content_length if pieces is None else total and total - RangeSet(pieces).size
        )
        seen = b""
        if range_request.overlap:
            found = await storage.run(read_tail, storage.folder, path, partial.size, range_request.overlap)
            if found is None or len(found) != range_request.overlap:
                raise OverlapMismatch
            seen = found
        part = await self.open_part(transfer, partial, keep_ranges=pieces is not None)
        transfer.add_history(f"resumed at {partial.size}")
        transfer.resumed = True
        try:
            await self._receive(transfer, response, range_request, part, partial.validators, pieces, seen)
            _check_complete(part, total)
        except BaseException:
            part.close()
            raise
        return part

    async def open_part(self, transfer: DownloadAttempt, partial: PartState, *, keep_ranges: bool) -> PartFile:
        """The part as it stands; what lies in it behind the first gap is dropped unless `pieces` are kept.

        Raises `OverlapMismatch` when it is not what it was.
        """
        storage, path = self._storage, transfer.order.path
        ranged = partial.ranges is not None
        job = (
            PartFile.open_existing,
            storage.folder,
            path,
            partial.size,
            transfer.expected_checksums(partial=True),
            ranged,
        )
        try:
            part = await storage.run(*job)
        except FileWriteError:
            raise OverlapMismatch from None
        if ranged and not keep_ranges:
            # In this order: a part without ranges in its note is believed to be as long as what was written of it.
            try:
                await storage.with_disk_errors(storage.disk.run(part.truncate), path)
                await storage.run(storage.part_metadata.replace, path, partial.origin, partial.validators, None)
            except BaseException:
                part.close()
                raise
        return part

    async def _receive(
        self,
        transfer: DownloadAttempt,
        answer: RawResponse,
        ask: RangeRequest,
        part: PartFile,
        version: Validators,
        pieces: tuple[tuple[int, int], ...] | None,
        seen: bytes,
    ) -> None:
        if pieces is None and not self._can_split(transfer, ask, version):
            share = Segment(part.size)
            expected = None if answer.content_length is None else part.size - len(seen) + answer.content_length
            await self._writer.write_body(transfer, answer, share, part.append, seen, expected)
            return
        have = RangeSet([(0, part.size)] if pieces is None else pieces)
        tools = SegmentDependencies(
            self._settings, self.slots, self._writer, self._storage, bound(self._send, transfer), self._now
        )
        origin = transfer.request.url.origin
        held = SegmentMap(part, have, origin, version, self._storage, self._now, saves_ranges=pieces is not None)
        await SegmentedDownload(transfer, held, tools).run(answer, ask)

    def _can_split(self, transfer: DownloadAttempt, ask: RangeRequest, version: Validators) -> bool:
        """Whether the file is large enough for segments, and its server able to prove that they belong together."""
        return (
            self._settings.max_streams > 1
            and version.total is not None
            and version.total - ask.offset >= self._settings.min_file_bytes
            and version.for_if_range is not None
            and not ask.overlap
            and (transfer.headers.get("accept-ranges") or "").lower() != "none"
        )


def _check_complete(part: PartFile, total: int | None) -> None:
    if total is not None and part.size != total:
        raise TruncatedResponse(f"{part.size} bytes are here of {total}")
