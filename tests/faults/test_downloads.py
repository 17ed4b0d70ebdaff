"""Downloads under kill -9, on disks that are full or read-only, and beside a host that never answers."""

from __future__ import annotations

import asyncio
import os
import random
import re
import shutil
import subprocess
import sys
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from scraper.downloader import Downloader, DownloadOptions
from scraper.testing.local_server import LocalServer, RawHandler, ReceivedRequest, Reply, Route
from tests.downloads.servers import KIB, MIB, ResumableServer, content, read_files, read_manifest, run_download
from tests.downloads.test_process import start
from tests.faults.test_disk import tmpfs

ROOT = Path(__file__).parents[2]
SEED = int(os.environ.get("SCRAPER_FAULT_SEED", "20"))
KILLS = 20
SMALL, LARGE = 300, 6
PER_HOST = 8


class ThrottledFiles:
    """Small and large files that come in pieces. It counts what it is asked for, and calls `then` at a request."""

    def __init__(self) -> None:
        self.keepers = {f"/s{n}": ResumableServer(content(f"s{n}", 3 * KIB + n)) for n in range(SMALL)}
        self.keepers |= {f"/l{n}": ResumableServer(content(f"l{n}", 3 * MIB + n)) for n in range(LARGE)}
        self.count, self.kill_at = 0, -1
        self.process: asyncio.subprocess.Process | None = None
        self.smalls_sent: list[str] = []
        self.larges_from: list[tuple[str, int]] = []
        self.sent = 0

    async def __call__(self, asked: ReceivedRequest) -> Route:
        self.count += 1
        if self.count == self.kill_at and self.process is not None:
            self.process.kill()
        route = await self.keepers[asked.target](asked)
        assert isinstance(route, Reply)
        if route.status not in (200, 206) or not isinstance(route.body, bytes):
            return route
        self.sent += len(route.body)
        if asked.target.startswith("/s"):
            self.smalls_sent.append(asked.target[1:])
            return route
        begins = re.match(r"bytes=(\d+)-", asked.headers.get("range") or "")
        self.larges_from.append((asked.target[1:], int(begins[1]) if begins and route.status == 206 else 0))
        pieces = [route.body[at : at + 64 * KIB] for at in range(0, len(route.body), 64 * KIB)]
        return Reply(route.status, pieces, route.headers, pause=0.002)

    def urls(self, site: LocalServer, rng: random.Random) -> list[str]:
        paths = list(self.keepers)
        rng.shuffle(paths)
        return [site.url(path) for path in paths]

    def bodies(self) -> dict[str, bytes]:
        return {path[1:]: keeper.body for path, keeper in self.keepers.items()}


@pytest.mark.slow
async def test_killed_twenty_times_every_file_is_whole_and_only_what_is_missing_is_asked_for(tmp_path: Path) -> None:
    """No final name ever holds a torn file, a part goes on from its last byte, and a file that is there is not sent."""
    shop, rng = ThrottledFiles(), random.Random(SEED)
    out, listed = tmp_path / "out", tmp_path / "list.txt"
    bodies, kills = shop.bodies(), 0
    async with LocalServer({"*": shop}) as site:
        listed.write_text("\n".join(shop.urls(site, rng)))
        code = None
        for kill in range(KILLS + 1):
            there = {name: body for name, body in read_files(out).items() if name in bodies} if out.exists() else {}
            assert {name for name, body in there.items() if body != bodies[name]} == set(), f"torn, seed {SEED}"
            parts = {path.stem: path.stat().st_size for path in out.glob("l*.part")} if out.exists() else {}
            for name, size in parts.items():
                assert (out / f"{name}.part").read_bytes() == bodies[name][:size]
            shop.smalls_sent.clear()
            shop.larges_from.clear()
            shop.kill_at = shop.count + rng.randint(1, 30) if kill < KILLS else -1
            shop.process = await start(listed, out, "--per-host", str(PER_HOST), "--segments", "1")
            _, err = await shop.process.communicate()
            code = shop.process.returncode
            kills += code == -9
            assert not set(shop.smalls_sent) & set(there), f"sent again, seed {SEED}"
            for name, begins in shop.larges_from:
                assert name not in there
                assert begins >= parts.get(name, 0), f"{name} did not go on at {parts.get(name)}, seed {SEED}"
        assert code == 0, err
    assert kills >= KILLS // 2, "there was too little to kill"
    assert read_files(out) == bodies
    assert sorted(record["line"] for record in read_manifest(out)) == list(range(1, SMALL + LARGE + 1))
    # A kill may cost what was under way: a small file each, and what of a large one had not been written.
    in_flight = kills * PER_HOST * (3 * MIB + LARGE)
    assert shop.sent <= sum(map(len, bodies.values())) + in_flight


