"""The pool's bookkeeping, with connections that are none."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from scraper.transport.pool import Pool

A, B, C = "http://a", "http://b", "http://c"


class Fake:
    """What the pool sees of a connection."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.usable = True
        self.closed = False

    def close(self) -> None:
        self.usable = False
        self.closed = True


async def opened(pool: Pool[Fake], origin: str) -> Fake:
    """What the transport does: an idle connection, else a place, and a new connection in it."""
    return pool.take(origin) or await pool.place(origin, None) or Fake(origin)


async def settled() -> None:
    """Let every task that can run do so."""
    for _ in range(5):
        ran = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(ran.set_result, None)
        await ran


def waits(pool: Pool[Fake], *origins: str) -> list[asyncio.Task[Fake]]:
    return [asyncio.create_task(opened(pool, origin), name=origin) for origin in origins]


async def test_the_most_recently_used_connection_is_taken_first() -> None:
    """LIFO: what is rarely needed gets to expire."""
    pool: Pool[Fake] = Pool(total=10, per_host=10)
    first, second = await opened(pool, A), await opened(pool, A)
    pool.freed(first)
    pool.freed(second)
    assert pool.take(A) is second
    assert pool.take(A) is first
    assert pool.take(A) is None
    assert pool.take(B) is None


async def test_a_connection_that_died_is_not_offered() -> None:
    """`died` takes it out and frees its place."""
    pool: Pool[Fake] = Pool(total=10, per_host=10)
    connection = await opened(pool, A)
    pool.freed(connection)
    pool.died(connection)
    assert (pool.take(A), pool.open, pool.idle) == (None, 0, 0)


async def test_an_unusable_connection_frees_its_place() -> None:
    """`freed` with a closed connection is the end of it."""
    pool: Pool[Fake] = Pool(total=10, per_host=10)
    connection = await opened(pool, A)
    connection.close()
    pool.freed(connection)
    assert (pool.open, pool.idle) == (0, 0)


async def test_the_limit_per_host_makes_requests_wait_in_order() -> None:
    """First come, first served, and the connection is handed on."""
    pool: Pool[Fake] = Pool(total=10, per_host=1)
    connection = await opened(pool, A)
    tasks = waits(pool, A, A, B)
    await settled()
    assert [t.done() for t in tasks] == [False, False, True]
    pool.freed(connection)
    await settled()
    assert [t.done() for t in tasks] == [True, False, True]
    assert tasks[0].result() is connection
    pool.freed(connection)
    assert await tasks[1] is connection


async def test_a_failed_connection_lets_the_next_one_try() -> None:
    """A place that is vacated goes to who waits, to open a connection of its own."""
    pool: Pool[Fake] = Pool(total=10, per_host=1)
    await pool.place(A, None)
    (task,) = waits(pool, A)
    await settled()
    pool.vacate(A)
    assert (await task).origin == A
    assert pool.open == 1


async def test_the_total_limit_closes_the_longest_unused_connection() -> None:
    """An idle connection elsewhere makes room before anyone waits."""
    pool: Pool[Fake] = Pool(total=2, per_host=2)
    old, young = await opened(pool, A), await opened(pool, B)
    pool.freed(old)
    pool.freed(young)
    await opened(pool, C)
    assert (old.closed, young.closed, pool.open) == (True, False, 2)


async def test_origins_take_turns_at_the_total_limit() -> None:
    """An origin with many requests does not starve the others."""
    pool: Pool[Fake] = Pool(total=1, per_host=1)
    await pool.place(C, None)
    order: list[str] = []
    tasks = waits(pool, A, A, A, B)
    for task in tasks:
        task.add_done_callback(lambda done: order.append(done.result().origin))
    await settled()
    pool.vacate(C)
    for _ in tasks:
        await settled()
        pool.vacate(order[-1])
    assert order == [A, B, A, A]


async def test_a_busy_origin_gives_way_to_one_that_has_waited_longer() -> None:
    """Keep-alive does not count more than the order of arrival."""
    pool: Pool[Fake] = Pool(total=1, per_host=1)
    connection = await opened(pool, A)
    other, own = waits(pool, B, A)
    await settled()
    pool.freed(connection)
    await settled()
    assert (other.done(), own.done(), connection.closed) == (True, False, True)
    pool.freed(other.result())
    assert (await own).origin == A


async def test_waiting_ends_with_a_pool_timeout() -> None:
    """And leaves no trace."""
    pool: Pool[Fake] = Pool(total=1, per_host=1)
    connection = await opened(pool, A)
    with pytest.raises(httpx.PoolTimeout):
        await pool.place(A, asyncio.get_running_loop().time() + 0.01)
    assert pool.waiting == 0
    pool.freed(connection)
    assert pool.take(A) is connection


