"""Bodies that are received into the buffers they are written from: no byte lost, mixed up or added."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterator
from contextlib import aclosing
from itertools import chain, count
from typing import Any, cast

import httpx
import pytest
import trustme
from hypothesis import given, settings
from hypothesis import strategies as st

from scraper.clock import Clock
from scraper.model import EntryState
from scraper.politeness.bandwidth import BandwidthLimiter
from scraper.testing.fakes import make_request
from scraper.transfer import stream_writer as stream_writer_module
from scraper.transfer.attempt import DownloadAttempt
from scraper.transfer.byte_ranges import Segment
from scraper.transfer.file_storage import FileStorage
from scraper.transfer.stream_writer import StreamWriter
from scraper.transport import buffer_pool as buffer_pool_module
from scraper.transport.buffer_pool import Buffer
from scraper.transport.disk_buffer import SPARE_BYTES, DiskBuffer
from scraper.transport.errors import TruncatedResponse
from scraper.transport.exchange import Exchange
from scraper.transport.fast_transport import FastTransport
from scraper.transport.settings import TransportSettings
from tests.transport.servers import chunked_response, each_loop, ok_response, raw_server, responding
from tests.transport.test_connection import ORIGIN, FakeNetwork, call_outside_tasks, start_task
from tests.transport.test_fast_transport_tls import client_context, server_context

WINDOW = 10_000
ROOM = 2 * SPARE_BYTES


def content(seed: int, size: int) -> bytes:
    block = b"".join(hashlib.sha256(b"%d.%d" % (seed, n)).digest() for n in range(64))
    return (block * (size // len(block) + 1))[:size]


class StepwiseDisk:
    """A disk whose jobs run when and in which order the test says."""

    def __init__(self) -> None:
        self.jobs: list[tuple[asyncio.Future[Any], Callable[..., Any], tuple[Any, ...]]] = []

    def run(self, job: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.jobs.append((future, job, args))
        return future

    def run_job(self, number: int) -> None:
        future, job, args = self.jobs.pop(number % len(self.jobs))
        future.set_result(job(*args))


class DownloadHarness:
    """Streams that write what `network` receives to `files`."""

    def __init__(self) -> None:
        self.network = FakeNetwork(TransportSettings(buffer_limit=WINDOW))
        self.disk = StepwiseDisk()
        self.files: list[bytearray] = []
        self.tasks: list[asyncio.Task[object]] = []
        storage = cast("FileStorage", self)
        self.writer = StreamWriter(storage, BandwidthLimiter(Clock()), None, emit=lambda _: None, now=lambda: 0.0)

    async def with_disk_errors(self, job: asyncio.Future[Any], path: str) -> Any:
        return await job

    async def begin(self) -> None:
        """Start one more stream."""
        self.files.append(file := bytearray())
        transfer = DownloadAttempt(make_request(f"{ORIGIN}/"), EntryState(0, 1, f"{ORIGIN}/", "f"), 0.0)

        def write(batch: memoryview, at: int) -> None:
            assert at == len(file), "batches come in order"
            file.extend(batch)

        async def stream() -> None:
            response = await self.network.request()
            await self.writer.write_body(transfer, response, Segment(0), write, b"", None)

        self.tasks.append(await start_task(stream()))

    def paused(self, number: int) -> bool:
        calls = [call for call in self.network.wires[number].calls if call != "abort"]
        return bool(calls) and calls[-1] == "pause"

    def receive(self, number: int, data: bytes) -> bytes:
        """Receive as an event loop does, as much as fits; return the rest of `data`."""
        connection = self.network.wires[number].connection
        assert connection is not None
        room = connection.get_buffer(-1)
        size = min(len(room), len(data))
        room[:size] = data[:size]
        connection.buffer_updated(size)
        return data[size:]

    async def settle(self) -> None:
        for _ in range(4):
            await call_outside_tasks(lambda: None)


@pytest.fixture(scope="module", autouse=True)
def small_pool() -> Iterator[None]:
    """Few and small buffers, so that they are reused often."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "BLOCK_BYTES": ROOM,
            "_BLOCK_COUNT": 8,
            "MAX_BUFFER_BYTES": 2 * ROOM,
            "MIN_DOUBLE_BUFFER_BYTES": ROOM,
            "FALLBACK_BUFFER_BYTES": ROOM,
        }.items():
            patch.setattr(buffer_pool_module, name, value)
        patch.setattr(buffer_pool_module, "POOL_BYTES", 8 * ROOM)
        patch.setattr(stream_writer_module, "POOL_BYTES", 8 * ROOM)
        yield


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_what_is_written_is_what_was_sent(data: st.DataObject) -> None:
    """Any sizes of bodies and of what is received at once, in any order, with a disk that is done in any order.

    Some servers send more than they announced: the file is exact, and their connection is closed.
    """
    bodies = [
        content(n, size)
        for n, size in enumerate(data.draw(st.lists(st.integers(WINDOW + 1, 5 * WINDOW), min_size=1, max_size=10)))
    ]
    surplus = [data.draw(st.sampled_from([b"", b"", b"!", b"HTTP/1.1 200 OK\r\n\r\n"])) for _ in bodies]
    framed = [data.draw(st.booleans()) for _ in bodies]
    sizes = st.one_of(st.integers(1, 50), st.integers(1, 5 * ROOM), st.just(ROOM - SPARE_BYTES), st.just(1 << 20))
    drawn = data.draw(st.lists(st.tuples(st.integers(0, 1 << 10), sizes), max_size=60))

    async def run() -> None:
        harness = DownloadHarness()
        queues = [
            (chunked_response(body) if pieces else ok_response(body)) + more
            for body, more, pieces in zip(bodies, surplus, framed, strict=True)
        ]
        for _ in bodies:
            await harness.begin()
        steps = chain(drawn, ((number, 1 << 20) for number in count()))
        while any(queues) or harness.disk.jobs:
            choose, size = next(steps)
            ready = [n for n, queue in enumerate(queues) if queue and not harness.paused(n)]
            if harness.disk.jobs and (choose % 3 == 0 or not ready):
                harness.disk.run_job(choose)
            else:
                n = ready[choose % len(ready)]
                taken = queues[n][:size]
                left = await call_outside_tasks(lambda n=n, taken=taken: harness.receive(n, taken))  # type: ignore[misc]
                queues[n] = cast(bytes, left) + queues[n][size:]
                if harness.tasks[n].done() or "abort" in harness.network.wires[n].calls:
                    queues[n] = b""
            await harness.settle()
        await asyncio.wait_for(asyncio.gather(*harness.tasks), 5)
        assert [bytes(file) for file in harness.files] == bodies
        assert harness.writer._buffer_pool._used_mask == 0
        for more, wire in zip(surplus, harness.network.wires, strict=True):
            assert not more or "abort" in wire.calls or not wire.connection.is_available  # type: ignore[union-attr]
        await harness.network.transport.aclose()

    asyncio.run(run())


