"""The output folder of a download, as its threads see it: files below one descriptor, never through a symbolic link.

Every folder on the way is opened relative to the one above it with O_NOFOLLOW, so that a link planted below the output
folder leads no file out of it. The output folder itself may be a link: the user named it.

A file carries its name only when it is complete and right. While it comes it is `<name>.part`, and what did not match
its checksum is left as `<name>.bad`.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from scraper.errors import SinkError

PART_SUFFIX = ".part"
BAD_SUFFIX = ".bad"

_OPEN_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_CREATE_FLAGS = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_OPEN_PART_FLAGS = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_DISK_FULL_ERRNOS = {errno.ENOSPC, errno.EDQUOT}
_FATAL_ERRNOS = {errno.EROFS, errno.EIO, *_DISK_FULL_ERRNOS}
_HAS_ACCESS_AT = os.access in os.supports_dir_fd and os.access in os.supports_follow_symlinks
# The descriptor of an open folder, and a name in it.
FolderAndName = tuple[int, str]
RERUN_HINT = "run the same command again to go on"


def as_fatal_error(path: str, error: OSError) -> SinkError | None:
    """The `SinkError` for an error that every other file would meet, too; None when it is this file's own."""
    if error.errno not in _FATAL_ERRNOS:
        return None
    if error.errno in _DISK_FULL_ERRNOS:
        return SinkError(f"{path} cannot be written: the disk is full; free some space and {RERUN_HINT}")
    return SinkError(f"{path} cannot be written: {(error.strerror or str(error)).lower()}; then {RERUN_HINT}")