def may_mount() -> bool:
    """Whether this process may mount disks, or is in a namespace of its own where it may."""
    probe = subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, check=False)
    return probe.returncode == 0


@pytest.fixture
def mounts(request: pytest.FixtureRequest) -> None:
    """Lets a test mount disks; without the right to, it is run once more in a user and mount namespace."""
    if shutil.which("unshare") is None or shutil.which("mount") is None:
        pytest.skip("there is no unshare or mount here")
    if may_mount():
        return
    if os.environ.get("SCRAPER_IN_NAMESPACE"):
        pytest.skip("disks cannot be mounted here, not even in a namespace")
    node = f"{Path(__file__).relative_to(ROOT)}::{request.node.name}"
    command = ["unshare", "-Urm", sys.executable, "-m", "pytest", "-n", "0", "-rs", node]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "SCRAPER_IN_NAMESPACE": "1"}, capture_output=True, text=True, check=False
    )
    if "passed" in done.stdout:
        pytest.skip("passed in a namespace of its own")
    if "skipped" in done.stdout or "unshare" in done.stderr:
        pytest.skip("disks cannot be mounted here, not even in a namespace")
    pytest.fail(done.stdout[-4000:])


def remount(folder: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True)


async def download_process(listed: Path, out: Path, *options: str) -> tuple[int | None, str]:
    process = await start(listed, out, *options)
    _, err = await process.communicate()
    return process.returncode, err.decode()


@pytest.mark.slow
@pytest.mark.usefixtures("mounts")
@pytest.mark.parametrize("declared", [True, False], ids=["with Content-Length", "without Content-Length"])
async def test_a_disk_that_is_really_full(tmp_path: Path, declared: bool) -> None:
    """3 MB for 6 MB of files: exit code 3, a sentence, nothing torn; with room the same command completes."""
    keepers = {f"/s{n}": ResumableServer(content(f"s{n}", 40 * KIB)) for n in range(50)}
    keepers |= {f"/l{n}": ResumableServer(content(f"l{n}", 1 * MIB)) for n in range(4)}
    bodies = {path[1:]: keeper.body for path, keeper in keepers.items()}
    out, listed = tmp_path / "out", tmp_path / "list.txt"

    async def shop(asked: ReceivedRequest) -> Route:
        route = await keepers[asked.target](asked)
        if declared or not isinstance(route, Reply) or not isinstance(route.body, bytes) or route.status != 200:
            return route
        headers = {k: v for k, v in dict(route.headers).items() if k != "Content-Length"}
        return Reply(200, [route.body[at : at + 32 * KIB] for at in range(0, len(route.body), 32 * KIB)], headers,
                     chunked=True)  # fmt: skip

    where: AbstractContextManager[None] = tmpfs(out, 3 * MIB)
    async with LocalServer({"*": shop}) as site:
        listed.write_text("\n".join(site.url(path) for path in keepers))
        with where:
            for _ in range(2):  # again without room: still a sentence, and nothing is lost
                code, text = await download_process(listed, out)
                assert code == 3, text
                assert "Traceback" not in text
                assert re.search("the disk is full|bytes are to come and", text), text
                there = {name: body for name, body in read_files(out).items() if not name.endswith(".part")}
                assert all(bodies[name] == body for name, body in there.items())
                assert there
            remount(out, f"size={64 * MIB}")
            code, text = await download_process(listed, out)
            assert code == 0, text
            assert read_files(out) == bodies
            assert len(read_manifest(out)) == len(bodies)


