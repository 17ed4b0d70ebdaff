"""The one thread that owns the database connection. Jobs go in; results come back to the event loop in order.

A job has two parts. `work` runs in the thread and uses the database only. `apply` then runs on the event loop and
updates the state there. It runs even if the caller was cancelled meanwhile: the commit was made, and the state on the
loop must agree with the database.

The first job that fails is the last one that runs. After it the database may lack what later jobs rely on, so each
later call fails with the same message. What was committed before stays.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from scraper.errors import FrontierError

T = TypeVar("T")
R = TypeVar("R")


class Closable(Protocol):
    """A resource of the thread."""

    def close(self) -> None:
        """Close the files."""
        ...


S = TypeVar("S", bound=Closable)


class _Job(NamedTuple):
    work: Callable[[Any], Any]
    apply: Callable[[Any], Any]
    future: asyncio.Future[Any] | None


class DatabaseThread(Generic[S]):
    """Runs jobs on one resource, in the order they were submitted."""

    def __init__(self, error_message: Callable[[sqlite3.Error], str]) -> None:
        """`error_message` words a database error for the user."""
        # The message of the first failure, or that the thread was closed.
        self.failure: str | None = None
        self._error_message = error_message
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._thread_ended: asyncio.Future[None] = self._loop.create_future()
        self._thread: Thread | None = None

    async def open(self, open_store: Callable[[], S]) -> None:
        """Start the thread and open the resource in it. Raises `FrontierError` when `open_store` fails."""
        opened: asyncio.Future[None] = self._loop.create_future()
        # A daemon thread does not delay an exit. That is safe: the database survives a kill at any moment.
        self._thread = Thread(target=self._run, args=(open_store, opened), name="frontier-writer", daemon=True)
        self._thread.start()
        try:
            await opened
        except BaseException:
            self._jobs.put(None)
            raise

    def submit(self, work: Callable[[S], T], apply: Callable[[T], R]) -> asyncio.Future[R]:
        """Queue a job; the future gives what `apply` returned."""
        self.raise_if_failed()
        waiter: asyncio.Future[R] = self._loop.create_future()
        self._jobs.put(_Job(work, apply, waiter))
        return waiter

    def submit_unawaited(self, work: Callable[[S], T], apply: Callable[[T], object]) -> None:
        """Queue a job that nobody awaits; if it fails, the next call raises."""
        self._jobs.put(_Job(work, apply, None))

    def raise_if_failed(self) -> None:
        """Raise `FrontierError` when a job has failed or the thread is closed."""
        if self.failure is not None:
            raise FrontierError(self.failure)

    async def aclose(self) -> None:
        """Run the queued jobs, close the resource and end the thread. May be called again."""
        if self._thread is not None:
            thread, self._thread = self._thread, None
            self.failure = self.failure or "the frontier is closed"
            self._jobs.put(None)
            await asyncio.shield(self._thread_ended)
            thread.join()
        else:
            await asyncio.shield(self._thread_ended)

    def _run(self, make: Callable[[], S], opened: asyncio.Future[None]) -> None:
        try:
            store = make()
        except Exception as error:  # noqa: BLE001  crosses to the loop, where it is raised
            self._call_on_loop(_reject, opened, self._to_frontier_error(error))
            self._call_on_loop(_resolve, self._thread_ended, None)
            return
        try:
            if self._call_on_loop(_resolve, opened, None):
                self._run_jobs(store)
        finally:
            # All commits are made. What a failing `close` leaves undone, the next open does.
            with suppress(sqlite3.Error):
                store.close()
            self._call_on_loop(_resolve, self._thread_ended, None)

    def _run_jobs(self, store: S) -> None:
        broken: BaseException | None = None
        while (job := self._jobs.get()) is not None:
            result = None
            if broken is None:
                try:
                    result = job.work(store)
                except Exception as error:  # noqa: BLE001  crosses to the loop, where it is raised
                    broken = self._to_frontier_error(error)
            if not self._call_on_loop(self._finish_job, job, result, broken):
                return

    def _finish_job(self, job: _Job, result: Any, error: BaseException | None) -> None:
        """On the loop: apply the result, then resolve the future."""
        value = None
        if error is None:
            try:
                value = job.apply(result)
            except Exception as problem:  # noqa: BLE001  a bug, raised where the job was awaited
                error = problem
        if error is not None:
            self.failure = self.failure or str(error) or repr(error)
        if job.future is None:
            return
        if error is None:
            _resolve(job.future, value)
        else:
            _reject(job.future, error)

    def _to_frontier_error(self, error: Exception) -> Exception:
        return FrontierError(self._error_message(error)) if isinstance(error, sqlite3.Error) else error

    def _call_on_loop(self, function: Callable[..., None], *args: object) -> bool:
        """Run `function` on the loop; False when the loop is gone."""
        try:
            self._loop.call_soon_threadsafe(function, *args)
        except RuntimeError:
            return False
        return True


def identity(value: T) -> T:
    """The `apply` of a job that changes no state on the loop."""
    return value


def _resolve(waiter: asyncio.Future[Any], value: object) -> None:
    if not waiter.done():
        waiter.set_result(value)


def _reject(waiter: asyncio.Future[Any], error: BaseException) -> None:
    if not waiter.done():
        # A new exception for each: one that is raised at several places collects all their tracebacks.
        fresh = FrontierError(str(error)) if isinstance(error, FrontierError) else error
        waiter.set_exception(fresh)
