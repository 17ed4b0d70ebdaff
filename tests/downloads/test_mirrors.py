"""Mirrors: the first failure turns to the next, nothing waits for a host in trouble, nothing is given up too early."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.downloader import Downloader
from scraper.downloads.mirrors import EntryMirrors, entry_request
from scraper.engine.mirror_routing import HostAvailability
from scraper.model import Body, Done, EntryState, ErrorKind, Failure, Headers, OutOfScope, Response, Retry, entry_of
from scraper.testing.local_server import LocalServer, ReceivedRequest, Reply, Route
from scraper.transfer.attempt import MIN_PROGRESS_BYTES
from scraper.urls.canonicalize import canonicalize
from tests.downloads.servers import FAST_OPTIONS, read_files, read_manifest, run_download

NOW = 1_000_000.0
A, B, C = "http://a.example/f", "http://b.example/f", "http://c.example/f"
ENTRY = EntryState(1, 1, A, "f", mirrors=(B, C))
BLOCKED, GIVEN_UP = HostAvailability.BLOCKED, HostAvailability.GIVEN_UP


def available(**hosts: HostAvailability) -> Callable[[str], HostAvailability]:
    return lambda host: hosts.get(host[0], HostAvailability.OPEN)


def failed(entry: EntryState, attempt: int = 0, **more: Any) -> Failure:
    request = entry_request(entry, entry.urls[entry.mirror_index])
    return Failure(replace(request, attempt=attempt), ErrorKind.CONNECT, "refused", **more)


@pytest.mark.parametrize(
    ("mirror_index", "attempt", "failed_mirrors", "retryable", "availability", "expected"),
    [
        (0, 0, (), True, available(), (1, 0, 0.0)),
        (0, 0, (), True, available(b=BLOCKED), (2, 0, 0.0)),
        (0, 0, (), False, available(), (1, 0, 0.0)),
        (2, 0, (), True, available(), (0, 1, 1.0)),
        (2, 1, (), True, available(), (0, 2, 2.0)),
        (2, 0, (), True, available(a=BLOCKED, c=BLOCKED), (1, 1, 1.0)),
        (2, 0, (), True, available(a=GIVEN_UP, b=BLOCKED, c=GIVEN_UP), (1, 1, 1.0)),
        (1, 0, (2,), True, available(), (0, 1, 1.0)),
        (2, 0, (0, 1), True, available(), (2, 1, 7.0)),
        (2, 0, (0, 1), False, available(), None),
        (2, 0, (0,), False, available(), (1, 1, 1.0)),
        (2, 3, (), True, available(), None),
    ],
    ids=[
        "the next at once",
        "not one that is held",
        "for good: the next at once",
        "a new round after a pause",
        "a longer one",
        "a new round at the one that is open",
        "a new round at one that is not given up",
        "not one that failed for good",
        "alone as without mirrors",
        "all failed for good",
        "the last failed for good",
        "no round is left",
    ],
)
def test_where_a_failure_leads(
    mirror_index: int,
    attempt: int,
    failed_mirrors: tuple[int, ...],
    retryable: bool,
    availability: Any,
    expected: tuple[int, int, float] | None,
) -> None:
    """Place, rounds counted, seconds of pause."""
    outcome = failed(ENTRY._replace(mirror_index=mirror_index, failed_mirrors=failed_mirrors), attempt)
    retry = Retry(NOW + 7.0, replace(outcome.request, attempt=attempt + 1))
    verdict = retry if retryable and attempt < 3 else Done()
    found = EntryMirrors(3, 1.0).next_attempt(outcome, verdict, NOW, retryable, availability)
    if expected is None:
        assert found == Done()
    else:
        assert isinstance(found, Retry)
        entry = entry_of(found.request)
        assert (entry.mirror_index, found.request.attempt, found.at - NOW) == expected
        assert found.request.url.href == (A, B, C)[entry.mirror_index]


def test_a_transfer_that_got_on_stays() -> None:
    """What was cut off after a megabyte goes on at the same place, unless that is in trouble."""
    outcome = failed(ENTRY, received=MIN_PROGRESS_BYTES)
    verdict = Retry(NOW + 1, outcome.request)
    assert EntryMirrors(3, 1.0).next_attempt(outcome, verdict, NOW, True, available()) is verdict
    moved = EntryMirrors(3, 1.0).next_attempt(outcome, verdict, NOW, True, available(a=BLOCKED))
    assert isinstance(moved, Retry)
    assert moved.request.url.host == "b.example"


@pytest.mark.parametrize(
    ("availability", "host"),
    [
        (available(a=BLOCKED), "b.example"),
        (available(a=BLOCKED, b=BLOCKED), "c.example"),
        (available(a=BLOCKED, b=BLOCKED, c=BLOCKED), None),
        (available(a=GIVEN_UP, b=GIVEN_UP, c=BLOCKED), "c.example"),
        (available(a=GIVEN_UP, b=GIVEN_UP, c=GIVEN_UP), None),
    ],
)
def test_what_is_asked_instead_of_waiting(availability: Any, host: str | None) -> None:
    """An open place; from one that was given up also one that will be open."""
    found = EntryMirrors(3, 1.0).alternative_for(entry_request(ENTRY, A), availability)
    assert (found.url.host if found else None) == host


def test_hosts_with_mirrors_are_known() -> None:
    """Only hosts of entries with mirrors are looked at."""
    mirrors = EntryMirrors(3, 1.0)
    mirrors.add_hosts(ENTRY)
    assert [mirrors.has_mirror(host) for host in ("a.example", "b.example", "d.example")] == [True, True, False]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def test_a_dead_host_costs_its_entries_no_pause(tmp_path: Path) -> None:
    """Hundreds of entries whose first host refuses connections come from their mirror, none after a breaker's rest."""
    dead = f"http://127.0.0.2:{free_port()}"
    listed = tmp_path / "list.txt"
    async with LocalServer({"*": Reply(200, b"x")}) as site:
        listed.write_text("".join(f"{dead}/{n}\t{site.url(f'/{n}')}\n" for n in range(300)))
        async with asyncio.timeout(9):  # the breaker's first rest alone is 10 s
            summary = await run_download(listed, tmp_path / "out", backoff=1.0)
        assert (summary.ok, summary.failed) == (300, 0)
        assert max(Counter(asked.target for asked in site.requests).values()) == 1
    assert len(read_files(tmp_path / "out")) == 300


