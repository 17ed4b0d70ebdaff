"""The one thread that owns the database connection: jobs go in, results come back to the event loop in order.

A job has two halves. The first runs in the thread and may only touch the store; the second, `apply`, runs on the
event loop and brings the loop's own state up to date. `apply` runs whether or not somebody still waits: a settlement
whose caller was cancelled is committed all the same, and the frontier's picture must agree with the disk.

The first job that fails is the last one that runs: what was promised cannot be kept any more, so every later call
fails with the same sentence. What was committed before stays.
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
    """What the thread owns."""

    def close(self) -> None:
        """Let go of the files."""
        ...


S = TypeVar("S", bound=Closable)


class _Job(NamedTuple):
    work: Callable[[Any], Any]
    apply: Callable[[Any], Any]
    future: asyncio.Future[Any] | None


class DatabaseThread(Generic[S]):
    """Runs jobs on one store, in the order given."""

    def __init__(self, error_message: Callable[[sqlite3.Error], str]) -> None:
        """`explain` turns a database error into a sentence for the user."""
        self.failure: str | None = None
        self._error_message = error_message
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._thread_ended: asyncio.Future[None] = self._loop.create_future()
        self._thread: Thread | None = None

    async def open(self, open_store: Callable[[], S]) -> None:
        """Start the thread and make the store in it. Raises `FrontierError` when `make` fails."""
        opened: asyncio.Future[None] = self._loop.create_future()
        # A daemon: at a hard exit nothing may wait for it, and a kill is what the database is built to survive.
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
        """Queue a job that nobody waits for; its failure shows in the next call."""
        self._jobs.put(_Job(work, apply, None))

    def raise_if_failed(self) -> None:
        """Raise `FrontierError` when a job has failed or the thread is closed."""
        if self.failure is not None:
            raise FrontierError(self.failure)

    async def aclose(self) -> None:
        """Run what is queued, close the store and end the thread. May be called again."""
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
            with suppress(sqlite3.Error):  # all commits are made; what close tidies up, the next open does too
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
        """On the loop: bring its state up to date, then wake who waits."""
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
    """The `apply` of a job that changes nothing on the loop."""
    return value


def _resolve(waiter: asyncio.Future[Any], value: object) -> None:
    if not waiter.done():
        waiter.set_result(value)


def _reject(waiter: asyncio.Future[Any], error: BaseException) -> None:
    if not waiter.done():
        # A copy for each waiter: one exception raised in many places would collect the tracebacks of all.
        fresh = FrontierError(str(error)) if isinstance(error, FrontierError) else error
        waiter.set_exception(fresh)
