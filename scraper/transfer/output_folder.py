"""The output folder of a download: files below one directory descriptor, never reached through a symbolic link.

Each folder on the way is opened relative to its parent with O_NOFOLLOW, so a link that somebody puts below the output
folder cannot lead a file out of it. The output folder itself may be a link: the user chose it.

A file gets its name when it is complete and correct. Until then it is `<name>.part`; a file with a wrong checksum is
kept as `<name>.bad`.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from scraper.errors import SinkError
from scraper.rundir.disk_errors import stops_every_file, write_error
from scraper.rundir.layout import STATE_FOLDER

PART_SUFFIX = ".part"
BAD_SUFFIX = ".bad"

_OPEN_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_CREATE_FLAGS = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
# O_NONBLOCK: opening a FIFO that somebody has put there must not wait for its writer.
_OPEN_PART_FLAGS = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
# Whether `os.access` can look into an open folder without following links; not on every system.
_HAS_ACCESS_AT = os.access in os.supports_dir_fd and os.access in os.supports_follow_symlinks
# The descriptor of an open folder, and a name in that folder.
FolderAndName = tuple[int, str]


def as_fatal_error(path: str, error: OSError) -> SinkError | None:
    """The `SinkError` for an error that all other files would have, too; None for an error of this file alone."""
    return write_error(path, error) if stops_every_file(error) else None


class OutputFolder:
    """The folder at `root`, created if it is missing. Its methods block; close it with `close`.

    With `fsync` a file and the folder with its name are on the disk when `finalize` returns: first the bytes, then the
    name. All paths are relative to `root`, with `/` between names. Raises `SinkError` when the folder cannot be created
    or written to.
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
        """Close the descriptor; a second call does nothing."""
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)

    def free_bytes(self) -> int:
        """Free bytes on the disk, for users without special rights."""
        status = os.fstatvfs(self._descriptor)
        return status.f_bavail * status.f_frsize

    @contextlib.contextmanager
    def open_parent(self, path: str, *, make: bool = True) -> Iterator[FolderAndName]:
        """Open the folder of `path`: its descriptor, and the last name of `path`.

        `make`: create missing folders. Raises `OSError`.
        """
        parent = self.acquire_parent(path, make=make)
        try:
            yield parent
        finally:
            self.release_parent(parent)

    def acquire_parent(self, path: str, *, make: bool = True) -> FolderAndName:
        """`open_parent` without the `with`: call `release_parent` afterwards. Cheaper, for small files."""
        if "/" not in path:
            return self._descriptor, path
        *folders, name = path.split("/")
        return self._open_folders(folders, make), name

    def release_parent(self, parent: FolderAndName) -> None:
        """Close what `acquire_parent` returned."""
        if parent[0] != self._descriptor:
            os.close(parent[0])

    def file_size(self, path: str) -> int | None:
        """Size in bytes of the regular file at `path`; None when there is none."""
        found = self.lstat(path)
        return found.st_size if found is not None and stat.S_ISREG(found.st_mode) else None

    def lstat(self, path: str) -> os.stat_result | None:
        """The status of what is at `path`, which may be a link; None when there is nothing or it cannot be reached."""
        try:
            with self.open_parent(path, make=False) as (folder, name):
                return os.stat(name, dir_fd=folder, follow_symlinks=False)
        except OSError:
            return None

    def create_part(self, path: str) -> int:
        """Create an empty `path`.part in place of any that was there; return its descriptor. Raises `OSError`."""
        with self.open_parent(path) as parent:
            return self.create_part_in(parent)

    @staticmethod
    def create_part_in(parent: FolderAndName) -> int:
        """`create_part` for a folder that is open already."""
        folder, name = parent
        try:
            return os.open(name + PART_SUFFIX, _CREATE_FLAGS, 0o644, dir_fd=folder)
        except FileExistsError:
            os.unlink(name + PART_SUFFIX, dir_fd=folder)
            return os.open(name + PART_SUFFIX, _CREATE_FLAGS, 0o644, dir_fd=folder)

    def open_part(self, path: str) -> int | None:
        """A descriptor of the existing `path`.part; None when there is none or it is no plain file with one name."""
        try:
            with self.open_parent(path, make=False) as (folder, name):
                descriptor = os.open(name + PART_SUFFIX, _OPEN_PART_FLAGS, dir_fd=folder)
        except OSError:
            return None
        # With a second hard link, writing to the part would change a file that is none of ours.
        status = os.fstat(descriptor)
        if stat.S_ISREG(status.st_mode) and status.st_nlink == 1:
            return descriptor
        os.close(descriptor)
        return None

    def open_file(self, path: str) -> int:
        """A descriptor of the file at `path`, for reading. Raises `OSError`."""
        with self.open_parent(path, make=False) as (folder, name):
            return os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)

    def finalize(self, path: str, *, replace: bool) -> bool:
        """Rename `path`.part to `path`; False when another file has that name and `replace` is not set.

        Then the part is deleted. Raises `OSError`.
        """
        with self.open_parent(path) as parent:
            return self.finalize_in(parent, replace=replace)

    def finalize_in(self, parent: FolderAndName, *, replace: bool) -> bool:
        """`finalize` for a folder that is open already."""
        folder, name = parent
        if not replace and name_exists(name, folder):
            os.unlink(name + PART_SUFFIX, dir_fd=folder)
            return False
        # The bytes before the name: after a loss of power there is no file with a name and without its content.
        if self._fsync:
            _fsync_file(name + PART_SUFFIX, folder)
        os.rename(name + PART_SUFFIX, name, src_dir_fd=folder, dst_dir_fd=folder)
        if self._fsync:
            os.fsync(folder)
        return True

    def keep_as_bad(self, path: str) -> None:
        """Rename `path`.part to `path`.bad. Raises `OSError`."""
        with self.open_parent(path) as (folder, name):
            os.rename(name + PART_SUFFIX, name + BAD_SUFFIX, src_dir_fd=folder, dst_dir_fd=folder)

    def delete_part(self, path: str) -> None:
        """Delete `path`.part if it exists."""
        with contextlib.suppress(OSError), self.open_parent(path, make=False) as (folder, name):
            os.unlink(name + PART_SUFFIX, dir_fd=folder)

    def delete_file(self, path: str) -> None:
        """Delete the file at `path`, and its parent folders that are empty then."""
        with contextlib.suppress(OSError), self.open_parent(path, make=False) as (folder, name):
            os.unlink(name, dir_fd=folder)
        parent = path.rpartition("/")[0]
        while parent:
            try:
                with self.open_parent(parent, make=False) as (folder, name):
                    os.rmdir(name, dir_fd=folder)
            except OSError:
                return
            parent = parent.rpartition("/")[0]

    def _open_folders(self, folders: list[str], make: bool) -> int:
        parent = self._descriptor
        try:
            for name in folders:
                inner = _open_subfolder(name, parent, make, self._fsync)
                if parent != self._descriptor:
                    os.close(parent)
                parent = inner
        except BaseException:
            if parent != self._descriptor:
                os.close(parent)
            raise
        return parent

    def _check_writable(self) -> None:
        probe = f"{STATE_FOLDER}-{os.getpid()}{PART_SUFFIX}"
        os.close(os.open(probe, _CREATE_FLAGS, 0o600, dir_fd=self._descriptor))
        os.unlink(probe, dir_fd=self._descriptor)


def name_exists(name: str, folder: int) -> bool:
    """Whether the open `folder` has an entry `name`, which may be a broken link. Raises `OSError`."""
    # `stat` would raise for nearly every name, which costs more. Where `access` fails, the rename finds out why.
    if _HAS_ACCESS_AT:
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


def _open_subfolder(name: str, parent: int, make: bool, fsync: bool) -> int:
    try:
        return os.open(name, _OPEN_FOLDER_FLAGS, dir_fd=parent)
    except FileNotFoundError:
        if not make:
            raise
    # Another disk thread may have created it in the meantime.
    with contextlib.suppress(FileExistsError):
        os.mkdir(name, dir_fd=parent)
        if fsync:
            os.fsync(parent)
    return os.open(name, _OPEN_FOLDER_FLAGS, dir_fd=parent)
