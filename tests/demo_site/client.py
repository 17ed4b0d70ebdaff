"""A raw HTTP client for tests of the site: it shows truncated bodies and sends malformed requests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from scraper.demo_site.site import SiteSettings

QUICK = SiteSettings(pages=120, slow_s=0.0, outage_s=0.0, limited_rate=10_000.0)


@dataclass
class ReceivedResponse:
    """A response as the raw client read it; `whole` is False when the body was shorter than announced."""

    status: int
    headers: dict[str, str]
    body: bytes
    whole: bool = True


@dataclass
class Client:
    """One keep-alive connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, target: str, method: str = "GET", **headers: str) -> None:
        lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        self.writer.write(f"{method} {target} HTTP/1.1\r\nHost: t\r\n{lines}\r\n".encode())
        await self.writer.drain()

    async def receive(self, *, bodyless: bool = False) -> ReceivedResponse:
        head = await self.reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").strip().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        length = 0 if bodyless else int(headers.get("content-length", 0))
        try:
            return ReceivedResponse(int(first.split()[1]), headers, await self.reader.readexactly(length))
        except asyncio.IncompleteReadError as error:
            return ReceivedResponse(int(first.split()[1]), headers, error.partial, whole=False)

    async def get(self, target: str, **headers: str) -> ReceivedResponse:
        await self.send(target, **headers)
        return await self.receive()


@asynccontextmanager
async def connect(address: str) -> AsyncIterator[Client]:
    host, _, port = address.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        yield Client(reader, writer)
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def fetch(address: str, target: str) -> ReceivedResponse:
    async with connect(address) as client:
        return await client.get(target)
