"""Compares `scrape download` with curl -Z, aria2c and wget2: same nginx, pinned cores, interleaved rounds, medians.

    python benchmarks/download.py --rounds 5 --folder /dev/shm/bench

Three lists: 20,000 files of 10 KB, 200 of 5 MB, one of 1 GiB (`--scale 0.1` for a tenth of each). nginx runs on the
last core, every client on the first one. Each round runs every client once, in another order. Clients that are not
installed are left out. Figures are CPU seconds (user and system) of the client, wall seconds and peak memory. scrape
keeps a journal, hashes every file and renames it when it is complete; the others write under the final name and hash
nothing.

Needs nginx, and 1.3 GB of memory or disk in `--folder` for the files, and as much again for the downloads.
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

CONNECTIONS = 16
WRITE_BYTES = 4 * 1024 * 1024

NGINX_CONF = """
pid {folder}/nginx.pid; error_log {folder}/nginx.err; worker_processes 1; daemon on;
events {{ worker_connections 1024; }}
http {{
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000; default_type application/octet-stream;
  client_body_temp_path {folder}/t; proxy_temp_path {folder}/t; fastcgi_temp_path {folder}/t;
  uwsgi_temp_path {folder}/t; scgi_temp_path {folder}/t;
  server {{ listen 127.0.0.1:{port}; root {folder}/www; }}
}}
"""


@dataclass(frozen=True)
class FileSet:
    """A list of `count` files of `size` bytes."""

    name: str
    count: int
    size: int

    def paths(self) -> list[str]:
        return [f"{self.name}/{n // 1000:03d}/f{n:06d}.bin" for n in range(self.count)]


@dataclass(frozen=True)
class RunCost:
    """The cost of one run: CPU seconds, wall seconds, peak memory in MB."""

    cpu: float
    wall: float
    memory: float


MakeCommand = Callable[[Path, Path], list[str]]


def scrape_command(listed: Path, out: Path) -> list[str]:
    more = ["--per-host", str(CONNECTIONS), "--concurrency", str(CONNECTIONS), "-q"]
    return [sys.executable, "-m", "scraper", "download", str(listed), "-o", str(out), *more]


def curl_command(listed: Path, out: Path) -> list[str]:
    config = listed.with_suffix(".curl")
    config.write_text("".join(f'url = "{url}"\n' for url in listed.read_text().splitlines()))
    more = ["--parallel-max", str(CONNECTIONS), "--remote-name-all", "--output-dir", str(out)]
    return ["curl", "-s", "-Z", "--no-progress-meter", *more, "-K", str(config)]


def aria2c_command(listed: Path, out: Path) -> list[str]:
    more = ["-q", "-j", str(CONNECTIONS), "--file-allocation=none", "--deferred-input=true"]
    return ["aria2c", *more, "-d", str(out), "-i", str(listed)]


def wget2_command(listed: Path, out: Path) -> list[str]:
    return ["wget2", "-q", f"--max-threads={CONNECTIONS}", "--no-robots", "-P", str(out), "-i", str(listed)]


CLIENT_COMMANDS: dict[str, MakeCommand] = {
    "ours": scrape_command,
    "curl": curl_command,
    "aria2c": aria2c_command,
    "wget2": wget2_command,
}


def write_files(folder: Path, loads: list[FileSet], port: int) -> dict[str, Path]:
    """Write the files and the lists."""
    lists = {}
    for load in loads:
        for path in load.paths():
            target = folder / "www" / path
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.exists() or target.stat().st_size != load.size:
                with target.open("wb") as file:
                    for at in range(0, load.size, WRITE_BYTES):
                        file.write(os.urandom(min(WRITE_BYTES, load.size - at)))
        lists[load.name] = folder / f"{load.name}.txt"
        lists[load.name].write_text("".join(f"http://127.0.0.1:{port}/{path}\n" for path in load.paths()))
    return lists


def run_client(command: list[str], out: Path, core: int) -> RunCost:
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    began = time.monotonic()
    child = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: os.sched_setaffinity(0, {core}),
    )
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{' '.join(command[:4])} ... ended with {child.returncode}")
    return RunCost(used.ru_utime + used.ru_stime, time.monotonic() - began, used.ru_maxrss / 1024)


def check_files(out: Path, load: FileSet) -> None:
    """Exit with a message unless every file was downloaded with its size."""
    own_files = {"manifest.jsonl", "failed.txt"}
    found = [p for p in out.iterdir() if p.is_file() and p.name not in own_files]
    if len(found) != load.count or any(p.stat().st_size != load.size for p in found):
        raise SystemExit(f"{out}: {len(found)} files of {load.count}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--folder", type=Path, default=Path("/dev/shm/scrape-bench"))
    parser.add_argument("--loads", default="small,middle,large")
    options = parser.parse_args()
    sizes = {"small": (20_000, 10_240), "middle": (200, 5 * 1024 * 1024), "large": (1, 1024**3)}
    loads = []
    for name in options.loads.split(","):
        count, size = sizes[name]
        loads.append(
            FileSet(name, max(1, int(count * options.scale)), int(size * options.scale) if count == 1 else size)
        )
    clients = {name: client for name, client in CLIENT_COMMANDS.items() if name == "ours" or shutil.which(name)}
    cores = sorted(os.sched_getaffinity(0))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = options.folder
    folder.mkdir(parents=True, exist_ok=True)
    lists = write_files(folder, loads, port)
    (folder / "nginx.conf").write_text(NGINX_CONF.format(folder=folder, port=port))
    serve = ["nginx", "-c", str(folder / "nginx.conf"), "-p", str(folder)]
    subprocess.run(["taskset", "-c", str(cores[-1]), *serve], check=True)
    try:
        measure(loads, clients, lists, folder / "out", cores[0], options.rounds)
    finally:
        subprocess.run([*serve, "-s", "stop"], check=True)


def measure(
    loads: list[FileSet], clients: dict[str, MakeCommand], lists: dict[str, Path], out: Path, core: int, rounds: int
) -> None:
    for load in loads:
        costs: dict[str, list[RunCost]] = {name: [] for name in clients}
        names = list(clients)
        for turn in range(rounds):
            for name in names[turn % len(names) :] + names[: turn % len(names)]:
                costs[name].append(run_client(clients[name](lists[load.name], out), out, core))
                check_files(out, load)
        print(f"\n{load.count:,} files of {load.size:,} bytes, median of {rounds}")
        for name, found in costs.items():
            cpu, wall, memory = (statistics.median(getattr(c, f) for c in found) for f in ("cpu", "wall", "memory"))
            print(f"  {name:<8} cpu {cpu:6.2f} s   wall {wall:6.2f} s   memory {memory:6.0f} MB", flush=True)
    shutil.rmtree(out, ignore_errors=True)


if __name__ == "__main__":
    main()
