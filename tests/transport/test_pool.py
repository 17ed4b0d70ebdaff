"""The bookkeeping of the connection pool, with fake connections."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from scraper.transport.pool import ConnectionPool

A, B, C = "http://a", "http://b", "http://c"


class FakeConnection:
    """What the pool sees of a connection."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.is_available = True
        self.closed = False

    def close(self) -> None:
        self.is_available = False
        self.closed = True


async def open_connection(pool: ConnectionPool[FakeConnection], origin: str) -> FakeConnection:
    """As the transport does it: an idle connection, else a slot and a new connection."""
    return pool.take_idle(origin) or await pool.acquire_slot(origin, None) or FakeConnection(origin)


async def settle() -> None:
    """Let every task that can run do so."""
    for _ in range(5):
        ran = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(ran.set_result, None)
        await ran


def start_waiters(pool: ConnectionPool[FakeConnection], *origins: str) -> list[asyncio.Task[FakeConnection]]:
    return [asyncio.create_task(open_connection(pool, origin), name=origin) for origin in origins]


async def test_the_most_recently_used_connection_is_taken_first() -> None:
    """LIFO, so that surplus connections expire."""
    pool: ConnectionPool[FakeConnection] = ConnectionPool(total=10, per_host=10)
    first, second = await open_connection(pool, A), await open_connection(pool, A)
    pool.release(first)
    pool.release(second)
    assert pool.take_idle(A) is second
    assert pool.take_idle(A) is first
    assert pool.take_idle(A) is None
    assert pool.take_idle(B) is None


async def test_a_closed_connection_is_not_offered() -> None:
    """`remove_closed` removes it and frees its slot."""
    pool: ConnectionPool[FakeConnection] = ConnectionPool(total=10, per_host=10)
    connection = await open_connection(pool, A)
    pool.release(connection)
    pool.remove_closed(connection)
    assert (pool.take_idle(A), pool.slots_used, pool.idle_count) == (None, 0, 0)


async def test_a_connection_that_cannot_be_kept_frees_its_slot() -> None:
    """`release` of a closed connection frees its slot."""
    pool: ConnectionPool[FakeConnection] = ConnectionPool(total=10, per_host=10)
    connection = await open_connection(pool, A)
    connection.close()
    pool.release(connection)
    assert (pool.slots_used, pool.idle_count) == (0, 0)


async def test_the_limit_per_host_makes_requests_wait_in_order() -> None:
    """First come, first served; the connection is passed on."""
    pool: ConnectionPool[FakeConnection] = ConnectionPool(total=10, per_host=1)
    connection = await open_connection(pool, A)
    tasks = start_waiters(pool, A, A, B)
    await settle()
    assert [t.done() for t in tasks] == [False, False, True]
    pool.release(connection)
    await settle()
    assert [t.done() for t in tasks] == [True, False, True]
    assert tasks[0].result() is connection
    pool.release(connection)
    assert await tasks[1] is connection


async def test_a_failed_connection_lets_the_next_one_try() -> None:
    """A released slot goes to a waiter, which opens its own connection."""
    pool: ConnectionPool[FakeConnection] = ConnectionPool(total=10, per_host=1)
    await pool.acquire_slot(A, None)
    (task,) = start_waiters(pool, A)
    await settle()
    pool.release_slot(A)
    assert (await task).origin == A
    assert pool.slots_used == 1


async def test_its_representation_counts_slots() -> None:
    """For logs and debuggers."""
    pool: ConnectionPool[FakeConnection] = ConnectionPool(total=10, per_host=1)
    pool.release(await open_connection(pool, A))
    await open_connection(pool, B)
    assert repr(pool) == "<ConnectionPool 2 of 10 slots used, 1 idle, 0 waiting>"


async def test_the_total_limit_closes_the_longest_unused_connection() -> None:
    """An idle connection to another origin is closed before anyone has to wait."""
    pool: ConnectionPool[FakeConnection] = ConnectionPool(total=2, per_host=2)
    old, young = await open_connection(pool, A), await open_connection(pool, B)
    pool.release(old)
    pool.release(young)
    await open_connection(pool, C)
    assert (old.closed, young.closed, pool.slots_used) == (True, False, 2)


async def test_origins_take_turns_at_the_total_limit() -> None:
    """An origin with many requests does not starve the others."""
    pool: ConnectionPool[FakeConnection] = ConnectionPool(total=1, per_host=1)
    await pool.acquire_slot(C, None)
    order: list[str] = []
    tasks = start_waiters(pool, A, A, A, B)
    for task in tasks:
        task.add_done_callback(lambda done: order.append(done.result().origin))
    await settle()
    pool.release_slot(C)
    for _ in tasks:
        await settle()
        pool.release_slot(order[-1])
    assert order == [A, B, A, A]


