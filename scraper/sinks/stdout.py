"""Items as JSON lines on standard output, for the next program in a pipe.

What has gone into a pipe cannot be taken back. A session prints what it finds, and one that goes on after a crash may
print again what came after the last mark: at most one group of pages. Files are exact, a pipe is at least once.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys

from scraper.errors import SinkError
from scraper.model import Result
from scraper.sinks.disk_errors import run_to_completion
from scraper.sinks.records import item_record, to_json

STDOUT_NAME = "stdout"


class StdoutSink:
    """Writes one line for every extracted item to standard output. Implements `Sink`; its mark counts lines."""

    name = STDOUT_NAME

    def __init__(self) -> None:
        self._pending: list[bytes] = []
        self._lines_printed = 0

    async def open(self, checkpoint: str | None) -> None:
        """Go on counting at `mark`; raises `SinkError` when it is none."""
        if checkpoint is not None and not (checkpoint.isascii() and checkpoint.isdigit() and len(checkpoint) <= 18):
            raise SinkError(f"{self.name}: {checkpoint[:40]!r} is not a mark of this output; start over with --fresh")
        self._lines_printed = int(checkpoint or 0)

    def write(self, result: Result) -> None:
        """Take the items of one result into the buffer."""
        for item in result.items:
            self._pending.append(to_json(item_record(result, item)))

    async def flush(self) -> str:
        """Print the buffer, off the loop; return the mark. Raises `SinkError` when nobody reads any more."""
        if self._pending:
            lines, self._pending = self._pending, []
            await run_to_completion(asyncio.to_thread(_print_bytes, b"".join(lines)))
            self._lines_printed += len(lines)
        return str(self._lines_printed)

    async def aclose(self) -> None:
        """Print what is left; raises `SinkError`."""
        await self.flush()


def _print_bytes(data: bytes) -> None:
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError as error:
        # Else the interpreter complains once more when it flushes the stream at its end.
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SinkError("standard output was closed by its reader; the same command goes on from here") from error
    except (OSError, ValueError) as error:
        raise SinkError(f"standard output cannot be written: {error}") from error
