"""The parts of the frontiers: caches, windows, the schedule's heaps, the codec, the thread."""

from __future__ import annotations

import random
import sqlite3
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.errors import FrontierError
from scraper.frontier.host_schedule import STALE_ENTRIES, Schedule
from scraper.frontier.interface import NEVER
from scraper.frontier.memory import MemoryLine
from scraper.frontier.sqlite.db_thread import WriterThread, unchanged
from scraper.frontier.sqlite.host_window import EVERYTHING, HostWindow
from scraper.frontier.sqlite.row_codec import decode, encode
from scraper.model import Content, Hop, Request, Try, Url
from scraper.structures.seen_cache import RecentKeys
from scraper.testing.frontier_contract import make_request

text = st.text(st.characters(codec="utf-8"), max_size=20)
hops = st.lists(st.builds(Hop, text, st.integers(100, 599)), max_size=3).map(tuple)

instants = st.floats(0, 1e10)
tries = st.builds(
    Try,
    number=st.integers(1, 99),
    at=instants,
    status=st.none() | st.integers(100, 599),
    error=st.none() | text,
    detail=text,
    elapsed=instants,
    wait=instants,
    hops=st.integers(0, 9),
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
        hops=hops,
        label=st.none() | text,
        nesting=st.integers(0, 3),
        content=st.none() | st.builds(Content, st.binary(max_size=20), text),
        posts=st.lists(text, max_size=2).map(tuple),
        tries=st.lists(tries, max_size=2).map(tuple),
        carried=st.none() | st.dictionaries(text, st.none() | text | st.integers(-9, 9) | st.lists(text), max_size=3),
    )
)
def test_a_request_survives_its_row(request_: Request) -> None:
    """Decoding the columns of any request gives it back, in types that SQLite stores."""
    columns = encode(request_)
    assert decode(request_.url.host, request_.priority, columns) == request_
    assert all(value is None or isinstance(value, int | str) for value in columns)


def test_rows_of_earlier_versions_are_read() -> None:
    """What they did not know of has its default."""
    old = '{"attempt": 1, "slowdowns": 2, "hops": [["http://a.example/1", 301]], "label": "l", "carried": {"a": "1"}}'
    assert decode("a.example", 3, (1, "file", "http://a.example/2", None, "http://a.example/", old)) == make_request(
        "http://a.example/2",
        3,
        depth=1,
        kind="file",
        parent="http://a.example/",
        attempt=1,
        slowdowns=2,
        hops=(Hop("http://a.example/1", 301),),
        label="l",
        carried={"a": "1"},
    )


def test_an_ordinary_request_is_stored_without_extras() -> None:
    """What is at its default or can be derived takes no room."""
    columns = encode(make_request("https://a.example:8080/x?y", depth=2, parent="https://a.example:8080/"))
    assert columns == (2, None, "https://a.example:8080/x?y", None, "https://a.example:8080/", None)


@given(st.integers(1, 5), st.lists(st.integers(0, 12), max_size=60))
def test_recent_keys_never_err(limit: int, keys: list[int]) -> None:
    """A key that is called known was admitted before; while complete, every one that was admitted is known."""
    recent, admitted = RecentKeys(limit), set[int]()
    for key in keys:
        known = not recent.admit(key)
        if known:
            assert key in admitted
        elif recent.complete:
            assert key not in admitted
        admitted.add(key)
        assert key in recent
    assert len(recent._young) <= limit
    assert len(recent._old) <= limit


def test_recent_keys_start_with_what_is_known() -> None:
    """Given all keys it is complete; given none because they are too many, it never is."""
    assert not RecentKeys(3, {1, 2}).admit(2)
    assert RecentKeys(3, {1, 2}).complete
    assert not RecentKeys(3, None).complete


