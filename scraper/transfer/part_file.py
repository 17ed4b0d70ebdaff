"""A file on its way to the disk: written as `<name>.part`, hashed, and renamed when it is complete and correct.

Everything here runs in disk threads. A part that one stream downloads grows only at its end, so whenever the process is
killed, its length is the number of bytes that were written. Its metadata (part_metadata.py) say which version of the
file these bytes belong to. They are written before the first byte and after the part was emptied, so they never
describe the bytes of another version.

Hashes need the bytes in order and are computed by one job at a time: bytes appended at the end as they are written,
bytes of other segments (`write_at`, by several jobs at once) when they are read back. Hashes are not saved: a part that
is continued is read again from its start, which also proves that it can be read.
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
    """The end of a complete file: its size in bytes and its SHA-256 as hex.

    `mismatch` is the checksum it does not have; then it was kept as `<name>.bad`. `name_taken`: another file has its
    name and may not be replaced.
    """

    size: int
    sha256: str
    mismatch: Checksum | None = None
    name_taken: bool = False


class PartFile:
    """`path`.part, open for writing. `expected` are the checksums that the complete file must have.

    `size` is the number of bytes from the start that are written and hashed.
    """

    def __init__(self, folder: OutputFolder, path: str, descriptor: int, expected: Sequence[Checksum]) -> None:
        self.path = path
        self.size = 0
        self._folder = folder
        self._descriptor = descriptor
        self._expected = list(expected)
        self._sha256 = hashlib.sha256()
        # SHA-256 goes into the manifest, whatever checksums are expected.
        self._hashes: dict[str, _Hash] = {"sha256": self._sha256}
        for checksum in expected:
            if checksum.algorithm not in self._hashes:
                self._hashes[checksum.algorithm] = checksum.new_hash()

    @classmethod
    def create(cls, folder: OutputFolder, path: str, expected: Sequence[Checksum]) -> PartFile:
        """Create an empty part. Raises `OSError`."""
        return cls(folder, path, folder.create_part(path), expected)

    @classmethod
    def open_existing(
        cls, folder: OutputFolder, path: str, size: int, expected: Sequence[Checksum], has_ranges: bool = False
    ) -> PartFile:
        """Open a part whose first `size` bytes are known to be present, and hash them. Raises `OSError`.

        Its length must be `size`; with `has_ranges` there may be more behind, which is not read.
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

    def __repr__(self) -> str:
        state = "closed" if self._descriptor < 0 else "open"
        return f"PartFile({self.path!r}, size={self.size}, {state})"

    def append(self, batch: memoryview, offset: int) -> None:
        """Write and hash `batch` at the end, which is at `offset`. Raises `OSError`; `size` counts what was written."""
        assert offset == self.size, "a part grows at its end"
        # pwrite may write less than it was given, for example when the disk becomes full.
        while batch:
            written = os.pwrite(self._descriptor, batch, self.size)
            self.size += written
            self._update_hashes(batch[:written])
            batch = batch[written:]

    def write_at(self, batch: memoryview, offset: int) -> None:
        """Write `batch` at `offset`, behind the hashed bytes; `hash_until` reads it back later. Raises `OSError`."""
        while batch:
            written = os.pwrite(self._descriptor, batch, offset)
            offset += written
            batch = batch[written:]

    def hash_until(self, stop: int) -> None:
        """Read back and hash the bytes from `size` to `stop`. Raises `OSError` when the file is shorter."""
        while self.size < stop:
            content = os.pread(self._descriptor, min(MIB, stop - self.size), self.size)
            if not content:
                raise OSError(f"{self.path}.part has changed")
            self._update_hashes(content)
            self.size += len(content)

    def sync(self) -> None:
        """Flush the written bytes to the disk, where its file system can do that. Raises `OSError`."""
        try:
            getattr(os, "fdatasync", os.fsync)(self._descriptor)  # macOS has no fdatasync
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):
                raise

    def truncate(self) -> None:
        """Cut off everything behind `size`. Raises `OSError`."""
        os.ftruncate(self._descriptor, self.size)

    def finish(self, modified: float | None, replace: bool) -> StoredFile:
        """Close the complete file, and rename it if its checksums are right. Raises `OSError`.

        `modified` (epoch seconds) becomes its modification time. `replace`: a file of its name may be overwritten.
        """
        digest = self._sha256.hexdigest()
        mismatch = next((c for c in self._expected if self._hashes[c.algorithm].hexdigest() != c.hexdigest), None)
        # Before the rename: a run that is killed in between finds the file by this time (entry_requests.py, case 2).
        if mismatch is None and modified is not None:
            set_mtime(self._descriptor, modified)
        self.close()
        return StoredFile(self.size, digest, mismatch, _finalize(self._folder, self.path, mismatch, replace))

    def close(self) -> None:
        """Close the file; a second call does nothing."""
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
    """Write, check and rename a file whose content is in memory; the arguments are those of `PartFile`.

    Raises `OSError`; nothing is left on disk then.
    """
    digest = hashlib.sha256(content).hexdigest()
    mismatch = next((c for c in expected if _hexdigest(c, content, digest) != c.hexdigest), None) if expected else None
    # One descriptor of the folder for all steps: opening the folders on the way costs more than writing the file.
    parent = folder.acquire_parent(path)
    try:
        descriptor = folder.create_part_in(parent)
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
        if mismatch is None:
            return StoredFile(len(content), digest, None, not folder.finalize_in(parent, replace=replace))
    finally:
        folder.release_parent(parent)
    folder.keep_as_bad(path)
    return StoredFile(len(content), digest, mismatch, False)


def hash_file(folder: OutputFolder, path: str, expected: Sequence[Checksum]) -> StoredFile:
    """Hash the finished file at `path`. Raises `OSError`."""
    descriptor = folder.open_file(path)
    size, hashes = 0, {"sha256": hashlib.sha256(), **{c.algorithm: c.new_hash() for c in expected}}
    try:
        for content in _read_chunks(descriptor):
            size += len(content)
            for digest in hashes.values():
                digest.update(content)
    finally:
        os.close(descriptor)
    mismatch = next((c for c in expected if hashes[c.algorithm].hexdigest() != c.hexdigest), None)
    return StoredFile(size, hashes["sha256"].hexdigest(), mismatch)


def read_tail(folder: OutputFolder, path: str, size: int, length: int) -> bytes | None:
    """The last `length` bytes of the first `size` bytes of `path`.part; None when they cannot be read."""
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
    """Set the modification time to `modified` (epoch seconds). Ignored where the file system cannot store it."""
    try:
        os.utime(descriptor, (modified, modified))
    except (OSError, OverflowError, ValueError):
        return


def _finalize(folder: OutputFolder, path: str, mismatch: Checksum | None, replace: bool) -> bool:
    """Rename the part; whether another file has its name and stays."""
    if mismatch is not None:
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
    offset = 0
    while content := os.pread(descriptor, MIB, offset):
        offset += len(content)
        yield content
