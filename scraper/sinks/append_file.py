"""A file that only grows and whose length is known to the byte: what jsonl and csv are built on.

Its mark is its length in bytes. What stands behind the mark after a crash, half a line perhaps, is cut off when the
file is opened again.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import aiofiles

from scraper.errors import SinkError
from scraper.sinks.disk_errors import (
    incomplete_error,
    parse_count_checkpoint,
    run_to_completion,
    sync_folder,
    write_error,
)

if TYPE_CHECKING:
    from aiofiles.threadpool.binary import AsyncFileIO


class AppendFile:
    """Gathers lines in memory and appends them in one write a flush.

    What gathers is bounded by whoever calls `add`: the recorder flushes after every group of results.
    `offset` is the number of bytes in the file, those still gathered not included. With `power` a flush returns when
    the bytes are on the disk, so that its mark outlives a loss of power too; that is one fsync a flush.
    """

    def __init__(self, path: Path, *, fsync: bool = False) -> None:
        self.path = path
        self._fsync = fsync
        self.offset = 0
        self._pending: list[bytes] = []
        self._file: AsyncFileIO | None = None

    async def open(self, checkpoint: str | None) -> None:
        """Open for appending at `mark`, a length in bytes; None empties the file. Makes missing folders.

        Raises `SinkError` when the file cannot be written, or is shorter than the mark.
        """
        wanted = None if checkpoint is None else parse_count_checkpoint(self.path, checkpoint)
        try:
            await run_to_completion(self._open(wanted))
        except OSError as error:
            raise write_error(self.path, error) from error

    def add(self, line: bytes) -> None:
        """Gather `line`, with its line end."""
        self._pending.append(line)

    async def flush(self) -> str:
        """Append what has gathered; return the mark. Raises `SinkError`; what was not written stays gathered."""
        if self._pending:
            lines = self.take_pending()
            try:
                await run_to_completion(self._write(lines))
            except SinkError:
                self._pending[:0] = lines
                raise
        return str(self.offset)

    def take_pending(self) -> Sequence[bytes]:
        """The lines that have gathered, for `append`."""
        lines, self._pending = self._pending, []
        return lines

    def append_blocking(self, lines: Sequence[bytes]) -> None:
        """Append what was taken, for who is in a thread already: one call at a time, and none of `flush` beside it.

        Raises `SinkError`; nothing of it is there then.
        """
        descriptor = self._require_open().fileno()
        data = memoryview(b"".join(lines))
        whole = len(data)
        try:
            while data:  # a raw file may take less than it was given, when the disk is nearly full
                data = data[os.write(descriptor, data) :]
            if self._fsync:
                os.fsync(descriptor)
        except OSError as error:
            # What the disk took of it may end in the middle of a line, and the run may never be resumed.
            with contextlib.suppress(OSError):
                os.ftruncate(descriptor, self.offset)
            raise write_error(self.path, error) from error
        self.offset += whole

    async def aclose(self) -> None:
        """Flush and close. Raises `SinkError`, and is closed then, too."""
        if self._file is None:
            return
        try:
            await self.flush()
        finally:
            file, self._file = self._file, None
            await run_to_completion(_close_file(file, self.path))

    async def _open(self, length: int | None) -> None:
        self.offset = await asyncio.to_thread(_truncate, self.path, length)
        # Unbuffered: when a write returns, the bytes are with the operating system and survive a kill.
        self._file = await aiofiles.open(self.path, "ab", buffering=0)
        if self._fsync:
            await asyncio.to_thread(sync_folder, self.path.parent)

    def _require_open(self) -> AsyncFileIO:
        if self._file is None:
            raise SinkError(f"{self.path} is not open")
        return self._file

    async def _write(self, lines: Sequence[bytes]) -> None:
        file = self._require_open()
        data = memoryview(b"".join(lines))
        whole = len(data)
        try:
            while data:  # a raw file may take less than it was given, when the disk is nearly full
                data = data[await file.write(data) or 0 :]
            if self._fsync:
                await asyncio.to_thread(os.fsync, file.fileno())
        except OSError as error:
            with contextlib.suppress(OSError):
                await file.truncate(self.offset)
            raise write_error(self.path, error) from error
        self.offset += whole


def _truncate(path: Path, length: int | None) -> int:
    """Make `path` exactly `length` bytes long, never longer than it was; return its length."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if length is None:
        path.open("wb").close()
        return 0
    try:
        size = path.stat().st_size
    except FileNotFoundError as error:
        raise incomplete_error(path, "is missing") from error
    if size < length:
        raise incomplete_error(path, f"holds {size:,} bytes where {length:,} were committed")
    os.truncate(path, length)
    return length


async def _close_file(file: AsyncFileIO, path: Path) -> None:
    try:
        await file.close()
    except OSError as error:
        raise write_error(path, error) from error
