"""An event loop on virtual time: a day's sleep returns at once, and everything still happens in order.

The loop asks its selector to wait; this selector does not. When nothing is ready it adds the timeout to the clock
and returns, so `asyncio.sleep`, timeouts, queues and TaskGroups work unchanged and nothing waits. When nothing is
ready, no timer runs and nothing can come from outside, no task will ever run again: that is raised as `Deadlock`
and the test fails at once instead of hanging.

Threads live in real time, and the clock must not jump over the answer that a thread is working on:

1. Work given to `run_in_executor` (and so `asyncio.to_thread`) is counted. While some is unfinished the loop really
   waits for it and the clock stands still. This rule is exact.
2. A thread with a life of its own (a database's writer thread) tells nobody when it is at work. Once it has called
   `call_soon_threadsafe` the loop knows it, and before each jump really listens for `GRACE` seconds, again and again
   while the thread used the processor meanwhile, or runs or waits for a disk. The kernel tells that on Linux;
   elsewhere the loop listens once, for `BLIND_GRACE`. A thread that never spoke is believed to be about to for
   `NEWCOMER` seconds, so a listener thread that only takes events costs nothing after that. What this rule cannot see
   is a thread that sleeps on purpose before it answers.
3. `with loop.real_work():` states that something real is under way; the clock stands still inside it.

Real sockets know only real time: use an ordinary loop with `testing.site`.

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

GRACE = 0.002
BLIND_GRACE = 0.05
NEWCOMER = 0.1
PATIENCE = 1.0
LIMIT = 30.0


class Deadlock(RuntimeError):  # noqa: N818  names the state, as the message does
    """No task of the loop can ever run again."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose `time()` begins at 0.0 and moves only by jumps to the next timer.

    Raises `Deadlock` out of `run_until_complete` when nothing can happen any more, or when counted work in
    threads has not answered within `LIMIT` real seconds.
    """

    def __init__(self) -> None:
        self._virtual = _VirtualSelector(self._may_hear, self._waiting)
        self._real = 0
        self._pool: weakref.WeakSet[threading.Thread] = weakref.WeakSet()
        self._speakers: weakref.WeakSet[threading.Thread] = weakref.WeakSet()
        self._first_seen: weakref.WeakKeyDictionary[threading.Thread, float] = weakref.WeakKeyDictionary()
        # Threads that were there before the loop do not work for it.
        self._elders: weakref.WeakSet[threading.Thread] = weakref.WeakSet(threading.enumerate())
        super().__init__(self._virtual)

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._virtual.now

    @contextmanager
    def real_work(self) -> Iterator[None]:
        """Inside it something real is under way: the clock stands still and the loop really waits."""
        self._real += 1
        try:
            yield
        finally:
            self._real -= 1

    def run_in_executor(
        self, executor: concurrent.futures.Executor | None, func: Callable[[*Ts], T], *args: *Ts
    ) -> asyncio.Future[T]:
        """As the ordinary loop's; the clock stands still until the result is here."""
        if executor is None or isinstance(executor, concurrent.futures.ThreadPoolExecutor):
            future = super().run_in_executor(executor, self._in_pool, functools.partial(func, *args))
        else:
            future = super().run_in_executor(executor, func, *args)
        self._real += 1
        future.add_done_callback(self._finished)
        return future

    def call_soon_threadsafe(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        """As the ordinary loop's; remembers that this thread speaks to the loop."""
        if threading.get_ident() != self._thread_id:  # type: ignore[attr-defined]
            self._speakers.add(threading.current_thread())
        return super().call_soon_threadsafe(callback, *args, context=context)

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """As the ordinary loop's, without its time limit: joining threads is real work."""
        with self.real_work():
            await super().shutdown_default_executor()

    def _in_pool(self, call: Callable[[], T]) -> T:
        self._pool.add(threading.current_thread())
        return call()

    def _finished(self, _: asyncio.Future[Any]) -> None:
        self._real -= 1

    def _waiting(self) -> bool:
        return self._real > 0

    def _may_hear(self) -> list[threading.Thread]:
        """The threads that may be about to speak to this loop."""
        others = set(threading.enumerate()) - set(self._pool) - {threading.current_thread()}
        return [thread for thread in others if thread in self._speakers or self._is_newcomer(thread)]

    def _is_newcomer(self, thread: threading.Thread) -> bool:
        now = time.monotonic()
        return thread not in self._elders and now - self._first_seen.setdefault(thread, now) < NEWCOMER


class _VirtualSelector(selectors.BaseSelector):
    """Wraps a real selector: what is ready is reported, a wait becomes a jump of `now`."""

    def __init__(self, may_hear: Callable[[], list[threading.Thread]], waiting: Callable[[], bool]) -> None:
        self.now = 0.0
        self._inner = selectors.DefaultSelector()
        self._may_hear, self._waiting = may_hear, waiting

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = self._inner.select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        if self._waiting():
            return self._inner.select(LIMIT) or _give_up(f"work in threads has not answered within {LIMIT:.0f} s")
        if ready := self._listen(patient=timeout is None):
            return ready
        if timeout is None:
            _give_up("nothing is ready, no timer runs and no thread is at work: no task can ever run again")
        self.now += timeout or 0.0
        return []

    def _listen(self, patient: bool) -> list[tuple[selectors.SelectorKey, int]]:
        # One key is the loop's own wake-up pipe; more are real sockets, which only a real wait can hear.
        deadline = time.monotonic() + PATIENCE
        while (threads := self._may_hear()) or (patient and len(self._inner.get_map()) > 1):
            before = [_schedule(thread) for thread in threads]
            if ready := self._inner.select(GRACE if all(before) else BLIND_GRACE):
                return ready
            at_work = before != [_schedule(thread) for thread in threads] or any(map(_is_running, threads))
            if time.monotonic() > (deadline + LIMIT if at_work else deadline) or not (patient or at_work):
                break
        return []

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._inner.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._inner.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._inner.modify(fileobj, events, data)

    def close(self) -> None:
        self._inner.close()

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._inner.get_map()


def _schedule(thread: threading.Thread) -> str:
    """How often and how long this thread has had a processor so far; empty where the kernel does not say."""
    # Its state alone would not do: while this line runs, a busy thread sleeps, waiting for the interpreter's lock.
    with suppress(OSError):
        return Path(f"/proc/self/task/{thread.native_id}/schedstat").read_text("ascii", "replace")
    return ""


def _is_running(thread: threading.Thread) -> bool:
    """Whether this thread runs, wants to, or waits for a disk; False where the kernel cannot say."""
    with suppress(OSError, IndexError):
        stat = Path(f"/proc/self/task/{thread.native_id}/stat").read_text("ascii", "replace")
        return stat.rpartition(")")[2].split()[0] in "RD"
    return False


def _give_up(why: str) -> list[tuple[selectors.SelectorKey, int]]:
    names = ", ".join(sorted(task.get_name() for task in asyncio.all_tasks(asyncio.get_running_loop())))
    raise Deadlock(f"{why} (tasks waiting: {names or 'none'})")


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` on a fresh virtual loop, as `asyncio.run` does on a real one; return its result."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)


def virtual_run(test: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, T]:
    """Decorate an async test: it becomes a plain function that runs on a fresh virtual loop.

    Plain fixtures reach it as usual; async fixtures belong to another loop and must not be used with it.
    """

    @functools.wraps(test)
    def on_virtual_time(*args: P.args, **kwargs: P.kwargs) -> T:
        return run(test(*args, **kwargs))

    return on_virtual_time
