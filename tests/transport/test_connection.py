"""A connection on an event loop that does one thing at a time, at the test's command."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import cast

import httpx
import pytest

from scraper.transport import fast_transport as transport
from scraper.transport.connection import Connection
from scraper.transport.exchange import Exchange
from scraper.transport.fast_transport import FastTransport
from scraper.transport.receive_buffer import SharedReceiveBuffer
from scraper.transport.settings import TransportSettings
from tests.transport.servers import chunked_response, each_loop, ok_response

ORIGIN = "http://a.example"


class FakeTransport(asyncio.Transport):
    """asyncio's transport beneath a connection: records what is written and called."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.calls: list[str] = []
        self.connection: Connection | None = None

    def write(self, data: object) -> None:
        self.written.append(bytes(cast(bytes, data)))

    def pause_reading(self) -> None:
        self.calls.append("pause")

    def resume_reading(self) -> None:
        self.calls.append("resume")

    def abort(self) -> None:
        self.calls.append("abort")
        assert self.connection is not None
        asyncio.get_running_loop().call_soon(self.connection.connection_lost, None)


class FakeNetwork:
    """A `FastTransport` over fake connections (`wires`). `deliver` acts as the event loop does: between tasks."""

    def __init__(self, settings: TransportSettings | None = None) -> None:
        self.transport = FastTransport(settings)
        self.wires: list[FakeTransport] = []
        self.settings = settings or TransportSettings()
        self.receive_buffer = SharedReceiveBuffer()
        self.transport._dialer.dial = self._dial  # type: ignore[method-assign]

    async def _dial(self, pool_key: str, timeout: float | None, deadline: float) -> Connection:
        wire = FakeTransport()
        wire.connection = Connection(pool_key, self.settings, self.transport, self.receive_buffer)
        wire.connection.connection_made(wire)
        self.wires.append(wire)
        return wire.connection

    async def request(self) -> Exchange:
        return await self.transport.request("GET", ORIGIN, "/", [])

    def receive(self, number: int, data: bytes) -> None:
        connection = self.wires[number].connection
        assert connection is not None
        connection.get_buffer(-1)[: len(data)] = data
        connection.buffer_updated(len(data))

    async def deliver(self, number: int, data: bytes, seen: Callable[[], object] = lambda: None) -> object:
        """Receive `data` in a callback; return what `seen` returns when the callback is about to end."""

        def callback() -> object:
            self.receive(number, data)
            return seen()

        return await call_outside_tasks(callback)


async def call_outside_tasks(act: Callable[[], object]) -> object:
    loop = asyncio.get_running_loop()
    done: asyncio.Future[object] = loop.create_future()
    loop.call_soon(lambda: done.set_result(act()))
    return await done


async def start_task(wanted: Awaitable[object]) -> asyncio.Task[object]:
    """A task that has run to its first wait."""

    async def run() -> object:
        return await wanted

    task = asyncio.get_running_loop().create_task(run())
    for _ in range(3):
        await call_outside_tasks(lambda: None)
    return task


@each_loop
async def test_a_response_is_consumed_before_the_next_socket_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """With many connections the task has read the response and sent the next request on the same connection when the
    callback returns.
    """
    monkeypatch.setattr(transport, "INLINE_WAKE_ABOVE", 0)
    network = FakeNetwork()
    bodies: list[bytes] = []

    async def fetcher() -> None:
        for _ in range(3):
            body = await (await network.request()).read()
            bodies.append(body)

    tasks = [await start_task(fetcher()) for _ in range(2)]
    for n in range(3):
        for number in (0, 1):
            body = b"%d of %d" % (n, number)
            expected = min(n + 2, 3)
            sent = await network.deliver(number, ok_response(body), lambda w=network.wires[number]: len(w.written))  # type: ignore[misc]
            assert (sent, bodies[-1]) == (expected, body)
    await asyncio.gather(*tasks)
    assert (len(network.wires), network.transport.pool.idle_count) == (2, 2)
    await network.transport.aclose()


@each_loop
async def test_with_few_connections_tasks_run_after_all_responses() -> None:
    """With few connections tasks resume in the order of the responses, after all of them were received."""
    network = FakeNetwork()
    bodies: list[bytes] = []

    async def fetcher() -> None:
        bodies.append(await (await network.request()).read())

    tasks = [await start_task(fetcher()) for _ in range(3)]

    def answers() -> list[bytes]:
        for number, body in ((2, b"two"), (0, b"nought"), (1, b"one")):
            network.receive(number, ok_response(body))
        return list(bodies)

    assert await call_outside_tasks(answers) == []
    await asyncio.gather(*tasks)
    assert bodies == [b"two", b"nought", b"one"]
    await network.transport.aclose()


