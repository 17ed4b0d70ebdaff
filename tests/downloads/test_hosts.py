"""How hosts stand: remembered over a restart, and never a hindrance to others."""

from __future__ import annotations

import asyncio
from pathlib import Path

from scraper.frontier.carryover import read_carry_over
from scraper.testing.local_server import LocalServer, ReceivedRequest, Reply, Route
from tests.downloads.servers import KIB, ResumableServer, content, read_files, run_download, run_until

LATER = Reply(429, headers={"Retry-After": "3600"})


async def test_a_wait_that_was_asked_for_outlives_the_session(tmp_path: Path) -> None:
    """A restarted download asks a host nothing before its Retry-After is over."""
    first, second = asyncio.Event(), asyncio.Event()

    async def quick(_: ReceivedRequest) -> Route:
        (second if first.is_set() else first).set()
        return Reply(404)

    async with LocalServer({"*": LATER}) as busy, LocalServer({"*": quick}) as site:
        urls = [busy.url("/a"), busy.url("/b"), site.url("/f")]
        for done in (first, second):
            await run_until(urls, tmp_path, done, per_host=1, concurrency=1)
        assert len(busy.requests) == 1


async def test_a_breaker_that_is_open_outlives_the_session(tmp_path: Path) -> None:
    """A restarted download sends a host that failed no more than the breaker lets it, and mirrors are turned to."""
    async with LocalServer({"*": Reply(500)}) as broken, LocalServer({"*": Reply(200, b"x")}) as site:
        down = asyncio.Event()
        failures = 0

        async def fails(_: ReceivedRequest) -> Route:
            nonlocal failures
            failures += 1
            if failures == 6:
                down.set()
            return Reply(500)

        broken.routes = {"*": fails}
        urls = [broken.url(f"/{n}") for n in range(20)]
        await run_until(urls, tmp_path, down, per_host=1)
        asked = len(broken.requests)
        listed = tmp_path / "list.txt"
        listed.write_text("".join(f"{url}\t{site.url(f'/{n}')}\n" for n, url in enumerate(urls)))
        async with asyncio.timeout(9):  # the breaker's rest is 10 s
            summary = await run_download(listed, tmp_path, per_host=1)
        assert (summary.ok, len(broken.requests)) == (20, asked)
        assert len([name for name in read_files(tmp_path) if name.isdigit()]) == 20


def test_a_damaged_queue_has_left_nothing(tmp_path: Path) -> None:
    """What cannot be read is no reason not to begin."""
    for found in (None, b"", b"SQLite format 3\0" + b"\xff" * 4000):
        path = tmp_path / "queue.sqlite"
        if found is not None:
            path.write_bytes(found)
        assert read_carry_over(path, "gate", lambda *_: True) == ({}, {})


async def test_a_host_that_cuts_the_first_answer_of_each_file_gives_all_of_them(tmp_path: Path) -> None:
    """Each attempt brought much: that is no failure of the host, and what can be resumed is asked for at once."""
    body = content("cut", 300 * KIB)
    async with LocalServer({f"/{n}": ResumableServer(body, die_at=[160 * KIB]) for n in range(30)}) as site:
        async with asyncio.timeout(9):  # the first rest of an open breaker is 10 s
            summary = await run_download([site.url(f"/{n}") for n in range(30)], tmp_path, per_host=4)
        assert (summary.ok, len(site.requests)) == (30, 60)
        assert sum(request.headers.get("range") is not None for request in site.requests) == 30
