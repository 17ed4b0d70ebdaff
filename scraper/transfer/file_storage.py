"""The output folder, the notes of parts and the threads that write both, behind one door for the disk's errors."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from scraper.errors import SinkError
from scraper.transfer.disk_threads import DiskThreads
from scraper.transfer.output_folder import AGAIN, Folder, ends_the_run
from scraper.transfer.part_metadata import Notes

T = TypeVar("T")


class FileTrouble(Exception):  # noqa: N818  names what the file has
    """This file cannot be written, whatever the server does."""


class Storage:
    """Where files go. It owns `disk`, the threads, and not `folder`."""

    def __init__(self, folder: Folder, notes: Notes) -> None:
        self.folder, self.notes = folder, notes
        self.disk = DiskThreads()

    async def write(self, job: Callable[..., T], *args: Any) -> T:
        """Run a job of a thread; errors as `translated`."""
        path = next((arg for arg in args if isinstance(arg, str)), str(self.folder.root))
        return await self.translated(self.disk.run(job, *args), path)

    async def write_small(self, path: str, job: Callable[..., T], *args: Any) -> T:
        """Run a job of some microseconds for the file at `path`: at once, unless the disk has been slow of late."""
        if not self.disk.quick:
            return await self.translated(self.disk.run(job, *args), path)
        try:
            return self.disk.run_small(job, *args)
        except OSError as error:
            raise self._trouble(path, error) from error

    async def translated(self, job: asyncio.Future[T], path: str) -> T:
        """What `job` gives for the file at `path`.

        Raises `SinkError` where every other file would meet the same error, `FileTrouble` for this file's own.
        """
        try:
            return await job
        except OSError as error:
            raise self._trouble(path, error) from error

    def _trouble(self, path: str, error: OSError) -> SinkError | FileTrouble:
        ending = ends_the_run(str(self.folder.root / path), error)
        return ending or FileTrouble(f"{path} cannot be written: {error.strerror or error}")

    async def make_room(self, length: int | None) -> None:
        """Stop the run before the transfer when what is to come does not fit on the disk. Raises `SinkError`."""
        if length is not None and length > (free := await self.write(self.folder.free)):
            raise SinkError(
                f"{self.folder.root}: {length:,} bytes are to come and {free:,} are free; make room and {AGAIN}"
            )

    async def drop(self, path: str) -> None:
        """Delete the part of `path` and its note."""
        await self.write(self.folder.drop_part, path)
        await self.write(self.notes.drop, path)

    async def aclose(self) -> None:
        """End the disk threads."""
        await self.disk.aclose()
