"""What a request costs: our transport, our transport beneath httpx's client, and httpx's own.

    python benchmarks/transport.py http://127.0.0.1:8080/page.html --connections 16,64,256,1024

The URL should be a page of some 30 KB on a fast server on this machine (nginx: `sendfile on; keepalive_requests
1000000; access_log off`), so that the client is what is measured. Figures are CPU microseconds of this process per
request, kept-alive connections all busy, after a warm-up; they say less about wall time than about how many pages a
second one core can fetch. Raise `ulimit -n` for many connections.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import httpx

from scraper.clock import cpu_seconds
from scraper.fetch.transport import FastTransport, TransportSettings

Ask = Callable[[], Awaitable[int]]

HEADERS = [
    (b"User-Agent", b"scraper/1.0 (+https://example.org/bot)"),
    (b"Accept", b"text/html,application/xhtml+xml,*/*;q=0.8"),
    (b"Accept-Encoding", b"gzip, deflate, br, zstd"),
    (b"Accept-Language", b"en"),
]
WARM_UP = 2


async def lean(stack: AsyncExitStack, url: str, connections: int) -> Ask:
    """`FastTransport.exchange`, the crawl's own entrance."""
    settings = TransportSettings(max_connections=connections, max_per_host=connections)
    transport = await stack.enter_async_context(FastTransport(settings))
    parsed = httpx.URL(url)
    origin = f"{parsed.scheme}://{parsed.netloc.decode()}"
    target = parsed.raw_path.decode()

    async def ask() -> int:
        answer = await transport.exchange("GET", origin, target, HEADERS)
        return len(await answer.read())

    return ask


async def client_on_ours(stack: AsyncExitStack, url: str, connections: int) -> Ask:
    """`httpx.AsyncClient.get` over `FastTransport`."""
    settings = TransportSettings(max_connections=connections, max_per_host=connections)
    client = await stack.enter_async_context(httpx.AsyncClient(transport=FastTransport(settings)))

    async def ask() -> int:
        return len((await client.get(url)).content)

    return ask


async def client_alone(stack: AsyncExitStack, url: str, connections: int) -> Ask:
    """`httpx.AsyncClient.get` as it comes."""
    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
    client = await stack.enter_async_context(httpx.AsyncClient(limits=limits, timeout=60))

    async def ask() -> int:
        return len((await client.get(url)).content)

    return ask


WAYS = {
    "FastTransport.exchange": lean,
    "AsyncClient(FastTransport)": client_on_ours,
    "AsyncClient": client_alone,
}


async def measure(
    way: Callable[[AsyncExitStack, str, int], Awaitable[Ask]], url: str, connections: int, requests: int
) -> tuple[float, int]:
    """CPU seconds a request, and the bytes of one body."""
    async with AsyncExitStack() as stack:
        ask = await way(stack, url, connections)

        async def fetcher(count: int) -> int:
            size = 0
            for _ in range(count):
                size = await ask()
            return size

        async def all_fetchers(count: int) -> int:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(fetcher(count)) for _ in range(connections)]
            return tasks[0].result()

        size = await all_fetchers(WARM_UP)
        each = max(1, requests // connections)
        before = cpu_seconds()
        await all_fetchers(each)
        return (cpu_seconds() - before) / (each * connections), size


def main() -> None:
    """Read the command line, measure, print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("url")
    parser.add_argument("--connections", default="1,16,64,256", help="comma-separated numbers")
    parser.add_argument("--requests", type=int, default=20_000, help="per figure, for our transport")
    parser.add_argument("--slow-requests", type=int, default=2_000, help="per figure, for httpx's own transport")
    parser.add_argument("--loop", choices=["uvloop", "asyncio"], default="uvloop")
    options = parser.parse_args()
    factory = asyncio.new_event_loop
    if options.loop == "uvloop":
        import uvloop

        factory = uvloop.new_event_loop
    numbers = [int(n) for n in options.connections.split(",")]
    sys.stdout.write(
        f"CPU us a request, {options.loop}\n{'connections':>28}" + "".join(f"{n:>9}" for n in numbers) + "\n"
    )
    for name, way in WAYS.items():
        sys.stdout.write(f"{name:>28}")
        for number in numbers:
            requests = options.slow_requests if way is client_alone else options.requests
            with asyncio.Runner(loop_factory=factory) as runner:
                seconds, size = runner.run(measure(way, options.url, number, requests))
            sys.stdout.write(f"{seconds * 1e6:>9.1f}")
            sys.stdout.flush()
        sys.stdout.write(f"   ({size} bytes a body)\n")


if __name__ == "__main__":
    main()
