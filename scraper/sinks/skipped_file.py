"""skipped.jsonl: every URL that was seen and not asked for, written in one piece when a run ends.

The frontier keeps skips while a run goes on, because a URL that one page puts out of reach another may bring into
reach; only at the end is it known which were really skipped. So the file is written beside its name and renamed.
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
from scraper.sinks.disk_errors import write_error

FLUSH_BYTES = 256 * 1024


class SkippedFile:
    """The file at `path`, complete or not there at all. Raises `SinkError` when it cannot be written."""

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
        """Add one line."""
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
                if complete:  # else the cause is on its way already
                    raise write_error(self._path, error) from error
        finally:
            with contextlib.suppress(OSError):
                self._part.unlink(missing_ok=True)
