"""What the SQLite frontier guarantees beyond the port: kills, errors, cancellation, bounds."""

from __future__ import annotations

import asyncio
import random
import shutil
import sqlite3
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from scraper.errors import FrontierError
from scraper.frontier.interface import NEVER, Drained, Granted, Wait
from scraper.frontier.sqlite import statements as store
from scraper.frontier.sqlite.frontier import SqliteFrontier
from scraper.frontier.sqlite.schema import FORMAT_VERSION
from scraper.frontier.sqlite.settings import SqliteSettings
from scraper.model import Done, Release, Retry, Skip, Verdict
from scraper.rundir.disk_errors import RESUME_HINT
from scraper.testing.frontier_contract import (
    NOW,
    drain_host,
    make_request,
    make_settlement,
    make_url,
    take_hrefs,
    take_leases,
)
from tests.frontier.test_contract import TINY


def many(count: int, host: str = "a.example") -> list[Any]:
    return [make_request(f"https://{host}/{n}") for n in range(count)]


def copy_as_after_a_kill(path: Path, folder: Path) -> Path:
    """The state after a kill: the database and its log as they are, nothing closed."""
    folder.mkdir()
    for suffix in ("", "-wal"):
        if (source := path.with_name(path.name + suffix)).exists():
            shutil.copy(source, folder)
    return folder / path.name


async def test_a_kill_loses_nothing_that_was_settled(tmp_path: Path) -> None:
    """What `add` and `settle` have returned for is there after a kill; leased requests wait again."""
    path = tmp_path / "db"
    async with await SqliteFrontier.open(path) as frontier:
        await frontier.add(many(5))
        (first,) = await take_leases(frontier)
        frontier.park("a.example", NOW)
        skip = Skip(make_url("https://x.example/"), None, "scope", "r")
        found = (make_request("https://b.example/"), make_request("https://a.example/1"))
        done = make_settlement(first, discovered=found, skipped=(skip,), items=1)
        await frontier.settle([done], {"pages": "7"}, {"a.example": {"gate": "g"}})
        (second,) = await take_leases(frontier, 1)
        frontier.park("a.example", NOW)
        await frontier.settle([make_settlement(second, Retry(NOW + 5, second.request), "")])
        await take_leases(frontier)
        before = await frontier.counts()
        copy = copy_as_after_a_kill(path, tmp_path / "killed")
    async with await SqliteFrontier.open(copy) as frontier:
        after = await frontier.counts()
        assert (before.waiting + before.leased, before.leased > 0) == (after.waiting, True)
        assert (after.delayed, after.known, after.outcomes, after.items) == (1, 6, {"ok": 1}, 1)
        assert (after.checkpoints, await frontier.host_state("a.example")) == ({"pages": "7"}, {"gate": "g"})
        assert [skip async for skip in frontier.skips()] == [skip]
        assert await frontier.add([*many(5), *found]) == 0
        assert sorted(await take_hrefs(frontier)) == ["https://a.example/2", "https://b.example/"]


@pytest.mark.parametrize("merge_keys", [1, 7, 1000])
async def test_keys_stay_known_whether_merged_or_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, merge_keys: int
) -> None:
    """A kill finds keys in `fresh` or in `seen`; the next process knows all of them, with small caches too."""
    monkeypatch.setattr(store, "MERGE_AFTER_KEYS", merge_keys)
    async with await SqliteFrontier.open(tmp_path / "db") as frontier:
        for at in range(0, 40, 5):
            await frontier.add(many(40)[at : at + 5])
        copy = copy_as_after_a_kill(tmp_path / "db", tmp_path / "killed")
    for settings in (SqliteSettings(), TINY):
        async with await SqliteFrontier.open(copy, settings) as frontier:
            assert await frontier.add(many(41 if settings is TINY else 40)) == (settings is TINY)
            assert await frontier.add(many(40)) == 0


async def test_keys_that_leave_the_caches_stay_known(tmp_path: Path) -> None:
    """One call may bring more new keys than the caches hold; the next call finds them on disk."""
    async with await SqliteFrontier.open(tmp_path / "db", TINY) as frontier:
        assert await frontier.add(many(41)) == 41
        assert await frontier.add(many(1)) == 0


