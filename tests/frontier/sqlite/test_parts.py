"""The parts of the frontiers: caches, windows, the schedule's heaps, the codec, the thread."""

from __future__ import annotations

import random
import sqlite3
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.errors import FrontierError
from scraper.frontier.host_schedule import MAX_STALE_ENTRIES, HostSchedule
from scraper.frontier.interface import NEVER
from scraper.frontier.memory import MemoryHostQueue
from scraper.frontier.sqlite.db_thread import DatabaseThread, identity
from scraper.frontier.sqlite.host_buffer import ALL_BUFFERED, HostBuffer
from scraper.frontier.sqlite.row_codec import decode_request, encode_request
from scraper.model import Attempt, Content, Hop, Request, Url
from scraper.structures.seen_cache import RecentSet
from scraper.testing.frontier_contract import make_request

text = st.text(st.characters(codec="utf-8"), max_size=20)
hops = st.lists(st.builds(Hop, text, st.integers(100, 599)), max_size=3).map(tuple)

instants = st.floats(0, 1e10)
tries = st.builds(
    Attempt,
    number=st.integers(1, 99),
    started_at=instants,
    status=st.none() | st.integers(100, 599),
    error=st.none() | text,
    detail=text,
    elapsed=instants,
    wait=instants,
    redirects=st.integers(0, 9),
)


@given(
    st.builds(
        Request,
        st.builds(Url, text, text, text, text),
        depth=st.integers(0, 99),
        parent=st.none() | text,
        kind=st.sampled_from(["page", "file", "sitemap", "robots"]),
        priority=st.integers(-9, 9),
        attempt=st.integers(0, 3),
        slowdowns=st.integers(0, 3),
        redirects=hops,
        label=st.none() | text,
        sitemap_depth=st.integers(0, 3),
        content=st.none() | st.builds(Content, st.binary(max_size=20), text),
        posted_keys=st.lists(text, max_size=2).map(tuple),
        failed_attempts=st.lists(tries, max_size=2).map(tuple),
        inherited_fields=st.none() | st.dictionaries(text, st.none() | text | st.integers(-9, 9) | st.lists(text), max_size=3),
    )
)
def test_a_request_survives_its_row(request_: Request) -> None:
    """Decoding the columns of any request gives it back, in types that SQLite stores."""
    columns = encode_request(request_)
    assert decode_request(request_.url.host, request_.priority, columns) == request_
    assert all(value is None or isinstance(value, int | str) for value in columns)


def test_rows_of_earlier_versions_are_read() -> None:
    """What they did not know of has its default."""
    old = '{"attempt": 1, "slowdowns": 2, "hops": [["http://a.example/1", 301]], "label": "l", "carried": {"a": "1"}}'
    assert decode_request(
        "a.example", 3, (1, "file", "http://a.example/2", None, "http://a.example/", old)
    ) == make_request(
        "http://a.example/2",
        3,
        depth=1,
        kind="file",
        parent="http://a.example/",
        attempt=1,
        slowdowns=2,
        redirects=(Hop("http://a.example/1", 301),),
        label="l",
        inherited_fields={"a": "1"},
    )


def test_an_ordinary_request_is_stored_without_extras() -> None:
    """What is at its default or can be derived takes no room."""
    columns = encode_request(make_request("https://a.example:8080/x?y", depth=2, parent="https://a.example:8080/"))
    assert columns == (2, None, "https://a.example:8080/x?y", None, "https://a.example:8080/", None)


@given(st.integers(1, 5), st.lists(st.integers(0, 12), max_size=60))
def test_recent_keys_never_err(limit: int, keys: list[int]) -> None:
    """A key that is called known was admitted before; while complete, every one that was admitted is known."""
    recent, admitted = RecentSet(limit), set[int]()
    for key in keys:
        known = not recent.add_if_new(key)
        if known:
            assert key in admitted
        elif recent.is_complete:
            assert key not in admitted
        admitted.add(key)
        assert key in recent
    assert len(recent._young) <= limit
    assert len(recent._old) <= limit


def test_recent_keys_start_with_what_is_known() -> None:
    """Given all keys it is complete; given none because they are too many, it never is."""
    assert not RecentSet(3, {1, 2}).add_if_new(2)
    assert RecentSet(3, {1, 2}).is_complete
    assert not RecentSet(3, None).is_complete


