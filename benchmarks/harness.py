"""What the benchmarks share: running nginx, and running a program on one core and measuring its cost.

CPU seconds are the most reliable figure. They are counted by the operating system (user and system time of the program
and of the children it waited for), so other load on the machine affects them little. Still, several interleaved rounds
are run and the median is taken; ratios are computed for each round. Linux only, because of `taskset`.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import statistics
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

NGINX_CONF = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log warn;
worker_rlimit_nofile 8192;
events {{ worker_connections 4096; }}
http {{
  include {mime}; default_type application/octet-stream; access_log off;
  sendfile on; tcp_nopush on; keepalive_requests 1000000; keepalive_timeout 300s;
  client_body_temp_path {folder}/1; proxy_temp_path {folder}/2; fastcgi_temp_path {folder}/3;
  uwsgi_temp_path {folder}/4; scgi_temp_path {folder}/5;
  {servers}
}}
"""
MIME_TYPES_PATH = Path("/etc/nginx/mime.types")


@dataclass(frozen=True, slots=True)
class RunCost:
    """One run of a program: CPU seconds, peak resident memory of its largest process in MB, wall seconds, exit code."""

    cpu: float
    memory: float
    wall: float
    code: int


def pick_cores() -> tuple[int, int]:
    """A core for the measured program and one for the server: the last and the first that may be used."""
    allowed = sorted(os.sched_getaffinity(0))
    return allowed[-1], allowed[0]


def run_pinned(command: Sequence[str], *, core: int, log: Path, folder: Path, timeout: float = 900.0) -> RunCost:
    """Run `command` on `core` alone, in `folder`, its output in `log`; killed after `timeout` seconds."""
    # Set in some containers: without its bytecode cache, Python compiles every module at every start.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with log.open("wb") as output:
        begun = time.monotonic()
        process = subprocess.Popen(
            ["taskset", "-c", str(core), *command],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        watch = threading.Timer(timeout, os.killpg, (process.pid, signal.SIGKILL))
        watch.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
        finally:
            watch.cancel()
        wall = time.monotonic() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    return RunCost(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, wall, process.returncode)


@contextmanager
def nginx(roots: Mapping[str, Path], folder: Path, core: int) -> Iterator[dict[str, str]]:
    """Serve each folder of `roots` with nginx on `core`; yields the origin (`http://127.0.0.1:PORT`) of each name."""
    program = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
    if program is None:
        raise SystemExit("needs nginx (Debian: apt install nginx-light)")
    folder.mkdir(parents=True, exist_ok=True)
    ports = dict(zip(roots, free_ports(len(roots)), strict=True))
    servers = "\n  ".join(f"server {{ listen 127.0.0.1:{ports[name]}; root {roots[name]}; }}" for name in roots)
    conf = folder / "nginx.conf"
    conf.write_text(NGINX_CONF.format(folder=folder, mime=MIME_TYPES_PATH, servers=servers))
    errors = str(folder / "error.log")
    process = subprocess.Popen(
        ["taskset", "-c", str(core), program, "-c", str(conf), "-e", errors], stderr=subprocess.DEVNULL
    )
    try:
        for port in ports.values():
            wait_until_listening(port, process)
        yield {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
    finally:
        process.terminate()
        process.wait(10)


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that are free now."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def wait_until_listening(port: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until something listens on `port` of 127.0.0.1; exits with a message if `process` ends or after 10 s."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except ConnectionRefusedError:
            time.sleep(0.02)
            continue
        return
    raise SystemExit("the server did not start")


def median_range_text(values: Sequence[float], digits: int = 2) -> str:
    """The median of `values`, with the smallest and the largest: `7.12 (6.98-7.40)`."""
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{middle:.{digits}f} ({low:.{digits}f}-{high:.{digits}f})"
