"""FOLDER/files/<host>/<path>: the bodies of the files that were fetched along the way.

A file appears under its name only when it is complete: it is written as `.part` and renamed. What was written after
the last mark stays where it is; asked for again, it is written again under the same name, so nothing is doubled.

Every folder on the way is opened relative to the one above it and never through a symbolic link, so a link that was
planted below FOLDER/files cannot lead a file out of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import shutil
from pathlib import Path

from scraper.errors import SinkError
from scraper.model import Body, Response, Result
from scraper.sinks.disk_errors import incomplete_error, run_to_completion, sync_folder, write_error
from scraper.sinks.file_paths import FILES_FOLDER, relative_path, stored_path

__all__ = ["FilesSink", "relative_path"]

CHECKPOINT = "files"
_OPEN_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_CREATE_FILE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class FilesSink:
    """Stores the body of every result of kind `file` that came with a 2xx status. Implements `Sink`.

    A spooled body is moved to its place, or copied when it lies on another file system: after the flush its
    `Body.path` is gone. Spooled bodies of other statuses are deleted. The buffer holds the results since the last
    flush: a group of the recorder's. A new output leaves earlier files where they are. With `power` what was flushed
    outlives a loss of power.
    """

    name = "files"

    def __init__(self, folder: Path, *, fsync: bool = False) -> None:
        self._root = folder / FILES_FOLDER
        self._fsync = fsync
        self._pending: list[tuple[str | None, Body]] = []

    async def open(self, checkpoint: str | None) -> None:
        """Make FOLDER/files. Raises `SinkError` when it cannot be made, is a link, or is missing at a mark."""
        if checkpoint is not None and checkpoint != CHECKPOINT:
            raise SinkError(f"{self._root}: {checkpoint[:40]!r} is not a mark of this output; start over with --fresh")
        await run_to_completion(asyncio.to_thread(self._make_root, checkpoint is not None))

    def write(self, result: Result) -> None:
        """Remember the body of one result."""
        if result.request.kind == "file" and isinstance(result.outcome, Response):
            self._pending.append((stored_path(result), result.outcome.body))

    async def flush(self) -> str:
        """Write the files, off the loop. Raises `SinkError`; what was not written is kept for the next flush."""
        if self._pending:
            await run_to_completion(asyncio.to_thread(self._store_pending))
        return CHECKPOINT

    async def aclose(self) -> None:
        """Write what is left; raises `SinkError`. Calling it twice does nothing more."""
        try:
            await self.flush()
        finally:
            self._pending.clear()

    def _make_root(self, resumed: bool) -> None:
        if resumed and not self._root.exists():
            raise incomplete_error(self._root, "is missing")
        try:
            self._root.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise write_error(self._root, error) from error
        os.close(_open_folder(self._root, (), self._fsync))

    def _store_pending(self) -> None:
        while self._pending:
            path, body = self._pending[0]
            if path is not None:
                self._store_file(path.removeprefix(f"{FILES_FOLDER}/"), body)
            body.discard()
            del self._pending[0]

    def _store_file(self, relative: str, body: Body) -> None:
        *folders, name = relative.split("/")
        folder = _open_folder(self._root, folders, self._fsync)
        try:
            if body.path is None or not _move_spooled(body.path, name, folder, self._fsync):
                _copy_body(body, name, folder, self._fsync)
            if self._fsync:
                os.fsync(folder)
        except OSError as error:
            raise write_error(self._root / relative, error) from error
        finally:
            os.close(folder)


def _open_folder(root: Path, names: list[str] | tuple[()], fsync: bool) -> int:
    """A descriptor of the folder `names` below `root`, made where missing. The caller closes it."""
    path, above = root, None
    for depth, name in enumerate((str(root), *names)):
        if depth:  # the root is no name below itself: a relative one would be looked for twice
            path = path / name
        try:
            with contextlib.suppress(FileExistsError):
                os.mkdir(name, dir_fd=above)
                if fsync:
                    sync_folder(path.parent) if above is None else os.fsync(above)
            inner = os.open(name, _OPEN_FOLDER_FLAGS, dir_fd=above)
        except OSError as error:
            if error.errno in (errno.ENOTDIR, errno.ELOOP):
                raise SinkError(
                    f"{path} is a symbolic link or no folder; move it away or choose another --output"
                ) from error
            raise write_error(path, error) from error
        finally:
            if above is not None:
                os.close(above)
        above = inner
    assert above is not None
    return above


def _move_spooled(spooled: Path, name: str, folder: int, fsync: bool) -> bool:
    """Put the spooled file in place; False when it must be copied instead."""
    try:
        if fsync:
            with spooled.open("rb") as file:
                os.fsync(file.fileno())
        os.replace(spooled, name, dst_dir_fd=folder)
    except FileNotFoundError:
        # The same result twice: the first has moved the body. Anything else is an error.
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        return False
    return True


def _copy_body(body: Body, name: str, folder: int, fsync: bool) -> None:
    """Write the body as `.part`, then rename it."""
    part = name + ".part"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(part, dir_fd=folder)  # left by a run that was killed
    try:
        with os.fdopen(os.open(part, _CREATE_FILE_FLAGS, 0o666, dir_fd=folder), "wb") as file:
            if body.path is None:
                file.write(body.data or b"")
            else:
                with body.path.open("rb") as spooled:
                    shutil.copyfileobj(spooled, file, 1024 * 1024)
            if fsync:
                file.flush()
                os.fsync(file.fileno())
        os.replace(part, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(part, dir_fd=folder)
        raise
