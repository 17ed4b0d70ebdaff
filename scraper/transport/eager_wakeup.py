"""A wait that ends on the spot: whoever rings runs the waiting task's next step, here and now.

Why not a future
----------------
A future lets the event loop run the task later. When a poll finds a thousand sockets readable, a thousand answers would
first be taken in, and only then would the first task look at its own: by then its bytes have left the processor's
caches, the allocator has fetched tens of megabytes from the system to give them back at once, and the collector goes
through thousands of objects that live only because their task has not run yet. With `InlineFuture`, an answer is
consumed
before the next socket is read, so that a request costs nearly the same however many are under way, and what is in
memory is what the tasks keep.

With few connections it is the other way round: what has come fits the caches, and code that is run for a dozen answers
in a row is there when the next one needs it. `wake_soon` lets the loop run the task, as a future does: a file of 10 KB
costs a tenth less over 16 connections.

What that asks of whoever rings
-------------------------------
The task may do anything within `ring`: begin the connection's next exchange, close it, ring others. So ringing is the
last thing a callback does, when all it has to say is said.

It is what asyncio calls a future-like object: a task that awaits it finds `_asyncio_future_blocking` and asks for
`_loop`, `add_done_callback`, `result` and `cancel`, nothing else. A task can be stepped only where no other one is
running. Where one is, the loop does it later, as with a future.
"""

from __future__ import annotations

import asyncio
from asyncio import current_task
from collections.abc import Callable, Generator
from contextvars import Context


class InlineFuture:
    """What one task at a time waits for, as often as it likes; a ring that nobody waits for ends the next wait."""

    __slots__ = ("_asyncio_future_blocking", "_cancelled", "_context", "_loop", "_step", "_woken")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._asyncio_future_blocking = False
        self._loop = loop
        self._woken = False
        self._step: Callable[[InlineFuture], object] | None = None
        self._context: Context | None = None
        self._cancelled: asyncio.CancelledError | None = None

    def wake(self) -> None:
        """End the wait. The task may have gone on, and be anywhere, when this returns."""
        step, context = self._step, self._context
        if step is None:
            self._woken = True
            return
        self._step = self._context = None
        if context is None or current_task(self._loop) is not None:
            self._loop.call_soon(step, self, context=context)
            return
        try:
            context.run(step, self)
        except (KeyboardInterrupt, SystemExit) as exc:
            # They end the loop, and must not be taken for the trouble of one connection by the caller's caller.
            self._loop.call_soon(_raise, exc)

    def wake_soon(self) -> None:
        """End the wait; the loop lets the task go on in its turn."""
        step, context = self._step, self._context
        if step is None:
            self._woken = True
            return
        self._step = self._context = None
        self._loop.call_soon(step, self, context=context)

    def __await__(self) -> Generator[InlineFuture, None, None]:
        if self._woken:
            self._woken = False
            return
        if self._step is not None:
            raise RuntimeError("two tasks wait for the same answer")
        self._asyncio_future_blocking = True
        yield self

    # -- what a task asks for

    def add_done_callback(self, step: Callable[[InlineFuture], object], *, context: Context | None = None) -> None:
        """`step(self)`, run in `context`, lets the task go on."""
        self._step = step
        self._context = context

    def result(self) -> None:
        """Nothing, or `CancelledError` once after `cancel`."""
        if (cancelled := self._cancelled) is not None:
            self._cancelled = None
            raise cancelled

    def cancel(self, msg: object = None) -> bool:
        """Let the wait end with `CancelledError`; answer whether there was a wait."""
        step, context = self._step, self._context
        if step is None:
            return False
        self._step = self._context = None
        self._cancelled = asyncio.CancelledError() if msg is None else asyncio.CancelledError(msg)
        self._loop.call_soon(step, self, context=context)
        return True


def _raise(exc: BaseException) -> None:
    raise exc
