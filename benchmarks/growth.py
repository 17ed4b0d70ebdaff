"""Measures whether cost grows with the crawl: CPU per page with 1,000 and with 1,000,000 known URLs, memory, start-up.

    python -m benchmarks.growth --known 1000000

Run it from the root of a checkout; Linux only. A server in another process, on another core, generates a site while it
is crawled: page n links to ten new pages (10n+1 ... 10n+10), to thirty that every page links to, to thirty nearby ones,
and to thirty random known ones, which are the hardest for any cache. So after m pages 10m+1 URLs are known, and every
page costs the same except for what grows with the crawl. The crawl is the ordinary command, with its durable frontier,
robots.txt, `pages.jsonl` and `items.jsonl`. CPU time is read from /proc while it runs. Once enough URLs are known, the
run is interrupted, and resumed once to measure how long that takes.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import cast

from benchmarks.harness import pick_cores

REPO_ROOT = Path(__file__).parent.parent
NEW_LINKS = 10
MENU_LINKS = 30
NEAR_LINKS = 30
RANDOM_LINKS = 30
FILLER_TEXT = (
    "lorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod tempor incididunt ut labore et dolore "
)
SAMPLE_SECONDS = 0.2
# CPU per page is averaged over this share of the pages, at the beginning and at the end of the crawl.
WINDOW_SHARE = 0.02
START_COUNT = 5
CONFIG_TEMPLATE = """
name: growth
seeds: ["{url}/0"]
limits: {{concurrency: 64}}
politeness: {{per_host: {{rate: unlimited, concurrency: 64}}}}
sitemaps: off
extract: [{{fields: {{title: title, h1: h1, links: {{links: in_scope}}}}}}]
output: {{folder: "{folder}"}}
"""


def make_page(number: int) -> bytes:
    """Page `number` of the site, some 10 KB."""
    rng = random.Random(number)
    known = NEW_LINKS * number + 1
    targets = [NEW_LINKS * number + 1 + i for i in range(NEW_LINKS)]
    targets += range(MENU_LINKS)
    targets += [max(0, number + i - NEAR_LINKS // 2) for i in range(NEAR_LINKS)]
    targets += [rng.randrange(known) for _ in range(RANDOM_LINKS)]
    links = "\n".join(f'<li><a class="entry" href="/{target}">Page {target}</a></li>' for target in targets)
    return (
        f"<!doctype html><html><head><meta charset=utf-8><title>Page {number}</title></head><body>"
        f"<h1>Page {number}</h1><ul>{links}</ul><p>{FILLER_TEXT * 40}</p></body></html>"
    ).encode()


@dataclass(frozen=True, slots=True)
class ServerCounts:
    """Shared with the server's process: pages sent so far, and the time of its first request (monotonic clock)."""

    pages: Synchronized[int]
    first_at: Synchronized[float]


class _SiteProtocol(asyncio.Protocol):
    """Minimal HTTP/1.1: one request after the other on a connection."""

    def __init__(self, served: ServerCounts) -> None:
        self._served = served
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            target = self._received.split(b" ", 2)[1]
            self._received = self._received[end + 4 :]
            self._respond(target[1:])

    def _respond(self, name: bytes) -> None:
        served = self._served
        if not served.first_at.value:
            served.first_at.value = time.monotonic()
        if not name.isdigit():
            self._transport.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            return
        body = make_page(int(name))
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n" % len(body)
        self._transport.write(head + body)
        served.pages.value += 1


def serve(core: int, served: ServerCounts, tell: Connection) -> None:
    """Run the server; the main function of its process. Sends its port through `tell`."""
    os.sched_setaffinity(0, {core})
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    async def run() -> None:
        server = await asyncio.get_running_loop().create_server(lambda: _SiteProtocol(served), "127.0.0.1", 0)
        tell.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    try:
        import uvloop

        runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
    except ImportError:
        runner = asyncio.Runner()
    with runner:
        runner.run(run())


@dataclass(frozen=True, slots=True)
class Reading:
    """One reading of the crawl's process: pages served so far, CPU seconds, resident memory in MB."""

    pages: int
    cpu: float
    memory: float


def read_process(pid: int, served: ServerCounts) -> Reading:
    """Read CPU time and memory of the process `pid` (proc(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    cpu = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    memory = int(fields[21]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    return Reading(served.pages.value, cpu, memory)


def start_crawl(config: Path, core: int, *options: str) -> subprocess.Popen[bytes]:
    """Start the crawl, pinned to `core`."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-m", "scraper", "crawl", str(config), "--progress", "none", "-q", *options]
    with config.with_suffix(".log").open("ab") as log:
        return subprocess.Popen(["taskset", "-c", str(core), *command], cwd=REPO_ROOT, env=environment, stderr=log)


