"""A file in segments whose process is killed: what is believed was written, and only the rest is asked for."""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from scraper.testing.local_server import LocalServer, ReceivedRequest, Route
from tests.downloads.range_server import CHUNK_BYTES, RangeReply, RangeServer
from tests.downloads.servers import KIB, MIB, content, read_files

BODY = content("killed", 48 * MIB + 5)
EAGER = """
import runpy, sys
import scraper.downloads.options as options
from scraper.transport.settings import SegmentSettings
options.SegmentSettings = lambda max_streams: SegmentSettings(
    max_streams, min_file_bytes=1 << 20, min_segment_bytes=1 << 19, slow_after=0.05, check_interval=0.02,
    max_remaining_seconds=0.0, min_speedup=0.0, save_interval=0.02
)
runpy.run_module("scraper", run_name="__main__")
"""


class Dripping(RangeServer):
    """A server that takes its time, and sends `process` a signal once it has sent `at` bytes and `ready` says so."""

    at = 10**12
    ready: Callable[[], bool] = staticmethod(lambda: True)
    process: asyncio.subprocess.Process | None = None
    number = signal.SIGKILL

    async def _send(self, answer: RangeReply, writer: asyncio.StreamWriter) -> None:
        headers = {"Content-Length": str(len(answer.body)), **answer.headers}
        writer.write(f"HTTP/1.1 {answer.status} X\r\n".encode())
        writer.write("".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode() + b"\r\n")
        for at in range(0, len(answer.body), CHUNK_BYTES):
            writer.write(answer.body[at : at + CHUNK_BYTES])
            await writer.drain()
            await asyncio.sleep(0.03)
            self.sent_bytes += CHUNK_BYTES
            running = self.process is not None and self.process.returncode is None
            if running and self.sent_bytes >= self.at and self.ready():
                self.at = 10**12
                assert self.process is not None
                self.process.send_signal(self.number)


async def start(listed: Path, out: Path) -> asyncio.subprocess.Process:
    command = [sys.executable, "-c", EAGER, "download", str(listed), "-o", str(out), "--progress", "none"]
    return await asyncio.create_subprocess_exec(
        *command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=Path(__file__).parents[2]
    )


def noted(out: Path) -> list[list[int]]:
    """The ranges that the note names."""
    found = list((out / ".scrape" / "download" / "parts").glob("*.json"))
    ranges: list[list[int]] = orjson.loads(found[0].read_bytes() or b"{}").get("ranges") if found else []
    return ranges or []


def believed(out: Path) -> list[list[int]]:
    """The ranges that the note names; all of them must be there."""
    ranges = noted(out)
    part = (out / "f.bin.part").read_bytes()
    for begin, stop in ranges:
        assert part[begin:stop] == BODY[begin:stop]
    return ranges


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["KILL", "TERM"])
async def test_killed_between_segments_only_the_rest_is_asked_for(tmp_path: Path, number: signal.Signals) -> None:
    """After every kill the noted ranges hold the file's bytes, and the next process asks for the gaps alone."""
    server, rng = Dripping(BODY), random.Random(11)
    server.number = number
    out, listed = tmp_path / "out", tmp_path / "list.txt"
    server.ready = lambda: len(noted(out)) > 1  # what was sent may wait in sockets: the note is what counts
    kills = 4 if number == signal.SIGKILL else 2

    async def serve(asked: ReceivedRequest) -> Route:
        return await server(asked)

    async with LocalServer({"/f.bin": serve}) as site:
        listed.write_text(site.url("/f.bin"))
        for _ in range(kills):
            server.at = server.sent_bytes + rng.randint(4 * MIB, 6 * MIB)
            server.process = process = await start(listed, out)
            _, err = await process.communicate()
            assert process.returncode == (-9 if number == signal.SIGKILL else 143), err
            ranges = believed(out)
            assert ranges
            server.ranges_seen.clear()
        have = sum(stop - begin for begin, stop in ranges)
        before = server.sent_bytes
        process = await start(listed, out)
        _, err = await process.communicate()
        assert process.returncode == 0, err
    assert read_files(out) == {"f.bin": BODY}
    assert server.ranges_seen[0] is not None
    assert server.ranges_seen[0].startswith(f"bytes={ranges[0][1]}-")
    # Streams that are cut where another one's range begins have some more in their sockets.
    assert server.sent_bytes - before <= len(BODY) - have + 16 * 512 * KIB
    assert not (out / "f.bin.part").exists()
