"""A server of one large file: slow on purpose, answers bounded ranges, sends wrong responses where a test wants it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from scraper.model import Headers
from scraper.testing.local_server import RawHandler, ReceivedRequest, Reply, Route
from tests.downloads.servers import DATE, KIB, OLD_DATE

CHUNK_BYTES = 64 * KIB


@dataclass(frozen=True)
class RangeReply:
    """What the server is about to send. `die_at`: the connection ends after so many bytes of body."""

    status: int
    body: bytes
    headers: dict[str, str]
    die_at: int | None = None


@dataclass
class RangeServer:
    """Serves `body`; every answer stops after `head_start` bytes until `opened` is set.

    It is opened when `open_at` requests have come, or their answers have been looked at. `alter` may change the answer
    to request number n (from 1). `asked` are the Range headers as they came, `most` the largest number of answers under
    way at once, `sent` the bytes of body that were sent.
    """

    body: bytes
    etag: str | None = '"v1"'
    modified: str | None = OLD_DATE
    head_start: int = CHUNK_BYTES
    open_at: int = 1
    alter: Callable[[int, RangeReply], RangeReply] = lambda _, answer: answer
    ranges_seen: list[str | None] = field(default_factory=list)
    conditions: list[str | None] = field(default_factory=list)
    at_once: int = 0
    max_at_once: int = 0
    sent_bytes: int = 0
    opened: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, asked: ReceivedRequest) -> Route:
        self.ranges_seen.append(asked.headers.get("range"))
        self.conditions.append(asked.headers.get("if-range"))
        answer = self.alter(len(self.ranges_seen), self._correct_reply(asked.headers))
        return RawHandler(lambda *args: self._send(answer, args[2]))

    def _correct_reply(self, headers: Headers) -> RangeReply:
        total = len(self.body)
        fields = {"Date": DATE}
        if self.etag:
            fields["ETag"] = self.etag
        if self.modified:
            fields["Last-Modified"] = self.modified
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", headers.get("range") or "")
        if not wanted or headers.get("if-range") not in (None, self.etag, self.modified):
            return RangeReply(200, self.body, fields)
        start, stop = int(wanted[1]), int(wanted[2] or total - 1) + 1
        if start >= total:
            return RangeReply(416, b"", {**fields, "Content-Range": f"bytes */{total}"})
        return RangeReply(206, self.body[start:stop], {**fields, "Content-Range": f"bytes {start}-{stop - 1}/{total}"})

    async def _send(self, answer: RangeReply, writer: asyncio.StreamWriter) -> None:
        if len(self.ranges_seen) >= self.open_at:
            self.opened.set()
        self.at_once += 1
        self.max_at_once = max(self.max_at_once, self.at_once)
        try:
            headers = {"Content-Length": str(len(answer.body)), **answer.headers}
            writer.write(Reply(answer.status, b"", headers).head())
            body = answer.body if answer.die_at is None else answer.body[: answer.die_at]
            for at in range(0, len(body), CHUNK_BYTES):
                if at >= self.head_start:
                    await self.opened.wait()
                writer.write(body[at : at + CHUNK_BYTES])
                self.sent_bytes += len(body[at : at + CHUNK_BYTES])
                await writer.drain()
        finally:
            self.at_once -= 1
