"""Bodies too large to be taken whole: into a new part, or behind what a part holds, in one stream or in several."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial as bound

from scraper.fetch.interface import NoPlaces, Places
from scraper.transfer.attempt import Transfer
from scraper.transfer.byte_ranges import Ranges, Share
from scraper.transfer.file_requests import DownloadSettings
from scraper.transfer.file_storage import FileTrouble, Storage
from scraper.transfer.part_file import Part, tail
from scraper.transfer.resume_rules import WHOLE, Ask, Partial, Version, version_of
from scraper.transfer.segment_map import Holdings
from scraper.transfer.segmented_download import Segments, SegmentTools
from scraper.transfer.stream_writer import OverlapDiffers, Pouring
from scraper.transport.adapter import LeanAnswer
from scraper.transport.errors import Truncated

AskOnce = Callable[[Transfer, Ask], Awaitable[LeanAnswer]]
"""Sends one request for a transfer's URL."""


class Streaming:
    """Fills parts. `places` are asked before a file gets more than one stream; there are none until they are set."""

    def __init__(
        self, settings: DownloadSettings, storage: Storage, pouring: Pouring, ask: AskOnce, now: Callable[[], float]
    ) -> None:
        self.places: Places = NoPlaces()
        self._settings = settings.segments
        self._storage, self._pouring = storage, pouring
        self._ask, self._now = ask, now

    async def begin(self, transfer: Transfer, answer: LeanAnswer) -> Part:
        """A new part with all that `answer` brings. What came is kept when it fails; errors as `Pouring.pour`."""
        storage, path, length = self._storage, transfer.order.path, answer.length
        await storage.make_room(length)
        version = version_of(transfer.headers, length, self._now())
        part = await storage.write(Part.begin, storage.folder, path, transfer.expected(partial=False))
        try:
            await storage.write(storage.notes.write, path, transfer.request.url.origin, version)
            await self._fill(transfer, answer, WHOLE, part, version, None, b"")
        except BaseException:
            part.close()
            raise
        return part

    async def go_on(self, transfer: Transfer, answer: LeanAnswer, ask: Ask, partial: Partial) -> Part:
        """The part that `partial` tells of, with what a 206 brings. Errors as `begin`, and `Truncated`."""
        storage, path, total = self._storage, transfer.order.path, partial.version.total
        self._pouring.check_size(total)
        # A segment's gap may end before the part does: then it is in pieces, and stays so until they meet.
        pieces = partial.ranges if ask.stop is not None else None
        await storage.make_room(answer.length if pieces is None else total and total - Ranges(pieces).size)
        seen = b""
        if ask.overlap:
            found = await storage.write(tail, storage.folder, path, partial.size, ask.overlap)
            if found is None or len(found) != ask.overlap:
                raise OverlapDiffers
            seen = found
        part = await self.resume(transfer, partial, pieces=pieces is not None)
        transfer.note(f"resumed at {partial.size}")
        transfer.resumed = True
        try:
            await self._fill(transfer, answer, ask, part, partial.version, pieces, seen)
            _must_be_whole(part, total)
        except BaseException:
            part.close()
            raise
        return part

    async def resume(self, transfer: Transfer, partial: Partial, *, pieces: bool) -> Part:
        """The part as it stands; what lies in it behind the first gap is dropped unless `pieces` are kept.

        Raises `OverlapDiffers` when it is not what it was.
        """
        storage, path = self._storage, transfer.order.path
        ranged = partial.ranges is not None
        job = (Part.go_on, storage.folder, path, partial.size, transfer.expected(partial=True), ranged)
        try:
            part = await storage.write(*job)
        except FileTrouble:
            raise OverlapDiffers from None
        if ranged and not pieces:
            # In this order: a part without ranges in its note is believed to be as long as what was written of it.
            try:
                await storage.translated(storage.disk.run(part.cut), path)
                await storage.write(storage.notes.rewrite, path, partial.origin, partial.version, None)
            except BaseException:
                part.close()
                raise
        return part

    async def _fill(
        self,
        transfer: Transfer,
        answer: LeanAnswer,
        ask: Ask,
        part: Part,
        version: Version,
        pieces: tuple[tuple[int, int], ...] | None,
        seen: bytes,
    ) -> None:
        if pieces is None and not self._may_divide(transfer, ask, version):
            share = Share(part.size)
            expected = None if answer.length is None else part.size - len(seen) + answer.length
            await self._pouring.pour(transfer, answer, share, part.append, seen, expected)
            return
        have = Ranges([(0, part.size)] if pieces is None else pieces)
        tools = SegmentTools(
            self._settings, self.places, self._pouring, self._storage, bound(self._ask, transfer), self._now
        )
        origin = transfer.request.url.origin
        held = Holdings(part, have, origin, version, self._storage, self._now, ranged=pieces is not None)
        await Segments(transfer, held, tools).bring(answer, ask)

    def _may_divide(self, transfer: Transfer, ask: Ask, version: Version) -> bool:
        """Whether the file is large enough for segments, and its server able to prove that they belong together."""
        return (
            self._settings.most > 1
            and version.total is not None
            and version.total - ask.offset >= self._settings.smallest
            and version.validator is not None
            and not ask.overlap
            and (transfer.headers.get("accept-ranges") or "").lower() != "none"
        )


def _must_be_whole(part: Part, total: int | None) -> None:
    if total is not None and part.size != total:
        raise Truncated(f"{part.size} bytes are here of {total}")