@pytest.mark.parametrize(
    "cut", [1, ROOM - SPARE_BYTES, ROOM - SPARE_BYTES + 1, 3 * ROOM], ids=["one", "full", "behind", "more"]
)
async def test_a_surplus_byte_is_seen_wherever_the_body_ends(cut: int) -> None:
    """Also where the body ends with its buffer: the next request uses another connection."""
    harness = DownloadHarness()
    body = content(0, WINDOW + cut)
    await harness.begin()
    said = ok_response(body) + b"!"
    for start in (0, len(said) - cut - 1):
        piece = said[start : len(said) - cut - 1] if not start else said[start:]
        while piece:
            piece = cast(bytes, await call_outside_tasks(lambda piece=piece: harness.receive(0, piece)))  # type: ignore[misc]
            await harness.settle()
            while harness.disk.jobs:
                harness.disk.run_job(0)
                await harness.settle()
            if "abort" in harness.network.wires[0].calls:
                break
    await harness.tasks[0]
    assert bytes(harness.files[0]) == body
    assert "abort" in harness.network.wires[0].calls
    await harness.network.transport.aclose()


def test_the_view_never_ends_where_the_body_does() -> None:
    """There is room for one byte too many, or for less than what is left of the body."""
    for size in range(1, ROOM - SPARE_BYTES + 1):
        landing = DiskBuffer(Buffer(memoryview(bytearray(ROOM)), 0))
        landing.mark_received(ROOM - SPARE_BYTES - size)
        for left in (1, size - 1, size, size + 1, 2 * size):
            room = landing.receive_view(left)
            assert room is not None
            assert len(room) != left
    landing.mark_received(size)
    assert (landing.receive_view(1), landing.is_full) == (None, True)


async def test_what_waits_to_be_copied_comes_first() -> None:
    """While the reader is in the middle of a piece, nothing is received directly."""
    exchange = Exchange("GET", asyncio.get_running_loop(), buffer_limit=WINDOW, max_body=None)
    size = ROOM - SPARE_BYTES
    exchange.on_body(b"a" * size + b"b" * size)
    landing = DiskBuffer(Buffer(memoryview(bytearray(ROOM)), 0))
    async with aclosing(exchange.read_into(landing)) as arrivals:
        for byte in b"ab":
            await anext(arrivals)
            assert set(landing.unread) == {byte}
            landing.accept(size)
            landing.detach()
            landing.swap(Buffer(memoryview(bytearray(ROOM)), 0))
            assert exchange.direct_buffer(1000) is None
        exchange.on_end()
        with pytest.raises(StopAsyncIteration):
            await anext(arrivals)


async def test_a_body_in_single_bytes_is_written_in_full_batches() -> None:
    """One batch per buffer, not one per byte."""
    harness = DownloadHarness()
    body = content(3, WINDOW + 600)
    await harness.begin()
    said = ok_response(body)
    await call_outside_tasks(lambda: harness.receive(0, said[:-600]))
    for place in range(len(said) - 600, len(said)):
        await call_outside_tasks(lambda place=place: harness.receive(0, said[place : place + 1]))  # type: ignore[misc]
        while harness.disk.jobs:
            harness.disk.run_job(0)
            await harness.settle()
    await harness.settle()
    while harness.disk.jobs:
        harness.disk.run_job(0)
        await harness.settle()
    await harness.tasks[0]
    assert bytes(harness.files[0]) == body
    await harness.network.transport.aclose()