def early_exit(crawl: subprocess.Popen[bytes], config: Path) -> SystemExit:
    """The exception to raise if the crawl ends early, with its output."""
    said = config.with_suffix(".log").read_text()
    return SystemExit(f"the crawl ended early, with exit code {crawl.returncode}\n{said}")


def interrupt(crawl: subprocess.Popen[bytes]) -> None:
    """Stop the crawl as Ctrl-C does; its state is saved."""
    crawl.send_signal(signal.SIGINT)
    crawl.wait(120)


def crawl_and_sample(config: Path, core: int, served: ServerCounts, target: int) -> list[Reading]:
    """Crawl until `target` pages were served; return readings taken every `SAMPLE_SECONDS`."""
    crawl = start_crawl(config, core)
    readings: list[Reading] = []
    told = 0
    try:
        while served.pages.value < target:
            if crawl.poll() is not None:
                raise early_exit(crawl, config)
            time.sleep(SAMPLE_SECONDS)
            readings.append(read_process(crawl.pid, served))
            if readings[-1].pages >= told + target // 10:
                told = readings[-1].pages
                reading = readings[-1]
                print(
                    f"  {NEW_LINKS * told + 1:>9,} known: {reading.cpu:7.1f} CPU s {reading.memory:5.0f} MB", flush=True
                )
    finally:
        interrupt(crawl)
    return readings


def cpu_per_page(readings: list[Reading], first: int, last: int) -> float:
    """CPU seconds per page between two page counts: the slope of a line fitted to the readings there."""
    there = [reading for reading in readings if first <= reading.pages <= last]
    if len({reading.pages for reading in there}) < 2:
        raise SystemExit("too few readings: crawl more pages")
    slope = statistics.linear_regression([r.pages for r in there], [r.cpu for r in there]).slope
    return float(slope)


def first_request(config: Path, core: int, served: ServerCounts, *options: str) -> float:
    """Seconds from the start of the program to its first request."""
    served.first_at.value = 0.0
    begun = time.monotonic()
    crawl = start_crawl(config, core, *options)
    try:
        while not served.first_at.value:
            if crawl.poll() is not None:
                raise early_exit(crawl, config)
            time.sleep(0.005)
    finally:
        interrupt(crawl)
    return float(served.first_at.value) - begun


def main() -> None:
    """Run the benchmark and print the results."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--known", type=int, default=1_000_000, help="URLs to become known")
    options = parser.parse_args()
    core, server_core = pick_cores()
    context = multiprocessing.get_context("spawn")
    served = ServerCounts(context.Value("q", 0), context.Value("d", 0.0))
    ours, theirs = context.Pipe()
    server = context.Process(target=serve, args=(server_core, served, theirs), daemon=True)
    server.start()
    target = options.known // NEW_LINKS
    try:
        with tempfile.TemporaryDirectory(prefix="scraper-growth-") as folder:
            config = Path(folder) / "growth.yaml"
            config.write_text(
                CONFIG_TEMPLATE.format(url=f"http://127.0.0.1:{ours.recv()}", folder=Path(folder) / "out")
            )
            starts = [first_request(config, core, served, "--fresh") for _ in range(START_COUNT)]
            print(f"start of the program to its first request: {statistics.median(starts):.2f} s", flush=True)
            first_request(config, core, served, "--fresh")
            served.pages.value = 0
            print_growth(config, core, served, target)
            again = first_request(config, core, served)
            print(f"the same, to resume with {options.known:,} known: {again:.2f} s")
    finally:
        server.terminate()
        server.join()


def print_growth(config: Path, core: int, served: ServerCounts, target: int) -> None:
    """Crawl to `target` pages and print what a page cost at both ends."""
    readings = crawl_and_sample(config, core, served, target)
    window = max(1_000, int(target * WINDOW_SHARE))
    few, many = cpu_per_page(readings, 100, 100 + window), cpu_per_page(readings, target - window, target)
    print(f"a page with few URLs known (from 1,000 on): {few * 1e6:6.0f} us of CPU")
    print(f"a page with {NEW_LINKS * target:,} known:         {many * 1e6:6.0f} us of CPU, {many / few - 1:+.0%}")
    print(f"resident memory: {readings[-1].memory:.0f} MB at the end, {max(r.memory for r in readings):.0f} MB at most")


if __name__ == "__main__":
    main()
