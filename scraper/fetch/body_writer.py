"""Where a body gathers while it arrives: in memory up to a limit, beyond it in a file, with its digest and its sizes.

Writing must never wait for a disk on the event loop, and a hop to a thread for every chunk of the network would cost
as much as the copy. So `write` only appends, and says when a whole batch is due; `flush` hands the batch to a thread,
which hashes and writes it in one go. A page of usual size never leaves memory and never awaits anything.

A cancelled `flush` leaves a thread behind that still writes. Everything that touches the file takes its lock, so
`discard` waits its turn in a thread of its own and nothing is deleted under a write or left after one.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import shutil
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

import xxhash

from scraper.errors import SinkError
from scraper.model import Body

MIB = 1024 * 1024
WRITE_BATCH_BYTES = MIB
# Bodies up to this many bytes are hashed where they are; sha256 of more would be felt on the event loop.
MAX_BYTES_HASHED_ON_LOOP = 128 * 1024

_DISK_FULL_ERRNOS = {errno.ENOSPC, errno.EDQUOT}


class BodyLimitExceeded(Exception):  # noqa: N818  names what the body is
    """A body exceeds its cap of `limit` bytes, `decoded` or as sent."""

    def __init__(self, limit: int, decoded: bool) -> None:
        self.limit = limit
        super().__init__(f"the body is larger than {limit} bytes{' when decoded' if decoded else ''}")


@dataclass(frozen=True, slots=True)
class SpoolSettings:
    """Where bodies above `memory_limit` bytes go. `folder` is made when it is first needed."""

    folder: Path
    memory_limit: int = MIB


class Spool:
    """A private folder inside `settings.folder`, made with the first file and deleted with all that is left in it."""

    def __init__(self, settings: SpoolSettings) -> None:
        self.settings = settings
        self._folder: Path | None = None
        self._lock = threading.Lock()

    def create(self) -> tuple[Path, BinaryIO]:
        """A new file under a name of its own; blocks on the disk. Raises `OSError`."""
        with self._lock:
            if self._folder is None:
                self.settings.folder.mkdir(parents=True, exist_ok=True)
                self._folder = Path(tempfile.mkdtemp(prefix="bodies-", dir=self.settings.folder))
        descriptor, name = tempfile.mkstemp(prefix="body-", suffix=".part", dir=self._folder)
        # Unbuffered: batches are large, and a full disk must show at the write that fills it.
        return Path(name), os.fdopen(descriptor, "wb", buffering=0)

    async def aclose(self) -> None:
        """Delete the folder with what nobody took; calling it twice does nothing more."""
        folder, self._folder = self._folder, None
        if folder is not None:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


class _Digest(Protocol):
    def update(self, content: bytes, /) -> None: ...

    def hexdigest(self) -> str: ...


class BodyWriter:
    """Gathers one body. `wire` counts bytes as sent, `size` bytes as written, so after decoding.

    `max_bytes` caps each of the two (None: no cap). `sha256` asks for that digest in place of xxh3.
    """

    __slots__ = ("_batch", "_buffered", "_file", "_hash", "_hash_name", "_spool", "max_bytes", "size", "wire_bytes")

    def __init__(self, spool: Spool, *, sha256: bool = False, max_bytes: int | None = None) -> None:
        self._spool = spool
        self.max_bytes = max_bytes
        self._hash_name, self._hash = ("sha256", hashlib.sha256()) if sha256 else ("xxh3", _new_xxh3())
        self._batch: list[bytes] = []
        self._buffered = 0
        self._file: _SpoolFile | None = None
        self.size = 0
        self.wire_bytes = 0

    def count_received(self, received: int) -> None:
        """`received` more bytes came over the network; raises `BodyLimitExceeded` above the cap."""
        self.wire_bytes += received
        if self.max_bytes is not None and self.wire_bytes > self.max_bytes:
            raise BodyLimitExceeded(self.max_bytes, decoded=False)

    def write(self, piece: bytes) -> bool:
        """Take `piece`; return whether `flush` is due before the next one. Raises `BodyLimitExceeded` above the cap."""
        self.size += len(piece)
        if self.max_bytes is not None and self.size > self.max_bytes:
            raise BodyLimitExceeded(self.max_bytes, decoded=True)
        self._batch.append(piece)
        self._buffered += len(piece)
        return self._buffered > (self._spool.settings.memory_limit if self._file is None else WRITE_BATCH_BYTES)

    async def flush(self) -> None:
        """Bring what has gathered to the file. Raises `SinkError` when it cannot be written."""
        if self._file is None:
            self._file = _SpoolFile(self._spool)
        batch, self._batch, self._buffered = self._batch, [], 0
        await self._append_in_thread(self._file, batch, False)

    async def finish(self) -> Body:
        """The body, whole; a spooled file then belongs to its reader. Raises `SinkError`."""
        if self._file is not None:
            await self._append_in_thread(self._file, self._batch, True)
            return Body(self.size, self.wire_bytes, self._digest(), path=self._file.path)
        content = self._batch[0] if len(self._batch) == 1 else b"".join(self._batch)
        if self._hash_name == "sha256" and len(content) > MAX_BYTES_HASHED_ON_LOOP:
            await asyncio.to_thread(self._hash.update, content)
        else:
            self._hash.update(content)
        return Body(self.size, self.wire_bytes, self._digest(), data=content)

    async def discard(self) -> None:
        """Drop what has gathered and delete the file, also after a cancelled `flush`. Raises nothing."""
        self._batch.clear()
        if self._file is not None:
            # Shielded, so that a second cancellation cannot keep the thread from deleting.
            await asyncio.shield(asyncio.get_running_loop().run_in_executor(None, self._file.remove))

    def _digest(self) -> str:
        return f"{self._hash_name}:{self._hash.hexdigest()}"

    async def _append_in_thread(self, file: _SpoolFile, batch: list[bytes], last: bool) -> None:
        try:
            await asyncio.to_thread(file.append, batch, self._hash, last)
        except OSError as error:
            raise SinkError(_disk_error_text(error, self._spool.settings.folder)) from error


class _SpoolFile:
    """The file behind one body; its methods block and are called in threads."""

    def __init__(self, spool: Spool) -> None:
        self.path: Path | None = None
        self._spool = spool
        self._file: BinaryIO | None = None
        self._removed = False
        self._lock = threading.Lock()

    def append(self, batch: list[bytes], digest: _Digest, last: bool) -> None:
        content = b"".join(batch)
        with self._lock:
            if self._removed:
                return
            if self._file is None:
                self.path, self._file = self._spool.create()
            rest = memoryview(content)
            while rest:
                rest = rest[self._file.write(rest) :]
            if last:
                self._file.close()
        digest.update(content)

    def remove(self) -> None:
        with self._lock:
            self._removed = True
            if self._file is not None and self.path is not None:
                self._file.close()
                self.path.unlink(missing_ok=True)


def _new_xxh3() -> _Digest:
    return xxhash.xxh3_128()


def _disk_error_text(error: OSError, folder: Path) -> str:
    if error.errno in _DISK_FULL_ERRNOS:
        return f"{folder}: no space left for bodies being received; free some and run the same command again"
    reason = os.strerror(error.errno) if error.errno else type(error).__name__
    return f"{folder}: bodies being received cannot be written there: {reason.lower()}"
