"""What is here of a file that comes in segments: which ranges, how far they are hashed, what the note says of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from scraper.transfer.byte_ranges import RangeSet, Segment
from scraper.transfer.file_storage import FileStorage
from scraper.transfer.part_file import MIB, PartFile
from scraper.transfer.resume_rules import Validators

# Bytes that are read again and hashed in one go.
HASH_BATCH_BYTES = 64 * MIB


class SegmentMap:
    """The ranges of `part`, a piece of `version` from `origin`. `ranged`: the note speaks of ranges.

    Errors of its methods are those of `Storage.translated`.
    """

    def __init__(
        self,
        part: PartFile,
        present: RangeSet,
        origin: str,
        validators: Validators,
        storage: FileStorage,
        now: Callable[[], float],
        *,
        saves_ranges: bool,
    ) -> None:
        assert validators.total is not None, "only a file of known length can be divided"
        self.part, self.present, self.total, self.validators = part, present, validators.total, validators
        self.saves_ranges = saves_ranges
        self._origin, self._storage, self._now = origin, storage, now
        self._saved_at = now()
        self._saving = asyncio.Lock()

    def add_written(self, shares: Iterable[Segment]) -> None:
        """Take in what has been written of `shares`."""
        for share in shares:
            self.present.add(share.start, share.written)

    def remaining(self, shares: Iterable[Segment]) -> int:
        """Bytes that are neither here nor, brought by one of `shares`, about to be written."""
        return self.total - RangeSet([*self.present, *((share.start, share.at) for share in shares)]).size

    async def hash_available(self) -> None:
        """Hash a part of what lies behind the bytes that are hashed, when there is a good deal of it."""
        if self.present.prefix - self.part.size >= MIB:
            await self._hash_until(min(self.present.prefix, self.part.size + HASH_BATCH_BYTES))

    async def hash_rest(self) -> None:
        """Hash the rest of a file that is whole."""
        while self.part.size < self.total:
            await self._hash_until(min(self.total, self.part.size + HASH_BATCH_BYTES))

    async def save(self, shares: Iterable[Segment], min_interval: float = 0.0) -> None:
        """Note what is here, unless that was done less than `every` seconds ago."""
        if min_interval and self._now() - self._saved_at < min_interval:
            return
        async with self._saving:
            self.add_written(shares)
            self.saves_ranges, self._saved_at = True, self._now()
            job = self._storage.disk.run(self._sync_and_save, RangeSet(self.present))
            await self._storage.with_disk_errors(job, self.part.path)

    async def _hash_until(self, stop: int) -> None:
        await self._storage.with_disk_errors(self._storage.disk.run(self.part.hash_until, stop), self.part.path)

    def _sync_and_save(self, here: RangeSet) -> None:
        self.part.sync()
        self._storage.part_metadata.replace(self.part.path, self._origin, self.validators, here)
