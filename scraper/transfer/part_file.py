"""One file on its way to the disk: bytes in, hashes kept, and a note of where the bytes came from.

Everything here runs in disk threads. A part that one stream brings only grows at its end, so however the process dies,
the part is as long as what was written of it. Its note (notes.py) says which version of the entity these bytes belong
to; it is written before the first of them and after the part was emptied, so it never speaks of others.

Bytes are hashed in their order, by one job at a time: those at the end as they are written, those that other segments
brought (`write_at`, of which several may run at once) when they are read again for it. Hashes are not stored: a part
that is continued is read again from its start, which also tells whether it can be read.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from scraper.transfer.checksum import Checksum
from scraper.transfer.output_folder import OutputFolder

if TYPE_CHECKING:
    from hashlib import _Hash

MIB = 1024 * 1024


class StoredFile(NamedTuple):
    """What became of a complete file: its size and sha256; `wrong` is the checksum it did not match.

    `taken`: something that is not ours has its name.
    """

    size: int
    sha256: str
    mismatch: Checksum | None = None
    name_taken: bool = False


class PartFile:
    """`path`.part, open for appending at `size`. `expected` are the checksums that the whole must match."""

    def __init__(self, folder: OutputFolder, path: str, descriptor: int, expected: Sequence[Checksum]) -> None:
        self.path = path
        self.size = 0
        self._folder = folder
        self._descriptor = descriptor
        self._expected = list(expected)
        self._sha256 = hashlib.sha256()
        self._hashes: dict[str, _Hash] = {"sha256": self._sha256}
        for checksum in expected:
            if checksum.algorithm not in self._hashes:
                self._hashes[checksum.algorithm] = checksum.new_hash()

    @classmethod
    def create(cls, folder: OutputFolder, path: str, expected: Sequence[Checksum]) -> PartFile:
        """An empty part. Raises `OSError`."""
        return cls(folder, path, folder.create_part(path), expected)

    @classmethod
    def open_existing(
        cls, folder: OutputFolder, path: str, size: int, expected: Sequence[Checksum], has_ranges: bool = False
    ) -> PartFile:
        """The part as it stands, which must still be `size` bytes long; reads all of it. Raises `OSError`.

        With `more` there may be further ranges behind the first `size` bytes, and only these are read.
        """
        descriptor = folder.open_part(path)
        if descriptor is None:
            raise OSError(f"{path}.part is gone")
        part = cls(folder, path, descriptor, expected)
        try:
            part.hash_until(size)
            if not has_ranges:
                part._check_length()
        except BaseException:
            part.close()
            raise
        return part

    def append(self, batch: memoryview, offset: int) -> None:
        """Write and hash `batch` at the end, byte `at`. Raises `OSError`; what was written before that counts."""
        assert offset == self.size, "a part grows at its end"
        while batch:
            written = os.pwrite(self._descriptor, batch, self.size)
            self.size += written
            self._update_hashes(batch[:written])
            batch = batch[written:]

    def write_at(self, batch: memoryview, offset: int) -> None:
        """Write `batch` at byte `at`, behind what is hashed: `hash_until` reads it again. Raises `OSError`."""
        while batch:
            written = os.pwrite(self._descriptor, batch, offset)
            offset += written
            batch = batch[written:]

    def hash_until(self, stop: int) -> None:
        """Hash what others have written behind `size`, up to byte `stop`. Raises `OSError` when it is not there."""
        while self.size < stop:
            content = os.pread(self._descriptor, min(MIB, stop - self.size), self.size)
            if not content:
                raise OSError(f"{self.path}.part has changed")
            self._update_hashes(content)
            self.size += len(content)

    def sync(self) -> None:
        """Return when what was written would survive a loss of power, too, if the disk knows how. Raises `OSError`."""
        try:
            getattr(os, "fdatasync", os.fsync)(self._descriptor)  # macOS has fsync alone
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):
                raise

    def truncate(self) -> None:
        """Drop what lies behind `size`. Raises `OSError`."""
        os.ftruncate(self._descriptor, self.size)

    def finish(self, modified: float | None, replace: bool) -> StoredFile:
        """Check the whole, and give it its name if it is right. Raises `OSError`."""
        digest = self._sha256.hexdigest()
        wrong = next((c for c in self._expected if self._hashes[c.algorithm].hexdigest() != c.hexdigest), None)
        if wrong is None and modified is not None:
            set_mtime(self._descriptor, modified)
        self.close()
        return StoredFile(self.size, digest, wrong, _finalize(self._folder, self.path, wrong, replace))

    def close(self) -> None:
        """Close the file. May be called again."""
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)

    def _check_length(self) -> None:
        if os.fstat(self._descriptor).st_size != self.size:
            raise OSError(f"{self.path}.part has changed")

    def _update_hashes(self, content: bytes | memoryview) -> None:
        for digest in self._hashes.values():
            digest.update(content)


def store_small_file(
    folder: OutputFolder, path: str, content: bytes, expected: Sequence[Checksum], modified: float | None, replace: bool
) -> StoredFile:
    """A small file in one go. Raises `OSError`; nothing is left behind then."""
    digest = hashlib.sha256(content).hexdigest()
    wrong = next((c for c in expected if _hexdigest(c, content, digest) != c.hexdigest), None) if expected else None
    place = folder.acquire_parent(path)
    try:
        descriptor = folder.create_part_in(place)
        try:
            rest = len(content) - os.write(descriptor, content)
            while rest:
                rest -= os.write(descriptor, content[-rest:])
            if modified is not None:
                set_mtime(descriptor, modified)
        except BaseException:
            folder.delete_part(path)
            raise
        finally:
            os.close(descriptor)
        if wrong is None:
            return StoredFile(len(content), digest, None, not folder.finalize_in(place, replace=replace))
    finally:
        folder.release_parent(place)
    folder.keep_as_bad(path)
    return StoredFile(len(content), digest, wrong, False)


def hash_file(folder: OutputFolder, path: str, expected: Sequence[Checksum]) -> StoredFile:
    """Hash the file that is at `path` already. Raises `OSError`."""
    descriptor = folder.open_file(path)
    size, hashes = 0, {"sha256": hashlib.sha256(), **{c.algorithm: c.new_hash() for c in expected}}
    try:
        for content in _read_chunks(descriptor):
            size += len(content)
            for digest in hashes.values():
                digest.update(content)
    finally:
        os.close(descriptor)
    wrong = next((c for c in expected if hashes[c.algorithm].hexdigest() != c.hexdigest), None)
    return StoredFile(size, hashes["sha256"].hexdigest(), wrong)


def read_tail(folder: OutputFolder, path: str, size: int, length: int) -> bytes | None:
    """The last `length` of `size` bytes of `path`.part; None when they cannot be read."""
    descriptor = folder.open_part(path)
    if descriptor is None:
        return None
    try:
        return os.pread(descriptor, length, size - length)
    except OSError:
        return None
    finally:
        os.close(descriptor)


def set_mtime(descriptor: int, modified: float) -> None:
    """Give the file the time of its last change at the server; a file system that cannot hold it keeps its own."""
    try:
        os.utime(descriptor, (modified, modified))
    except (OSError, OverflowError, ValueError):
        return


def _finalize(folder: OutputFolder, path: str, wrong: Checksum | None, replace: bool) -> bool:
    if wrong is not None:
        folder.keep_as_bad(path)
        return False
    return not folder.finalize(path, replace=replace)


def _hexdigest(checksum: Checksum, content: bytes, sha256: str) -> str:
    if checksum.algorithm == "sha256":
        return sha256
    digest = checksum.new_hash()
    digest.update(content)
    return digest.hexdigest()


def _read_chunks(descriptor: int) -> Iterable[bytes]:
    at = 0
    while content := os.pread(descriptor, MIB, at):
        at += len(content)
        yield content