class OutputFolder:
    """The folder at `root`, made if it is missing. Its methods block; close it with `close`.

    With `power` a file and the folders that hold its name are on the disk before `finalize` returns: bytes first, then
    the name. Raises `SinkError` when it cannot be made or written to.
    """

    def __init__(self, root: Path, *, fsync: bool = False) -> None:
        self.root = root
        self._fsync = fsync
        try:
            root.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise SinkError(f"{root}: cannot make the folder: {error.strerror or error}") from error
        try:
            self._check_writable()
        except OSError as error:
            os.close(self._descriptor)
            raise SinkError(
                f"{root} cannot be written to: {error.strerror or error}; choose another --output"
            ) from error

    def close(self) -> None:
        """Let go of the folder."""
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)

    def free_bytes(self) -> int:
        """Bytes that may still be written here."""
        facts = os.fstatvfs(self._descriptor)
        return facts.f_bavail * facts.f_frsize

    @contextlib.contextmanager
    def open_parent(self, path: str, *, make: bool = True) -> Iterator[FolderAndName]:
        """A descriptor of the folder in which `path` lies, and the name there. Raises `OSError`."""
        place = self.acquire_parent(path, make=make)
        try:
            yield place
        finally:
            self.release_parent(place)

    def acquire_parent(self, path: str, *, make: bool = True) -> FolderAndName:
        """As `parent`, for who calls `leave` himself."""
        if "/" not in path:
            return self._descriptor, path
        *folders, name = path.split("/")
        return self._open_folders(folders, make), name

    def release_parent(self, place: FolderAndName) -> None:
        """Let go of what `enter` gave."""
        if place[0] != self._descriptor:
            os.close(place[0])

    def file_size(self, path: str) -> int | None:
        """Bytes of the regular file at `path`; None when there is none."""
        found = self.lstat(path)
        return found.st_size if found is not None and stat.S_ISREG(found.st_mode) else None

    def lstat(self, path: str) -> os.stat_result | None:
        """What lies at `path`, a link not followed; None when nothing does or it cannot be reached."""
        try:
            with self.open_parent(path, make=False) as (folder, name):
                return os.stat(name, dir_fd=folder, follow_symlinks=False)
        except OSError:
            return None

    def create_part(self, path: str) -> int:
        """A descriptor of `path`.part, empty; a part that was there is gone. Raises `OSError`."""
        with self.open_parent(path) as place:
            return self.create_part_in(place)

    @staticmethod
    def create_part_in(place: FolderAndName) -> int:
        """`create_part` where its folder is open already: what `parent` gave."""
        folder, name = place
        try:
            return os.open(name + PART_SUFFIX, _CREATE_FLAGS, 0o644, dir_fd=folder)
        except FileExistsError:
            os.unlink(name + PART_SUFFIX, dir_fd=folder)
            return os.open(name + PART_SUFFIX, _CREATE_FLAGS, 0o644, dir_fd=folder)

    def open_part(self, path: str) -> int | None:
        """A descriptor of `path`.part as an earlier attempt left it; None when there is none that can be trusted."""
        try:
            with self.open_parent(path, make=False) as (folder, name):
                descriptor = os.open(name + PART_SUFFIX, _OPEN_PART_FLAGS, dir_fd=folder)
        except OSError:
            return None
        facts = os.fstat(descriptor)
        if stat.S_ISREG(facts.st_mode) and facts.st_nlink == 1:
            return descriptor
        os.close(descriptor)
        return None

    def open_file(self, path: str) -> int:
        """A descriptor of the regular file at `path`, for reading. Raises `OSError`."""
        with self.open_parent(path, make=False) as (folder, name):
            return os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)

    def finalize(self, path: str, *, replace: bool) -> bool:
        """Give `path`.part its name; False when something else has it and may not be replaced. Raises `OSError`."""
        with self.open_parent(path) as place:
            return self.finalize_in(place, replace=replace)

    def finalize_in(self, place: FolderAndName, *, replace: bool) -> bool:
        """`finalize` where its folder is open already."""
        folder, name = place
        if not replace and name_exists(name, folder):
            os.unlink(name + PART_SUFFIX, dir_fd=folder)
            return False
        if self._fsync:
            _fsync_file(name + PART_SUFFIX, folder)
        os.rename(name + PART_SUFFIX, name, src_dir_fd=folder, dst_dir_fd=folder)
        if self._fsync:
            os.fsync(folder)
        return True

    def keep_as_bad(self, path: str) -> None:
        """Leave `path`.part as `path`.bad. Raises `OSError`."""
        with self.open_parent(path) as (folder, name):
            os.rename(name + PART_SUFFIX, name + BAD_SUFFIX, src_dir_fd=folder, dst_dir_fd=folder)

    def delete_part(self, path: str) -> None:
        """Delete `path`.part, if it is there."""
        with contextlib.suppress(OSError), self.open_parent(path, make=False) as (folder, name):
            os.unlink(name + PART_SUFFIX, dir_fd=folder)

    def delete_file(self, path: str) -> None:
        """Delete the file at `path`, and the folders above it that are empty then."""
        with contextlib.suppress(OSError), self.open_parent(path, make=False) as (folder, name):
            os.unlink(name, dir_fd=folder)
        above = path.rpartition("/")[0]
        while above:
            try:
                with self.open_parent(above, make=False) as (folder, name):
                    os.rmdir(name, dir_fd=folder)
            except OSError:
                return
            above = above.rpartition("/")[0]

    def _open_folders(self, folders: list[str], make: bool) -> int:
        above = self._descriptor
        try:
            for name in folders:
                inner = _open_subfolder(name, above, make, self._fsync)
                if above != self._descriptor:
                    os.close(above)
                above = inner
        except BaseException:
            if above != self._descriptor:
                os.close(above)
            raise
        return above

    def _check_writable(self) -> None:
        probe = f".scrape-{os.getpid()}{PART_SUFFIX}"
        os.close(os.open(probe, _CREATE_FLAGS, 0o600, dir_fd=self._descriptor))
        os.unlink(probe, dir_fd=self._descriptor)


def name_exists(name: str, folder: int) -> bool:
    """Whether something, perhaps a broken link, is called `name` in the open `folder`. Raises `OSError`."""
    if _HAS_ACCESS_AT:  # an answer, where `stat` raises; what it cannot find out, the rename will
        return os.access(name, os.F_OK, dir_fd=folder, follow_symlinks=False)
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _fsync_file(name: str, folder: int) -> None:
    descriptor = os.open(name, _OPEN_PART_FLAGS, dir_fd=folder)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _open_subfolder(name: str, above: int, make: bool, power: bool) -> int:
    try:
        return os.open(name, _OPEN_FOLDER_FLAGS, dir_fd=above)
    except FileNotFoundError:
        if not make:
            raise
    with contextlib.suppress(FileExistsError):
        os.mkdir(name, dir_fd=above)
        if power:
            os.fsync(above)
    return os.open(name, _OPEN_FOLDER_FLAGS, dir_fd=above)
