"""A few threads that write files, and when it is better to do without them.

`asyncio.to_thread` wakes the loop once for every job. Here finished jobs gather and the loop is woken once for all
of them. Even so a thread costs a small file more than the file itself: every system call lets go of the interpreter
lock, and the two threads change places a dozen times (20,000 files of 10 KB: 330 us each on the loop, 550 to 1,200
with threads, on a busy machine of two cores). So a small job runs at once, for as long as the disk answers quickly
(`SLOW`). After a slow answer small jobs go to the threads, for `MIN_PAUSE_SECONDS` seconds at first, twice as long
when the next
one is slow again: a disk that stalls holds the loop up once in a while, never for long.
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

# More only wait for each other: a file system has one journal.
THREAD_COUNT = 2

# Seconds that a small job may take before small jobs are kept off the event loop.
SLOW_JOB_SECONDS = 0.02
# Seconds until a small job is tried on the event loop again.
MIN_PAUSE_SECONDS, MAX_PAUSE_SECONDS = 0.25, 60.0

_Job = tuple["asyncio.Future[Any]", Callable[..., Any], tuple[Any, ...]]


class _UncancelableFuture(asyncio.Future[T]):
    """What a thread's job will give. It cannot be cancelled: a task that is cancelled while it awaits this hears of it
    when the job is done, and not while the job still has a file or a buffer in its hands.
    """

    __slots__ = ()

    def cancel(self, msg: Any = None) -> bool:
        """No."""
        return False


class DiskThreads:
    """Runs jobs in threads of its own, started with the first one. Belongs to the event loop it is made in."""

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
        """Start `job(*args)`; the future gives what it returns or raises, and is never done before the job is."""
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
        """Whether the disk answers quickly, as far as is known: then small jobs may be done by `run_small`."""
        return monotonic() >= self._threads_only_until

    def run_inline(self, job: Callable[..., T], *args: Any) -> T:
        """Do a job of some microseconds at once, and see how long it takes. Raises what the job raises."""
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
        """End the threads when their jobs are done. May be called again."""
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
            except BaseException as problem:  # noqa: BLE001  crosses to the loop, where it is raised
                error = problem
            self._finished.append((future, result, error))
            del future, job, args, entry, result, error
            if not self._delivery_scheduled:
                # Set by any thread, cleared by the loop before it empties the queue: no result is left behind.
                self._delivery_scheduled = True
                with contextlib.suppress(RuntimeError):  # the loop is gone, and whoever waited with it
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
