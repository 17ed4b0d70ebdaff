"""What the errors of a disk are called, and what the user can do: the one place that words them.

`OSError` and `sqlite3.Error` come here from whatever writes: outputs, the frontier, the journal, bodies, part files.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from pathlib import Path

from scraper.errors import SinkError

RESUME_HINT = "run the same command again to resume"

_DISK_FULL_ERRNOS = frozenset({errno.ENOSPC, errno.EDQUOT})
# Every other file on this disk meets these too, so the run has to end.
_WHOLE_DISK_ERRNOS = frozenset({errno.EROFS, errno.EIO}) | _DISK_FULL_ERRNOS

_DISK_FULL = f"the disk is full; free some space and {RESUME_HINT}"
_ERRNO_TEXTS = {
    errno.ENOSPC: _DISK_FULL,
    errno.EDQUOT: f"the disk quota is used up; free some space and {RESUME_HINT}",
    errno.EROFS: "the file system is read-only; choose another --output",
    errno.EACCES: "permission denied; choose another --output or change its permissions",
    errno.EPERM: "permission denied; choose another --output or change its permissions",
    errno.ENOTDIR: "part of its path is not a folder; choose another --output",
    errno.EEXIST: "part of its path is not a folder; choose another --output",
    errno.EISDIR: "a folder has its name; move it away or choose another --output",
    errno.EFBIG: f"it has reached the limit for the size of a file (ulimit -f); raise that and {RESUME_HINT}",
    errno.EIO: f"the disk reported an error; check it and {RESUME_HINT}",
}


def is_disk_full(error: OSError | sqlite3.Error) -> bool:
    """Whether the disk, or the user's quota on it, has no space left."""
    if isinstance(error, OSError):
        return error.errno in _DISK_FULL_ERRNOS
    return _sqlite_code(error) == sqlite3.SQLITE_FULL


def stops_every_file(error: OSError) -> bool:
    """Whether any other file of the run would meet this error too: the disk is full, read-only or failing."""
    return error.errno in _WHOLE_DISK_ERRNOS


def cause_text(error: OSError | sqlite3.Error) -> str:
    """The cause and what to do about it, to stand behind "FILE cannot be written: "."""
    if isinstance(error, OSError):
        return _ERRNO_TEXTS.get(error.errno or 0) or error.strerror or str(error)
    match _sqlite_code(error):
        case sqlite3.SQLITE_FULL:
            return _DISK_FULL
        case sqlite3.SQLITE_NOTADB:
            return "it is not a database; move it away and start over with --fresh"
        case sqlite3.SQLITE_CORRUPT:
            return f"it is damaged ({error}); start over with --fresh"
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM:
            return "it is read-only; choose another --output or change its permissions"
        case sqlite3.SQLITE_CANTOPEN:
            return f"{error}; check that its folder exists and may be written"
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return f"another program has locked it; close that and {RESUME_HINT}"
        case sqlite3.SQLITE_IOERR:
            return f"{error}: the disk may be failing, or a file size limit (ulimit -f) is reached; then {RESUME_HINT}"
        case _:
            return str(error)


def write_error(path: Path | str, error: OSError | sqlite3.Error) -> SinkError:
    """The `SinkError` for `error`: names the path, the cause and what to do."""
    return SinkError(f"{path} cannot be written: {cause_text(error)}")


def sync_folder(folder: Path) -> None:
    """Fsync `folder`, without which a file that was synced itself can still lose its name. Raises `OSError`."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sqlite_code(error: sqlite3.Error) -> int:
    """The primary result code (https://sqlite.org/rescode.html); 0 when the error did not come from SQLite itself."""
    # The low byte is the primary code; the higher ones say in which system call.
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF
