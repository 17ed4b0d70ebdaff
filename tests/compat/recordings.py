"""Run folders that earlier versions of scraper left behind, and how they are made.

A recording NAME.tar.xz holds a run folder, and beside its files two of ours: `PORT`, the port that its site had, and
`REQUESTS`, what had been requested until then. To record with another version of which TREE is a checkout:

    python -m tests.compat.recordings TREE

The names in a recording are those of the commit that wrote it, 01ec0f9.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
import time
from asyncio.selector_events import BaseSelectorEventLoop
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.compat.site import FIRST_HOST, SECOND_HOST, SMALL_FILES, RecordedSite, SeenRequest

HERE = Path(__file__).parent
PORT, REQUESTS = "PORT", "REQUESTS"
MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Recording:
    """A recorded run in `folder`: the port of its site, and the requests that it had made."""

    folder: Path
    port: int
    requests: list[SeenRequest]

    def checkpoint(self, output: str) -> int:
        """How many bytes of `output` were committed when the run was killed. Reads a copy: SQLite merges the log."""
        with tempfile.TemporaryDirectory() as copy:
            for path in (self.folder / ".scrape").glob("frontier.sqlite*"):
                shutil.copy(path, copy)
            with closing(sqlite3.connect(Path(copy) / "frontier.sqlite")) as db:
                ((value,),) = db.execute("SELECT value FROM mark WHERE name = ?", (output,))
        return int(value)


def unpack(name: str, folder: Path) -> Recording:
    """Unpack the recording NAME into `folder`."""
    with tarfile.open(HERE / f"{name}.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    port = int((folder / PORT).read_text())
    requests = [SeenRequest(*request) for request in json.loads((folder / REQUESTS).read_text())]
    for path in (folder / PORT, folder / REQUESTS):
        path.unlink()
    return Recording(folder, port, requests)


def connect_to(site: RecordedSite, recorded_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Send connections to the recorded port to `site`: URLs, and with them fingerprints, stay as they were recorded."""
    connect = BaseSelectorEventLoop.sock_connect

    async def redirected(loop: BaseSelectorEventLoop, sock: socket.socket, address: Any) -> None:
        await connect(loop, sock, ("127.0.0.1", site.port) if address[1] == recorded_port else address)

    monkeypatch.setattr(BaseSelectorEventLoop, "sock_connect", redirected)


def crawl_config(port: int, folder: Path) -> dict[str, Any]:
    """The config of the recorded crawls."""
    first, second = f"http://{FIRST_HOST}:{port}", f"http://{SECOND_HOST}:{port}"
    api = {"url": f"{first}/api", "method": "POST", "json": {"page": 1}, "label": "api"}
    follow = [{"css": "a", "match": "/book/", "label": "book", "carry": ["shelf"]}]
    return {
        "name": "recorded",
        "seeds": [f"{first}/", f"{second}/", api],
        "sitemaps": "off",
        "limits": {"concurrency": 4, "retries": 3},
        "politeness": {"per_host": {"rate": "unlimited", "concurrency": 4}, "adaptive": False},
        "extract": [
            {"match": "/shelf/", "keep": False, "fields": {"shelf": {"css": "h1"}}, "follow": follow},
            {"label": "book", "fields": {"title": {"css": "h1", "required": True}}},
            {"label": "api", "each": {"json": "results"}, "fields": {"title": {"json": "title"}}},
        ],
        "files": {"match": [r"\.bin$"]},
        "output": {"folder": str(folder), "sinks": ["jsonl", "csv", "sqlite"], "store": "pages"},
    }


def list_of(port: int, *paths: str) -> str:
    """A list of URLs to download."""
    return "".join(f"http://{FIRST_HOST}:{port}{path}\n" for path in paths)


def record(
    tree: Path,
    name: str,
    arguments: Callable[[int, Path], list[str]],
    ends_when: Callable[[Path, float], bool] | None = None,
    **site_options: Any,
) -> None:
    """Run scraper of `tree` and pack its folder.

    The run is killed once `ends_when(folder, seconds since its start)`; without that it runs to its end.
    """
    work = Path(tempfile.mkdtemp())
    out = work / "out"
    with RecordedSite(address="0.0.0.0", **site_options) as site:
        command = [sys.executable, "-m", "scraper", *arguments(site.port, work), "--progress", "none"]
        process = subprocess.Popen(command, cwd=tree, env={**os.environ, "PYTHONPATH": str(tree)})
        started = time.monotonic()
        while ends_when is not None and not ends_when(out, time.monotonic() - started):
            assert process.poll() is None, "it ended before it was killed"
            time.sleep(0.02)
        if ends_when is not None:
            process.send_signal(signal.SIGKILL)
        process.wait()
        (out / PORT).write_text(str(site.port))
        (out / REQUESTS).write_text(json.dumps(site.requests))
    # Shared memory of the process that is gone; SQLite makes it again.
    for path in out.rglob("*-shm"):
        path.unlink()
    with tarfile.open(HERE / f"{name}.tar.xz", "w:xz") as archive:
        archive.add(out, arcname=".")
    shutil.rmtree(work)


def record_all(tree: Path) -> None:
    """Make every recording. Takes a minute and a half."""

    def crawl(port: int, work: Path) -> list[str]:
        path = work / "recorded.yaml"
        path.write_text(json.dumps(crawl_config(port, work / "out")))
        return ["crawl", str(path)]

    def download(paths: list[str], *options: str) -> Callable[[int, Path], list[str]]:
        def arguments(port: int, work: Path) -> list[str]:
            listed = work / "list.txt"
            listed.write_text(list_of(port, *paths))
            return ["download", str(listed), "-o", str(work / "out"), *options]

        return arguments

    def has_large_part(out: Path, _: float) -> bool:
        part = out / "large.part"
        return part.exists() and part.stat().st_size > MIB

    # With four requests that never get a response, after everything else was committed.
    record(tree, "crawl-killed", crawl, lambda _, seconds: seconds > 4, stall_after=32)
    record(tree, "crawl-finished", crawl)
    paths = [*SMALL_FILES, "/gone", "/large"]
    record(tree, "download-killed", download(paths, "--segments", "1"), has_large_part, bytes_per_second=MIB)
    # A download is split after 5 s, and its ranges are saved every 5 s.
    segmented = download([*SMALL_FILES, "/segmented"])
    record(tree, "download-segments", segmented, lambda _, seconds: seconds > 14, bytes_per_second=MIB)
    record(tree, "download-finished", download(paths))


if __name__ == "__main__":
    record_all(Path(sys.argv[1]).resolve())
