"""The target server of benchmarks: the shop's product pages on any number of ports, with configurable faults.

It runs in its own process, so that it shares neither core nor interpreter with the client. All responses are rendered
before the first request.

`python -m scraper.bench.measure.target '[{"kind": "shop", "latency": 0.05}]'` prints its ports as a line of JSON. Each
line `state` or `reset` on standard input is answered with a line of JSON, a `TargetState`. It exits at the end of
standard input, so it cannot outlive the process that started it.
"""

from __future__ import annotations

import asyncio
import errno
import json
import random
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Literal

from scraper.bench.measure.machine import loop_factory
from scraper.clock import Clock, cpu_seconds
from scraper.demo_site.catalogue import Catalogue, Product
from scraper.demo_site.server import SiteRequest, SiteResponse, SiteServer
from scraper.demo_site.shop import Shop

SHOP_PAGES = 200
RANDOM_SEED = 7
# Bursts are counted in windows of this length.
BURST_WINDOW_SECONDS = 0.1
LARGE_FILE_BYTES = 2_000_000
LARGE_FILE_COUNT = 24
TIMER_TRIALS = 15
NEVER_SECONDS = 3600.0

HostKind = Literal["shop", "large", "silent", "fragile"]


@dataclass(frozen=True, slots=True)
class HostSpec:
    """One host of the target server. Responses take `latency` seconds, plus or minus the share `jitter` of it.

    A `shop` serves product pages, a `large` host files. A `silent` host accepts requests and never responds. A
    `fragile` one responds 500 to all but the first `limit` requests of every `BURST_WINDOW_SECONDS`. Port 0 picks a
    free one.
    """

    kind: HostKind = "shop"
    latency: float = 0.0
    jitter: float = 0.0
    limit: int = 20
    port: int = 0


@dataclass(slots=True)
class HostCounts:
    """Counts of one host since the last reset: requests, those refused, and the most within one window."""

    requests: int = 0
    refused: int = 0
    burst: int = 0
    _window: int = -1
    _in_window: int = 0

    def count(self, now: float) -> int:
        """Count a request at `now` (seconds); return the number of requests in its window, this one included."""
        window = int(now / BURST_WINDOW_SECONDS)
        if window != self._window:
            self._window, self._in_window = window, 0
        self._in_window += 1
        self.requests += 1
        self.burst = max(self.burst, self._in_window)
        return self._in_window


@dataclass(frozen=True, slots=True)
class TargetState:
    """The response to a command: CPU seconds used since the start, and each host's counts since the last reset."""

    cpu: float
    requests: tuple[int, ...]
    refused: tuple[int, ...]
    burst: tuple[int, ...]


@dataclass(slots=True)
class TargetHost:
    """Responds for one host and counts its requests."""

    spec: HostSpec
    pages: dict[str, SiteResponse]
    clock: Clock
    counts: HostCounts = field(default_factory=HostCounts)

    def respond(self, request: SiteRequest) -> SiteResponse:
        """The response to one request. The query is ignored, so every page has any number of distinct URLs."""
        path = request.target.partition("?")[0]
        response = self.pages.get(path, NOT_FOUND_RESPONSE)
        if path == "/robots.txt":
            return response
        in_window = self.counts.count(self.clock.now())
        if self.spec.kind == "silent":
            return replace(response, delay=NEVER_SECONDS)
        if self.spec.kind == "fragile" and in_window > self.spec.limit:
            self.counts.refused += 1
            return OVERLOADED_RESPONSE
        return response


NOT_FOUND_RESPONSE = SiteResponse(404, b"not found\n", "text/plain")
OVERLOADED_RESPONSE = SiteResponse(500, b"too many at once\n", "text/plain")
ROBOTS_RESPONSE = SiteResponse(body=b"User-agent: *\nAllow: /\n", content_type="text/plain")


