"""Part files: written, hashed, renamed when they are correct."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from scraper.transfer.checksum import Checksum
from scraper.transfer.output_folder import OutputFolder
from scraper.transfer.part_file import PartFile, StoredFile, hash_file, read_tail, store_small_file

BODY = b"0123456789"
SHA256 = hashlib.sha256(BODY).hexdigest()
MD5 = Checksum("md5", hashlib.md5(BODY, usedforsecurity=False).hexdigest())
WRONG = Checksum("sha1", "0" * 40)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[OutputFolder]:
    with closing(OutputFolder(tmp_path)) as opened:
        yield opened


def test_bytes_may_come_in_any_order_and_are_hashed_in_theirs(folder: OutputFolder) -> None:
    """What alters behind a gap is read back when the gap is filled."""
    part = PartFile.create(folder, "a.bin", [MD5])
    part.write_at(memoryview(BODY[6:]), 6)
    part.append(memoryview(BODY[:6]), 0)
    assert repr(part) == "PartFile('a.bin', size=6, open)"
    part.hash_until(10)
    assert part.finish(100.0, False) == StoredFile(10, SHA256)
    assert repr(part) == "PartFile('a.bin', size=10, closed)"
    assert ((folder.root / "a.bin").read_bytes(), (folder.root / "a.bin").stat().st_mtime) == (BODY, 100.0)


@pytest.mark.parametrize("is_small", [True, False], ids=["in memory", "part file"])
def test_a_wrong_file_is_kept_under_another_name(folder: OutputFolder, is_small: bool) -> None:
    """It never has the name of the right one."""
    if is_small:
        stored = store_small_file(folder, "a.bin", BODY, [MD5, WRONG], None, False)
    else:
        part = PartFile.create(folder, "a.bin", [MD5, WRONG])
        part.append(memoryview(BODY), 0)
        stored = part.finish(None, False)
    assert stored == StoredFile(10, SHA256, WRONG)
    assert sorted(p.name for p in folder.root.iterdir()) == ["a.bin.bad"]


def test_an_existing_part_is_hashed_again(folder: OutputFolder) -> None:
    """And must be as long as its metadata say, unless they name ranges."""
    (folder.root / "a.bin.part").write_bytes(BODY)
    with closing(PartFile.open_existing(folder, "a.bin", 4, [], has_ranges=True)) as part:
        assert part.size == 4
        part.truncate()
    assert (folder.root / "a.bin.part").read_bytes() == BODY[:4]
    with pytest.raises(OSError, match="has changed"):
        PartFile.open_existing(folder, "a.bin", 3, [])
    with pytest.raises(OSError, match="has changed"):
        PartFile.open_existing(folder, "a.bin", 5, [])
    with pytest.raises(OSError, match="is gone"):
        PartFile.open_existing(folder, "b.bin", 0, [])


def test_the_end_of_a_part_is_read_for_comparison(folder: OutputFolder) -> None:
    """The last bytes of those that are known to be present."""
    (folder.root / "a.bin.part").write_bytes(BODY)
    assert read_tail(folder, "a.bin", 8, 3) == b"567"
    assert read_tail(folder, "b.bin", 8, 3) is None


def test_a_finished_file_is_checked(folder: OutputFolder) -> None:
    """The first checksum that it does not have is named."""
    (folder.root / "a.bin").write_bytes(BODY)
    assert hash_file(folder, "a.bin", [MD5]) == StoredFile(10, SHA256)
    assert hash_file(folder, "a.bin", [MD5, WRONG]) == StoredFile(10, SHA256, WRONG)
