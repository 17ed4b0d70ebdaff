"""The port for outputs: results go in, and each is in the output exactly once, whatever happens to the process.

Three steps in this order make that so:
1. `write` each result of a batch, then `flush`: the output holds them.
2. The frontier stores, in one transaction, that these URLs are settled and the checkpoint that `flush` returned.
3. On resume `open` gets the last checkpoint that was stored. The sink removes what it wrote after it; the URLs of that
   part are not settled, so they are requested again.

An implementation is finished when it passes `scraper.testing.sink_contract`.
"""

from __future__ import annotations

from typing import Protocol

from scraper.model import Result


class Sink(Protocol):
    """Takes results. The recorder calls it, one call at a time.

    Errors: `open`, `flush` and `aclose` raise `SinkError` when the output cannot be written; the run then stops.
    """

    # Unique in the run, for checkpoints and messages: the file's name.
    name: str

    async def open(self, checkpoint: str | None) -> None:
        """Open the output at the last `checkpoint` that was stored; None starts a new output."""
        ...

    def write(self, result: Result) -> None:
        """Put one result into the buffer, which the next flush empties. No I/O; raises nothing for any result."""
        ...

    async def flush(self) -> str:
        """Write the buffer to the operating system; return the checkpoint for this state of the output."""
        ...

    async def aclose(self) -> None:
        """Flush and close; calling it twice does nothing more."""
        ...
