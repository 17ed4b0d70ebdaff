"""The threads that write files."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from scraper.transfer.file_storage import FileStorage
from scraper.transfer.output_folder import OutputFolder
from scraper.transfer.part_metadata import PartMetadataStore


async def test_a_job_that_is_awaited_cannot_be_cancelled(tmp_path: Path) -> None:
    """A task that is cancelled while a thread works for it hears of that when the job is done."""
    folder = OutputFolder(tmp_path)
    storage = FileStorage(folder, PartMetadataStore(tmp_path / "notes"))
    go_on = threading.Event()
    try:
        task = asyncio.ensure_future(storage.run(go_on.wait))
        for _ in range(3):
            await asyncio.wait([task], timeout=0)
        task.cancel()
        await asyncio.wait([task], timeout=0.01)
        assert not task.done()
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task
    finally:
        go_on.set()
        await storage.aclose()
        folder.close()
