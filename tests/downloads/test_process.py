"""The command as a process: killed, interrupted, starved of descriptors and of disk."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from scraper.errors import SinkError
from scraper.testing.local_server import LocalServer, ReceivedRequest, Reply, Route
from scraper.transfer.output_folder import OutputFolder
from tests.downloads.servers import KIB, MIB, ResumableServer, content, read_files, run_download

SMALL, LARGE = 60, 4


class FileShelf:
    """Small and large files; the large ones come in pieces."""

    def __init__(self) -> None:
        self.keepers = {f"/s{n}": ResumableServer(content(f"s{n}", 3 * KIB)) for n in range(SMALL)}
        self.keepers |= {f"/l{n}": ResumableServer(content(f"l{n}", 2 * MIB)) for n in range(LARGE)}

    async def __call__(self, asked: ReceivedRequest) -> Route:
        route = await self.keepers[asked.target](asked)
        if isinstance(route, Reply) and asked.target.startswith("/l"):
            assert isinstance(route.body, bytes)
            pieces = [route.body[at : at + 128 * KIB] for at in range(0, len(route.body), 128 * KIB)]
            return Reply(route.status, pieces, route.headers, pause=0.002)
        return route

    def urls(self, site: LocalServer) -> list[str]:
        entry = [f"/l{n}" for n in range(LARGE)] + [f"/s{n}" for n in range(SMALL)]
        return [site.url(path) for path in entry]

    def bodies(self) -> dict[str, bytes]:
        return {path[1:]: server.body for path, server in self.keepers.items()}


async def start(listed: Path, out: Path, *more: str, wrap: tuple[str, ...] = ()) -> asyncio.subprocess.Process:
    command = [*wrap, sys.executable, "-m", "scraper", "download", str(listed), "-o", str(out), "--progress", "none"]
    return await asyncio.create_subprocess_exec(
        *command, *more, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=Path(__file__).parents[2]
    )


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["INT", "TERM"])
async def test_a_signal_ends_cleanly_and_the_next_run_goes_on(tmp_path: Path, number: int, code: int) -> None:
    """What has come is kept, a part too; the next run asks for the rest alone."""
    body = content("large", 4 * MIB)
    arrived = asyncio.Event()
    server = ResumableServer(body)

    async def slow(asked: ReceivedRequest) -> Route:
        route = await server(asked)
        if asked.headers.get("range") or not isinstance(route, Reply):
            return route
        arrived.set()
        assert isinstance(route.body, bytes)
        return Reply(200, [route.body[: 3 * MIB], *[b"x"] * MIB], route.headers, pause=0.05)

    listed, out = tmp_path / "list.txt", tmp_path / "out"
    async with LocalServer({"/large": slow}) as site:
        listed.write_text(site.url("/large"))
        process = await start(listed, out)
        await arrived.wait()
        part = out / "large.part"
        # Another process writes it: there is nothing here that could be waited for.
        while not (part.exists() and part.stat().st_size >= MIB):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        process.send_signal(number)
        _, err = await process.communicate()
        assert process.returncode == code, err
        size = part.stat().st_size
        part.write_bytes(body[:size])  # what the slow server sent after 3 MiB was no real content
        process = await start(listed, out)
        await process.communicate()
        assert process.returncode == 0
    assert read_files(out) == {"large": body}
    assert server.ranges_seen[-1] == f"bytes={size}-"


async def test_few_descriptors_are_enough(tmp_path: Path) -> None:
    """With `ulimit -n 64` fewer transfers run at once, and all succeed."""
    shelf = FileShelf()
    listed, out = tmp_path / "list.txt", tmp_path / "out"
    async with LocalServer({"*": shelf}) as site:
        listed.write_text("\n".join(shelf.urls(site)))
        wrap = ("sh", "-c", 'ulimit -n 64; exec "$@"', "sh")
        process = await start(listed, out, "--per-host", "64", wrap=wrap)
        _, err = await process.communicate()
        assert process.returncode == 0, err
    assert read_files(out) == shelf.bodies()


async def test_exit_codes(tmp_path: Path) -> None:
    """The worst failure decides: 4 a checksum, 1 any other, 2 a wrong option, 3 no place to write."""
    listed = tmp_path / "list.txt"
    async with LocalServer({"/a": Reply(200, b"a")}) as site:
        cases = {
            site.url("/a"): 0,
            site.url("/missing"): 1,
            f"{site.url('/missing')}\n{site.url('/a')}\n  checksum=md5={'0' * 32}": 4,
        }
        for number, (text, code) in enumerate(cases.items()):
            listed.write_text(text)
            process = await start(listed, tmp_path / str(number))
            _, err = await process.communicate()
            assert process.returncode == code, err
        for option, code in ((("--rate", "quick"), 2), (("--name", "{nonsense}"), 2)):
            process = await start(listed, tmp_path / "x", *option)
            assert (await process.communicate())[1]
            assert process.returncode == code
        process = await start(listed, listed / "below a file")
        await process.communicate()
        assert process.returncode == 3
        process = await start(tmp_path / "no list", tmp_path / "x")
        await process.communicate()
        assert process.returncode == 2


async def test_a_full_disk_stops_the_run_and_room_continues_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ENOSPC ends the run with everything resumable; with room the rest alone is asked for."""
    body, room = content("large", 4 * MIB), [3 * MIB]
    server, real = ResumableServer(body), os.pwrite

    def pwrite(descriptor: int, batch: memoryview, offset: int) -> int:
        if not room[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = real(descriptor, batch[: room[0]], offset)
        room[0] -= written
        return written

    monkeypatch.setattr(os, "pwrite", pwrite)
    async with LocalServer({"/large": server}) as site:
        with pytest.raises(SinkError, match="disk is full"):
            await run_download([site.url("/large")], tmp_path)
        kept = (tmp_path / "large.part").stat().st_size
        assert kept == 3 * MIB
        room[0] = 1 << 40
        await run_download([site.url("/large")], tmp_path)
    assert read_files(tmp_path) == {"large": body}
    assert server.ranges_seen == [None, f"bytes={kept}-"]


async def test_what_cannot_fit_is_not_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file larger than the free space stops the run before its first byte is written."""
    monkeypatch.setattr(OutputFolder, "free_bytes", lambda _: MIB)
    async with LocalServer({"/large": ResumableServer(content("large", 4 * MIB))}) as site:
        with pytest.raises(SinkError, match="are free"):
            await run_download([site.url("/large")], tmp_path)
    assert read_files(tmp_path) == {}