async def test_a_cancelled_settle_is_committed_all_the_same(tmp_path: Path) -> None:
    """A caller that is gone changes nothing: the lease ends, and discovered requests are queued once."""
    async with await SqliteFrontier.open(tmp_path / "db") as frontier:
        await frontier.add(many(1))
        (lease,) = await take_leases(frontier)
        frontier.park("a.example", NOW)
        task = asyncio.create_task(frontier.settle([make_settlement(lease, discovered=tuple(many(3)))]))
        waiting = asyncio.create_task(frontier.counts())
        while not frontier._buffers._settling:
            await asyncio.wait([waiting], timeout=0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await waiting
        counts = await frontier.counts()
        assert (counts.outcomes, counts.waiting, counts.leased) == ({"ok": 1}, 2, 0)
        assert await take_hrefs(frontier) == ["https://a.example/1"]


async def test_a_cancelled_lease_takes_nothing_with_it(tmp_path: Path) -> None:
    """A lease that is cancelled while it waits for the disk leaves its hosts open."""
    async with await SqliteFrontier.open(tmp_path / "db") as frontier:
        await frontier.add(many(3))
    async with await SqliteFrontier.open(tmp_path / "db") as frontier:
        task = asyncio.create_task(frontier.lease(1, NOW))
        await asyncio.wait([task], timeout=0)
        assert not task.done()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await take_hrefs(frontier) == ["https://a.example/0"]


@pytest.mark.parametrize("settings", [SqliteSettings(), TINY], ids=["default", "tiny"])
async def test_many_tasks_request_every_url_once(tmp_path: Path, settings: SqliteSettings) -> None:
    """Whatever order tasks interleave in, each URL is done once and the frontier drains."""
    rng, done, at_work = random.Random(5), Counter[str](), set[str]()
    clock = [NOW]

    async def work(frontier: SqliteFrontier) -> None:
        while not isinstance(answer := await frontier.lease(rng.randint(1, 4), clock[0]), Drained):
            clock[0] += 1
            await frontier.host_state("h0.example")  # lets the others run
            settlements = []
            for lease in answer.leases if isinstance(answer, Granted) else ():
                href, host = lease.request.url.href, lease.request.url.host
                assert href not in at_work
                at_work.add(href)
                found = [make_request(f"https://h{rng.randrange(6)}.example/{rng.randrange(60)}", rng.randrange(-2, 2))]
                again = Retry(clock[0] + rng.randrange(4), lease.request)
                verdicts: list[Verdict] = [Done(), Done(), Release(), again]
                verdict = rng.choice(verdicts)
                settlements.append(
                    make_settlement(lease, verdict, "ok" if verdict == Done() else "", discovered=tuple(found))
                )
                frontier.park(host, clock[0] + rng.choice([0, 0, 2, 100]))
            for settlement in settlements:
                href = settlement.lease.request.url.href
                at_work.discard(href)
                done[href] += settlement.outcome_code == "ok"
            await frontier.settle(settlements)

    async with await SqliteFrontier.open(tmp_path / "db", settings) as frontier:
        await frontier.add(
            [make_request(f"https://h{host}.example/{n}", n % 3) for host in range(6) for n in range(20)]
        )
        async with asyncio.TaskGroup() as group:
            for _ in range(5):
                group.create_task(work(frontier))
        counts = await frontier.counts()
        assert (counts.waiting, counts.delayed, counts.leased) == (0, 0, 0)
        assert set(done.values()) == {1}
        assert counts.known == len(done) == counts.settled > 120


async def test_lease_and_park_do_no_io_while_buffers_are_filled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Leases cost no I/O: the next rows are read before the buffer is empty."""
    async with await SqliteFrontier.open(tmp_path / "db", SqliteSettings(max_host_rows=40)) as frontier:
        await frontier.add(many(300))
        waits = 0
        fill = frontier._buffers.refill

        async def counted(missing: Any) -> None:
            nonlocal waits
            waits += 1
            await fill(missing)

        monkeypatch.setattr(frontier._buffers, "refill", counted)
        for n in range(300):
            assert await take_hrefs(frontier, 1) == [f"https://a.example/{n}"]
            frontier.park("a.example", NOW)
            if n % 8 == 0:  # what a crawl does all the time, and when the loop learns of new rows
                await frontier.host_state("a.example")
        assert waits == 0


async def test_what_is_leased_is_not_read_again(tmp_path: Path) -> None:
    """Better requests push leased rows out of the buffer; a refill that reads them leaves them out."""
    async with await SqliteFrontier.open(tmp_path / "db", SqliteSettings(max_host_rows=1)) as frontier:
        await frontier.add([make_request(f"https://a.example/{n}", 1) for n in range(4)])
        kept = []
        for _ in range(2):
            kept += await take_leases(frontier)
            frontier.park("a.example", NOW)
        await frontier.add([make_request("https://a.example/better"), make_request("https://a.example/good")])
        order = await drain_host(frontier, "a.example")
        assert [href.rpartition("/")[2] for href in order] == ["better", "good", "2", "3"]
        assert await frontier.lease(1, NOW) == Wait(NEVER)
        await frontier.settle([make_settlement(lease) for lease in kept])
        assert await frontier.lease(1, NOW) == Drained()


async def test_a_refill_that_was_overtaken_is_discarded(tmp_path: Path) -> None:
    """Better requests that come while rows are being read move `buffered_until`; none is lost and order holds."""
    async with await SqliteFrontier.open(tmp_path / "db", SqliteSettings(max_host_rows=8)) as frontier:
        await frontier.add([make_request(f"https://a.example/{n}", 1) for n in range(20)])
        for _ in range(7):
            assert len(await take_leases(frontier)) == 1
            frontier.park("a.example", NOW)
        better = [make_request(f"https://a.example/better{n}") for n in range(12)]
        added, leased = await asyncio.gather(frontier.add(better), take_leases(frontier))
        assert (added, [lease.request.url.href for lease in leased]) == (12, ["https://a.example/7"])
        frontier.park("a.example", NOW)
        order = [href.rpartition("/")[2] for href in await drain_host(frontier, "a.example")]
        assert order == [f"better{n}" for n in range(12)] + [str(n) for n in range(8, 20)]


async def test_rows_in_memory_are_bounded(tmp_path: Path) -> None:
    """However many hosts and requests wait, no more than `max_buffered_rows` are in memory, and all are requested."""
    settings = SqliteSettings(max_host_rows=10, max_buffered_rows=50)
    async with await SqliteFrontier.open(tmp_path / "db", settings) as frontier:
        await frontier.add([make_request(f"https://h{n % 200}.example/{n}") for n in range(1000)])
        asked = 0
        for n in range(100):
            assert frontier._buffers._buffered_rows <= settings.max_buffered_rows
            assert sum(len(line.rows) for line in frontier._schedule.queues()) == frontier._buffers._buffered_rows
            found = await take_leases(frontier, 10, NOW + n)
            asked += len(found)
            for lease in found:
                frontier.park(lease.request.url.host, NOW + n)
            await frontier.settle([make_settlement(lease) for lease in found])
        assert asked == 1000


async def test_hosts_that_are_done_are_forgotten(tmp_path: Path) -> None:
    """A host with nothing waiting, leased or parked leaves memory; when it comes back, so does its state."""
    async with await SqliteFrontier.open(tmp_path / "db") as frontier:
        await frontier.add([make_request(f"https://h{n}.example/") for n in range(50)])
        found = await take_leases(frontier, 50)
        for lease in found:
            frontier.park(lease.request.url.host, NOW + 1)
        await frontier.settle([make_settlement(lease) for lease in found], host_state={"h3.example": {"gate": "3"}})
        assert len(frontier._schedule) == 50
        await frontier.lease(1, NOW + 1)
        assert len(frontier._schedule) == 0
        await frontier.add([make_request("https://h3.example/again")])
        (lease,) = await take_leases(frontier, now=NOW + 1)
        assert lease.host_state == {"gate": "3"}


async def test_a_host_parked_for_long_holds_no_rows(tmp_path: Path) -> None:
    """Rows of a host that will not be requested soon leave memory, and are read again in order."""
    async with await SqliteFrontier.open(tmp_path / "db") as frontier:
        await frontier.add(many(20))
        await take_hrefs(frontier)
        frontier.park("a.example", NOW + 3600)
        assert frontier._buffers._buffered_rows == 0
        await frontier.add([make_request("https://a.example/better", -1), make_request("https://a.example/worse", 1)])
        assert await take_hrefs(frontier, now=NOW + 3600) == ["https://a.example/better"]
        frontier.park("a.example", NOW + 3600)
        assert await take_hrefs(frontier, now=NOW + 3600) == ["https://a.example/1"]


async def test_a_host_at_its_limit_in_flight_keeps_its_rows(tmp_path: Path) -> None:
    """Parked until NEVER while it has leases, it needs its rows as soon as one ends; without leases it does not."""
    async with await SqliteFrontier.open(tmp_path / "db") as frontier:
        await frontier.add(many(20))
        found = await take_leases(frontier)
        held = frontier._buffers._buffered_rows
        assert held > 10
        frontier.park("a.example", NEVER)
        assert frontier._buffers._buffered_rows == held
        await frontier.settle([make_settlement(lease) for lease in found])
        assert frontier._buffers._buffered_rows == 0
        frontier.park("a.example", NOW)
        assert await take_hrefs(frontier) == ["https://a.example/1"]


async def test_a_retry_that_does_not_fit_the_buffer_is_written_once(tmp_path: Path) -> None:
    """A retry of an unwritten request whose place is after the buffer comes back in its order."""
    settings = SqliteSettings(write_only_on_evict=True, max_host_rows=3, max_buffered_rows=3)
    async with await SqliteFrontier.open(tmp_path / "db", settings) as frontier:
        await frontier.add(many(6))
        (lease,) = await take_leases(frontier)
        frontier.park("a.example", NOW)
        behind = make_request("https://a.example/0", 1)
        await frontier.settle([make_settlement(lease, Retry(NOW, behind), "")])
        order = [href[-1] for href in await drain_host(frontier, "a.example")]
        assert order == ["1", "2", "3", "4", "5", "0"]


async def test_large_host_states_are_not_prefetched_without_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A prefetch stops when it has read much state; the hosts it left out are leased all the same."""
    monkeypatch.setattr(store, "MAX_PREFETCH_STATE_CHARS", 1000)
    hosts = [f"h{n}.example" for n in range(20)]
    async with await SqliteFrontier.open(tmp_path / "db") as frontier:
        await frontier.add([make_request(f"https://{host}/") for host in hosts])
        await frontier.settle([], host_state={host: {"robots": "x" * 900} for host in hosts})
    async with await SqliteFrontier.open(tmp_path / "db") as frontier:
        seen = await take_leases(frontier, 1)
        held = [line for line in frontier._schedule.queues() if line.host_state]
        assert len(held) < 4
        seen += await take_leases(frontier, 19)
        assert {lease.request.url.host: len((lease.host_state or {})["robots"]) for lease in seen} == dict.fromkeys(
            hosts, 900
        )


async def test_a_full_disk_ends_it_and_loses_nothing_older(tmp_path: Path) -> None:
    """The failed write raises, and so does every later call, with the same message; earlier commits stay."""
    path = tmp_path / "db"
    async with await SqliteFrontier.open(path) as frontier:
        await frontier.add(many(10))
        await frontier._db_thread.submit(lambda store: store._db.execute("PRAGMA max_page_count = 20"), bool)
        calls: list[Callable[[], Awaitable[object]]] = [
            lambda: frontier.add(many(20_000, "b.example")),
            lambda: frontier.add([]),
            lambda: frontier.lease(1, NOW),
            lambda: frontier.settle([]),
            lambda: frontier.renew([], NOW),
            lambda: frontier.counts(),
            lambda: frontier.host_state("a.example"),
        ]
        for call in calls:
            with pytest.raises(FrontierError) as caught:
                await call()
            assert str(caught.value) == f"{path} cannot be used: the disk is full; free some space and {RESUME_HINT}"
    async with await SqliteFrontier.open(path) as frontier:
        assert (await frontier.counts()).known == 10


async def test_a_failed_prefetch_shows_in_the_next_call(tmp_path: Path) -> None:
    """Nobody awaits a prefetch, so its failure is raised by the next call."""
    async with await SqliteFrontier.open(tmp_path / "db") as frontier:
        await frontier.add(many(300))
        await frontier._db_thread.submit(lambda store: store._db.execute("DROP TABLE queue"), bool)
        for _ in range(193):
            assert isinstance(await frontier.lease(1, NOW), Granted)
            frontier.park("a.example", NOW)
        with pytest.raises(FrontierError, match="no such table"):
            await frontier.host_state("a.example")


async def test_a_closed_frontier_says_so(tmp_path: Path) -> None:
    """After `aclose` every call raises `FrontierError`; `park` does nothing."""
    frontier = await SqliteFrontier.open(tmp_path / "db")
    await frontier.aclose()
    frontier.park("a.example", NOW)
    with pytest.raises(FrontierError, match="closed"):
        await frontier.add(many(1))
    with pytest.raises(FrontierError, match="closed"):
        await frontier.lease(1, NOW)
    with pytest.raises(FrontierError, match="closed"):
        [skip async for skip in frontier.skips()]


def write_bytes(path: Path) -> None:
    path.write_bytes(b"not a database at all" * 100)


def write_foreign(path: Path) -> None:
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE mine(x)")
    db.close()


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4096:] = b"\x00\xff" * ((len(content) - 4096) // 2)
    path.write_bytes(content)


def raise_version(path: Path) -> None:
    db = sqlite3.connect(path)
    db.execute(f"PRAGMA user_version = {FORMAT_VERSION + 1}")
    db.close()


@pytest.mark.parametrize(
    ("made_first", "spoil", "sentence"),
    [
        (False, write_bytes, "is not a database"),
        (False, write_foreign, "is not the state of a crawl"),
        (False, Path.mkdir, "unable to open"),
        (True, damage, "is damaged"),
        (True, raise_version, f"has format {FORMAT_VERSION + 1}"),
    ],
    ids=["other bytes", "another database", "a folder", "damaged", "newer"],
)
async def test_a_file_that_cannot_be_used_is_refused(
    tmp_path: Path, made_first: bool, spoil: Callable[[Path], None], sentence: str
) -> None:
    """Opening names the file and what is wrong, and leaves it as it is."""
    path = tmp_path / "db"
    if made_first:
        async with await SqliteFrontier.open(path) as frontier:
            await frontier.add(many(200))
    spoil(path)
    before = path.read_bytes() if path.is_file() else b""
    with pytest.raises(FrontierError, match=sentence) as caught:
        await SqliteFrontier.open(path)
    assert str(path) in str(caught.value)
    assert (path.read_bytes() if path.is_file() else b"") == before


async def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    """A file where the folder should be is named."""
    (tmp_path / "file").write_text("")
    with pytest.raises(FrontierError, match="cannot create"):
        await SqliteFrontier.open(tmp_path / "file" / "db")


async def test_settle_is_one_job_for_a_whole_batch(tmp_path: Path) -> None:
    """A batch of settlements is one job of the thread; releases alone are none."""
    async with await SqliteFrontier.open(tmp_path / "db") as frontier:
        await frontier.add([make_request(f"https://h{n}.example/") for n in range(8)])
        found = await take_leases(frontier, 8)
        jobs = []
        submit = frontier._db_thread.submit
        frontier._db_thread.submit = lambda work, apply: jobs.append(work) or submit(work, apply)  # type: ignore
        await frontier.settle([make_settlement(lease, Release(), "") for lease in found[:4]])
        assert jobs == []
        await frontier.settle(
            [make_settlement(lease, discovered=tuple(many(9))) for lease in found[4:]], {"pages": "1"}
        )
        assert len(jobs) == 1
