"""What is present of a file that is downloaded in segments: its ranges, how far it is hashed, what is saved of that."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from scraper.transfer.byte_ranges import RangeSet, Segment
from scraper.transfer.file_storage import FileStorage
from scraper.transfer.part_file import MIB, PartFile
from scraper.transfer.resume_rules import Validators

# Bytes that one job reads back and hashes. More would keep a disk thread from the writes of other files.
HASH_BATCH_BYTES = 64 * MIB


class SegmentMap:
    """The ranges of `part`, which holds bytes of the version `validators` from `origin`.

    `saves_ranges`: the metadata on disk name ranges, so a later attempt believes them and not the length of the part.
    All methods that work on the disk raise `SinkError` and `FileWriteError`.
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
        assert validators.total is not None, "only a file of known length can be split"
        self.part, self.present, self.total, self.validators = part, present, validators.total, validators
        self.saves_ranges = saves_ranges
        self._origin, self._storage, self._now = origin, storage, now
        self._saved_at = now()
        # Saves must not overtake each other: an older set of ranges would replace a newer one.
        self._saving = asyncio.Lock()

    def __repr__(self) -> str:
        return f"SegmentMap({self.present.size} of {self.total} bytes, {self.present}, hashed={self.part.size})"

    def add_written(self, segments: Iterable[Segment]) -> None:
        """Add the bytes of `segments` that are in the file."""
        for segment in segments:
            self.present.add(segment.start, segment.written)

    def remaining(self, segments: Iterable[Segment]) -> int:
        """Bytes that have not arrived, neither in the file nor in the buffers of `segments`."""
        arrived = RangeSet([*self.present, *((segment.start, segment.position) for segment in segments)])
        return self.total - arrived.size

    async def hash_available(self) -> None:
        """Hash one batch of the bytes before the first gap, when at least 1 MiB of them is not hashed yet."""
        if self.present.prefix - self.part.size >= MIB:
            await self._hash_until(min(self.present.prefix, self.part.size + HASH_BATCH_BYTES))

    async def hash_rest(self) -> None:
        """Hash the rest of a complete file."""
        while self.part.size < self.total:
            await self._hash_until(min(self.total, self.part.size + HASH_BATCH_BYTES))

    async def save(self, segments: Iterable[Segment], min_interval: float = 0.0) -> None:
        """Save the ranges that are present, unless the last save is less than `min_interval` seconds ago."""
        if min_interval and self._now() - self._saved_at < min_interval:
            return
        async with self._saving:
            self.add_written(segments)
            self.saves_ranges, self._saved_at = True, self._now()
            job = self._storage.disk.run(self._sync_and_save, RangeSet(self.present))
            await self._storage.with_disk_errors(job, self.part.path)

    async def _hash_until(self, stop: int) -> None:
        await self._storage.with_disk_errors(self._storage.disk.run(self.part.hash_until, stop), self.part.path)

    def _sync_and_save(self, ranges: RangeSet) -> None:
        # First the bytes, then the metadata that claim them: a loss of power in between loses only the claim.
        self.part.sync()
        self._storage.part_metadata.replace(self.part.path, self._origin, self.validators, ranges)
