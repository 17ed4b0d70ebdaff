"""Items as JSON lines on standard output, for the next program in a pipe.

What was written to a pipe cannot be truncated. After a crash the next session prints again what came after the last
checkpoint: the items of at most one batch of pages. Files hold each item once, a pipe delivers it at least once.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys

from scraper.errors import SinkError
from scraper.model import Result
from scraper.rundir.disk_errors import RESUME_HINT
from scraper.sinks.checkpoints import parse_count_checkpoint
from scraper.sinks.records import item_record, to_json
from scraper.sinks.run_to_completion import run_to_completion

STDOUT_NAME = "stdout"


class StdoutSink:
    """Writes one line for each extracted item to standard output. Implements `Sink`; its checkpoint counts lines."""

    name = STDOUT_NAME

    def __init__(self) -> None:
        self._pending: list[bytes] = []
        self._lines_printed = 0

    async def open(self, checkpoint: str | None) -> None:
        """Continue counting at `checkpoint`; raises `SinkError` when it is not a count."""
        self._lines_printed = 0 if checkpoint is None else parse_count_checkpoint(self.name, checkpoint)

    def write(self, result: Result) -> None:
        """Put the items of one result into the buffer."""
        for item in result.items:
            self._pending.append(to_json(item_record(result, item)))

    async def flush(self) -> str:
        """Print the buffer from a thread; return the checkpoint. Raises `SinkError` when the pipe was closed."""
        if self._pending:
            lines, self._pending = self._pending, []
            await run_to_completion(asyncio.to_thread(_print_bytes, b"".join(lines)))
            self._lines_printed += len(lines)
        return str(self._lines_printed)

    async def aclose(self) -> None:
        """Print what is in the buffer; raises `SinkError`."""
        await self.flush()


def _print_bytes(data: bytes) -> None:
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError as error:
        # Otherwise the interpreter flushes the broken stream at exit and prints another traceback.
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SinkError(f"standard output was closed by its reader; {RESUME_HINT}") from error
    except (OSError, ValueError) as error:
        raise SinkError(f"standard output cannot be written: {error}") from error