async def test_a_busy_origin_gives_way_to_one_that_has_waited_longer() -> None:
    """The order of arrival counts more than keeping a connection."""
    pool: ConnectionPool[FakeConnection] = ConnectionPool(total=1, per_host=1)
    connection = await open_connection(pool, A)
    other, own = start_waiters(pool, B, A)
    await settle()
    pool.release(connection)
    await settle()
    assert (other.done(), own.done(), connection.closed) == (True, False, True)
    pool.release(other.result())
    assert (await own).origin == A


async def test_waiting_ends_with_a_pool_timeout() -> None:
    """And the waiter is removed."""
    pool: ConnectionPool[FakeConnection] = ConnectionPool(total=1, per_host=1)
    connection = await open_connection(pool, A)
    with pytest.raises(httpx.PoolTimeout):
        await pool.acquire_slot(A, asyncio.get_running_loop().time() + 0.01)
    assert pool.waiting_count == 0
    pool.release(connection)
    assert pool.take_idle(A) is connection


@pytest.mark.parametrize("late", [False, True], ids=["while waiting", "after its turn came"])
async def test_a_cancelled_request_costs_no_slot(late: bool) -> None:
    """Cancelled while waiting, or right after the slot was granted: the next waiter gets the slot."""
    pool: ConnectionPool[FakeConnection] = ConnectionPool(total=1, per_host=1)
    connection = await open_connection(pool, A)
    first, second = start_waiters(pool, A, A)
    await settle()
    if late:
        pool.release(connection)
        first.cancel()
    else:
        first.cancel()
        pool.release(connection)
    await settle()
    assert first.cancelled()
    assert second.result() is connection
    pool.release(connection)
    assert (pool.slots_used, pool.idle_count, pool.waiting_count) == (1, 1, 0)


async def test_a_new_connection_is_to_be_had_beside_idle_ones() -> None:
    """`acquire_slot` without `take_idle` gives a new connection: an idle one of the origin is closed for it."""
    pool: ConnectionPool[FakeConnection] = ConnectionPool(total=1, per_host=1)
    connection = await open_connection(pool, A)
    pool.release(connection)
    assert await pool.acquire_slot(A, None) is None
    assert (connection.closed, pool.slots_used) == (True, 1)


async def test_closing_the_pool_fails_who_waits() -> None:
    """Nobody waits for a pool that is closed."""
    pool: ConnectionPool[FakeConnection] = ConnectionPool(total=2, per_host=1)
    idle, busy = await open_connection(pool, A), await open_connection(pool, B)
    pool.release(idle)
    (task,) = start_waiters(pool, B)
    await settle()
    pool.close()
    with pytest.raises(httpx.PoolTimeout):
        await task
    assert (idle.closed, busy.closed) == (True, False)


class PoolInAnyOrder(RuleBasedStateMachine):
    """Requests start, end, fail and are cancelled, connections close: in any order."""

    TOTAL, PER_HOST = 3, 2

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.pool: ConnectionPool[FakeConnection] = ConnectionPool(total=self.TOTAL, per_host=self.PER_HOST)
        self.tasks: list[asyncio.Task[FakeConnection]] = []
        self.busy: list[FakeConnection] = []
        self.idle: list[FakeConnection] = []

    def step(self) -> None:
        self.runner.run(settle())
        for task in [t for t in self.tasks if t.done()]:
            self.tasks.remove(task)
            if not task.cancelled():
                self.busy.append(task.result())
        self.idle = [c for c in self.idle if not c.closed and c not in self.busy]

    @rule(origin=st.sampled_from([A, B, C]))
    def request(self, origin: str) -> None:
        async def begin() -> None:
            self.tasks += start_waiters(self.pool, origin)

        self.runner.run(begin())
        self.step()

    @precondition(lambda self: self.busy)
    @rule(which=st.integers(0, 99), usable=st.booleans())
    def finish(self, which: int, usable: bool) -> None:
        connection = self.busy.pop(which % len(self.busy))
        connection.is_available = usable
        connection.closed = not usable
        self.pool.release(connection)
        self.idle.append(connection)
        self.step()

    @precondition(lambda self: self.idle)
    @rule(which=st.integers(0, 99))
    def die(self, which: int) -> None:
        connection = self.idle.pop(which % len(self.idle))
        connection.close()
        self.pool.remove_closed(connection)
        self.step()

    @precondition(lambda self: self.tasks)
    @rule(which=st.integers(0, 99), finish=st.booleans())
    def cancel(self, which: int, finish: bool) -> None:
        task = self.tasks[which % len(self.tasks)]
        if finish and self.busy:
            connection = self.busy.pop()
            self.pool.release(connection)
            self.idle.append(connection)
        task.cancel()
        self.step()

    @invariant()
    def limits_hold_and_nobody_waits_without_need(self) -> None:
        held = len(self.busy) + len(self.idle)
        assert self.pool.slots_used == held <= self.TOTAL
        assert self.pool.idle_count == len(self.idle)
        assert self.pool.waiting_count == len(self.tasks)
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
        self.runner.run(settle())
        self.runner.close()


TestAnyOrder = PoolInAnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