@pytest.mark.parametrize("late", [False, True], ids=["while waiting", "after its turn came"])
async def test_a_cancelled_request_costs_no_place(late: bool) -> None:
    """Cancelled while it waits or in the instant it was served: the next one gets the place."""
    pool: Pool[Fake] = Pool(total=1, per_host=1)
    connection = await opened(pool, A)
    first, second = waits(pool, A, A)
    await settled()
    if late:
        pool.freed(connection)
        first.cancel()
    else:
        first.cancel()
        pool.freed(connection)
    await settled()
    assert first.cancelled()
    assert second.result() is connection
    pool.freed(connection)
    assert (pool.open, pool.idle, pool.waiting) == (1, 1, 0)


async def test_a_new_connection_is_to_be_had_beside_idle_ones() -> None:
    """Who asks for a place without `take` gets one: an idle connection of the origin makes room."""
    pool: Pool[Fake] = Pool(total=1, per_host=1)
    connection = await opened(pool, A)
    pool.freed(connection)
    assert await pool.place(A, None) is None
    assert (connection.closed, pool.open) == (True, 1)


async def test_draining_closes_the_idle_and_sends_away_who_waits() -> None:
    """Nobody waits for a pool that is closed."""
    pool: Pool[Fake] = Pool(total=2, per_host=1)
    idle, busy = await opened(pool, A), await opened(pool, B)
    pool.freed(idle)
    (task,) = waits(pool, B)
    await settled()
    pool.drain()
    with pytest.raises(httpx.PoolTimeout):
        await task
    assert (idle.closed, busy.closed) == (True, False)


class AnyOrder(RuleBasedStateMachine):
    """Requests come, end, fail, are cancelled; connections die: in every order."""

    TOTAL, PER_HOST = 3, 2

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.pool: Pool[Fake] = Pool(total=self.TOTAL, per_host=self.PER_HOST)
        self.tasks: list[asyncio.Task[Fake]] = []
        self.busy: list[Fake] = []
        self.idle: list[Fake] = []

    def step(self) -> None:
        self.runner.run(settled())
        for task in [t for t in self.tasks if t.done()]:
            self.tasks.remove(task)
            if not task.cancelled():
                self.busy.append(task.result())
        self.idle = [c for c in self.idle if not c.closed and c not in self.busy]

    @rule(origin=st.sampled_from([A, B, C]))
    def request(self, origin: str) -> None:
        async def begin() -> None:
            self.tasks += waits(self.pool, origin)

        self.runner.run(begin())
        self.step()

    @precondition(lambda self: self.busy)
    @rule(which=st.integers(0, 99), usable=st.booleans())
    def finish(self, which: int, usable: bool) -> None:
        connection = self.busy.pop(which % len(self.busy))
        connection.usable = usable
        connection.closed = not usable
        self.pool.freed(connection)
        self.idle.append(connection)
        self.step()

    @precondition(lambda self: self.idle)
    @rule(which=st.integers(0, 99))
    def die(self, which: int) -> None:
        connection = self.idle.pop(which % len(self.idle))
        connection.close()
        self.pool.died(connection)
        self.step()

    @precondition(lambda self: self.tasks)
    @rule(which=st.integers(0, 99), finish=st.booleans())
    def cancel(self, which: int, finish: bool) -> None:
        task = self.tasks[which % len(self.tasks)]
        if finish and self.busy:
            connection = self.busy.pop()
            self.pool.freed(connection)
            self.idle.append(connection)
        task.cancel()
        self.step()

    @invariant()
    def limits_hold_and_nobody_waits_for_nothing(self) -> None:
        held = len(self.busy) + len(self.idle)
        assert self.pool.open == held <= self.TOTAL
        assert self.pool.idle == len(self.idle)
        assert self.pool.waiting == len(self.tasks)
        for origin in (A, B, C):
            count = sum(c.origin == origin for c in [*self.busy, *self.idle])
            assert count <= self.PER_HOST
        for task in self.tasks:
            origin = task.get_name()
            assert not any(c.origin == origin for c in self.idle)
            at_host_limit = sum(c.origin == origin for c in self.busy) == self.PER_HOST
            assert at_host_limit or len(self.busy) == self.TOTAL

    def teardown(self) -> None:
        for task in self.tasks:
            task.cancel()
        self.runner.run(settled())
        self.runner.close()


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
