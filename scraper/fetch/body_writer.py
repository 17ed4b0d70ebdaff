"""Collects a body while it arrives: in memory up to a limit, beyond it in a file; with its digest and sizes.

Writing must not block the event loop, and a thread switch for every piece from the network would cost as much as the
copy. So `write` only collects, and says when a batch is due; `flush` passes the batch to a thread, which hashes and
writes it. A page of usual size stays in memory and never awaits anything.

A cancelled `flush` leaves a thread behind that is still writing. Everything that touches the file takes its lock, so
`discard` waits for that thread (in a thread of its own), and no file is deleted during a write or left after it.
"""

from __future__ import annotations

import asyncio
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
from scraper.rundir.disk_errors import cause_text

MIB = 1024 * 1024
# Bytes collected before they are written to the file.
WRITE_BATCH_BYTES = MIB
# Larger bodies in memory are hashed in a thread: sha256 of them would delay the event loop.
MAX_BYTES_HASHED_ON_LOOP = 128 * 1024


class BodyLimitExceeded(Exception):  # noqa: N818  as httpx names its exceptions
    """A body exceeds its limit of `limit` bytes; `decoded` says whether after decoding or as received."""

    def __init__(self, limit: int, decoded: bool) -> None:
        self.limit = limit
        super().__init__(f"the body is larger than {limit} bytes{' when decoded' if decoded else ''}")


@dataclass(frozen=True, slots=True)
class SpoolSettings:
    """Bodies above `memory_limit` bytes go to files in `folder`, which is created on first use."""

    folder: Path
    memory_limit: int = MIB


class Spool:
    """A private folder inside `settings.folder`, created with the first file and deleted with everything left in it."""

    def __init__(self, settings: SpoolSettings) -> None:
        self.settings = settings
        self._folder: Path | None = None
        self._lock = threading.Lock()

    def create(self) -> tuple[Path, BinaryIO]:
        """A new file with a unique name; blocks on the disk. Raises `OSError`."""
        with self._lock:
            if self._folder is None:
                self.settings.folder.mkdir(parents=True, exist_ok=True)
                self._folder = Path(tempfile.mkdtemp(prefix="bodies-", dir=self.settings.folder))
        descriptor, name = tempfile.mkstemp(prefix="body-", suffix=".part", dir=self._folder)
        # Unbuffered: batches are large, and a full disk must fail the write that fills it, not a later one.
        return Path(name), os.fdopen(descriptor, "wb", buffering=0)

    async def aclose(self) -> None:
        """Delete the folder and all files that nobody moved away. May be called twice."""
        folder, self._folder = self._folder, None
        if folder is not None:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


class _Digest(Protocol):
    def update(self, content: bytes, /) -> None: ...

    def hexdigest(self) -> str: ...


class BodyWriter:
    """Collects one body. `wire_bytes` counts bytes as received, `size` bytes as written, so after decoding.

    `max_bytes` bounds each of the two (None: no limit). With `sha256` that digest is computed, else xxh3.
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
        """`received` more bytes came over the network. Raises `BodyLimitExceeded` above the limit."""
        self.wire_bytes += received
        if self.max_bytes is not None and self.wire_bytes > self.max_bytes:
            raise BodyLimitExceeded(self.max_bytes, decoded=False)

    def write(self, piece: bytes) -> bool:
        """Add `piece`; return whether `flush` is due before the next one. Raises `BodyLimitExceeded`."""
        self.size += len(piece)
        if self.max_bytes is not None and self.size > self.max_bytes:
            raise BodyLimitExceeded(self.max_bytes, decoded=True)
        self._batch.append(piece)
        self._buffered += len(piece)
        return self._buffered > (self._spool.settings.memory_limit if self._file is None else WRITE_BATCH_BYTES)

    async def flush(self) -> None:
        """Write what was collected to the file. Raises `SinkError` when that fails."""
        if self._file is None:
            self._file = _SpoolFile(self._spool)
        batch, self._batch, self._buffered = self._batch, [], 0
        await self._append_in_thread(self._file, batch, False)

    async def finish(self) -> Body:
        """The complete body; a spooled file then belongs to the caller. Raises `SinkError`."""
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
        """Drop what was collected and delete the file, also after a cancelled `flush`. Raises nothing."""
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
            raise SinkError(
                f"{self._spool.settings.folder}: bodies being received cannot be written there: {cause_text(error)}"
            ) from error


class _SpoolFile:
    """The file of one body. Its methods block and run in threads."""

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
