"""A folder such as a Debian archive has, on nginx where there is one: downloaded, checked, refreshed."""

from __future__ import annotations

import asyncio
import hashlib
import http.server
import os
import random
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.downloads.servers import read_files

ROOT = Path(__file__).parents[2]
OLD = 1_667_714_400.0
PACKAGES = 40


class Archive:
    """The tree, and the list of it as a user would make it (`find -type f`)."""

    def __init__(self, root: Path) -> None:
        self.root = root
        rng = random.Random(12)
        sums = []
        for number in range(PACKAGES):
            name = f"lib{chr(97 + number % 7)}{number}"
            path = f"pool/main/{name[:4]}/{name}/{name}_{number}.{number % 5}+deb12u1~rc{number}_amd64.deb"
            body = b"!<arch>\n" + rng.randbytes(rng.choice([200, 5_000, 90_000, 400_000]))
            self.write(path, body)
            sums.append(f"{hashlib.sha256(body).hexdigest()}  {path}")
        packages = "\n\n".join(f"Package: {line.rpartition('/')[2]}\nSHA256: {line[:64]}" for line in sums).encode()
        self.write("dists/stable/main/binary-amd64/Packages", packages)
        sums.append(f"{hashlib.sha256(packages).hexdigest()}  dists/stable/main/binary-amd64/Packages")
        self.write("dists/stable/Release", b"Origin: here\nSuite: stable\n")
        self.write("SHA256SUMS", ("\n".join(sums) + "\n").encode())

    def write(self, path: str, body: bytes, at: float = OLD) -> None:
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(body)
        os.utime(place, (at, at))

    def bodies(self) -> dict[str, bytes]:
        return {str(p.relative_to(self.root)): p.read_bytes() for p in sorted(self.root.rglob("*")) if p.is_file()}


@contextmanager
def nginx(root: Path, folder: Path) -> Iterator[tuple[int, Path]]:
    """nginx over `root`: its port, and its log of status and path."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        pytest.skip("there is no nginx here")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder.mkdir()
    log = folder / "access.log"
    user = "user root;" if os.geteuid() == 0 else ""
    temp = " ".join(
        f"{name}_temp_path {folder}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"{user} daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log; events {{}}\n"
        f"http {{ {temp} log_format short '$status $uri'; access_log {log} short;\n"
        f"server {{ listen 127.0.0.1:{port}; root {root}; }} }}\n"
    )
    command = [program, "-e", str(folder / "error.log"), "-p", str(folder), "-c", str(folder / "nginx.conf")]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(port, server)
        yield port, log
    finally:
        server.terminate()
        server.wait()


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 10
    while time.monotonic() < end and server.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.01)
    pytest.skip("nginx does not start here")


@contextmanager
def plain_server(root: Path, folder: Path) -> Iterator[tuple[int, Path]]:
    """Python's own file server over `root`."""
    folder.mkdir()
    log = folder / "access.log"
    log.touch()

    class Logging(http.server.SimpleHTTPRequestHandler):
        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            with log.open("a") as file:
                file.write(f"{int(code)} {self.path}\n")

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Logging, directory=str(root)))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server.server_address[1], log
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def statuses(log: Path) -> dict[str, int]:
    """How often each status was answered since the last look."""
    found: dict[str, int] = {}
    for line in log.read_text().splitlines():
        status = line.split()[0]
        found[status] = found.get(status, 0) + 1
    log.write_text("")
    return found


async def scrape(*arguments: str) -> tuple[int | None, str]:
    command = [sys.executable, "-m", "scraper", "download", *arguments, "--progress", "none"]
    process = await asyncio.create_subprocess_exec(*command, stdout=-1, stderr=-1, cwd=ROOT)
    _, err = await process.communicate()
    return process.returncode, err.decode()


@pytest.mark.slow
@pytest.mark.parametrize("serve", [nginx, plain_server], ids=["nginx", "python"])
async def test_an_archive_is_mirrored_checked_and_kept_fresh(tmp_path: Path, serve: type) -> None:
    """All files in their places; again, nothing is asked; --refresh asks for 304s and finds what has changed."""
    archive = Archive(tmp_path / "www")
    bodies = archive.bodies()
    with serve(archive.root, tmp_path / "server") as (port, log):
        listed, out = tmp_path / "list.txt", tmp_path / "out"
        listed.write_text("".join(f"http://127.0.0.1:{port}/{path.replace('~', '%7E')}\n" for path in bodies))
        options = [str(listed), "-o", str(out), "--checksums", str(archive.root / "SHA256SUMS")]
        options += ["--name", "{host}/{path}"]
        host = f"127.0.0.1_{port}"

        code, text = await scrape(*options)
        assert code == 0, text
        assert read_files(out) == {f"{host}/{path}": body for path, body in bodies.items()}
        assert {p.stat().st_mtime for p in (out / host).rglob("*.deb")} == {OLD}
        assert statuses(log) == {"200": len(bodies)}

        code, text = await scrape(*options)
        assert (code, statuses(log)) == (0, {}), text
        assert "nothing to do" in text

        code, text = await scrape(*options, "--refresh")
        assert (code, statuses(log)) == (0, {"304": len(bodies)}), text
        assert f"{len(bodies)} unchanged" in text

        archive.write("dists/stable/Release", b"Origin: here\nSuite: oldstable\n", OLD + 86_400)
        code, text = await scrape(*options, "--refresh")
        assert (code, statuses(log)) == (0, {"304": len(bodies) - 1, "200": 1}), text
        assert (out / host / "dists/stable/Release").read_bytes() == b"Origin: here\nSuite: oldstable\n"

        # A file that is no longer what SHA256SUMS says never takes the place of the one that was.
        victim = next(path for path in bodies if path.endswith(".deb"))
        archive.write(victim, b"evil", OLD + 86_400)
        code, text = await scrape(*options, "--refresh")
        assert code == 4, text
        assert (out / host / victim).read_bytes() == bodies[victim]
