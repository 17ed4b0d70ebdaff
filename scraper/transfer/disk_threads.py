"""A few threads that write files, and the rule when a file is written without them.

`asyncio.to_thread` wakes the event loop once for each job. Here finished jobs are collected, and the loop is woken once
for all of them.

Even so, a small file costs more in a thread than on the loop: each system call releases the interpreter lock, and the
two threads switch a dozen times (20,000 files of 10 KB on a busy machine of two cores: 330 us each on the loop, 550 to
1,200 us in threads). So small jobs run on the loop while the disk is fast. After one that takes longer than
`SLOW_JOB_SECONDS` they go to the threads, for `MIN_PAUSE_SECONDS` at first, for twice as long after each further slow
one. A disk that stalls blocks the loop once in a while and never for long.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

from scraper.clock import monotonic

T = TypeVar("T")

# Measured: more than two wait for each other, because a file system has one journal.
THREAD_COUNT = 2

# Seconds that a small job may take on the event loop before small jobs go to the threads.
SLOW_JOB_SECONDS = 0.02
# Seconds after a slow job until a small one runs on the event loop again.
MIN_PAUSE_SECONDS, MAX_PAUSE_SECONDS = 0.25, 60.0

_Job = tuple["asyncio.Future[Any]", Callable[..., Any], tuple[Any, ...]]


class _UncancelableFuture(asyncio.Future[T]):
    """The result of a job. It cannot be canceled: the job would go on and use a file or buffer that its caller has
    given up. A task that is canceled while it awaits the result is canceled when the job is done.
    """

    __slots__ = ()

    def cancel(self, msg: Any = None) -> bool:
        """Refuse: the job still uses its arguments."""
        return False


class DiskThreads:
    """Runs jobs in its own threads, started with the first job. Belongs to the event loop it is created in."""

    def __init__(self, threads: int = THREAD_COUNT) -> None:
        self._loop = asyncio.get_running_loop()
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._finished: deque[tuple[asyncio.Future[Any], Any, BaseException | None]] = deque()
        self._count = threads
        self._threads: list[Thread] = []
        self._delivery_scheduled = False
        self._closed = False
        self._threads_only_until = 0.0
        self._pause_seconds = MIN_PAUSE_SECONDS

    def run(self, job: Callable[..., T], *args: Any) -> asyncio.Future[T]:
        """Start `job(*args)` in a thread. The future has its result or exception, and is not done before the job is."""
        if self._closed:
            raise RuntimeError("the disk threads are closed")
        if not self._threads:
            self._threads = [
                Thread(target=self._run_jobs, name=f"disk-{number}", daemon=True) for number in range(self._count)
            ]
            for thread in self._threads:
                thread.start()
        future: asyncio.Future[T] = _UncancelableFuture(loop=self._loop)
        self._jobs.put((future, job, args))
        return future

    @property
    def is_fast(self) -> bool:
        """Whether small jobs may use `run_inline`: the last one was fast, or the pause after a slow one is over."""
        return monotonic() >= self._threads_only_until

    def run_inline(self, job: Callable[..., T], *args: Any) -> T:
        """Run a job of some microseconds in this thread, and measure it. Raises what the job raises."""
        started = monotonic()
        try:
            return job(*args)
        finally:
            ended = monotonic()
            if ended - started > SLOW_JOB_SECONDS:
                self._threads_only_until = ended + self._pause_seconds
                self._pause_seconds = min(2 * self._pause_seconds, MAX_PAUSE_SECONDS)
            else:
                self._pause_seconds = MIN_PAUSE_SECONDS

    async def aclose(self) -> None:
        """End the threads when their jobs are done. A second call does nothing."""
        self._closed = True
        threads, self._threads = self._threads, []
        for _ in threads:
            self._jobs.put(None)
        for thread in threads:
            await asyncio.to_thread(thread.join)

    def _run_jobs(self) -> None:
        while (entry := self._jobs.get()) is not None:
            future, job, args = entry
            result, error = None, None
            try:
                result = job(*args)
            except BaseException as problem:  # noqa: BLE001  raised in the loop, by the future
                error = problem
            self._finished.append((future, result, error))
            # Or the last job would keep its buffer alive until the next one comes.
            del future, job, args, entry, result, error
            if not self._delivery_scheduled:
                # Set by any thread, cleared by the loop before it empties `_finished`: no result is forgotten.
                self._delivery_scheduled = True
                with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                    self._loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        self._delivery_scheduled = False
        while self._finished:
            future, result, error = self._finished.popleft()
            if future.done():
                continue
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)
