"""The output folder, the metadata of unfinished files and the disk threads, with one translation of disk errors."""

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
    """This one file cannot be written; others may. Becomes a permanent failure of its entry."""


class FileStorage:
    """Runs file operations in disk threads. It owns `disk`, the threads, but neither `folder` nor `part_metadata`.

    An `OSError` becomes `SinkError` when every other file would meet it too (disk full, read-only, I/O error), which
    ends the run, and `FileWriteError` when it concerns one file.
    """

    def __init__(self, folder: OutputFolder, part_metadata: PartMetadataStore) -> None:
        self.folder, self.part_metadata = folder, part_metadata
        self.disk = DiskThreads()

    async def run(self, job: Callable[..., T], *args: Any) -> T:
        """Run `job(*args)` in a disk thread. Error messages name the first string among `args`: the file's path."""
        path = next((arg for arg in args if isinstance(arg, str)), str(self.folder.root))
        return await self.with_disk_errors(self.disk.run(job, *args), path)

    async def run_small(self, path: str, job: Callable[..., T], *args: Any) -> T:
        """Run a job of some microseconds for the file at `path`: on the event loop, unless the disk was slow lately."""
        if not self.disk.is_fast:
            return await self.with_disk_errors(self.disk.run(job, *args), path)
        try:
            return self.disk.run_inline(job, *args)
        except OSError as error:
            raise self._as_write_error(path, error) from error

    async def with_disk_errors(self, job: asyncio.Future[T], path: str) -> T:
        """Await `job`, which works on the file at `path`. Raises `SinkError` and `FileWriteError` for an `OSError`."""
        try:
            return await job
        except OSError as error:
            raise self._as_write_error(path, error) from error

    def _as_write_error(self, path: str, error: OSError) -> SinkError | FileWriteError:
        fatal = as_fatal_error(str(self.folder.root / path), error)
        return fatal or FileWriteError(f"{path} cannot be written: {error.strerror or error}")

    async def check_free_space(self, length: int | None) -> None:
        """Raise `SinkError` when `length` bytes (None: unknown) do not fit on the disk.

        Before the download: a disk that fills up in the middle would also stop everything else that writes to it.
        """
        if length is not None and length > (free := await self.run(self.folder.free_bytes)):
            raise SinkError(
                f"{self.folder.root}: {length:,} bytes are to come and {free:,} are free; make room and {RESUME_HINT}"
            )

    async def delete_part(self, path: str) -> None:
        """Delete the unfinished file of `path` and its metadata."""
        await self.run(self.folder.delete_part, path)
        await self.run(self.part_metadata.delete, path)

    async def aclose(self) -> None:
        """End the disk threads, after the jobs they have."""
        await self.disk.aclose()
