"""A wait that ends where it is rung."""

from __future__ import annotations

import asyncio
import contextvars

import pytest

from scraper.transport.eager_wakeup import Wake
from tests.transport.servers import LOOPS, each_loop


class Waiting:
    """A task that notes each of `rounds` waits it got through."""

    def __init__(self, rounds: int = 1) -> None:
        self.wake = Wake(asyncio.get_running_loop())
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


async def turn() -> None:
    """Let every callback that is due now run."""
    done = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(done.set_result, None)
    await done


async def from_the_loop(act: object, *arguments: object) -> object:
    """What `act` returns when the loop calls it, as it calls protocols: with no task running."""
    done: asyncio.Future[object] = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(lambda: done.set_result(act(*arguments)))  # type: ignore[operator]
    return await done


@each_loop
async def test_a_ring_from_the_loop_runs_the_task_on_the_spot() -> None:
    """When `ring` returns, the task has gone on, as often as it waited."""
    waiting = Waiting(rounds=3)
    await turn()

    def ring() -> int:
        waiting.wake.ring()
        return waiting.passed

    assert [await from_the_loop(ring) for _ in range(3)] == [1, 2, 3]
    await waiting.task


@each_loop
async def test_a_ring_from_a_task_lets_that_task_go_on_first() -> None:
    """Tasks cannot run within each other: the loop wakes the other one later."""
    waiting = Waiting()
    await turn()
    waiting.wake.ring()
    assert waiting.passed == 0
    await waiting.task
    assert waiting.passed == 1


@each_loop
async def test_a_task_that_is_woken_on_the_spot_may_wake_another_one() -> None:
    """The second is woken by the loop, since the first is running."""
    waiting = Waiting()
    first = Wake(asyncio.get_running_loop())

    async def chain() -> int:
        await first
        waiting.wake.ring()
        return waiting.passed

    task = asyncio.get_running_loop().create_task(chain())
    await turn()
    await from_the_loop(first.ring)
    assert await task == 0
    await waiting.task


@each_loop
async def test_a_ring_before_the_wait_is_not_lost() -> None:
    """However often it rang, it ends one wait."""
    waiting = Waiting(rounds=2)
    waiting.wake.ring()
    waiting.wake.ring()
    await turn()
    assert waiting.passed == 1
    waiting.wake.ring()
    await waiting.task


@each_loop
async def test_a_waiting_task_can_be_cancelled() -> None:
    """With its message, once; a ring that follows wakes nobody."""
    waiting = Waiting()
    await turn()
    waiting.task.cancel("enough")
    await from_the_loop(waiting.wake.ring)
    with pytest.raises(asyncio.CancelledError):
        await waiting.task
    assert waiting.cancelled is not None
    assert (waiting.cancelled.args, waiting.passed) == (("enough",), 0)


@each_loop
async def test_a_task_that_was_rung_and_then_cancelled_is_cancelled() -> None:
    """The ring does not make it forget."""
    waiting = Waiting()
    await turn()
    waiting.wake.ring()
    waiting.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting.task
    assert waiting.passed == 0


@each_loop
async def test_a_timeout_ends_the_wait() -> None:
    """`asyncio.timeout` cancels and takes the cancellation for its own."""
    wake = Wake(asyncio.get_running_loop())
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.001):
            await wake
    wake.ring()
    await wake


@each_loop
async def test_two_tasks_cannot_wait_for_one_thing() -> None:
    """The second is told; the first goes on."""
    waiting = Waiting()
    await turn()

    async def other() -> None:
        await waiting.wake

    with pytest.raises(RuntimeError, match="two tasks"):
        await asyncio.get_running_loop().create_task(other())
    waiting.wake.ring()
    await waiting.task
    assert waiting.passed == 1


@each_loop
async def test_the_task_goes_on_in_its_own_context() -> None:
    """It sees its context variables, and its changes are not seen by whoever rang."""
    variable = contextvars.ContextVar("variable", default="nobody's")
    wake = Wake(asyncio.get_running_loop())

    async def inside() -> tuple[str, str]:
        variable.set("the task's")
        await wake
        seen = variable.get()
        variable.set("changed")
        return seen, variable.get()

    task = asyncio.get_running_loop().create_task(inside())
    await turn()

    def ring() -> str:
        wake.ring()
        return variable.get()

    assert await from_the_loop(ring) == "nobody's"
    assert await task == ("the task's", "changed")


@each_loop
async def test_a_ring_for_soon_leaves_the_task_to_the_loop() -> None:
    """It goes on in its turn, once for each ring, and a ring that came before the wait ends it."""
    waiting = Waiting(rounds=2)
    await turn()

    def ring() -> int:
        waiting.wake.ring_soon()
        waiting.wake.ring_soon()  # for the next wait
        return waiting.passed

    assert await from_the_loop(ring) == 0
    await waiting.task
    assert waiting.passed == 2


@each_loop
async def test_an_error_of_the_task_stays_with_the_task() -> None:
    """Whoever rings never sees it."""
    wake = Wake(asyncio.get_running_loop())

    async def failing() -> None:
        await wake
        raise ValueError("mine")

    task = asyncio.get_running_loop().create_task(failing())
    await turn()
    await from_the_loop(wake.ring)
    with pytest.raises(ValueError, match="mine"):
        await task


@pytest.mark.parametrize("loop_factory", LOOPS, ids=lambda f: f.__module__.partition(".")[0])
@pytest.mark.parametrize("ending", [KeyboardInterrupt, SystemExit])
def test_what_ends_a_program_ends_the_loop(loop_factory: object, ending: type[BaseException]) -> None:
    """Raised in a task that was woken on the spot, it passes by whoever rang and stops the loop."""
    loop = loop_factory()  # type: ignore[operator]
    returned = []
    tasks = []

    async def ends(wake: Wake) -> None:
        await wake
        raise ending

    async def main() -> None:
        wake = Wake(loop)
        tasks.append(loop.create_task(ends(wake)))

        def ring() -> None:
            wake.ring()
            returned.append(True)

        loop.call_soon(ring)
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
