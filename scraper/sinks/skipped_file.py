"""skipped.jsonl: each URL that was seen and not requested, written when a run ends.

Only then is it known which URLs were skipped: one that is too deep from one page may be near enough from another. Until
then the frontier keeps them. The file is written under another name and renamed, so it is complete or not there.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from types import TracebackType
from typing import Self

import aiofiles
import orjson
from aiofiles.threadpool.binary import AsyncBufferedIOBase

from scraper.model import Skip
from scraper.rundir.disk_errors import write_error

# Lines are written in blocks of this size.
# Lines are written in blocks of this size.
FLUSH_BYTES = 256 * 1024


class SkippedFile:
    """The file at `path`, as a context manager; leaving it without an exception makes the file appear.

    Raises `SinkError` when it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._part = path.with_name(path.name + ".part")
        self._file: AsyncBufferedIOBase | None = None
        self._buffer = bytearray()

    async def __aenter__(self) -> Self:
        try:
            self._file = await aiofiles.open(self._part, "wb")
        except OSError as error:
            raise write_error(self._path, error) from error
        return self

    async def write(self, skip: Skip) -> None:
        """Add the line of one skipped URL."""
        row = {"url": skip.url.href, "parent": skip.parent, "reason": skip.reason, "rule": skip.rule}
        self._buffer += orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)
        if len(self._buffer) >= FLUSH_BYTES:
            await self._flush()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        complete = False
        try:
            if kind is None:
                await self._flush()
                complete = True
        finally:
            await self._close_and_rename(complete)

    async def _flush(self) -> None:
        assert self._file is not None
        try:
            await self._file.write(bytes(self._buffer))
        except OSError as error:
            raise write_error(self._path, error) from error
        self._buffer.clear()

    async def _close_and_rename(self, complete: bool) -> None:
        assert self._file is not None
        try:
            try:
                await self._file.close()
                if complete:
                    self._part.replace(self._path)
            except OSError as error:
                if complete:  # otherwise the exception that ended the block is being raised already
                    raise write_error(self._path, error) from error
        finally:
            with contextlib.suppress(OSError):
                self._part.unlink(missing_ok=True)
