"""The stage of a benchmark: the server in its own process, its addresses, and what it can give at most."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import Any, cast

from scraper.bench.measure.machine import pin_process
from scraper.bench.measure.target import HostSpec, TargetState, page_paths
from scraper.clock import Clock
from scraper.errors import ConfigError, ScraperError

MAX_RATE_SECONDS = 0.6
MAX_RATE_CONNECTIONS = 32
START_TIMEOUT_SECONDS = 20.0


@dataclass(slots=True)
class TargetProcess:
    """The running server. `hosts` are its addresses, without a slash at the end, in the order of the specs."""

    hosts: tuple[str, ...]
    process: asyncio.subprocess.Process
    paths: tuple[str, ...]

    def urls(self, count: int, host: int = 0) -> list[str]:
        """`count` addresses of product pages at a host, no two the same."""
        paths = self.paths
        return [f"{self.hosts[host]}{paths[n % len(paths)]}?copy={n // len(paths)}" for n in range(count)]

    async def state(self) -> TargetState:
        """What the server has counted since the last reset. Raises `ScraperError` when it is gone."""
        return await self._send_command(b"state\n")

    async def reset(self) -> TargetState:
        """Count from zero."""
        return await self._send_command(b"reset\n")

    async def _send_command(self, command: bytes) -> TargetState:
        values = await _read_json_line(self.process, command)
        return TargetState(values["cpu"], tuple(values["requests"]), tuple(values["refused"]), tuple(values["burst"]))


@asynccontextmanager
async def start_target(specs: Sequence[HostSpec], core: int | None = None) -> AsyncIterator[TargetProcess]:
    """Start the server with `specs`, on `core` when one is given. It ends with this block, or with this process.

    Raises `ConfigError` when a port is taken, `ScraperError` when the server does not start.
    """
    wanted = json.dumps([asdict(spec) for spec in specs])
    # A session of its own: Ctrl-C in the terminal is for the measurement, which ends the server itself.
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "scraper.bench.measure.target",
        wanted,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdin is not None
    try:
        pin_process(process.pid, core)
        values = await _read_json_line(process, b"")
        if "error" in values:
            taken = ", ".join(str(spec.port) for spec in specs if spec.port)
            raise ConfigError(f"--port {taken}: {values['error']}; choose another one, or leave it out for a free one")
        hosts = tuple(f"http://127.0.0.1:{port}" for port in values["ports"])
        yield TargetProcess(hosts, process, tuple(page_paths()))
    finally:
        process.stdin.close()
        try:
            async with asyncio.timeout(5):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


async def _read_json_line(process: asyncio.subprocess.Process, command: bytes) -> dict[str, Any]:
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        async with asyncio.timeout(START_TIMEOUT_SECONDS):
            if command:
                process.stdin.write(command)
                await process.stdin.drain()
            line = await process.stdout.readline()
    except (TimeoutError, OSError):
        line = b""
    if not line:
        raise ScraperError("the benchmark's server ended unexpectedly")
    values: dict[str, Any] = json.loads(line)
    return values


class _SaturationClient(asyncio.Protocol):
    """Asks for one page again and again on one connection and counts answers by their bytes alone: as cheap as it
    can be, so that the server is what is measured."""

    def __init__(self, request: bytes, size: int) -> None:
        self.request, self.size = request, size
        self.received = 0
        self.responses = 0
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        self.received += len(data)
        if self.size and self.received >= self.size:
            self.received -= self.size
            self.responses += 1
            self._transport.write(self.request)


async def measure_max_server_rate(host: str, path: str, clock: Clock) -> float:
    """The most pages per second the server at `host` gives when its answers have no latency.

    A client that only counts bytes asks over some connections, the next request as soon as an answer is whole.
    """
    loop = asyncio.get_running_loop()
    address, _, port = host.removeprefix("http://").partition(":")
    request = f"GET {path} HTTP/1.1\r\nHost: {address}\r\nUser-Agent: ceiling\r\n\r\n".encode()
    size = await _response_size(address, int(port), request)
    hammers, transports = [], []
    try:
        for _ in range(MAX_RATE_CONNECTIONS):
            transport, hammer = await loop.create_connection(
                lambda: _SaturationClient(request, size), address, int(port)
            )
            transports.append(transport)
            hammers.append(hammer)
        started, before = clock.now(), sum(h.responses for h in hammers)
        await clock.sleep_until(started + MAX_RATE_SECONDS)
        return (sum(h.responses for h in hammers) - before) / (clock.now() - started)
    finally:
        for transport in transports:
            transport.abort()


async def _response_size(address: str, port: int, request: bytes) -> int:
    """The bytes of one whole answer, head and body."""
    reader, writer = await asyncio.open_connection(address, port)
    try:
        writer.write(request.replace(b"User-Agent", b"Connection: close\r\nUser-Agent"))
        return len(await reader.read(-1))
    finally:
        writer.close()
        await writer.wait_closed()
