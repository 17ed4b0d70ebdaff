"""One run at a time in a folder: an advisory lock, which the operating system releases when the process dies."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import TracebackType

from scraper.errors import FrontierError, RunLockedError
from scraper.rundir.disk_errors import cause_text
from scraper.rundir.layout import RunLayout

MAX_PID_BYTES = 20
# Windows locks byte ranges, and others cannot read them. So a byte far behind the pid is locked.
WINDOWS_LOCK_OFFSET = 1 << 30

if sys.platform == "win32":
    import msvcrt

    def _try_lock(descriptor: int) -> None:
        os.lseek(descriptor, WINDOWS_LOCK_OFFSET, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        os.lseek(descriptor, 0, os.SEEK_SET)
else:
    import fcntl

    def _try_lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


class RunLock:
    """Locks `folder` while the `with` block runs. Its file, `.scrape/lock`, holds the pid of this process.

    The file is never deleted: another process may have it open and lock it, while a third creates a new file of that
    name and locks that.

    Entering raises `RunLockedError` with the other's pid when the folder is locked, and `FrontierError` when the file
    cannot be written or its file system has no locks.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._descriptor: int | None = None

    def __enter__(self) -> RunLock:
        path = RunLayout(self._folder).lock
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise FrontierError(f"cannot write {path}: {cause_text(error)}") from error
        try:
            self._acquire(path, descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            os.close(descriptor)

    def _acquire(self, path: Path, descriptor: int) -> None:
        try:
            _try_lock(descriptor)
        except (BlockingIOError, PermissionError):
            raise RunLockedError(self._folder, _read_pid(descriptor)) from None
        except OSError as error:
            raise FrontierError(f"cannot lock {path}: {error.strerror or error}; use a local folder") from error
        try:
            # Only now: until the lock is ours the file holds the pid of its holder, which the error above shows.
            os.ftruncate(descriptor, 0)
            os.write(descriptor, f"{os.getpid()}\n".encode())
        except OSError as error:
            raise FrontierError(f"cannot write {path}: {cause_text(error)}") from error


def _read_pid(descriptor: int) -> int | None:
    try:
        os.lseek(descriptor, 0, os.SEEK_SET)
        text = os.read(descriptor, MAX_PID_BYTES).strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None
