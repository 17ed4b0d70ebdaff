"""A text stream whose reader may go away (a broken pipe), which must not end a crawl."""

from __future__ import annotations

import contextlib
import os
from typing import TextIO


class SafeStream:
    """Writes to `stream` until that fails once; then `lost` is True and nothing is written any more."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.lost = False

    def write(self, text: str) -> None:
        """Write `text`; what the stream's encoding lacks becomes `?`. Never raises for a stream that has gone."""
        if self.lost:
            return
        try:
            self._stream.write(text)
        except UnicodeEncodeError:
            encoding = self._stream.encoding or "ascii"
            self.write(text.encode(encoding, "replace").decode(encoding))
        except (OSError, ValueError):  # ValueError: the stream was closed
            self._redirect_to_null()

    def flush(self) -> None:
        """Flush the stream. Never raises for a stream that has gone."""
        if self.lost:
            return
        try:
            self._stream.flush()
        except (OSError, ValueError):
            self._redirect_to_null()

    def _redirect_to_null(self) -> None:
        self.lost = True
        # The interpreter flushes the stream at exit and would raise again: point its file descriptor to /dev/null.
        with contextlib.suppress(OSError, ValueError):
            nothing = os.open(os.devnull, os.O_WRONLY)
            try:
                os.dup2(nothing, self._stream.fileno())
            finally:
                os.close(nothing)
