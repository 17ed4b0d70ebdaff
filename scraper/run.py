"""The life cycle that a crawl and a download share: open, run once, hand out results, stop, close."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from types import TracebackType
from typing import Generic, Self, TypeVar

from scraper.build.parts import RunParts
from scraper.engine.run_state import StopReason
from scraper.model import Result, StopKind

# Results that wait for a slow consumer before the run is slowed down with it.
MAX_WAITING_RESULTS = 128

SummaryT = TypeVar("SummaryT")


@dataclass(slots=True)
class _ResultChannel:
    """Hands results to `Run.results`; bounded, so that a slow consumer slows the run and memory stays flat."""

    queue: asyncio.Queue[Result | None] = field(default_factory=lambda: asyncio.Queue(MAX_WAITING_RESULTS))
    # Nobody takes results: they are dropped here. They are on disk already.
    closed: bool = True

    async def put(self, result: Result) -> None:
        if not self.closed:
            await self.queue.put(result)

    def close(self) -> None:
        """Release whoever waits to put something in."""
        self.closed = True
        while not self.queue.empty():
            self.queue.get_nowait()


class Run(ABC, Generic[SummaryT]):
    """One run over one folder. Use it once: as an async context manager, or by `await SubClass.open(...)`.

    A subclass builds the parts (`_build`) and says what a run of them is (`_run`).
    """

    def __init__(self) -> None:
        self._stack = AsyncExitStack()
        self._channel = _ResultChannel()
        self._run_parts: RunParts | None = None
        self._task: asyncio.Task[None] | None = None
        self._ended: SummaryT | BaseException | None = None

    @abstractmethod
    async def _build(self, stack: AsyncExitStack) -> RunParts:
        """Open everything on `stack`; what was opened is closed by it, also after an error."""

    @abstractmethod
    async def _run(self, parts: RunParts) -> SummaryT:
        """Run to the end and return the summary."""

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            self._run_parts = await self._build(stack)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End the run if it is still going (cleanly: it can be resumed), and close everything. May be called again."""
        if self._task is not None and not self._task.done():
            self.stop(StopReason(StopKind.CLOSED, "the caller left"))
            self._channel.close()
            await asyncio.wait([self._task])
        await self._stack.aclose()

    def stop(self, reason: StopReason | None = None) -> None:
        """Ask for a clean end: requests in flight are finished, the rest stays for the next run.

        Raises `RuntimeError` before the run is open.
        """
        self._opened.engine.stop(reason or StopReason(StopKind.INTERRUPTED, "stop was called"))

    async def run(self) -> SummaryT:
        """Run to the end and return the summary; its files are written.

        Raises `SinkError` or `FrontierError` when something cannot be written; the run can then be resumed. Raises
        `RuntimeError` before the run is open.
        """
        return await self._run(self._opened)

    async def results(self) -> AsyncIterator[Result]:
        """Every result as soon as it is on disk and settled.

        A consumer that is slower than the run slows it down. Leaving the loop early leaves the run resumable. Raises
        what `run` raises. The summary is in `summary` afterwards.
        """
        self._channel.closed = False
        self._task = asyncio.get_running_loop().create_task(self._run_into_channel(), name="run")
        while (result := await self._channel.queue.get()) is not None:
            yield result
        if isinstance(self._ended, BaseException):
            raise self._ended

    @property
    def summary(self) -> SummaryT | None:
        """The summary of a run that ended through `results`, or None."""
        return None if isinstance(self._ended, BaseException) else self._ended

    @property
    def _opened(self) -> RunParts:
        if self._run_parts is None:
            raise RuntimeError(f"open it first: async with {type(self).__name__}(...) as run")
        return self._run_parts

    async def _run_into_channel(self) -> None:
        try:
            self._ended = await self.run()
        except Exception as error:  # noqa: BLE001  it is raised where the caller waits: in `results`
            self._ended = error
        if not self._channel.closed:
            await self._channel.queue.put(None)
