"""Several sinks behind the calls of one: what the recorder writes to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from scraper.errors import ScraperError, SinkError
from scraper.model import Result
from scraper.sinks.interface import Sink

# Stored for an output that a session ran without. It misses that session's results, so it can never be resumed.
LEFT_OUT_CHECKPOINT = "left out"


class Fanout:
    """Hands each result to each sink; checkpoints are kept by the sinks' names.

    Raises `SinkError` when two sinks have one name.
    """

    def __init__(self, sinks: Sequence[Sink]) -> None:
        self._sinks = tuple(sinks)
        names = [sink.name for sink in self._sinks]
        for name in names:
            if names.count(name) > 1:
                raise SinkError(f"two outputs are called {name}; each needs a name of its own")
        self._opened_sinks: list[Sink] = []

    @property
    def sinks(self) -> tuple[Sink, ...]:
        """The sinks, in order."""
        return self._sinks

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the sinks, in order."""
        return tuple(sink.name for sink in self._sinks)

    async def open(self, checkpoints: Mapping[str, str]) -> None:
        """Open each sink at its checkpoint; when none of them has one, all start new outputs. Other names are ignored.

        When one fails, it and those already open are closed. Raises `SinkError`, also when some sinks have a
        checkpoint and one has none: its output would silently lack what the run has written so far.
        """
        missing = [name for name in self.names if name not in checkpoints]
        if missing and len(missing) < len(self._sinks):
            raise SinkError(
                f"{', '.join(missing)} was not among this run's outputs so far; "
                "take it out of the config again, or start over with --fresh"
            )
        for name in self.names:
            if checkpoints.get(name) == LEFT_OUT_CHECKPOINT:
                raise SinkError(
                    f"{name} was left out of this run's outputs for a while and lacks what was written then; "
                    "take it out of the config again, or start over with --fresh"
                )
        for sink in self._sinks:
            # Before the await: a sink whose `open` is cancelled half-way must be closed as well.
            self._opened_sinks.append(sink)
            try:
                await sink.open(checkpoints.get(sink.name))
            except BaseException as error:
                await self._close_after(error)
                if isinstance(error, Exception):
                    raise _with_sink_name(sink, error) from error
                raise

    def write(self, result: Result) -> None:
        """Hand `result` to every sink's buffer."""
        for sink in self._sinks:
            sink.write(result)

    async def flush(self) -> dict[str, str]:
        """Flush each sink; return the checkpoints by name. Raises `SinkError` of the first that fails, naming it."""
        checkpoints = {}
        for sink in self._sinks:
            try:
                checkpoints[sink.name] = await sink.flush()
            except Exception as error:
                raise _with_sink_name(sink, error) from error
        return checkpoints

    async def aclose(self) -> None:
        """Close each open sink, even when one fails; then raise one `SinkError` that names all that failed."""
        problems = []
        while self._opened_sinks:
            sink = self._opened_sinks.pop()
            try:
                await sink.aclose()
            except Exception as error:  # noqa: BLE001  a foreign sink may raise anything, and the others must be closed
                problems.append(_with_sink_name(sink, error))
        if problems:
            raise SinkError("; ".join(str(problem) for problem in problems)) from problems[0]

    async def _close_after(self, error: BaseException) -> None:
        try:
            await self.aclose()
        except SinkError as further:
            error.add_note(str(further))


def _with_sink_name(sink: Sink, error: Exception) -> ScraperError:
    if isinstance(error, ScraperError) and sink.name in str(error):
        return error
    return SinkError(f"{sink.name}: {str(error) or type(error).__name__}")
