"""An event loop on virtual time: `sleep` of a day returns at once, and everything still happens in order.

An event loop passes the time until its next timer to its selector. This selector does not wait: if no file is ready, it
advances the virtual clock by that time and returns. So `asyncio.sleep`, timeouts, queues and TaskGroups work unchanged.
If no file is ready, no timer is set and no thread can wake the loop, no task will ever run again: `DeadlockError` is
raised, so the test fails instead of hanging.

Threads run in real time, and the clock must not jump while a thread is working on a result:

1. Calls of `run_in_executor` (and so `asyncio.to_thread`) are counted. While one is unfinished the loop really waits
   and the clock stands still. This rule is exact.
2. A thread with its own life (such as a database's writer thread) does not announce its work. Once it has called
   `call_soon_threadsafe`, the loop knows it: before each jump of the clock it really waits for `LISTEN_SECONDS`, again
   and again as long as the thread used the CPU meanwhile, runs, or waits for a disk. Linux tells that in /proc; without
   /proc the loop waits once, for `LISTEN_SECONDS_WITHOUT_PROC`. A thread that never called is expected to do so within
   `NEW_THREAD_SECONDS` of being seen; after that it is ignored. This rule cannot notice a thread that sleeps on purpose
   before it calls.
3. `with loop.real_work():` tells the loop that real work is being done; the clock stands still inside it.

Real sockets work in real time only: use an ordinary loop with `testing.local_server`.

A test uses it in one of two ways::

    @virtual_run
    async def test_a_day_passes() -> None:
        await asyncio.sleep(86_400)

or, for every async test of a folder with its async fixtures, in that folder's conftest.py::

    def pytest_asyncio_loop_factories(config, item):
        return {"virtual": VirtualLoop}
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import selectors
import threading
import time
import weakref
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import Context
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, TypeVarTuple

T = TypeVar("T")
P = ParamSpec("P")
Ts = TypeVarTuple("Ts")

# All of these are real seconds; rule 2 above explains the first three.
LISTEN_SECONDS = 0.002
LISTEN_SECONDS_WITHOUT_PROC = 0.05
NEW_THREAD_SECONDS = 0.1
# If no timer is set, threads get this long to wake the loop before a deadlock is reported.
IDLE_LISTEN_SECONDS = 1.0
# Work in threads that takes longer is reported as a deadlock.
REAL_WORK_TIMEOUT_SECONDS = 30.0


class DeadlockError(RuntimeError):
    """No task of the loop can ever run again."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose `time()` begins at 0.0 and moves only by jumps to the next timer.

    Raises `DeadlockError` out of `run_until_complete` when nothing can happen any more, or when counted work in
    threads has not answered within `LIMIT` real seconds.
    """

    def __init__(self) -> None:
        self._virtual_selector = _VirtualSelector(self._threads_to_wait_for, self._has_real_work)
        self._real_work_count = 0
        self._pool_threads: weakref.WeakSet[threading.Thread] = weakref.WeakSet()
        self._calling_threads: weakref.WeakSet[threading.Thread] = weakref.WeakSet()
        self._first_seen: weakref.WeakKeyDictionary[threading.Thread, float] = weakref.WeakKeyDictionary()
        # Threads that existed before the loop do not work for it.
        self._threads_before_loop: weakref.WeakSet[threading.Thread] = weakref.WeakSet(threading.enumerate())
        super().__init__(self._virtual_selector)

    def time(self) -> float:
        """Virtual seconds since the loop was created."""
        return self._virtual_selector.now

    @contextmanager
    def real_work(self) -> Iterator[None]:
        """The clock stands still and the loop really waits while inside."""
        self._real_work_count += 1
        try:
            yield
        finally:
            self._real_work_count -= 1

    def run_in_executor(
        self, executor: concurrent.futures.Executor | None, func: Callable[[*Ts], T], *args: *Ts
    ) -> asyncio.Future[T]:
        """Like the base class; the clock stands still until the result is available."""
        if executor is None or isinstance(executor, concurrent.futures.ThreadPoolExecutor):
            future = super().run_in_executor(executor, self._run_in_pool, functools.partial(func, *args))
        else:
            future = super().run_in_executor(executor, func, *args)
        self._real_work_count += 1
        future.add_done_callback(self._on_executor_done)
        return future

    def call_soon_threadsafe(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        """Like the base class; remembers that the calling thread may wake the loop."""
        if threading.get_ident() != self._thread_id:  # type: ignore[attr-defined]
            self._calling_threads.add(threading.current_thread())
        return super().call_soon_threadsafe(callback, *args, context=context)

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """Like the base class, but without its timeout: joining threads is real work."""
        with self.real_work():
            await super().shutdown_default_executor()

    def _run_in_pool(self, call: Callable[[], T]) -> T:
        self._pool_threads.add(threading.current_thread())
        return call()

    def _on_executor_done(self, _: asyncio.Future[Any]) -> None:
        self._real_work_count -= 1

    def _has_real_work(self) -> bool:
        return self._real_work_count > 0

    def _threads_to_wait_for(self) -> list[threading.Thread]:
        """The threads that may be about to call `call_soon_threadsafe`."""
        others = set(threading.enumerate()) - set(self._pool_threads) - {threading.current_thread()}
        return [thread for thread in others if thread in self._calling_threads or self._is_new_thread(thread)]

    def _is_new_thread(self, thread: threading.Thread) -> bool:
        now = time.monotonic()
        return (
            thread not in self._threads_before_loop
            and now - self._first_seen.setdefault(thread, now) < NEW_THREAD_SECONDS
        )


class _VirtualSelector(selectors.BaseSelector):
    """Wraps a real selector: ready files are reported as usual, waiting becomes a jump of `now`."""

    def __init__(self, may_hear: Callable[[], list[threading.Thread]], waiting: Callable[[], bool]) -> None:
        self.now = 0.0
        self._real_selector = selectors.DefaultSelector()
        self._threads_to_wait_for, self._has_real_work = may_hear, waiting

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = self._real_selector.select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        if self._has_real_work():
            return self._real_selector.select(REAL_WORK_TIMEOUT_SECONDS) or _raise_deadlock(
                f"work in threads has not answered within {REAL_WORK_TIMEOUT_SECONDS:.0f} s"
            )
        if ready := self._wait_for_threads(patient=timeout is None):
            return ready
        if timeout is None:
            _raise_deadlock("nothing is ready, no timer runs and no thread is at work: no task can ever run again")
        self.now += timeout or 0.0
        return []

    def _wait_for_threads(self, patient: bool) -> list[tuple[selectors.SelectorKey, int]]:
        # One registered file is the loop's own wake-up pipe. Any others are real sockets, which need real waiting.
        deadline = time.monotonic() + IDLE_LISTEN_SECONDS
        while (threads := self._threads_to_wait_for()) or (patient and len(self._real_selector.get_map()) > 1):
            before = [_thread_schedstat(thread) for thread in threads]
            if ready := self._real_selector.select(LISTEN_SECONDS if all(before) else LISTEN_SECONDS_WITHOUT_PROC):
                return ready
            at_work = before != [_thread_schedstat(thread) for thread in threads] or any(map(_is_running, threads))
            if time.monotonic() > (deadline + REAL_WORK_TIMEOUT_SECONDS if at_work else deadline) or not (
                patient or at_work
            ):
                break
        return []

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real_selector.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._real_selector.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real_selector.modify(fileobj, events, data)

    def close(self) -> None:
        self._real_selector.close()

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._real_selector.get_map()


def _thread_schedstat(thread: threading.Thread) -> str:
    """How often and how long this thread has run so far (Linux schedstat); empty if unknown."""
    # Its state alone is not enough: while this line runs, a busy thread is asleep, waiting for the GIL.
    with suppress(OSError):
        return Path(f"/proc/self/task/{thread.native_id}/schedstat").read_text("ascii", "replace")
    return ""


def _is_running(thread: threading.Thread) -> bool:
    """Whether this thread is running, runnable, or waiting for a disk (proc(5), states R and D); False if unknown."""
    with suppress(OSError, IndexError):
        stat = Path(f"/proc/self/task/{thread.native_id}/stat").read_text("ascii", "replace")
        return stat.rpartition(")")[2].split()[0] in "RD"
    return False


def _raise_deadlock(why: str) -> list[tuple[selectors.SelectorKey, int]]:
    names = ", ".join(sorted(task.get_name() for task in asyncio.all_tasks(asyncio.get_running_loop())))
    raise DeadlockError(f"{why} (tasks waiting: {names or 'none'})")


def run(main: Coroutine[Any, Any, T]) -> T:
    """Like `asyncio.run`, on a new virtual loop."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)


def virtual_run(test: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, T]:
    """Decorate an async test: it becomes a plain function that runs on a new virtual loop.

    Plain fixtures work as usual; async fixtures belong to another loop and must not be used.
    """

    @functools.wraps(test)
    def on_virtual_time(*args: P.args, **kwargs: P.kwargs) -> T:
        return run(test(*args, **kwargs))

    return on_virtual_time
