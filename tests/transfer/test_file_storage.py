"""Jobs on the disk: where they run, and what their errors become."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from scraper.errors import SinkError
from scraper.transfer import disk_threads
from scraper.transfer.file_storage import FileStorage, FileWriteError
from scraper.transfer.output_folder import OutputFolder
from scraper.transfer.part_metadata import PartMetadataStore


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[FileStorage]:
    folder = OutputFolder(tmp_path / "out")
    opened = FileStorage(folder, PartMetadataStore(tmp_path / "parts"))
    yield opened
    await opened.aclose()
    folder.close()


@pytest.mark.parametrize(
    ("number", "kind"), [(errno.ENOSPC, SinkError), (errno.EACCES, FileWriteError)], ids=["every file", "this file"]
)
async def test_an_error_says_whom_it_concerns(storage: FileStorage, number: int, kind: type[Exception]) -> None:
    """And names the file, in a thread as on the loop."""

    def fail(_: str) -> None:
        raise OSError(number, os.strerror(number))

    with pytest.raises(kind, match=r"a\.bin"):
        await storage.run(fail, "a.bin")
    with pytest.raises(kind, match=r"a\.bin"):
        await storage.run_small("a.bin", fail, "a.bin")


async def test_small_jobs_leave_the_loop_after_a_slow_one(
    storage: FileStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And come back to it when the pause is over, which is longer after a second slow one."""
    now = 100.0
    monkeypatch.setattr(disk_threads, "monotonic", lambda: now)

    def slow() -> int:
        nonlocal now
        now += 1.0
        return threading.get_ident()

    loop = threading.get_ident()
    assert await storage.run_small("a.bin", slow) == loop
    assert await storage.run_small("a.bin", threading.get_ident) != loop
    now += disk_threads.MIN_PAUSE_SECONDS
    assert await storage.run_small("a.bin", slow) == loop
    now += disk_threads.MIN_PAUSE_SECONDS
    assert await storage.run_small("a.bin", threading.get_ident) != loop
    now += disk_threads.MIN_PAUSE_SECONDS
    assert await storage.run_small("a.bin", threading.get_ident) == loop


async def test_a_file_that_cannot_fit_stops_the_run(storage: FileStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the disk is full; an unknown length is no reason."""
    monkeypatch.setattr(OutputFolder, "free_bytes", lambda _: 10)
    await storage.check_free_space(10)
    await storage.check_free_space(None)
    with pytest.raises(SinkError, match="11 bytes are to come and 10 are free"):
        await storage.check_free_space(11)