@each_loop
async def test_a_surplus_byte_is_seen_before_the_next_exchange_begins() -> None:
    """A task that is woken within the callback gets another connection."""
    network = FakeNetwork()

    async def twice() -> bytes:
        await (await network.request()).read()
        return await (await network.request()).read()

    task = await start_task(twice())
    await network.deliver(0, ok_response(b"first") + b"!")
    await call_outside_tasks(lambda: None)
    assert "abort" in network.wires[0].calls
    await network.deliver(1, ok_response(b"second"))
    assert await task == b"second"
    await network.transport.aclose()


@each_loop
async def test_reading_is_paused_only_for_a_slow_task() -> None:
    """A task that empties the buffer within the callback is not slow; one that waits elsewhere is."""
    network = FakeNetwork(TransportSettings(buffer_limit=1000))
    elsewhere = asyncio.Event()
    pieces: list[bytes] = []

    async def read() -> None:
        async for piece in (await network.request()).aiter_raw():
            pieces.append(piece)
            if len(pieces) == 3:
                await elsewhere.wait()

    task = await start_task(read())
    await network.deliver(0, b"HTTP/1.1 200 OK\r\nContent-Length: 6000\r\n\r\n" + b"a" * 1000)
    await network.deliver(0, b"b" * 1000)
    assert (len(pieces), network.wires[0].calls) == (2, [])
    await network.deliver(0, b"c" * 1000)
    await network.deliver(0, b"d" * 1000)
    assert (len(pieces), network.wires[0].calls) == (3, ["pause"])
    elsewhere.set()
    await call_outside_tasks(lambda: None)
    await call_outside_tasks(lambda: None)
    assert (len(pieces), network.wires[0].calls) == (4, ["pause", "resume"])
    await network.deliver(0, b"e" * 2000)
    await task
    assert b"".join(pieces) == b"".join(c * 1000 for c in (b"a", b"b", b"c", b"d", b"e", b"e"))
    await network.transport.aclose()


@each_loop
async def test_a_task_may_close_the_response_within_the_callback() -> None:
    """The connection is closed, and what else came with the piece is dropped."""
    network = FakeNetwork(TransportSettings(buffer_limit=100))

    async def first_piece() -> bytes:
        pieces = (await network.request()).aiter_raw()
        async with aclosing(pieces):
            return await anext(pieces)

    task = await start_task(first_piece())
    await network.deliver(0, chunked_response(b"x" * 500)[:-5])
    assert await task == b"x" * 500
    await call_outside_tasks(lambda: None)
    await call_outside_tasks(lambda: None)
    assert network.wires[0].calls.count("abort") == 1
    assert network.transport.pool.slots_used == 0
    await network.transport.aclose()


@each_loop
async def test_a_task_may_close_the_transport_within_the_callback() -> None:
    """Other exchanges fail, each in its own task."""
    network = FakeNetwork()

    async def closes() -> None:
        await (await network.request()).read()
        await network.transport.aclose()

    first = await start_task(closes())
    second = await start_task(network.request())
    await network.deliver(0, ok_response(b"hi"))
    with pytest.raises(httpx.ReadError):
        await second
    await first


@each_loop
async def test_a_lost_connection_leaves_the_pool_before_its_task_resumes() -> None:
    """The task of the failed exchange can use the free slot at once."""
    network = FakeNetwork(TransportSettings(max_per_host=1))

    async def again() -> bytes:
        with pytest.raises(httpx.RemoteProtocolError):
            await network.request()
        return await (await network.request()).read()

    task = await start_task(again())

    def lost() -> int:
        connection = network.wires[0].connection
        assert connection is not None
        connection.connection_lost(None)
        return len(network.wires)

    assert await call_outside_tasks(lost) == 2
    await network.deliver(1, ok_response(b"hi"))
    assert await task == b"hi"
    await network.transport.aclose()


@each_loop
async def test_its_representation_tells_its_state() -> None:
    """For logs and debuggers."""
    network = FakeNetwork()
    task = await start_task(network.request())
    connection = network.wires[0].connection
    assert repr(connection) == f"<Connection {ORIGIN} busy, 0 completed>"
    await network.deliver(0, ok_response(b"hi"))
    await task
    assert repr(connection) == f"<Connection {ORIGIN} idle, 1 completed>"
    await network.transport.aclose()
    assert repr(connection) == f"<Connection {ORIGIN} closed, 1 completed>"
