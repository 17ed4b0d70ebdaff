"""What a host's buffer holds, and what it leaves to the database."""

from __future__ import annotations

import random
from itertools import count

from hypothesis import given
from hypothesis import strategies as st

from scraper.frontier.sqlite.host_buffer import ALL_BUFFERED, HostBuffer
from scraper.testing.frontier_contract import make_request


@given(st.integers(0, 4), st.lists(st.integers(-2, 2), max_size=30), st.randoms(use_true_random=False))
def test_a_buffer_keeps_its_invariant(limit: int, priorities: list[int], rng: random.Random) -> None:
    """Rows up to `buffered_until` are in the buffer in order, none after it are; it never outgrows its limit."""
    buffer, disk, ids = HostBuffer("a.example", 0.0), [], count(1)
    request = make_request("https://a.example/")
    for priority in priorities:
        row = (priority, next(ids), request)
        disk.append(row)
        buffer.insert(row, limit)
        action = rng.randrange(5)
        if action == 0 and buffer.rows:
            disk.remove(buffer.rows.pop(0))
        elif action == 1:
            buffer.evict_all()
        elif action == 2 and buffer.buffered_until is not ALL_BUFFERED:
            later = sorted(row for row in disk if row[:2] > buffer.buffered_until)
            space = max(1, limit) - len(buffer.rows)
            if space > 0:
                buffer.extend(later[: space + 1], space)
        assert buffer.rows == sorted(row for row in disk if row[:2] <= buffer.buffered_until)
        assert len(buffer.rows) <= max(1, limit)
        if buffer.buffered_until is not ALL_BUFFERED:
            assert any(row[:2] > buffer.buffered_until for row in disk)


def test_its_repr_says_what_one_debugs() -> None:
    """Whether it is open, how much waits and how much of that is in memory."""
    buffer = HostBuffer("a.example", 7.0)
    buffer.waiting, buffer.leased = 3, 1
    buffer.insert((0, 1, make_request("https://a.example/")), 1)
    assert repr(buffer) == (
        "<HostBuffer a.example ready at 7.0: 3 waiting, 1 buffered (all), 1 leased, ticket 0, refill 0>"
    )
    buffer.insert((0, 2, make_request("https://a.example/2")), 1)
    buffer.closed = True
    assert repr(buffer).startswith("<HostBuffer a.example closed: 3 waiting, 1 buffered (until (0, 1))")
