"""A file that only grows: what the sinks for JSON lines, CSV and stored pages write to.

Its checkpoint is its length in bytes. After a crash the file may be longer than the last checkpoint and end inside a
line; opening it at the checkpoint truncates it to that length.
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
from scraper.rundir.disk_errors import sync_folder, write_error
from scraper.sinks.checkpoints import incomplete_error, parse_count_checkpoint
from scraper.sinks.run_to_completion import run_to_completion

if TYPE_CHECKING:
    from aiofiles.threadpool.binary import AsyncFileIO


class AppendFile:
    """Buffers lines and appends them with one write a flush.

    The buffer is not bounded here: the recorder flushes after each batch of results. `offset` is the length of the
    file in bytes, without what is buffered. With `fsync` a flush returns once the bytes are on the disk, so that its
    checkpoint survives a loss of power; that costs one fsync a flush.
    """

    def __init__(self, path: Path, *, fsync: bool = False) -> None:
        self.path = path
        self._fsync = fsync
        self.offset = 0
        self._pending: list[bytes] = []
        self._file: AsyncFileIO | None = None

    async def open(self, checkpoint: str | None) -> None:
        """Open for appending at `checkpoint`, a length in bytes; None empties the file. Makes missing folders.

        Raises `SinkError` when the file cannot be written, or is shorter than the checkpoint.
        """
        length = None if checkpoint is None else parse_count_checkpoint(self.path, checkpoint)
        try:
            await run_to_completion(self._open(length))
        except OSError as error:
            raise write_error(self.path, error) from error

    def add(self, line: bytes) -> None:
        """Buffer `line`, which includes its line end."""
        self._pending.append(line)

    async def flush(self) -> str:
        """Append the buffer; return the checkpoint. Raises `SinkError`; what was not written stays in the buffer."""
        if self._pending:
            lines = self.take_pending()
            try:
                await run_to_completion(self._write(lines))
            except SinkError:
                self._pending[:0] = lines
                raise
        return str(self.offset)

    def take_pending(self) -> Sequence[bytes]:
        """Empty the buffer and return its lines, for `append_blocking`."""
        lines, self._pending = self._pending, []
        return lines

    def append_blocking(self, lines: Sequence[bytes]) -> None:
        """Append what `take_pending` returned, from a thread. Never run it beside another call or a `flush`.

        Raises `SinkError`; the file is then as it was before.
        """
        descriptor = self._require_open().fileno()
        data = memoryview(b"".join(lines))
        size = len(data)
        try:
            # An unbuffered write may be short when the disk is nearly full.
            while data:
                data = data[os.write(descriptor, data) :]
            if self._fsync:
                os.fsync(descriptor)
        except OSError as error:
            # The disk may have taken half a line. Remove it: if the run is never resumed, nobody else would.
            with contextlib.suppress(OSError):
                os.ftruncate(descriptor, self.offset)
            raise write_error(self.path, error) from error
        self.offset += size

    async def aclose(self) -> None:
        """Flush and close; closed even when it raises `SinkError`."""
        if self._file is None:
            return
        try:
            await self.flush()
        finally:
            file, self._file = self._file, None
            await run_to_completion(_close_file(file, self.path))

    async def _open(self, length: int | None) -> None:
        self.offset = await asyncio.to_thread(_truncate, self.path, length)
        # Unbuffered: once a write returns, the kernel has the bytes and they survive a kill of this process.
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
        size = len(data)
        try:
            # An unbuffered write may be short when the disk is nearly full.
            while data:
                data = data[await file.write(data) or 0 :]
            if self._fsync:
                await asyncio.to_thread(os.fsync, file.fileno())
        except OSError as error:
            with contextlib.suppress(OSError):
                await file.truncate(self.offset)
            raise write_error(self.path, error) from error
        self.offset += size


def _truncate(path: Path, length: int | None) -> int:
    """Truncate `path` to `length` bytes, None: to nothing; return its length. `SinkError` when it is shorter."""
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
