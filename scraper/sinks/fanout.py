"""Several sinks as one: what the recorder writes to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from scraper.errors import ScraperError, SinkError
from scraper.model import Result
from scraper.sinks.interface import Sink

LEFT_OUT_CHECKPOINT = "left out"
"""The mark of an output that a session did without: it can never be complete again."""


class Fanout:
    """Hands every result to every sink; its marks are theirs by name.

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
        """Open every sink at its mark; without any mark of theirs all start new outputs. Other names are ignored.

        When one fails, it and those already open are closed. Raises `SinkError`, also for a sink without a mark
        beside others that have one: it would silently lack what the run has written so far.
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
            self._opened_sinks.append(sink)  # first: one that is cancelled half-way must be closed, too
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
        """Flush every sink; return the marks by name. Raises `SinkError` of the first that fails, naming it."""
        marks = {}
        for sink in self._sinks:
            try:
                marks[sink.name] = await sink.flush()
            except Exception as error:
                raise _with_sink_name(sink, error) from error
        return marks

    async def aclose(self) -> None:
        """Close every open sink, also when one fails; then raise one `SinkError` that names all that failed."""
        problems = []
        while self._opened_sinks:
            sink = self._opened_sinks.pop()
            try:
                await sink.aclose()
            except Exception as error:  # noqa: BLE001  the others must be closed whatever this one does
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
