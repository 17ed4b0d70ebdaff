"""A list that comes through a pipe, perhaps a line a second, perhaps never to its end.

Whoever reads it wants to know two things that `read` does not tell: that nothing more is here for the moment (then what
is here should be worked on), and that its writer has been silent for a while (then what it began is complete). And it
must be possible to stop waiting for it.
"""

from __future__ import annotations

import os
import select
import stat
from collections.abc import Callable
from typing import Any

# Milliseconds after which a writer counts as silent; also how long it takes to stop waiting for it.
STALLED_MS = 200


class ReadStopped(Exception):  # noqa: N818  not an error: it was asked for
    """Reading was stopped from outside; the line that was under way is not to be used."""


class NoData:
    """Says that nothing is there to be read; `silent` when that has been so for a while."""

    __slots__ = ("silent",)

    def __init__(self, silent: bool) -> None:
        self.silent = silent


IDLE, STALLED = NoData(False), NoData(True)
_NO_DATA_STEPS = (IDLE, STALLED)


class PipeReader:
    """Reads from the descriptor of a pipe, a socket or a terminal. Raises `ReadStopped` when `halted()` says so."""

    def __init__(self, descriptor: int, is_stopped: Callable[[], bool]) -> None:
        self._descriptor, self._is_stopped = descriptor, is_stopped
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLIN)
        self._idle_polls = 0

    def read1(self, size: int) -> bytes | NoData:
        """What is there, empty at the end; or, once each before the next bytes come, `IDLE` and `STALLED`."""
        while not self._poll.poll(STALLED_MS if self._idle_polls else 0):
            if self._is_stopped():
                raise ReadStopped
            self._idle_polls += 1
            if self._idle_polls <= len(_NO_DATA_STEPS):
                return _NO_DATA_STEPS[self._idle_polls - 1]
        self._idle_polls = 0
        return os.read(self._descriptor, size)


def pipe_descriptor(file: Any) -> int | None:
    """The descriptor of `file` if its bytes come from elsewhere and can be waited for; None for one on a disk."""
    if not hasattr(select, "poll"):
        return None
    try:
        descriptor = file.fileno()
        mode = os.fstat(descriptor).st_mode
    except (OSError, ValueError, AttributeError):
        return None
    is_stream = stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or stat.S_ISCHR(mode)
    return int(descriptor) if is_stream else None
