"""The output folder, the notes of parts and the threads that write both, behind one door for the disk's errors."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from scraper.errors import SinkError
from scraper.rundir.disk_errors import RESUME_HINT
from scraper.transfer.disk_threads import DiskThreads
from scraper.transfer.output_folder import OutputFolder, as_fatal_error
from scraper.transfer.part_metadata import PartMetadataStore

T = TypeVar("T")


class FileWriteError(Exception):
    """This file cannot be written, whatever the server does."""


class FileStorage:
    """Where files go. It owns `disk`, the threads, and not `folder`."""

    def __init__(self, folder: OutputFolder, part_metadata: PartMetadataStore) -> None:
        self.folder, self.part_metadata = folder, part_metadata
        self.disk = DiskThreads()

    async def run(self, job: Callable[..., T], *args: Any) -> T:
        """Run a job of a thread; errors as `translated`."""
        path = next((arg for arg in args if isinstance(arg, str)), str(self.folder.root))
        return await self.with_disk_errors(self.disk.run(job, *args), path)

    async def run_small(self, path: str, job: Callable[..., T], *args: Any) -> T:
        """Run a job of some microseconds for the file at `path`: at once, unless the disk has been slow of late."""
        if not self.disk.is_fast:
            return await self.with_disk_errors(self.disk.run(job, *args), path)
        try:
            return self.disk.run_inline(job, *args)
        except OSError as error:
            raise self._as_write_error(path, error) from error

    async def with_disk_errors(self, job: asyncio.Future[T], path: str) -> T:
        """What `job` gives for the file at `path`.

        Raises `SinkError` where every other file would meet the same error, `FileWriteError` for this file's own.
        """
        try:
            return await job
        except OSError as error:
            raise self._as_write_error(path, error) from error

    def _as_write_error(self, path: str, error: OSError) -> SinkError | FileWriteError:
        ending = as_fatal_error(str(self.folder.root / path), error)
        return ending or FileWriteError(f"{path} cannot be written: {error.strerror or error}")

    async def check_free_space(self, length: int | None) -> None:
        """Stop the run before the transfer when what is to come does not fit on the disk. Raises `SinkError`."""
        if length is not None and length > (free := await self.run(self.folder.free_bytes)):
            raise SinkError(
                f"{self.folder.root}: {length:,} bytes are to come and {free:,} are free; make room and {RESUME_HINT}"
            )

    async def delete_part(self, path: str) -> None:
        """Delete the part of `path` and its note."""
        await self.run(self.folder.delete_part, path)
        await self.run(self.part_metadata.delete, path)

    async def aclose(self) -> None:
        """End the disk threads."""
        await self.disk.aclose()
