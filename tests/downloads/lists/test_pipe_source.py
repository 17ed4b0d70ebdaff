"""Lists that come through a pipe while their files are on their way."""

from __future__ import annotations

import asyncio
import gzip
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from scraper.testing.local_server import LocalServer, ReceivedRequest, Reply, Route
from tests.downloads.servers import read_files, read_manifest

ROOT = Path(__file__).parents[3]
PATIENCE = 20.0


class Counter:
    """Answers everything; `reached(n)` waits until `n` requests have come."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self._more = asyncio.Condition()

    async def __call__(self, asked: ReceivedRequest) -> Route:
        async with self._more:
            self.paths.append(asked.target)
            self._more.notify_all()
        return Reply(200, asked.target.encode())

    async def reached(self, count: int) -> None:
        async with asyncio.timeout(PATIENCE), self._more:
            await self._more.wait_for(lambda: len(self.paths) >= count)


async def start(out: Path, source: str = "-") -> tuple[asyncio.subprocess.Process, asyncio.StreamWriter]:
    command = [sys.executable, "-m", "scraper", "download", source, "-o", str(out), "--progress", "none"]
    process = await asyncio.create_subprocess_exec(
        *command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT
    )
    assert process.stdin is not None
    return process, process.stdin


def catches(pid: int, number: int) -> bool:
    """Whether the process has a handler for the signal."""
    (mask,) = (line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("SigCgt"))
    return bool(int(mask.split()[1], 16) >> (number - 1) & 1)


@pytest.mark.parametrize(
    ("head", "line"),
    [("", "{url}\n"), ("", '{{"url": "{url}"}}\n'), ("url,name\n", '"{url}",""\n')],
    ids=["plain", "JSON lines", "CSV"],
)
@pytest.mark.parametrize("source", ["-", "/dev/stdin"])
async def test_a_transfer_starts_when_its_line_comes(tmp_path: Path, head: str, line: str, source: str) -> None:
    """A line whose writer then is silent is asked for at once; the end of the pipe ends the run."""
    counter = Counter()
    async with LocalServer({"*": counter}) as site:
        process, stdin = await start(tmp_path / "out", source)
        stdin.write(head.encode())
        for number in range(3):
            stdin.write(line.format(url=site.url(f"/{number}")).encode())
            await counter.reached(number + 1)
        stdin.write(line.format(url=site.url("/half")).strip().encode())  # without an end it is a line, too
        stdin.close()
        _, err = await process.communicate()
        assert process.returncode == 0, err
    assert sorted(read_files(tmp_path / "out")) == ["0", "1", "2", "half"]


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="there is no /proc here")
@pytest.mark.parametrize("written", ["", "{url}\n", "{url}\n{url}/cut-o"], ids=["nothing", "a line", "half a line"])
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)], ids=["INT", "TERM", "HUP"]
)
async def test_an_interrupt_does_not_wait_for_the_list(tmp_path: Path, written: str, number: int, code: int) -> None:
    """Ctrl-C ends a run that waits for more of its list; of half a line nothing is remembered."""
    counter, out = Counter(), tmp_path / "out"
    async with LocalServer({"*": counter}) as site:
        process, stdin = await start(out)
        if written:
            stdin.write(written.format(url=site.url("/a")).encode())
            await counter.reached(1)
        else:
            while not catches(process.pid, signal.SIGTERM):  # noqa: ASYNC110  another process
                await asyncio.sleep(0.01)
        process.send_signal(number)
        async with asyncio.timeout(PATIENCE):
            await process.wait()
        assert process.returncode == code
        stdin.close()
        await process.communicate()
    assert len(read_manifest(out) if (out / "manifest.jsonl").exists() else []) == bool(written)


async def test_options_belong_to_their_url_however_late_they_come(tmp_path: Path) -> None:
    """Once a list has had options, its entries are complete when the next one begins, and not before."""
    counter = Counter()
    async with LocalServer({"*": counter}) as site:
        process, stdin = await start(tmp_path / "out")
        stdin.write(f"{site.url('/a')}\n  out=first\n{site.url('/b')}\n".encode())
        await counter.reached(1)
        await asyncio.sleep(0.5)  # the writer stalls between a URL and its option: what a slow pipe does
        stdin.write(b"  out=second\n")
        stdin.close()
        await process.communicate()
        assert process.returncode == 0
    assert read_files(tmp_path / "out") == {"first": b"/a", "second": b"/b"}


async def test_a_packed_list_may_come_slowly(tmp_path: Path) -> None:
    """gzip through a pipe that stalls in the middle of it is read to its end."""
    counter = Counter()
    async with LocalServer({"*": counter}) as site:
        packed = gzip.compress("".join(f"{site.url(f'/{n}')}\n" for n in range(50)).encode())
        process, stdin = await start(tmp_path / "out")
        for at in range(0, len(packed), 60):
            stdin.write(packed[at : at + 60])
            await stdin.drain()
        stdin.close()
        _, err = await process.communicate()
        assert process.returncode == 0, err
    assert len(read_files(tmp_path / "out")) == 50