async def test_a_cancelled_stream_keeps_its_buffer_until_it_is_written() -> None:
    """Cancelled while the disk reads its buffer: the memory is not reused, and what came is written."""
    harness = DownloadHarness()
    body = content(4, 30 * WINDOW)
    for _ in range(8):
        await harness.begin()
    said = ok_response(body)
    rest: bytes = said
    while not harness.disk.jobs:
        rest = cast(bytes, await call_outside_tasks(lambda rest=rest: harness.receive(0, rest)))  # type: ignore[misc]
        await harness.settle()
    job = harness.disk.jobs[0][0]
    job.cancel = lambda msg=None: False  # type: ignore[method-assign]  # as the disk's own futures
    (batch, _), lent = harness.disk.jobs[0][2], harness.writer._buffer_pool._used_mask
    before = bytes(batch)
    harness.tasks[0].cancel()
    await harness.settle()
    assert not harness.tasks[0].done()
    assert harness.writer._buffer_pool._used_mask == lent
    assert bytes(batch) == before
    harness.disk.run_job(0)
    await harness.settle()
    while harness.disk.jobs:
        harness.disk.run_job(0)
        await harness.settle()
    with pytest.raises(asyncio.CancelledError):
        await harness.tasks[0]
    assert body.startswith(bytes(harness.files[0]))
    assert len(harness.files[0]) >= len(before)
    for task in harness.tasks[1:]:
        task.cancel()
    await asyncio.gather(*harness.tasks, return_exceptions=True)
    assert harness.writer._buffer_pool._used_mask == 0
    await harness.network.transport.aclose()


async def test_an_exchange_that_ends_while_the_loop_fills_its_buffer_is_an_error() -> None:
    """Its bytes would be taken for those of the next exchange."""
    harness = DownloadHarness()
    await harness.begin()
    await call_outside_tasks(lambda: harness.receive(0, ok_response(content(5, 3 * WINDOW))[: 2 * WINDOW]))
    while harness.disk.jobs:
        harness.disk.run_job(0)
        await harness.settle()
    connection = harness.network.wires[0].connection
    assert connection is not None

    def badly() -> None:
        connection.get_buffer(-1)
        connection.close()
        with pytest.raises(RuntimeError, match="while it was filling"):
            connection.buffer_updated(5)

    await call_outside_tasks(badly)
    await harness.settle()
    while harness.disk.jobs:
        harness.disk.run_job(0)
        await harness.settle()
    with pytest.raises(httpx.ReadError):
        await harness.tasks[0]
    await harness.network.transport.aclose()


async def collect_body(response: Exchange, seen: Callable[[DiskBuffer], None]) -> bytes:
    """The body of `response`, received through one buffer."""
    landing = DiskBuffer(Buffer(memoryview(bytearray(4 * ROOM)), 0))
    body = bytearray()
    async with aclosing(response.read_into(landing)) as arrivals:
        async for _ in arrivals:
            seen(landing)
            landing.accept(len(landing.unread))
            if landing.batch_is_full:
                batch, buffer = landing.detach()
                body += batch
                assert buffer is not None
                landing.swap(buffer)
    return bytes(body + landing.detach()[0])


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@each_loop
async def test_event_loops_fill_the_buffer_themselves(tls: bool) -> None:
    """Over TCP and TLS, with every loop: the bytes are exact, the connection is kept, and most is not copied."""
    authority = trustme.CA()
    body = content(6, 3_000_000)
    copied: list[int] = []
    take_in = DiskBuffer.copy_from

    def counting(landing: DiskBuffer, piece: bytes) -> Iterator[None]:
        copied.append(len(piece))
        return take_in(landing, piece)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DiskBuffer, "copy_from", counting)
        context = server_context(authority, "127.0.0.1") if tls else None
        async with (
            raw_server(responding(ok_response(body)), context) as server,
            FastTransport(TransportSettings(buffer_limit=WINDOW), ssl_context=client_context(authority)) as transport,
        ):
            for _ in range(2):
                response = await transport.request("GET", server.origin, "/", [])
                assert await collect_body(response, lambda _: None) == body
            assert (server.connections, transport.pool.idle_count) == (1, 1)
    assert sum(copied) < len(body)


@each_loop
async def test_what_came_of_a_truncated_body_is_delivered() -> None:
    """Before the error."""
    seen: list[int] = []
    body = content(7, 100_000)

    async def cut(_: object, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(ok_response(body)[:-10_000])
        await writer.drain()
        writer.close()

    async with raw_server(cut) as server, FastTransport(TransportSettings(buffer_limit=WINDOW)) as transport:
        response = await transport.request("GET", server.origin, "/", [])
        with pytest.raises(TruncatedResponse, match="10000 bytes of the body are missing"):
            await collect_body(response, lambda landing: seen.append(len(landing.unread)))
    assert sum(seen) == len(body) - 10_000
