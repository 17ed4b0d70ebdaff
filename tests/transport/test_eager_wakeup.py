"""A wait that ends within the call that ends it."""

from __future__ import annotations

import asyncio
import contextvars

import pytest

from scraper.transport.eager_wakeup import InlineFuture
from tests.transport.servers import LOOP_FACTORIES, each_loop


class WaitingTask:
    """A task that counts the waits it got through, out of `rounds`."""

    def __init__(self, rounds: int = 1) -> None:
        self.wake = InlineFuture(asyncio.get_running_loop())
        self.passed = 0
        self.cancelled: asyncio.CancelledError | None = None
        self.task = asyncio.get_running_loop().create_task(self._wait(rounds))

    async def _wait(self, rounds: int) -> None:
        try:
            for _ in range(rounds):
                await self.wake
                self.passed += 1
        except asyncio.CancelledError as exc:
            self.cancelled = exc
            raise


async def next_iteration() -> None:
    """Let every callback that is due now run."""
    done = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(done.set_result, None)
    await done


async def call_from_loop(act: object, *arguments: object) -> object:
    """What `act` returns when the loop calls it, as it calls protocols: with no task running."""
    done: asyncio.Future[object] = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(lambda: done.set_result(act(*arguments)))  # type: ignore[operator]
    return await done


@each_loop
async def test_wake_from_the_loop_runs_the_task_at_once() -> None:
    """When `wake` returns, the task has run to its next wait."""
    waiting = WaitingTask(rounds=3)
    await next_iteration()

    def call_wake() -> int:
        waiting.wake.wake()
        return waiting.passed

    assert [await call_from_loop(call_wake) for _ in range(3)] == [1, 2, 3]
    await waiting.task


@each_loop
async def test_wake_from_a_task_resumes_the_other_task_later() -> None:
    """Tasks cannot run within each other: the loop resumes the other one later."""
    waiting = WaitingTask()
    await next_iteration()
    waiting.wake.wake()
    assert waiting.passed == 0
    await waiting.task
    assert waiting.passed == 1


@each_loop
async def test_a_woken_task_may_wake_another_one() -> None:
    """The second is resumed by the loop, since the first is running."""
    waiting = WaitingTask()
    first = InlineFuture(asyncio.get_running_loop())

    async def chain() -> int:
        await first
        waiting.wake.wake()
        return waiting.passed

    task = asyncio.get_running_loop().create_task(chain())
    await next_iteration()
    await call_from_loop(first.wake)
    assert await task == 0
    await waiting.task


@each_loop
async def test_a_wake_before_the_wait_is_not_lost() -> None:
    """However often `wake` was called before, it ends one wait."""
    waiting = WaitingTask(rounds=2)
    waiting.wake.wake()
    waiting.wake.wake()
    await next_iteration()
    assert waiting.passed == 1
    waiting.wake.wake()
    await waiting.task


@each_loop
async def test_a_waiting_task_can_be_cancelled() -> None:
    """Once, with its message; a later `wake` wakes nobody."""
    waiting = WaitingTask()
    await next_iteration()
    waiting.task.cancel("enough")
    await call_from_loop(waiting.wake.wake)
    with pytest.raises(asyncio.CancelledError):
        await waiting.task
    assert waiting.cancelled is not None
    assert (waiting.cancelled.args, waiting.passed) == (("enough",), 0)


@each_loop
async def test_a_task_that_was_woken_and_then_cancelled_is_cancelled() -> None:
    """A `wake` does not hide the cancellation."""
    waiting = WaitingTask()
    await next_iteration()
    waiting.wake.wake()
    waiting.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting.task
    assert waiting.passed == 0


@each_loop
async def test_a_timeout_ends_the_wait() -> None:
    """`asyncio.timeout` recognizes the cancellation as its own."""
    wake = InlineFuture(asyncio.get_running_loop())
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.001):
            await wake
    wake.wake()
    await wake


@each_loop
async def test_two_tasks_cannot_share_a_wait() -> None:
    """The second gets an error; the first is not disturbed."""
    waiting = WaitingTask()
    await next_iteration()

    async def other() -> None:
        await waiting.wake

    with pytest.raises(RuntimeError, match="two tasks"):
        await asyncio.get_running_loop().create_task(other())
    waiting.wake.wake()
    await waiting.task
    assert waiting.passed == 1


@each_loop
async def test_the_task_resumes_in_its_own_context() -> None:
    """It sees its own context variables, and the caller of `wake` does not see its changes."""
    variable = contextvars.ContextVar("variable", default="nobody's")
    wake = InlineFuture(asyncio.get_running_loop())

    async def inside() -> tuple[str, str]:
        variable.set("the task's")
        await wake
        seen = variable.get()
        variable.set("changed")
        return seen, variable.get()

    task = asyncio.get_running_loop().create_task(inside())
    await next_iteration()

    def call_wake() -> str:
        wake.wake()
        return variable.get()

    assert await call_from_loop(call_wake) == "nobody's"
    assert await task == ("the task's", "changed")


@each_loop
async def test_wake_soon_leaves_the_task_to_the_loop() -> None:
    """The loop resumes the task, once for each `wake_soon`; one that came before the wait ends it."""
    waiting = WaitingTask(rounds=2)
    await next_iteration()

    def call_wake() -> int:
        waiting.wake.wake_soon()
        waiting.wake.wake_soon()  # for the next wait
        return waiting.passed

    assert await call_from_loop(call_wake) == 0
    await waiting.task
    assert waiting.passed == 2


@each_loop
async def test_an_error_of_the_task_stays_with_the_task() -> None:
    """The caller of `wake` never sees it."""
    wake = InlineFuture(asyncio.get_running_loop())

    async def failing() -> None:
        await wake
        raise ValueError("mine")

    task = asyncio.get_running_loop().create_task(failing())
    await next_iteration()
    await call_from_loop(wake.wake)
    with pytest.raises(ValueError, match="mine"):
        await task


@pytest.mark.parametrize("loop_factory", LOOP_FACTORIES, ids=lambda f: f.__module__.partition(".")[0])
@pytest.mark.parametrize("ending", [KeyboardInterrupt, SystemExit])
def test_what_ends_a_program_ends_the_loop(loop_factory: object, ending: type[BaseException]) -> None:
    """Raised in a task that runs within `wake`, it stops the loop and not the caller."""
    loop = loop_factory()  # type: ignore[operator]
    returned = []
    tasks = []

    async def ends(wake: InlineFuture) -> None:
        await wake
        raise ending

    async def main() -> None:
        wake = InlineFuture(loop)
        tasks.append(loop.create_task(ends(wake)))

        def call_wake() -> None:
            wake.wake()
            returned.append(True)

        loop.call_soon(call_wake)
        await loop.create_future()

    try:
        main_task = loop.create_task(main())
        with pytest.raises(ending):
            loop.run_until_complete(main_task)
        assert returned == [True]
        with pytest.raises(ending):
            tasks[0].result()
        main_task.cancel()
        with pytest.raises(asyncio.CancelledError):
            loop.run_until_complete(main_task)
    finally:
        loop.close()
