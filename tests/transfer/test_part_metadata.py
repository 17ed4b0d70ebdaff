"""The metadata of unfinished files: what is believed of them, and what is not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import orjson
import pytest

from scraper.transfer.byte_ranges import ByteRange, RangeSet
from scraper.transfer.output_folder import OutputFolder
from scraper.transfer.part_metadata import PartMetadataStore
from scraper.transfer.resume_rules import PartState, Validators

ORIGIN = "https://h.example"
VALIDATORS = Validators('"e"', "d", True, 10)


@pytest.fixture
def files(tmp_path: Path) -> Iterator[OutputFolder]:
    with closing(OutputFolder(tmp_path / "out")) as folder:
        (tmp_path / "out/a.bin.part").write_bytes(b"0123456")
        yield folder


def test_what_is_written_is_read_with_the_size_of_the_part(tmp_path: Path, files: OutputFolder) -> None:
    """One stream: the length of the part counts. Segments: the ranges do, as far as the first gap."""
    store = PartMetadataStore(tmp_path / "parts")
    store.write("a.bin", ORIGIN, VALIDATORS)
    assert store.read(files, "a.bin") == PartState(ORIGIN, VALIDATORS, 7)
    store.replace("a.bin", ORIGIN, VALIDATORS, RangeSet([(0, 2), (4, 6)]))
    assert store.read(files, "a.bin") == PartState(ORIGIN, VALIDATORS, 2, (ByteRange(0, 2), ByteRange(4, 6)))
    assert store.paths() == ["a.bin"]
    store.delete("a.bin")
    assert store.read(files, "a.bin") is None


def test_the_keys_on_disk_are_those_of_earlier_versions(tmp_path: Path) -> None:
    """Part files of a run that was stopped by an earlier version are continued."""
    store = PartMetadataStore(tmp_path)
    store.replace("a.bin", ORIGIN, VALIDATORS, RangeSet([(0, 2)]))
    (file,) = tmp_path.glob("*.json")
    assert orjson.loads(file.read_bytes()) == {
        "path": "a.bin",
        "origin": ORIGIN,
        "etag": '"e"',
        "modified": "d",
        "settled": True,
        "total": 10,
        "ranges": [[0, 2]],
    }


@pytest.mark.parametrize(
    "change",
    [{"origin": 1}, {"etag": 1}, {"total": "10"}, {"total": 5, "ranges": [[0, 2]]}, {"ranges": [[0, 8]]}],
    ids=["origin", "etag", "total", "longer than the file", "range behind the end"],
)
def test_metadata_that_cannot_be_right_are_not_believed(
    tmp_path: Path, files: OutputFolder, change: dict[str, object]
) -> None:
    """A part without believable metadata is downloaded again."""
    store = PartMetadataStore(tmp_path / "parts")
    store.write("a.bin", ORIGIN, VALIDATORS)
    (file,) = (tmp_path / "parts").glob("*.json")
    file.write_bytes(orjson.dumps({**orjson.loads(file.read_bytes()), **change}))
    assert store.read(files, "a.bin") is None


def test_metadata_without_a_part_say_nothing(tmp_path: Path, files: OutputFolder) -> None:
    """And neither do those of a part that is a link."""
    store = PartMetadataStore(tmp_path / "parts")
    store.write("b.bin", ORIGIN, VALIDATORS)
    assert store.read(files, "b.bin") is None
    (tmp_path / "out/b.bin.part").symlink_to("a.bin.part")
    assert store.read(files, "b.bin") is None
