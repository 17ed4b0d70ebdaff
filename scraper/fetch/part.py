"""One file on its way to the disk: bytes in, hashes kept, and a note of where the bytes came from.

Everything here runs in disk threads, one job of a file at a time. A part only grows at its end, so however the process
dies, the part is as long as what was written of it. Its note (`Notes`) says which version of the entity these bytes
belong to; it is written before the first of them and after the part was emptied, so it never speaks of others.

Hashes are not stored: a part that is continued is read again from its start, which also tells whether it can be read.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import orjson

from scraper.fetch.folder import Folder
from scraper.fetch.resume import Partial, Version
from scraper.lists.checksum import Checksum

if TYPE_CHECKING:
    from hashlib import _Hash

MIB = 1024 * 1024
MANY_PIECES = 64
"""Pieces from which they are joined before they are written: a dripping server must not buy a long vector."""
NOTE_BYTES = 16 * 1024


class Stored(NamedTuple):
    """What became of a complete file: its size and sha256; `wrong` is the checksum it did not match.

    `taken`: something that is not ours has its name.
    """

    size: int
    sha256: str
    wrong: Checksum | None = None
    taken: bool = False


class Part:
    """`path`.part, open for appending at `size`. `expected` are the checksums that the whole must match."""

    def __init__(self, folder: Folder, path: str, descriptor: int, expected: Sequence[Checksum]) -> None:
        self.path = path
        self.size = 0
        self._folder = folder
        self._descriptor = descriptor
        self._expected = list(expected)
        self._sha256 = hashlib.sha256()
        self._hashes: dict[str, _Hash] = {"sha256": self._sha256}
        for checksum in expected:
            if checksum.algorithm not in self._hashes:
                self._hashes[checksum.algorithm] = checksum.new()

    @classmethod
    def begin(cls, folder: Folder, path: str, expected: Sequence[Checksum]) -> Part:
        """An empty part. Raises `OSError`."""
        return cls(folder, path, folder.new_part(path), expected)

    @classmethod
    def go_on(cls, folder: Folder, path: str, size: int, expected: Sequence[Checksum]) -> Part:
        """The part as it stands, which must still be `size` bytes long; reads all of it. Raises `OSError`."""
        descriptor = folder.old_part(path)
        if descriptor is None:
            raise OSError(f"{path}.part is gone")
        part = cls(folder, path, descriptor, expected)
        try:
            for content in _contents(descriptor):
                part._digest(content)
                part.size += len(content)
        except BaseException:
            part.close()
            raise
        if part.size != size:
            part.close()
            raise OSError(f"{path}.part has changed")
        return part

    def append(self, pieces: list[bytes]) -> None:
        """Write and hash `pieces`. Raises `OSError`; what was written before that counts."""
        if len(pieces) > MANY_PIECES:
            pieces = [b"".join(pieces)]
        left = [memoryview(piece) for piece in pieces]
        while left:
            written = os.pwritev(self._descriptor, left, self.size)
            self.size += written
            while left and written >= len(left[0]):
                written -= len(left[0])
                self._digest(left.pop(0))
            if left and written:
                self._digest(left[0][:written])
                left[0] = left[0][written:]

    def finish(self, modified: float | None, replace: bool) -> Stored:
        """Check the whole, and give it its name if it is right. Raises `OSError`."""
        digest = self._sha256.hexdigest()
        wrong = next((c for c in self._expected if self._hashes[c.algorithm].hexdigest() != c.hexdigest), None)
        if wrong is None and modified is not None:
            set_modified(self._descriptor, modified)
        self.close()
        return Stored(self.size, digest, wrong, _settle(self._folder, self.path, wrong, replace))

    def close(self) -> None:
        """Close the file. May be called again."""
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)

    def _digest(self, content: bytes | memoryview) -> None:
        for digest in self._hashes.values():
            digest.update(content)


def store_whole(
    folder: Folder, path: str, content: bytes, expected: Sequence[Checksum], modified: float | None, replace: bool
) -> Stored:
    """A small file in one go. Raises `OSError`; nothing is left behind then."""
    digest = hashlib.sha256(content).hexdigest()
    wrong = next((c for c in expected if _hash_of(c, content, digest) != c.hexdigest), None)
    descriptor = folder.new_part(path)
    try:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        if modified is not None:
            set_modified(descriptor, modified)
    except BaseException:
        folder.drop_part(path)
        raise
    finally:
        os.close(descriptor)
    return Stored(len(content), digest, wrong, _settle(folder, path, wrong, replace))


def examine(folder: Folder, path: str, expected: Sequence[Checksum]) -> Stored:
    """Hash the file that is at `path` already. Raises `OSError`."""
    descriptor = folder.open_file(path)
    size, hashes = 0, {"sha256": hashlib.sha256(), **{c.algorithm: c.new() for c in expected}}
    try:
        for content in _contents(descriptor):
            size += len(content)
            for digest in hashes.values():
                digest.update(content)
    finally:
        os.close(descriptor)
    wrong = next((c for c in expected if hashes[c.algorithm].hexdigest() != c.hexdigest), None)
    return Stored(size, hashes["sha256"].hexdigest(), wrong)


def tail(folder: Folder, path: str, size: int, length: int) -> bytes | None:
    """The last `length` of `size` bytes of `path`.part; None when they cannot be read."""
    descriptor = folder.old_part(path)
    if descriptor is None:
        return None
    try:
        return os.pread(descriptor, length, size - length)
    except OSError:
        return None
    finally:
        os.close(descriptor)


def set_modified(descriptor: int, modified: float) -> None:
    """Give the file the time of its last change at the server; a file system that cannot hold it keeps its own."""
    with contextlib.suppress(OSError, OverflowError, ValueError):
        os.utime(descriptor, (modified, modified))


def _settle(folder: Folder, path: str, wrong: Checksum | None, replace: bool) -> bool:
    if wrong is not None:
        folder.quarantine(path)
        return False
    return not folder.publish(path, replace=replace)


def _hash_of(checksum: Checksum, content: bytes, sha256: str) -> str:
    if checksum.algorithm == "sha256":
        return sha256
    digest = checksum.new()
    digest.update(content)
    return digest.hexdigest()


def _contents(descriptor: int) -> Iterable[bytes]:
    at = 0
    while content := os.pread(descriptor, MIB, at):
        at += len(content)
        yield content


class Notes:
    """The notes of parts, one small file each in `folder`, named by a hash of the part's path."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, files: Folder, path: str) -> Partial | None:
        """What is known of `path`.part, with the size it has now; None when that is nothing that can be trusted."""
        try:
            with self._place(path).open("rb") as file:
                note = orjson.loads(file.read(NOTE_BYTES))
            version = Version(note["etag"], note["modified"], note["settled"] is True, note["total"])
            origin = note["origin"]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        texts = isinstance(origin, str) and all(v is None or isinstance(v, str) for v in version[:2])
        if not texts or not (version.total is None or isinstance(version.total, int)):
            return None
        descriptor = files.old_part(path)
        if descriptor is None:
            return None
        try:
            return Partial(origin, version, os.fstat(descriptor).st_size)
        finally:
            os.close(descriptor)

    def write(self, path: str, origin: str, version: Version) -> None:
        """Note where the bytes of `path`.part come from. Raises `OSError`."""
        self._folder.mkdir(parents=True, exist_ok=True)
        note = {
            "path": path,
            "origin": origin,
            "etag": version.etag,
            "modified": version.modified,
            "settled": version.settled,
            "total": version.total,
        }
        self._place(path).write_bytes(orjson.dumps(note))

    def drop(self, path: str) -> None:
        """Forget the note of `path`, if there is one."""
        self._place(path).unlink(missing_ok=True)

    def paths(self) -> list[str]:
        """The paths of all parts that have a note."""
        found = []
        for place in self._folder.glob("*.json"):
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                found.append(str(orjson.loads(place.read_bytes())["path"]))
        return found

    def _place(self, path: str) -> Path:
        return self._folder / (hashlib.blake2b(path.encode(), digest_size=16).hexdigest() + ".json")
