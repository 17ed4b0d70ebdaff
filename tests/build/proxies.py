"""Proxies on loopback for tests: a small one that says what it was asked, and tinyproxy where it is installed."""

from __future__ import annotations

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

TINYPROXY = shutil.which("tinyproxy")


@dataclass
class LocalProxy:
    """Forwards absolute-form requests and tunnels `CONNECT`, whatever the host's name, to this machine.

    `heads` are the heads of all requests as they came. With `refuse` it answers 407 to each.
    """

    port: int = 0
    refuse: bool = False
    heads: list[str] = field(default_factory=list)

    @property
    def lines(self) -> list[str]:
        """The request lines, in order."""
        return [head.partition("\r\n")[0] for head in self.heads]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[LocalProxy]:
        """Serve on a free port."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            yield self

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, OSError):
            while head := (await reader.readuntil(b"\r\n\r\n")).decode("latin-1"):
                self.heads.append(head)
                if self.refuse:
                    writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
                    continue
                await self._answer(head, reader, writer)
        await _close(writer)

    async def _answer(self, head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        method, target, _ = head.split(" ", 2)
        if method == "CONNECT":
            inner, outer = await asyncio.open_connection("127.0.0.1", int(target.rpartition(":")[2]))
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await asyncio.gather(_copy(reader, outer), _copy(inner, writer))
            await _close(outer)
            return
        authority, slash, path = target.removeprefix("http://").partition("/")
        inner, outer = await asyncio.open_connection("127.0.0.1", int(authority.rpartition(":")[2]))
        kept = [line for line in head.split("\r\n")[1:] if not line.lower().startswith(("proxy-", "connection:"))]
        outer.write("\r\n".join([f"{method} {slash}{path} HTTP/1.1", "Connection: close", *kept]).encode("latin-1"))
        await _copy(inner, writer)
        await _close(outer)


async def _close(writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        writer.close()
        await writer.wait_closed()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while piece := await reader.read(65_536):
            writer.write(piece)
        writer.write_eof()


@asynccontextmanager
async def tinyproxy(folder: Path, *, login: str = "") -> AsyncIterator[int]:
    """Debian's tinyproxy on a free port; `login` is `USER PASSWORD`."""
    assert TINYPROXY is not None
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    text = f"Port {port}\nListen 127.0.0.1\nTimeout 60\nLogLevel Critical\nMaxClients 20\n"
    config = folder / "tinyproxy.conf"
    config.write_text(text + (f"BasicAuth {login}\n" if login else ""))
    process = await asyncio.create_subprocess_exec(TINYPROXY, "-d", "-c", str(config), stdout=-3, stderr=-3)
    try:
        await _wait_for_port(port)
        yield port
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


async def _wait_for_port(port: int) -> None:
    async with asyncio.timeout(10):
        while True:
            with suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return
            await asyncio.sleep(0.02)
