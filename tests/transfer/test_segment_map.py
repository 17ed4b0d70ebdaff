"""What is present of a file in segments, and what is saved of that."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from scraper.transfer.byte_ranges import ByteRange, RangeSet, Segment
from scraper.transfer.file_storage import FileStorage
from scraper.transfer.output_folder import OutputFolder
from scraper.transfer.part_file import PartFile
from scraper.transfer.part_metadata import PartMetadataStore
from scraper.transfer.resume_rules import Validators
from scraper.transfer.segment_map import SegmentMap

BODY = b"0123456789"


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[FileStorage]:
    folder = OutputFolder(tmp_path / "out")
    opened = FileStorage(folder, PartMetadataStore(tmp_path / "parts"))
    yield opened
    await opened.aclose()
    folder.close()


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def segment_map(storage: FileStorage, clock: Clock) -> SegmentMap:
    part = PartFile.create(storage.folder, "a.bin", [])
    part.append(memoryview(BODY[:2]), 0)
    storage.part_metadata.write("a.bin", "https://h", Validators('"e"', None, False, 10))
    validators = Validators('"e"', None, False, 10)
    return SegmentMap(part, RangeSet([(0, 2)]), "https://h", validators, storage, clock, saves_ranges=False)


async def test_only_written_bytes_are_saved(storage: FileStorage) -> None:
    """Bytes that have arrived and are not written yet are no longer missing, but not claimed either."""
    found = segment_map(storage, Clock())
    segment = Segment(4, 8)
    segment.position, segment.written = 7, 6
    assert found.remaining([segment]) == 5
    found.part.write_at(memoryview(BODY[4:6]), 4)
    await found.save([segment])
    assert repr(found) == "SegmentMap(4 of 10 bytes, RangeSet(0-2, 4-6), hashed=2)"
    state = storage.part_metadata.read(storage.folder, "a.bin")
    assert state is not None
    assert state.ranges == (ByteRange(0, 2), ByteRange(4, 6))
    found.part.close()


async def test_it_is_saved_no_more_often_than_asked_for(storage: FileStorage) -> None:
    """Each save waits for the disk."""
    clock = Clock()
    found = segment_map(storage, clock)
    await found.save([])
    for seconds, saved in ((4.0, ()), (1.0, (ByteRange(0, 2), ByteRange(5, 6)))):
        clock.now += seconds
        found.part.write_at(memoryview(BODY[5:6]), 5)
        segment = Segment(5, 6)
        segment.written = 6
        await found.save([segment], 5.0)
        state = storage.part_metadata.read(storage.folder, "a.bin")
        assert state is not None
        assert state.ranges == (saved or (ByteRange(0, 2),))
    found.part.close()


async def test_the_rest_is_hashed_when_the_file_is_complete(storage: FileStorage) -> None:
    """In entry, read back from the disk."""
    found = segment_map(storage, Clock())
    found.part.write_at(memoryview(BODY[2:]), 2)
    await found.hash_rest()
    assert found.part.finish(None, False).sha256 == hashlib.sha256(BODY).hexdigest()
