"""The output folder: names are given to complete files alone, and nothing leaves it through a link."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from scraper.errors import SinkError
from scraper.transfer.output_folder import OutputFolder, as_fatal_error


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[OutputFolder]:
    with closing(OutputFolder(tmp_path / "out")) as opened:
        yield opened


def write_part(folder: OutputFolder, path: str, content: bytes = b"new") -> None:
    descriptor = folder.create_part(path)
    os.write(descriptor, content)
    os.close(descriptor)


@pytest.mark.parametrize(("replace", "content"), [(True, b"new"), (False, b"old")], ids=["may", "may not"])
def test_a_file_is_replaced_only_if_it_may_be(folder: OutputFolder, replace: bool, content: bytes) -> None:
    """Otherwise it stays, and the part is deleted."""
    (folder.root / "a.bin").write_bytes(b"old")
    write_part(folder, "a.bin")
    assert folder.finalize("a.bin", replace=replace) is replace
    assert (folder.root / "a.bin").read_bytes() == content
    assert not (folder.root / "a.bin.part").exists()


def test_a_broken_link_has_the_name_too(folder: OutputFolder) -> None:
    """Renaming would replace the link."""
    (folder.root / "a.bin").symlink_to("nowhere")
    write_part(folder, "a.bin")
    assert not folder.finalize("a.bin", replace=False)


def test_no_folder_on_the_way_may_be_a_link(folder: OutputFolder, tmp_path: Path) -> None:
    """Nothing is written, read or deleted behind one."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/a.bin").touch()
    (folder.root / "sub").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="sub"):
        folder.create_part("sub/b.bin")
    assert folder.lstat("sub/a.bin") is None
    folder.delete_file("sub/a.bin")
    assert (tmp_path / "elsewhere/a.bin").exists()


def test_a_part_with_a_second_name_is_not_trusted(folder: OutputFolder) -> None:
    """Writing to it would change the other file."""
    write_part(folder, "a.bin")
    os.link(folder.root / "a.bin.part", folder.root / "other")
    assert folder.open_part("a.bin") is None


def test_empty_folders_go_with_their_last_file(folder: OutputFolder) -> None:
    """But only those that are empty."""
    for path in ("x/y/a.bin", "x/b.bin"):
        write_part(folder, path)
        folder.finalize(path, replace=False)
    folder.delete_file("x/y/a.bin")
    assert [p.name for p in (folder.root / "x").iterdir()] == ["b.bin"]


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EROFS, "read-only"),
        (errno.EACCES, None),
        (errno.ENAMETOOLONG, None),
    ],
)
def test_errors_of_the_disk_end_the_run_and_those_of_a_file_do_not(number: int, text: str | None) -> None:
    """Each other file would meet the former as well."""
    found = as_fatal_error("out/a.bin", OSError(number, os.strerror(number)))
    assert (found is None) == (text is None)
    assert text is None or text in str(found)


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    """Before anything is requested."""
    (tmp_path / "file").touch()
    with pytest.raises(SinkError):
        OutputFolder(tmp_path / "file")