@pytest.mark.usefixtures("mounts")
@pytest.mark.parametrize("resumed", [False, True], ids=["a new run", "a run that goes on"])
async def test_a_read_only_disk_is_found_before_any_request(tmp_path: Path, resumed: bool) -> None:
    """Exit code 3, a sentence, and the server hears nothing."""
    out, listed = tmp_path / "out", tmp_path / "list.txt"
    async with LocalServer({"*": Reply(200, b"x")}) as site:
        listed.write_text(site.url("/a"))
        with tmpfs(out, 8 * MIB):
            if resumed:
                assert (await download_process(listed, out))[0] == 0
                listed.write_text(site.url("/a") + "\n" + site.url("/b"))
            asked = len(site.requests)
            remount(out, "ro")
            code, text = await download_process(listed, out)
            assert (code, len(site.requests)) == (3, asked), text
            assert "read-only" in text.lower()
            assert "Traceback" not in text


HOSTS = 5_000


@pytest.mark.slow
async def test_one_slow_host_among_five_thousand_holds_up_none(tmp_path: Path) -> None:
    """While one host still holds its answers back, every file of the 4,999 others is complete."""
    release = asyncio.Event()
    others = {f"127.{1 + n // 2500}.{n // 250 % 10}.{1 + n % 250}" for n in range(HOSTS)}
    slow = min(others)
    complete = asyncio.Event()
    seen = 0

    async def answer(asked: ReceivedRequest) -> Route:
        if (asked.headers.get("host") or "").startswith(slow + ":"):

            async def hold(_: ReceivedRequest, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                await release.wait()
                writer.write(Reply(200, b"late").head() + b"late")

            return RawHandler(hold)
        return Reply(200, b"x")

    def watch(event: object) -> None:
        nonlocal seen
        if type(event).__name__ == "PageSettled":
            seen += 1
            if seen == HOSTS - 1:
                loop.call_soon_threadsafe(complete.set)

    loop = asyncio.get_running_loop()
    async with LocalServer({"*": answer}, address="0.0.0.0") as site:
        # The slow one has the first lines: whoever waits for it, waits for its first answers.
        urls = [f"http://{slow}:{site.port}/{n}" for n in range(10)]
        urls += [f"http://{host}:{site.port}/{host}" for host in sorted(others - {slow})]
        options = DownloadOptions(timeout=120.0)
        async with Downloader(urls, tmp_path, options, listeners=[watch]) as downloader, asyncio.TaskGroup() as group:
            running = group.create_task(downloader.run())
            async with asyncio.timeout(60):
                await complete.wait()
            there = read_files(tmp_path)
            assert len(there) == HOSTS - 1
            assert set(there.values()) == {b"x"}
            release.set()
            summary = await running
    assert (summary.ok, summary.failed) == (HOSTS + 9, 0)


async def test_the_parts_that_were_published_were_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With `fsync`, bytes are on the disk before the file has its name, the name before the journal knows it."""
    story: list[str] = []
    real_sync, real_rename = os.fsync, os.rename

    def fsync(descriptor: int) -> None:
        story.append("sync " + str(Path(f"/proc/self/fd/{descriptor}").readlink()).removeprefix(str(tmp_path)))
        real_sync(descriptor)

    def rename(source: str, target: str, **where: int) -> None:
        story.append(f"rename {target}")
        real_rename(source, target, **where)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "rename", rename)
    body = content("large", MIB)
    async with LocalServer({"/d/small": Reply(200, b"x"), "/d/large": ResumableServer(body)}) as site:
        for name in ("small", "large"):
            story.clear()
            await run_download([site.url(f"/d/{name}")], tmp_path / name, name="{path}", fsync=True)
            at = story.index(f"rename {name}")
            assert story[at - 1] == f"sync /{name}/d/{name}.part"
            assert story[at + 1] == f"sync /{name}/d"
            assert f"sync /{name}" in story[:at], "the folder that was made"
            assert f"sync /{name}/manifest.jsonl" in story[at:]
        story.clear()
        await run_download([site.url("/d/small")], tmp_path / "usual")
        assert [step for step in story if step.startswith("sync")] == []
