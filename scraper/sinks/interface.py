"""The port for what leaves a run: results go in, bytes on disk come out, exactly once.

Order is the durability rule: results are written, flushed, and then settled in the frontier together with the mark
that `flush` returned. On resume `open` gets the last mark that was settled, and the sink forgets what it wrote after
it; the URLs in question are asked again.

An implementation is finished when it passes `scraper.testing.sink_contract`.
"""

from __future__ import annotations

from typing import Protocol

from scraper.model import Result


class Sink(Protocol):
    """Takes results. Called by the recorder alone, one call at a time.

    Errors: `open`, `flush` and `aclose` raise `SinkError` when the output cannot be written; the run then stops.
    """

    name: str
    """A name unique in the run, for marks and messages: the file's name."""

    async def open(self, checkpoint: str | None) -> None:
        """Open the output. `mark` is what `flush` last returned and was settled; None starts a new output."""
        ...

    def write(self, result: Result) -> None:
        """Take one result into the buffer. No I/O; raises nothing for any result."""
        ...

    async def flush(self) -> str:
        """Bring the buffer to the operating system; return the mark that names this state."""
        ...

    async def aclose(self) -> None:
        """Flush and close; calling it twice does nothing more."""
        ...
