"""FOLDER/files/HOST/PATH: the bodies of files that a crawl fetched along the way.

A file appears under its name only when it is complete: it is written as `.part` and renamed. Files that were written
after the last checkpoint stay. Their URLs are requested again and written under the same names, so nothing is doubled.

Each folder of the path is opened relative to its parent and never through a symbolic link (`O_NOFOLLOW`): a link that
somebody put below FOLDER/files cannot make the sink write elsewhere.
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
from scraper.rundir.disk_errors import sync_folder, write_error
from scraper.rundir.layout import FILES_FOLDER, RunLayout
from scraper.sinks.checkpoints import foreign_checkpoint_error, incomplete_error
from scraper.sinks.file_paths import relative_path, stored_path
from scraper.sinks.run_to_completion import run_to_completion

__all__ = ["FilesSink", "relative_path"]

CHECKPOINT = "files"
_OPEN_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_CREATE_FILE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class FilesSink:
    """Stores the body of each result of kind `file` with a 2xx status. Implements `Sink`.

    A spooled body is moved, or copied when it lies on another file system: after the flush its `Body.path` is gone.
    Spooled bodies of other statuses are deleted. The checkpoint is a constant, and a new output leaves earlier files
    where they are. With `fsync` what was flushed survives a loss of power.
    """

    name = FILES_FOLDER

    def __init__(self, folder: Path, *, fsync: bool = False) -> None:
        self._root = RunLayout(folder).files
        self._fsync = fsync
        self._pending: list[tuple[str | None, Body]] = []

    async def open(self, checkpoint: str | None) -> None:
        """Make FOLDER/files. Raises `SinkError` when it cannot be made, is a link, or is missing on resume."""
        if checkpoint is not None and checkpoint != CHECKPOINT:
            raise foreign_checkpoint_error(self._root, checkpoint)
        await run_to_completion(asyncio.to_thread(self._make_root, checkpoint is not None))

    def write(self, result: Result) -> None:
        """Put the body of one result into the buffer."""
        if result.request.kind == "file" and isinstance(result.outcome, Response):
            self._pending.append((stored_path(result), result.outcome.body))

    async def flush(self) -> str:
        """Write the files from a thread. Raises `SinkError`; what was not written stays for the next flush."""
        if self._pending:
            await run_to_completion(asyncio.to_thread(self._store_pending))
        return CHECKPOINT

    async def aclose(self) -> None:
        """Write what is in the buffer; raises `SinkError`. A second call does nothing."""
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
            # One by one: after an error the next flush begins with the file that failed.
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
    """A descriptor of the folder `names` below `root`, created where missing. The caller closes it."""
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
                    f"{path} is a symbolic link or not a folder; move it away or choose another --output"
                ) from error
            raise write_error(path, error) from error
        finally:
            if above is not None:
                os.close(above)
        above = inner
    assert above is not None
    return above


def _move_spooled(spooled: Path, name: str, folder: int, fsync: bool) -> bool:
    """Rename the spooled file to `name`; False when it is on another file system and must be copied."""
    try:
        if fsync:
            with spooled.open("rb") as file:
                os.fsync(file.fileno())
        os.replace(spooled, name, dst_dir_fd=folder)
    except FileNotFoundError:
        # A flush that failed half-way is repeated: this body was moved the first time. If it was not, `stat` raises.
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        return False
    return True


def _copy_body(body: Body, name: str, folder: int, fsync: bool) -> None:
    """Write the body as `.part`, then rename it."""
    # `safe_name` gives no URL a name that ends in ".part".
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