@given(st.integers(0, 4), st.lists(st.integers(-2, 2), max_size=30), st.randoms(use_true_random=False))
def test_a_window_keeps_its_promise(limit: int, priorities: list[int], rng: random.Random) -> None:
    """All rows up to the edge are in the window in order, none beyond it; it never outgrows its limit."""
    window, disk, ids = HostWindow("a.example", 0.0), [], count(1)
    request = make_request("https://a.example/")
    for priority in priorities:
        row = (priority, next(ids), request)
        disk.append(row)
        window.insert(row, limit)
        action = rng.randrange(5)
        if action == 0 and window.rows:
            disk.remove(window.rows.pop(0))
        elif action == 1:
            window.empty()
        elif action == 2 and window.edge is not EVERYTHING:
            behind = sorted(row for row in disk if row[:2] > window.edge)
            room = max(1, limit) - len(window.rows)
            if room > 0:
                window.extend(behind[: room + 1], room)
        assert window.rows == sorted(row for row in disk if row[:2] <= window.edge)
        assert len(window.rows) <= max(1, limit)
        if window.edge is not EVERYTHING:
            assert any(row[:2] > window.edge for row in disk)


def fed(schedule: Schedule[MemoryLine], host: str, priority: int = 0) -> MemoryLine:
    line = schedule.line(host)
    line.rows.append((priority, len(line.rows), make_request(f"https://{host}/")))
    schedule.arrived(line, priority)
    return line


def test_heaps_do_not_grow_with_what_happens() -> None:
    """Hosts parked over and over leave no more stale entries than the bound allows."""
    schedule = Schedule(MemoryLine)
    for n in range(10):
        fed(schedule, f"h{n}.example", n - 5)
    assert schedule.first(0) is not None
    for n in range(5_000):
        schedule.park(f"h{n % 10}.example", float(n))
        schedule.park(f"idle{n % 5}.example", 1e9 + n)
        fed(schedule, "h0.example", -1)
        schedule.untake(schedule.take(3, 0))
    bound = 2 * len(schedule) + STALE_ENTRIES
    assert max(len(schedule._ready), len(schedule._idle), len(schedule._narrow)) <= bound


def test_an_old_line_does_not_take_a_new_one_with_it() -> None:
    """A forgotten host that came back is not forgotten again for what it was."""
    schedule = Schedule(MemoryLine)
    line = fed(schedule, "a.example")
    schedule.advance(1.0)
    (taken,) = schedule.take(1, None)
    line.rows.clear()
    line.leased = 1
    schedule.park("a.example", 5.0)
    schedule.now = 5.0
    line.leased = 0
    schedule.forget_if_spent(taken)
    assert schedule.get("a.example") is None
    back = fed(schedule, "a.example")
    schedule.advance(6.0)
    assert schedule.get("a.example") is back


def test_a_host_that_has_waited_is_not_overtaken_by_its_past() -> None:
    """A host without requests gains no head start: it is ready from when something waits again."""
    schedule = Schedule(MemoryLine)
    schedule.park("a.example", NEVER)
    schedule.park("a.example", 1.0)
    schedule.now = 10.0
    fed(schedule, "b.example")
    fed(schedule, "a.example")
    assert [line.name for line in schedule.take(2, None)] == ["b.example", "a.example"]


class Box:
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
    thread: WriterThread[Box] = WriterThread(lambda error: f"explained: {error}")
    await thread.open(Box)
    first = thread.submit(lambda box: box.fail(sqlite3.OperationalError("x")), unchanged)
    second = thread.submit(lambda box: pytest.fail("must not run"), unchanged)
    for waiter in (first, second):
        with pytest.raises(FrontierError, match="explained: x"):
            await waiter
    with pytest.raises(FrontierError, match="explained: x"):
        thread.submit(lambda box: None, unchanged)
    await thread.aclose()


async def test_a_bug_is_raised_as_itself_and_ends_it() -> None:
    """An error that is not the database's is not disguised, in the thread or on the loop."""
    for work, apply in ((lambda _: 1 / 0, unchanged), (unchanged, lambda _: 1 / 0)):
        thread: WriterThread[Box] = WriterThread(str)
        await thread.open(Box)
        with pytest.raises(ZeroDivisionError):
            await thread.submit(work, apply)
        with pytest.raises(FrontierError, match="division"):
            thread.check()
        await thread.aclose()


async def test_a_store_that_cannot_be_made_is_an_error() -> None:
    """What the factory raises comes out of `open`, database errors as sentences."""
    thread: WriterThread[Box] = WriterThread(lambda error: f"explained: {error}")

    def make() -> Box:
        raise sqlite3.DatabaseError("no")

    with pytest.raises(FrontierError, match="explained: no"):
        await thread.open(make)
