"""What every output on a disk shares: its errors in words, and work that a cancellation does not tear apart."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

from scraper.errors import SinkError

T = TypeVar("T")

RESUME_HINT = "run the same command again to resume"
_ERRNO_TEXTS = {
    errno.ENOSPC: f"the disk is full; free some space and {RESUME_HINT}",
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


def write_error(path: Path, error: OSError) -> SinkError:
    """The `SinkError` for `error`: names the path, the cause and what to do."""
    cause = _ERRNO_TEXTS.get(error.errno or 0) or error.strerror or str(error)
    return SinkError(f"{path} cannot be written: {cause}")


def incomplete_error(path: Path, what: str) -> SinkError:
    """The `SinkError` for an output that no longer holds what was committed to it."""
    return SinkError(
        f"{path} {what}: it was changed since the run stopped, and the run cannot be continued exactly; "
        "put the file back, or start over with --fresh"
    )


def parse_count_checkpoint(path: Path, checkpoint: str) -> int:
    """Read a mark that is a count; raises `SinkError` when it is none."""
    if checkpoint.isascii() and checkpoint.isdigit() and len(checkpoint) <= 18:
        return int(checkpoint)
    raise SinkError(f"{path}: {checkpoint[:40]!r} is not a mark of this output; start over with --fresh")


def sync_folder(folder: Path) -> None:
    """Bring the names in `folder` to the disk: a file that was synced can still lose its name. Raises `OSError`."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


async def run_to_completion(work: Coroutine[Any, Any, T]) -> T:
    """Await `work` to its end even when the caller is cancelled meanwhile; the cancellation follows then.

    A thread cannot be cancelled: without this the caller would go on, and close a file that the thread still
    writes to.
    """
    task = asyncio.get_running_loop().create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        while not task.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # marks it as seen: the cancellation is what the caller hears of
        raise
