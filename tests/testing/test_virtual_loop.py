"""Virtual time: nothing waits, everything happens in order, threads are waited for, a deadlock is an error."""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Callable

import pytest

from scraper.clock import Clock
from scraper.testing import virtual_loop
from scraper.testing.virtual_loop import DeadlockError, VirtualLoop, run, virtual_run

DAY = 86_400.0


@virtual_run
async def test_sleeps_of_days_return_at_once_and_in_order() -> None:
    """Sleepers wake in the order of their instants, and a month costs no real time."""
    woken: list[tuple[int, float]] = []
    began = time.monotonic()

    async def sleeper(days: int) -> None:
        await asyncio.sleep(days * DAY)
        woken.append((days, asyncio.get_running_loop().time()))

    async with asyncio.TaskGroup() as group:
        for days in (30, 1, 7, 2):
            group.create_task(sleeper(days))
    assert woken == [(days, days * DAY) for days in (1, 2, 7, 30)]
    assert time.monotonic() - began < 2


@virtual_run
async def test_time_stands_still_while_something_is_ready() -> None:
    """Turns of the loop that wait for nothing take no virtual time."""
    loop = asyncio.get_running_loop()
    for _ in range(100):
        await asyncio.sleep(0)
    assert loop.time() == 0.0


@virtual_run
async def test_timeouts_fire_at_their_instant() -> None:
    """`asyncio.timeout` ends a wait at exactly its virtual second."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(3600):
            await asyncio.Event().wait()
    assert asyncio.get_running_loop().time() == 3600.0


@virtual_run
async def test_producer_and_consumer_meet_over_a_queue() -> None:
    """A bounded queue paces a producer by its consumer's virtual speed."""
    line: asyncio.Queue[int | None] = asyncio.Queue(maxsize=1)
    taken: list[tuple[int, float]] = []

    async def produce() -> None:
        for n in (1, 2, 3):
            await line.put(n)
        await line.put(None)

    async with asyncio.TaskGroup() as group:
        group.create_task(produce())
        while (n := await line.get()) is not None:
            await asyncio.sleep(10)
            taken.append((n, asyncio.get_running_loop().time()))
    assert taken == [(1, 10.0), (2, 20.0), (3, 30.0)]


@virtual_run
async def test_the_clock_runs_on_virtual_time() -> None:
    """`Clock` asks only the loop, so an epoch instant is reached by a jump."""
    clock = Clock(epoch=1_000_000_000.0)
    await clock.sleep_until(1_000_000_000.0 + DAY)
    assert clock.now() == pytest.approx(1_000_000_000.0 + DAY)


@virtual_run
async def test_the_clock_does_not_jump_over_work_in_an_executor() -> None:
    """A thread that needs real time is waited for before any timer fires."""
    done = threading.Event()
    async with asyncio.timeout(0.001):
        result = await asyncio.to_thread(lambda: done.wait(0.05) or "slow")
    assert result == "slow"
    assert asyncio.get_running_loop().time() == 0.0


@virtual_run
async def test_a_thread_of_its_own_is_listened_to_before_a_jump() -> None:
    """A writer thread that answers by `call_soon_threadsafe` beats a timer of a virtual hour, every time."""
    jobs: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
    loop = asyncio.get_running_loop()

    def writer() -> None:
        while job := jobs.get():
            sum(range(1_000_000))  # at work for longer than the grace
            job()

    def ask() -> asyncio.Future[None]:
        answer: asyncio.Future[None] = loop.create_future()
        jobs.put(lambda: loop.call_soon_threadsafe(answer.set_result, None))
        return answer

    thread = threading.Thread(target=writer)
    thread.start()
    try:
        for _ in range(20):
            async with asyncio.timeout(3600):
                await ask()
        assert loop.time() == 0.0
        await asyncio.sleep(5)
        assert loop.time() == 5.0
    finally:
        jobs.put(None)
        thread.join()


@virtual_run
async def test_real_work_stops_the_clock() -> None:
    """Inside `real_work` the loop really waits for a thread it knows nothing of."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    heard = asyncio.Event()
    timer = threading.Timer(0.15, loop.call_soon_threadsafe, [heard.set])
    timer.start()
    with loop.real_work():
        async with asyncio.timeout(1):
            await heard.wait()
    timer.join()
    assert loop.time() == 0.0


def test_a_deadlock_is_an_error_that_names_the_tasks() -> None:
    """When no task can ever run again the loop says so instead of hanging."""

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.Event().wait(), name="waits-for-godot")

    with pytest.raises(DeadlockError, match="waits-for-godot"):
        run(main())


def test_a_thread_that_never_answers_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted work that is silent for longer than the limit ends the run."""
    monkeypatch.setattr(virtual_loop, "REAL_WORK_TIMEOUT_SECONDS", 0.05)
    release = threading.Event()

    async def main() -> None:
        stuck = asyncio.get_running_loop().run_in_executor(None, release.wait)
        asyncio.get_running_loop().call_later(1, release.set)  # never reached: the clock stands still
        await stuck

    threading.Timer(0.3, release.set).start()
    with pytest.raises(DeadlockError, match="has not answered"):
        run(main())


def test_run_returns_the_result_and_passes_exceptions_on() -> None:
    """`run` is `asyncio.run` on virtual time."""

    async def main(fail: bool) -> int:
        await asyncio.sleep(DAY)
        if fail:
            raise ValueError("as asked")
        return 7

    assert run(main(fail=False)) == 7
    with pytest.raises(ValueError, match="as asked"):
        run(main(fail=True))


@pytest.mark.parametrize("seconds", [1, 2])
@virtual_run
async def test_a_decorated_test_takes_parameters_and_fixtures(seconds: int, tmp_path: object) -> None:
    """The decorator hands on what pytest gives."""
    await asyncio.sleep(seconds)
    assert (asyncio.get_running_loop().time(), tmp_path is not None) == (seconds, True)