async def test_entries_without_a_mirror_wait_among_those_that_have_one(tmp_path: Path) -> None:
    """They hold up nothing, and when their host is given up they have failed, one record each."""
    dead = f"http://127.0.0.2:{free_port()}"
    listed = tmp_path / "list.txt"
    arrived = asyncio.Event()
    count = 0

    async def counted(asked: ReceivedRequest) -> Route:
        nonlocal count
        count += 1
        if count == 50:
            arrived.set()
        return Reply(200, b"x")

    async with LocalServer({"*": counted}) as site:
        lines = [f"{dead}/{n}\t{site.url(f'/{n}')}" if n % 2 else f"{dead}/{n}" for n in range(100)]
        listed.write_text("\n".join(lines))
        async with Downloader(listed, tmp_path / "out", FAST_OPTIONS) as downloader, asyncio.TaskGroup() as group:
            running = group.create_task(downloader.run())
            async with asyncio.timeout(9):
                await arrived.wait()
            downloader.stop()
            await running
    assert len(read_files(tmp_path / "out")) == 50


async def test_a_host_that_asks_to_wait_is_not_waited_for(tmp_path: Path) -> None:
    """Retry-After holds for its host; the entry and all behind it come from the mirror."""
    listed = tmp_path / "list.txt"
    async with (
        LocalServer({"*": Reply(429, headers={"Retry-After": "600"})}) as busy,
        LocalServer({"*": Reply(200, b"x")}) as site,
    ):
        listed.write_text("".join(f"{busy.url(f'/{n}')}\t{site.url(f'/{n}')}\n" for n in range(40)))
        async with asyncio.timeout(9):
            summary = await run_download(listed, tmp_path / "out", per_host=1)
        assert (summary.ok, summary.failed) == (40, 0)
        assert len(busy.requests) == 1
    assert {record["attempts"] for record in read_manifest(tmp_path / "out")} <= {1, 2}


async def test_a_mirror_that_fails_turns_back(tmp_path: Path) -> None:
    """A passing failure here and another there: the next round brings the file."""
    answers = {"/a": [Reply(500), Reply(200, b"right")], "/b": [Reply(502)]}

    async def moody(asked: ReceivedRequest) -> Route:
        return answers[asked.target].pop(0)

    listed = tmp_path / "list.txt"
    async with LocalServer({"*": moody}) as site:
        listed.write_text(f"{site.url('/a')}\t{site.url('/b')}\n")
        summary = await run_download(listed, tmp_path / "out")
    assert summary.ok == 1
    assert read_manifest(tmp_path / "out")[0]["attempts"] == 3


def test_a_page_counts_as_a_failure() -> None:
    """Also an answer that says no turns to the next place."""
    outcome = Response(entry_request(ENTRY, A), 503, Headers(), Body(0, 0, "", b""), NOW, 0.0, 0.0)
    found = EntryMirrors(3, 1.0).next_attempt(outcome, Retry(NOW + 60, outcome.request), NOW, True, available())
    assert isinstance(found, Retry)
    assert (found.at, found.request.url.host) == (NOW, "b.example")


@given(st.from_regex(r"https?://[a-z0-9.:\[\]@%-]{1,12}(/[!-~]{0,12})?", fullmatch=True))
def test_a_request_has_the_parts_of_its_url(text: str) -> None:
    """Host and origin are those that parsing finds."""
    url = canonicalize(text)
    if not isinstance(url, OutOfScope):
        asked = entry_request(EntryState(1, 1, url.href, "a"), url.href).url
        assert asked == url._replace(key="entry 1")
