"""The port for outputs: results go in, and each is in the output exactly once, whatever happens to the process.

Three steps in this order make that so:
1. `write` each result of a batch, then `flush`: the output holds them.
2. The frontier stores, in one transaction, that these URLs are settled and the checkpoint that `flush` returned.
3. On resume `open` gets the last checkpoint that was stored. The sink removes what it wrote after it; the URLs of that
   part are not settled, so they are requested again.

An implementation is finished when it passes `scraper.testing.sink_contract`.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, Protocol, runtime_checkable

from scraper.model import Request, Result


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


class WrittenRecords(NamedTuple):
    """How many records an output has written in this session, and what it has one of: each result, or each item."""

    output: str
    records_of: Literal["results", "items"]
    records: int


@runtime_checkable
class CountingSink(Protocol):
    """A sink that can be compared, when a run ends, with what was settled. A sink need not be one."""

    name: str
    # What it has one record of; None when it has no fixed number of them.
    records_of: Literal["results", "items"] | None

    @property
    def records_written(self) -> int:
        """Records that were flushed since the sink was opened."""
        ...


@runtime_checkable
class CountsRecords(Protocol):
    """Outputs some of which count their records."""

    def written_records(self) -> list[WrittenRecords]:
        """The counts of those that keep one."""
        ...


@runtime_checkable
class RecordsDrops(Protocol):
    """Outputs that record a request that was not sent; the others leave it to skipped.jsonl."""

    def drop(self, request: Request, reason: str, rule: str) -> None:
        """Take into the buffer that `request` is not sent, and why."""
        ...
