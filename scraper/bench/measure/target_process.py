"""Starts and controls the target server's process, and measures its maximum rate."""

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
    """The running target server. `hosts` are its base URLs, without a trailing slash, in the order of the specs."""

    hosts: tuple[str, ...]
    process: asyncio.subprocess.Process
    paths: tuple[str, ...]

    def urls(self, count: int, host: int = 0) -> list[str]:
        """`count` distinct URLs of product pages at the host with this index."""
        paths = self.paths
        return [f"{self.hosts[host]}{paths[n % len(paths)]}?copy={n // len(paths)}" for n in range(count)]

    async def state(self) -> TargetState:
        """The server's counts since the last reset. Raises `ScraperError` if its process has ended."""
        return await self._send_command(b"state\n")

    async def reset(self) -> TargetState:
        """Set the counts to zero. Raises `ScraperError` if the process has ended."""
        return await self._send_command(b"reset\n")

    async def _send_command(self, command: bytes) -> TargetState:
        values = await _read_json_line(self.process, command)
        return TargetState(values["cpu"], tuple(values["requests"]), tuple(values["refused"]), tuple(values["burst"]))


@asynccontextmanager
async def start_target(specs: Sequence[HostSpec], core: int | None = None) -> AsyncIterator[TargetProcess]:
    """Run the target server with the hosts `specs` while inside, pinned to `core` if one is given.

    Raises `ConfigError` if a port is in use, `ScraperError` if the server does not start.
    """
    wanted = json.dumps([asdict(spec) for spec in specs])
    # Own session: otherwise Ctrl-C would also kill the server, before the benchmark can read its last counts.
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
    """Requests one page again and again on one connection and counts responses by their bytes.

    It does not parse anything, so that the server and not the client is the limit.
    """

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
    """The maximum pages per second of the server at the base URL `host`, which should have no latency.

    Each of `MAX_RATE_CONNECTIONS` connections sends the next request as soon as a response is complete.
    """
    loop = asyncio.get_running_loop()
    address, _, port = host.removeprefix("http://").partition(":")
    request = f"GET {path} HTTP/1.1\r\nHost: {address}\r\nUser-Agent: max-rate\r\n\r\n".encode()
    size = await _response_size(address, int(port), request)
    clients, transports = [], []
    try:
        for _ in range(MAX_RATE_CONNECTIONS):
            transport, client = await loop.create_connection(
                lambda: _SaturationClient(request, size), address, int(port)
            )
            transports.append(transport)
            clients.append(client)
        started, before = clock.now(), sum(c.responses for c in clients)
        await clock.sleep_until(started + MAX_RATE_SECONDS)
        return (sum(c.responses for c in clients) - before) / (clock.now() - started)
    finally:
        for transport in transports:
            transport.abort()


async def _response_size(address: str, port: int, request: bytes) -> int:
    """The size of one response in bytes, head and body."""
    reader, writer = await asyncio.open_connection(address, port)
    try:
        writer.write(request.replace(b"User-Agent", b"Connection: close\r\nUser-Agent"))
        return len(await reader.read(-1))
    finally:
        writer.close()
        await writer.wait_closed()