@given(st.integers(0, 4), st.lists(st.integers(-2, 2), max_size=30), st.randoms(use_true_random=False))
def test_a_window_keeps_its_promise(limit: int, priorities: list[int], rng: random.Random) -> None:
    """All rows up to the edge are in the window in order, none beyond it; it never outgrows its limit."""
    window, disk, ids = HostBuffer("a.example", 0.0), [], count(1)
    request = make_request("https://a.example/")
    for priority in priorities:
        row = (priority, next(ids), request)
        disk.append(row)
        window.insert(row, limit)
        action = rng.randrange(5)
        if action == 0 and window.rows:
            disk.remove(window.rows.pop(0))
        elif action == 1:
            window.evict_all()
        elif action == 2 and window.buffered_until is not ALL_BUFFERED:
            behind = sorted(row for row in disk if row[:2] > window.buffered_until)
            room = max(1, limit) - len(window.rows)
            if room > 0:
                window.extend(behind[: room + 1], room)
        assert window.rows == sorted(row for row in disk if row[:2] <= window.buffered_until)
        assert len(window.rows) <= max(1, limit)
        if window.buffered_until is not ALL_BUFFERED:
            assert any(row[:2] > window.buffered_until for row in disk)


def enqueue_one(schedule: HostSchedule[MemoryHostQueue], host: str, priority: int = 0) -> MemoryHostQueue:
    line = schedule.get_or_create(host)
    line.rows.append((priority, len(line.rows), make_request(f"https://{host}/")))
    schedule.on_enqueue(line, priority)
    return line


def test_heaps_do_not_grow_with_what_happens() -> None:
    """Hosts parked over and over leave no more stale entries than the bound allows."""
    schedule = HostSchedule(MemoryHostQueue)
    for n in range(10):
        enqueue_one(schedule, f"h{n}.example", n - 5)
    assert schedule.first(0) is not None
    for n in range(5_000):
        schedule.park(f"h{n % 10}.example", float(n))
        schedule.park(f"idle{n % 5}.example", 1e9 + n)
        enqueue_one(schedule, "h0.example", -1)
        schedule.put_back(schedule.take_ready(3, 0))
    bound = 2 * len(schedule) + MAX_STALE_ENTRIES
    assert max(len(schedule._ready_heap), len(schedule._idle_heap), len(schedule._below_heap)) <= bound


def test_an_old_line_does_not_take_a_new_one_with_it() -> None:
    """A forgotten host that came back is not forgotten again for what it was."""
    schedule = HostSchedule(MemoryHostQueue)
    line = enqueue_one(schedule, "a.example")
    schedule.advance(1.0)
    (taken,) = schedule.take_ready(1, None)
    line.rows.clear()
    line.leased = 1
    schedule.park("a.example", 5.0)
    schedule.now = 5.0
    line.leased = 0
    schedule.forget_if_idle(taken)
    assert schedule.get("a.example") is None
    back = enqueue_one(schedule, "a.example")
    schedule.advance(6.0)
    assert schedule.get("a.example") is back


def test_a_host_that_has_waited_is_not_overtaken_by_its_past() -> None:
    """A host without requests gains no head start: it is ready from when something waits again."""
    schedule = HostSchedule(MemoryHostQueue)
    schedule.park("a.example", NEVER)
    schedule.park("a.example", 1.0)
    schedule.now = 10.0
    enqueue_one(schedule, "b.example")
    enqueue_one(schedule, "a.example")
    assert [line.name for line in schedule.take_ready(2, None)] == ["b.example", "a.example"]


class FailingStore:
    """A store that can be told to fail."""

    def __init__(self) -> None:
        self.closed = False

    def close(self) -> None:
        self.closed = True
        raise sqlite3.OperationalError("the last words are not heard")

    def fail(self, error: Exception) -> None:
        raise error


async def test_the_thread_stops_at_the_first_failure() -> None:
    """A job that fails gives its sentence to itself and to every later one, which does not run."""
    thread: DatabaseThread[FailingStore] = DatabaseThread(lambda error: f"explained: {error}")
    await thread.open(FailingStore)
    first = thread.submit(lambda box: box.fail(sqlite3.OperationalError("x")), identity)
    second = thread.submit(lambda box: pytest.fail("must not run"), identity)
    for waiter in (first, second):
        with pytest.raises(FrontierError, match="explained: x"):
            await waiter
    with pytest.raises(FrontierError, match="explained: x"):
        thread.submit(lambda box: None, identity)
    await thread.aclose()


async def test_a_bug_is_raised_as_itself_and_ends_it() -> None:
    """An error that is not the database's is not disguised, in the thread or on the loop."""
    for work, apply in ((lambda _: 1 / 0, identity), (identity, lambda _: 1 / 0)):
        thread: DatabaseThread[FailingStore] = DatabaseThread(str)
        await thread.open(FailingStore)
        with pytest.raises(ZeroDivisionError):
            await thread.submit(work, apply)
        with pytest.raises(FrontierError, match="division"):
            thread.raise_if_failed()
        await thread.aclose()


async def test_a_store_that_cannot_be_made_is_an_error() -> None:
    """What the factory raises comes out of `open`, database errors as sentences."""
    thread: DatabaseThread[FailingStore] = DatabaseThread(lambda error: f"explained: {error}")

    def make() -> FailingStore:
        raise sqlite3.DatabaseError("no")

    with pytest.raises(FrontierError, match="explained: no"):
        await thread.open(make)
