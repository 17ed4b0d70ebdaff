"""Servers that keep a file, honestly or not, and ways to run a download against them."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from scraper.downloader import Downloader, DownloadOptions, DownloadSummary
from scraper.engine.run_state import StopReason
from scraper.model import StopKind
from scraper.testing.local_server import RawHandler, ReceivedRequest, Reply, Route

KIB = 1024
MIB = 1024 * 1024
DATE = "Sun, 06 Nov 2022 08:49:37 GMT"
OLD_DATE = "Sun, 06 Nov 2022 06:00:00 GMT"
FAST_OPTIONS = DownloadOptions(backoff=0.01, timeout=5.0, concurrency=8)


def content(seed: str, size: int) -> bytes:
    """Bytes that differ at every place."""
    block = b"".join(hashlib.sha256(f"{seed}{n}".encode()).digest() for n in range(256))
    return (block * (size // len(block) + 1))[:size]


@dataclass
class ResumableServer:
    """Serves `body` with validators and ranges as asked; what it does wrong is set by its fields.

    `die_at` are bytes of body after which the connection ends, for the first, second ... request; then it is honest.
    """

    body: bytes
    etag: str | None = '"v1"'
    modified: str | None = OLD_DATE
    ranges: bool = True
    if_range: bool = True
    die_at: list[int] = field(default_factory=list)
    etags: Iterable[str] | None = None
    on_request: Callable[[ResumableServer, ReceivedRequest], None] | None = None
    extra: dict[str, str] = field(default_factory=dict)
    wrong_206: str | None = None
    declared: int | None = None
    ranges_seen: list[str | None] = field(default_factory=list)

    async def __call__(self, asked: ReceivedRequest) -> Route:
        if self.on_request is not None:
            self.on_request(self, asked)
        self.ranges_seen.append(asked.headers.get("range"))
        if self.etags is not None:
            self.etag = next(iter(self.etags))
        headers = {"Date": DATE, **self.extra}
        if self.etag:
            headers["ETag"] = self.etag
        if self.modified:
            headers["Last-Modified"] = self.modified
        known = (asked.headers.get("if-none-match"), asked.headers.get("if-modified-since"))
        if (self.etag is not None and known[0] == self.etag) or (
            known[0] is None and known[1] == self.modified and known[1]
        ):
            return Reply(304, headers=headers)
        status, piece = 200, self.body
        wanted = re.fullmatch(r"bytes=(\d+)-", asked.headers.get("range") or "")
        condition = asked.headers.get("if-range")
        if (
            wanted
            and self.ranges
            and (condition is None or (self.if_range and condition in (self.etag, self.modified)))
        ):
            start = int(wanted[1])
            if start >= len(self.body):
                return Reply(416, headers={**headers, "Content-Range": f"bytes */{len(self.body)}"})
            status, piece = 206, self.body[start:]
            headers["Content-Range"] = self.wrong_206 or f"bytes {start}-{len(self.body) - 1}/{len(self.body)}"
        headers["Content-Length"] = str(len(piece) if self.declared is None else self.declared)
        if self.die_at:
            return truncated_reply(Reply(status, piece, headers), self.die_at.pop(0))
        return Reply(status, piece, headers)


def truncated_reply(reply: Reply, at: int) -> RawHandler:
    """`reply`, ended after `at` bytes of its body."""

    async def act(_: ReceivedRequest, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert isinstance(reply.body, bytes)
        writer.write(reply.head() + reply.body[:at])
        await writer.drain()

    return RawHandler(act)


async def run_download(urls: str | Path | Iterable[str], into: Path, **options: Any) -> DownloadSummary:
    """Run a whole download, quick to retry."""
    async with Downloader(urls, into, replace(FAST_OPTIONS, **options)) as downloader:
        return await downloader.run()


async def run_until(urls: Iterable[str], into: Path, stop: asyncio.Event, **options: Any) -> DownloadSummary:
    """Run a download and stop it when `stop` is set."""
    async with Downloader(urls, into, replace(FAST_OPTIONS, **options)) as downloader, asyncio.TaskGroup() as group:
        running = group.create_task(downloader.run())
        await stop.wait()
        downloader.stop(StopReason(StopKind.INTERRUPTED, "SIGINT"))
        return await running


def read_manifest(folder: Path) -> list[dict[str, Any]]:
    """The records of manifest.jsonl, by line of the list."""
    records = [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]
    return sorted(records, key=lambda record: int(record["line"]))


def read_files(folder: Path) -> dict[str, bytes]:
    """Every file of the user's in `folder`."""
    ours = {"manifest.jsonl", "failed.txt"}
    found = {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    return {name: body for name, body in found.items() if not name.startswith(".scrape") and name not in ours}
