"""What is here of a file that comes in segments: which ranges, how far they are hashed, what the note says of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from scraper.transfer.byte_ranges import Ranges, Share
from scraper.transfer.file_storage import Storage
from scraper.transfer.part_file import MIB, Part
from scraper.transfer.resume_rules import Version

CATCH_UP = 64 * MIB
"""Bytes that are read again and hashed in one go."""


class Holdings:
    """The ranges of `part`, a piece of `version` from `origin`. `ranged`: the note speaks of ranges.

    Errors of its methods are those of `Storage.translated`.
    """

    def __init__(
        self,
        part: Part,
        have: Ranges,
        origin: str,
        version: Version,
        storage: Storage,
        now: Callable[[], float],
        *,
        ranged: bool,
    ) -> None:
        assert version.total is not None, "only a file of known length can be divided"
        self.part, self.have, self.total, self.version = part, have, version.total, version
        self.ranged = ranged
        self._origin, self._storage, self._now = origin, storage, now
        self._noted_at = now()
        self._noting = asyncio.Lock()

    def add(self, shares: Iterable[Share]) -> None:
        """Take in what has been written of `shares`."""
        for share in shares:
            self.have.add(share.start, share.written)

    def left(self, shares: Iterable[Share]) -> int:
        """Bytes that are neither here nor, brought by one of `shares`, about to be written."""
        return self.total - Ranges([*self.have, *((share.start, share.at) for share in shares)]).size

    async def hash_some(self) -> None:
        """Hash a part of what lies behind the bytes that are hashed, when there is a good deal of it."""
        if self.have.prefix - self.part.size >= MIB:
            await self._catch_up(min(self.have.prefix, self.part.size + CATCH_UP))

    async def hash_all(self) -> None:
        """Hash the rest of a file that is whole."""
        while self.part.size < self.total:
            await self._catch_up(min(self.total, self.part.size + CATCH_UP))

    async def note(self, shares: Iterable[Share], every: float = 0.0) -> None:
        """Note what is here, unless that was done less than `every` seconds ago."""
        if every and self._now() - self._noted_at < every:
            return
        async with self._noting:
            self.add(shares)
            self.ranged, self._noted_at = True, self._now()
            job = self._storage.disk.run(self._sync_and_note, Ranges(self.have))
            await self._storage.translated(job, self.part.path)

    async def _catch_up(self, stop: int) -> None:
        await self._storage.translated(self._storage.disk.run(self.part.catch_up, stop), self.part.path)

    def _sync_and_note(self, here: Ranges) -> None:
        self.part.sync()
        self._storage.notes.rewrite(self.part.path, self._origin, self.version, here)
