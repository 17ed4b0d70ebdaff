"""DNS lookups, and the race between addresses."""

from __future__ import annotations

import asyncio
import socket
import threading

import pytest

from scraper.transport.errors import ResolveError
from scraper.transport.resolver import (
    MAX_ADDRESSES,
    Address,
    Lookup,
    SystemResolver,
    interleave,
    parse_ip_literal,
    race,
)

V4 = [Address(f"192.0.2.{i}") for i in range(1, 4)]
V6 = [Address(f"2001:db8::{i}", socket.AF_INET6) for i in range(1, 4)]


def resolver(lookup: Lookup, *, ttl: float = 60, names: int = 10) -> SystemResolver:
    return SystemResolver(ttl=ttl, failure_ttl=60, cache_size=names, threads=2, lookup=lookup)


class RecordingLookup:
    """A lookup that counts its calls by host and gives each host one address or raises."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.hosts: list[str] = []
        self.failure = failure

    def __call__(self, host: str) -> list[Address]:
        self.hosts.append(host)
        if self.failure is not None:
            raise self.failure
        return V4[:1]


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("192.0.2.1", V4[0]),
        ("2001:db8::1", V6[0]),
        ("2001:DB8:0::1", V6[0]),
        ("127.1", None),
        ("0x7f000001", None),
        ("a.example", None),
        ("", None),
    ],
)
async def test_an_address_is_not_looked_up(host: str, expected: Address | None) -> None:
    """A literal needs no lookup; every other spelling goes to the resolver, and its result to the guard."""
    assert parse_ip_literal(host) == expected
    if expected is not None:
        lookup = RecordingLookup()
        subject = resolver(lookup)
        assert await subject.resolve(host) == [expected]
        assert lookup.hosts == []
        subject.close()


async def test_a_result_is_cached_until_forgotten() -> None:
    """One lookup serves until `forget` or the end of its TTL."""
    lookup = RecordingLookup()
    subject = resolver(lookup)
    assert await subject.resolve("a") == await subject.resolve("a") == V4[:1]
    assert lookup.hosts == ["a"]
    subject.forget("a")
    await subject.resolve("a")
    assert lookup.hosts == ["a", "a"]
    subject.close()


async def test_a_result_expires() -> None:
    """With a TTL of zero every call looks up."""
    lookup = RecordingLookup()
    subject = resolver(lookup, ttl=0)
    await subject.resolve("a")
    await subject.resolve("a")
    assert lookup.hosts == ["a", "a"]
    subject.close()


async def test_the_least_recently_used_name_is_evicted_first() -> None:
    """The cache holds `cache_size` names."""
    lookup = RecordingLookup()
    subject = resolver(lookup, names=2)
    for host in ("a", "b", "a", "c", "a", "b"):
        await subject.resolve(host)
    assert lookup.hosts == ["a", "b", "c", "b"]
    subject.close()


async def test_simultaneous_calls_share_one_lookup() -> None:
    """A caller that is cancelled does not cancel the others."""
    may_answer = threading.Event()
    asked = RecordingLookup()

    def slow(host: str) -> list[Address]:
        may_answer.wait(5)
        return asked(host)

    subject = resolver(slow)
    tasks = [asyncio.create_task(subject.resolve("a")) for _ in range(5)]
    await asyncio.wait(tasks, timeout=0.005)
    tasks[0].cancel()
    may_answer.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)
    assert results[1:] == [V4[:1]] * 4
    assert asked.hosts == ["a"]
    subject.close()


@pytest.mark.parametrize(
    ("failure", "permanent"),
    [
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), True),
        (socket.gaierror(socket.EAI_AGAIN, "Temporary failure"), False),
        (socket.gaierror(socket.EAI_FAIL, "Non-recoverable failure"), False),
        (UnicodeError("label too long"), True),
        (ValueError("embedded null"), True),
        (OSError("out of files"), False),
    ],
    ids=repr,
)
async def test_a_failure_says_whether_it_is_permanent(failure: Exception, permanent: bool) -> None:
    """Permanent failures are cached, others are looked up again at once."""
    lookup = RecordingLookup(failure)
    subject = resolver(lookup)
    for _ in range(2):
        with pytest.raises(ResolveError, match=r"a\.example") as caught:
            await subject.resolve("a.example")
        assert caught.value.permanent is permanent
    assert len(lookup.hosts) == (1 if permanent else 2)
    subject.close()


async def test_a_name_without_an_address_has_failed() -> None:
    """An empty result is a permanent failure."""
    subject = resolver(lambda host: [])
    with pytest.raises(ResolveError) as caught:
        await subject.resolve("a")
    assert caught.value.permanent
    subject.close()


async def test_closing_ends_lookups_with_a_failure_and_not_with_a_cancellation() -> None:
    """Waiting and later calls get a `ResolveError`."""
    may_answer = threading.Event()
    subject = resolver(lambda host: V4[:1] if may_answer.wait(5) else [])
    tasks = [asyncio.create_task(subject.resolve(host)) for host in ("a", "b", "c")]
    await asyncio.wait(tasks, timeout=0.005)
    subject.close()
    with pytest.raises(ResolveError, match="closed"):
        await tasks[2]
    with pytest.raises(ResolveError, match="closed"):
        await subject.resolve("d")
    may_answer.set()
    assert await asyncio.gather(*tasks[:2]) == [V4[:1]] * 2


def test_families_alternate_beginning_with_the_first() -> None:
    """RFC 8305 section 4; at most `MAX_ADDRESSES`."""
    assert interleave([*V6, *V4[:2]]) == [V6[0], V4[0], V6[1], V4[1], V6[2]]
    assert interleave([*V4[:1], *V6[:2]]) == [V4[0], V6[0], V6[1]]
    assert interleave([]) == []
    assert len(interleave(V4 * 10)) == MAX_ADDRESSES


class Attempts:
    """Connection attempts with a planned delay in seconds (None: never) and outcome."""

    def __init__(self, plan: dict[str, tuple[float | None, bool]]) -> None:
        self.plan = plan
        self.begun: list[str] = []
        self.cancelled: list[str] = []
        self.discarded: list[str] = []

    async def __call__(self, address: Address) -> str:
        self.begun.append(address.ip)
        delay, succeeds = self.plan[address.ip]
        done = asyncio.Event()
        if delay is not None:
            asyncio.get_running_loop().call_later(delay, done.set)
        try:
            await done.wait()
        except asyncio.CancelledError:
            self.cancelled.append(address.ip)
            raise
        if not succeeds:
            raise ConnectionRefusedError(address.ip)
        return address.ip


async def run_race(attempts: Attempts, addresses: list[Address], delay: float = 0.01) -> str:
    return await race(addresses, attempts, delay=delay, discard=attempts.discarded.append)


async def test_the_first_address_wins_when_it_answers_in_time() -> None:
    """The second is not even tried."""
    attempts = Attempts({V6[0].ip: (0, True), V4[0].ip: (0, True)})
    assert await run_race(attempts, [V6[0], V4[0]], delay=5) == V6[0].ip
    assert attempts.begun == [V6[0].ip]


async def test_a_slow_address_does_not_delay_the_next() -> None:
    """After the delay the next is tried beside it, and the loser is cancelled."""
    attempts = Attempts({V6[0].ip: (None, True), V4[0].ip: (0, True)})
    assert await run_race(attempts, [V6[0], V4[0]]) == V4[0].ip
    assert attempts.cancelled == [V6[0].ip]


async def test_a_refusal_starts_the_next_attempt_at_once() -> None:
    """The delay is skipped after a failure."""
    attempts = Attempts({V6[0].ip: (0, False), V4[0].ip: (0, True)})
    async with asyncio.timeout(2):
        assert await run_race(attempts, [V6[0], V4[0]], delay=60) == V4[0].ip


async def test_when_all_fail_the_first_error_is_raised() -> None:
    """The error of the preferred address says most."""
    attempts = Attempts({a.ip: (0, False) for a in V4})
    with pytest.raises(ConnectionRefusedError, match=V4[0].ip):
        await run_race(attempts, V4)
    assert len(attempts.begun) == 3


async def test_a_cancelled_race_leaves_nothing_running() -> None:
    """Cancelling cancels every attempt and waits for it."""
    attempts = Attempts({a.ip: (None, True) for a in V4})
    task = asyncio.create_task(run_race(attempts, V4, delay=0.001))
    await asyncio.wait([task], timeout=0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert sorted(attempts.cancelled) == sorted(attempts.begun) != []


async def test_two_winners_leave_one() -> None:
    """An attempt that succeeds in the same instant is discarded."""
    attempts = Attempts({a.ip: (0.02, True) for a in V4[:2]})
    winner = await run_race(attempts, V4[:2], delay=0)
    assert [winner, *attempts.discarded, *attempts.cancelled] in (
        [V4[0].ip, V4[1].ip],
        [V4[1].ip, V4[0].ip],
    )
