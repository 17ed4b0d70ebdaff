"""Servers on loopback that send exactly the bytes a test gives them."""

from __future__ import annotations

import asyncio
import inspect
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import pytest

LOOP_FACTORIES = [asyncio.new_event_loop]
with suppress(ImportError):  # where uvloop does not install, asyncio's loop is the only one
    import uvloop

    LOOP_FACTORIES.append(uvloop.new_event_loop)


def each_loop(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Run an async test once on asyncio's loop and once on uvloop."""

    def run(loop_factory: Callable[[], asyncio.AbstractEventLoop], **arguments: object) -> None:
        async def body() -> None:
            await test(**arguments)

        with asyncio.Runner(loop_factory=loop_factory) as runner:
            runner.run(body())

    loop = inspect.Parameter("loop_factory", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    run.__signature__ = inspect.Signature([loop, *inspect.signature(test).parameters.values()])  # type: ignore[attr-defined]
    run.__name__, run.__doc__, run.__module__ = test.__name__, test.__doc__, test.__module__
    return pytest.mark.parametrize("loop_factory", LOOP_FACTORIES, ids=lambda f: f.__module__.partition(".")[0])(run)


@dataclass
class RawServer:
    """Counts connections and keeps the request heads it has read; `origin` is where it listens."""

    port: int = 0
    scheme: str = "http"
    connections: int = 0
    requests: list[bytes] = field(default_factory=list)
    writer: asyncio.StreamWriter | None = None
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def origin(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"


Script = Callable[[RawServer, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def pause(seconds: float) -> None:
    """Let the loop run for a moment."""
    loop = asyncio.get_running_loop()
    passed = loop.create_future()
    loop.call_later(seconds, passed.set_result, None)
    await passed


async def wait_until(condition: Callable[[], bool]) -> None:
    """Let the loop run until `condition()` holds, for at most two seconds."""
    loop = asyncio.get_running_loop()
    end = loop.time() + 2
    while not condition():
        assert loop.time() < end, "the condition never held"
        await pause(0.001)


@asynccontextmanager
async def raw_server(
    script: Script,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[RawServer]:
    """Run `script` for every connection; `closed` is set when a connection's script has ended or its peer has left."""
    seen = RawServer(scheme="https" if tls else "http")
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        seen.connections += 1
        seen.writer = writer
        try:
            await script(seen, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError, TimeoutError):
            pass
        finally:
            writer.transport.abort()
            seen.closed.set()
            tasks.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls, backlog=512)
    seen.port = server.sockets[0].getsockname()[1]
    try:
        yield seen
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


def responding(*responses: bytes, then_close: bool = False) -> Script:
    """A script that answers the n-th request with the n-th of `answers` (the last one for ever)."""

    async def script(seen: RawServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        said = 0
        while True:
            seen.requests.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(responses[min(said, len(responses) - 1)])
            said += 1
            await writer.drain()
            if then_close:
                return

    return script


def ok_response(body: bytes, *fields: str) -> bytes:
    """A plain 200 with Content-Length."""
    lines = ["HTTP/1.1 200 OK", f"Content-Length: {len(body)}", *fields]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def chunked_response(*chunks: bytes, trailers: bytes = b"") -> bytes:
    """A chunked 200."""
    coded = b"".join(b"%x\r\n%b\r\n" % (len(c), c) for c in chunks)
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + coded + b"0\r\n" + trailers + b"\r\n"
