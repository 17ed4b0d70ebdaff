"""A text stream that may go away: whoever read it has left, and that must not end a crawl."""

from __future__ import annotations

import contextlib
import os
from typing import TextIO


class SafeStream:
    """Writes to `stream` until that fails once; from then on silent (`lost` is True)."""

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
        """Hand over what is buffered."""
        if self.lost:
            return
        try:
            self._stream.flush()
        except (OSError, ValueError):
            self._redirect_to_null()

    def _redirect_to_null(self) -> None:
        self.lost = True
        # What is still buffered would raise again when the interpreter closes the stream: let it run into nothing.
        with contextlib.suppress(OSError, ValueError):
            nothing = os.open(os.devnull, os.O_WRONLY)
            try:
                os.dup2(nothing, self._stream.fileno())
            finally:
                os.close(nothing)
