"""Measures the CPU time of a request with FastTransport, with httpx over FastTransport, and with plain httpx.

    taskset -c 0 python benchmarks/transport.py http://127.0.0.1:8080/page.html --connections 16,64,256,1024

The URL should be a page of about 30 KB on a fast server on this machine (nginx on another core: `sendfile on;
keepalive_requests 1000000; access_log off`), so that the client is the bottleneck. Figures are CPU microseconds of this
process per request, with all kept-alive connections busy, after a warm-up. They tell how many pages per second one core
can fetch, rather than wall time. Every figure is measured in a new process, the numbers of connections are interleaved,
and the median of the rounds is shown. The column `growth` is the median ratio of each round's last figure to its first.
For bodies larger than the window, CPU seconds per GiB are shown as well. Raise `ulimit -n` for many connections.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import statistics
import sys
from collections.abc import Awaitable, Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import AsyncExitStack
from multiprocessing import get_context

import httpx

from scraper.clock import cpu_seconds
from scraper.transport.fast_transport import FastTransport, TransportSettings

FetchOnce = Callable[[], Awaitable[int]]

REQUEST_HEADERS = [
    (b"User-Agent", b"scraper/1.0 (+https://example.org/bot)"),
    (b"Accept", b"text/html,application/xhtml+xml,*/*;q=0.8"),
    (b"Accept-Encoding", b"gzip, deflate, br, zstd"),
    (b"Accept-Language", b"en"),
]
WARM_UP_REQUESTS = 2
WINDOW_BYTES = TransportSettings().buffer_limit


async def fast_transport(stack: AsyncExitStack, url: str, connections: int) -> FetchOnce:
    """`FastTransport.request`, as the crawler calls it."""
    settings = TransportSettings(max_connections=connections, max_per_host=connections)
    transport = await stack.enter_async_context(FastTransport(settings))
    parsed = httpx.URL(url)
    origin = f"{parsed.scheme}://{parsed.netloc.decode()}"
    target = parsed.raw_path.decode()

    async def fetch() -> int:
        response = await transport.request("GET", origin, target, REQUEST_HEADERS)
        if response.complete:
            return len(await response.read())
        return sum([len(piece) async for piece in response.aiter_raw()])

    return fetch


async def httpx_over_fast_transport(stack: AsyncExitStack, url: str, connections: int) -> FetchOnce:
    """`httpx.AsyncClient.get` over `FastTransport`."""
    settings = TransportSettings(max_connections=connections, max_per_host=connections)
    client = await stack.enter_async_context(httpx.AsyncClient(transport=FastTransport(settings)))

    async def fetch() -> int:
        return len((await client.get(url)).content)

    return fetch


async def plain_httpx(stack: AsyncExitStack, url: str, connections: int) -> FetchOnce:
    """`httpx.AsyncClient.get` with httpx's own transport."""
    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
    client = await stack.enter_async_context(httpx.AsyncClient(limits=limits, timeout=60))

    async def fetch() -> int:
        return len((await client.get(url)).content)

    return fetch


CLIENTS = {
    "FastTransport.request": fast_transport,
    "AsyncClient(FastTransport)": httpx_over_fast_transport,
    "AsyncClient": plain_httpx,
}


async def measure(way: str, url: str, connections: int, requests: int, as_scrape_does: bool) -> tuple[float, int]:
    """(CPU seconds per request, size of one body in bytes)."""
    async with AsyncExitStack() as stack:
        fetch = await CLIENTS[way](stack, url, connections)

        async def fetcher(count: int) -> int:
            size = 0
            for _ in range(count):
                size = await fetch()
            return size

        async def all_fetchers(count: int) -> int:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(fetcher(count)) for _ in range(connections)]
            return tasks[0].result()

        size = await all_fetchers(WARM_UP_REQUESTS)
        if as_scrape_does:
            from scraper.__main__ import YOUNG_OBJECTS  # imported here: its modules would affect the other figures

            gc.freeze()
            gc.set_threshold(YOUNG_OBJECTS, 20, 20)
        each = max(1, requests // connections)
        before = cpu_seconds()
        await all_fetchers(each)
        return (cpu_seconds() - before) / (each * connections), size


def measure_in_new_loop(
    way: str, url: str, connections: int, requests: int, as_scrape_does: bool, loop: str
) -> tuple[float, int]:
    """Run `measure` in a new event loop, in this process."""
    factory = asyncio.new_event_loop
    if loop == "uvloop":
        import uvloop

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(measure(way, url, connections, requests, as_scrape_does))


def main() -> None:
    """Run the benchmark and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("url")
    parser.add_argument("--connections", default="1,16,64,256", help="comma-separated numbers")
    parser.add_argument("--requests", type=int, default=20_000, help="per figure, for our transport")
    parser.add_argument("--slow-requests", type=int, default=2_000, help="per figure, for httpx's own transport")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ways", default=",".join(CLIENTS), help="comma-separated")
    parser.add_argument("--loop", choices=["uvloop", "asyncio"], default="uvloop")
    parser.add_argument(
        "--collector", choices=["default", "crawl"], default="default", help="crawl: as `scrape` sets it"
    )
    options = parser.parse_args()
    numbers = [int(n) for n in options.connections.split(",")]
    tell = sys.stdout.write
    tell(f"CPU us a request, {options.loop}, collector: {options.collector}\n{'connections':>28}")
    tell("".join(f"{n:>9}" for n in numbers) + "   growth\n")
    for way in options.ways.split(","):
        requests = options.slow_requests if way == "AsyncClient" else options.requests
        taken: dict[int, list[float]] = {n: [] for n in numbers}
        size = 0
        for turn in range(options.rounds):
            for n in numbers if turn % 2 == 0 else numbers[::-1]:
                with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as child:
                    job = (way, options.url, n, requests, options.collector == "crawl", options.loop)
                    seconds, size = child.submit(measure_in_new_loop, *job).result()
                taken[n].append(seconds)
        medians = [statistics.median(taken[n]) for n in numbers]
        growth = statistics.median(b / a for a, b in zip(taken[numbers[0]], taken[numbers[-1]], strict=True)) - 1
        tell(f"{way:>28}" + "".join(f"{m * 1e6:>9.1f}" for m in medians) + f"   {growth:+.0%}   ({size} bytes a body")
        tell(f"; {', '.join(f'{m * 2**30 / size:.2f}' for m in medians)} s a GiB)\n" if size > WINDOW_BYTES else ")\n")


if __name__ == "__main__":
    main()
