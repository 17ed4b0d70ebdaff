"""A list that comes through a pipe, perhaps one line a second, perhaps without end.

The reader needs three things that `read` does not give. It must know that there is no data at the moment, so that the
lines before can be downloaded. It must know that the writer has written nothing for a while, so that the entry it wrote
last is complete. And it must be possible to stop waiting.
"""

from __future__ import annotations

import os
import select
import stat
from collections.abc import Callable
from typing import Any

# Milliseconds without data after which the writer counts as stalled. Also the time in which a stop is noticed.
STALLED_MS = 200


class ReadStopped(Exception):  # noqa: N818  not an error: the user wants it
    """Reading was stopped from outside; the last, incomplete line must not be used."""


class NoData:
    """Returned instead of data when the pipe has none; `is_stalled`: for a while already."""

    __slots__ = ("is_stalled",)

    def __init__(self, is_stalled: bool) -> None:
        self.is_stalled = is_stalled


IDLE, STALLED = NoData(False), NoData(True)
_NO_DATA_STEPS = (IDLE, STALLED)


class PipeReader:
    """Reads from the descriptor of a pipe, socket or terminal. Raises `ReadStopped` when `is_stopped()` is true."""

    def __init__(self, descriptor: int, is_stopped: Callable[[], bool]) -> None:
        self._descriptor, self._is_stopped = descriptor, is_stopped
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLIN)
        self._idle_polls = 0

    def read1(self, size: int) -> bytes | NoData:
        """The bytes that are there, empty at the end. Without any: `IDLE` once, `STALLED` once, then wait."""
        while not self._poll.poll(STALLED_MS if self._idle_polls else 0):
            if self._is_stopped():
                raise ReadStopped
            self._idle_polls += 1
            if self._idle_polls <= len(_NO_DATA_STEPS):
                return _NO_DATA_STEPS[self._idle_polls - 1]
        self._idle_polls = 0
        return os.read(self._descriptor, size)


def pipe_descriptor(file: Any) -> int | None:
    """The descriptor of `file` if it is a pipe, socket or terminal; None for a file on disk."""
    if not hasattr(select, "poll"):
        return None
    try:
        descriptor = file.fileno()
        mode = os.fstat(descriptor).st_mode
    except (OSError, ValueError, AttributeError):
        return None
    is_stream = stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or stat.S_ISCHR(mode)
    return int(descriptor) if is_stream else None