def products() -> tuple[Product, ...]:
    """The products whose pages are served: the same in every process."""
    return Catalogue(SHOP_PAGES, RANDOM_SEED).products


def page_paths() -> list[str]:
    """The paths of all product pages."""
    return [product.path for product in products()]


def _prepare_responses(kind: HostKind) -> dict[str, SiteResponse]:
    if kind == "large":
        content = random.Random(RANDOM_SEED).randbytes(LARGE_FILE_BYTES)  # noqa: S311  a file that does not compress
        file = SiteResponse(body=content, content_type="application/octet-stream")
        names = "".join(f'<a href="/large/file.bin?copy={n}">{n}</a>' for n in range(LARGE_FILE_COUNT))
        index = SiteResponse(body=f"<!DOCTYPE html><title>Files</title>{names}".encode())
        return {"/robots.txt": ROBOTS_RESPONSE, "/large/file.bin": file, "/": index}
    shop = Shop(Catalogue(SHOP_PAGES, RANDOM_SEED), "http://127.0.0.1", "http://127.0.0.1")
    return {"/robots.txt": ROBOTS_RESPONSE, **{path: shop.respond(path) for path in page_paths()}}


async def timer_lateness(wait: float) -> float:
    """The median lateness of this event loop's timers, in seconds, measured with timers of `wait` seconds."""
    loop = asyncio.get_running_loop()
    late = []
    for _ in range(TIMER_TRIALS):
        done: asyncio.Future[float] = loop.create_future()
        started = loop.time()
        loop.call_later(wait, _set_result, done, loop.time)
        late.append(await done - started - wait)
    return max(0.0, sorted(late)[len(late) // 2])


def _set_result(done: asyncio.Future[float], now: Callable[[], float]) -> None:
    if not done.done():
        done.set_result(now())


async def serve(specs: list[HostSpec]) -> None:
    """Serve the hosts `specs` until standard input ends. Raises OSError if a port is in use."""
    clock = Clock()
    latest = max((spec.latency for spec in specs), default=0.0)
    lateness = await timer_lateness(min(latest, 0.05)) if latest else 0.0
    contents = {kind: _prepare_responses(kind) for kind in {spec.kind for spec in specs}}
    hosts, servers, ports = [], [], []
    try:
        for number, spec in enumerate(specs):
            host = TargetHost(spec, contents[spec.kind], clock)
            # The lateness of timers is subtracted, so that the mean response time is the requested latency.
            shortest = max(0.0, spec.latency * (1 - spec.jitter) - lateness)
            random_share = random.Random(RANDOM_SEED + number).random  # noqa: S311  latencies, not secrets
            server = SiteServer(host.respond, shortest, 2 * spec.latency * spec.jitter, random_share)
            servers.append(server)
            ports.append(await server.listen(spec.port))
            hosts.append(host)
        _write_json({"ports": ports})
        await _serve_commands(hosts)
    finally:
        for server in servers:
            await server.aclose()


async def _serve_commands(hosts: list[TargetHost]) -> None:
    """Respond to commands on standard input until it ends."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    try:
        while line := await reader.readline():
            if line.strip() == b"reset":
                for host in hosts:
                    host.counts = HostCounts()
            counts = [host.counts for host in hosts]
            state = TargetState(
                cpu_seconds(),
                tuple(c.requests for c in counts),
                tuple(c.refused for c in counts),
                tuple(c.burst for c in counts),
            )
            _write_json(asdict(state))
    finally:
        transport.close()


def _write_json(values: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(values) + "\n")
    sys.stdout.flush()


def main(arguments: list[str]) -> int:
    """`python -m scraper.bench.measure.target SPECS`: serve until standard input ends; 1 if a port is in use."""
    specs = [HostSpec(**spec) for spec in json.loads(arguments[0])]
    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(serve(specs))
    except KeyboardInterrupt:
        return 0
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        _write_json({"error": "the port is in use" if taken else error.strerror or str(error)})
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
