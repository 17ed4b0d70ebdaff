"""The memory that buffers are made of."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scraper.transport.buffer_pool import (
    BLOCK_BYTES,
    MAX_BUFFER_BYTES,
    MIN_DOUBLE_BUFFER_BYTES,
    POOL_BYTES,
    Buffer,
    BufferPool,
    buffer_size_for,
)

pool_steps = st.lists(st.one_of(st.integers(0, 2 * MAX_BUFFER_BYTES), st.integers(-80, -1)), max_size=60)


@given(pool_steps)
@settings(max_examples=100, deadline=None)
def test_no_two_bearers_have_the_same_memory(steps: list[int]) -> None:
    """Whatever is asked for and given back: buffers are apart, and none is larger than wanted.

    A step is a size to ask for, or counts the buffers to pass over for the next one to go back.
    """
    stock, lent = BufferPool(), dict[int, Buffer]()
    for number, step in enumerate(steps):
        if step >= 0:
            buffer = stock.acquire(step)
            if buffer is None:
                assert step < BLOCK_BYTES or sum(len(b.view) for b in lent.values()) == POOL_BYTES
                continue
            assert BLOCK_BYTES <= len(buffer.view) <= min(step, MAX_BUFFER_BYTES)
            buffer.view[:: BLOCK_BYTES // 2] = bytes([number]) * (len(buffer.view) // (BLOCK_BYTES // 2))
            lent[number] = buffer
        elif lent:
            stock.release(lent.pop(list(lent)[step % len(lent)]))
        for owner, buffer in lent.items():
            assert set(buffer.view[:: BLOCK_BYTES // 2]) == {owner}
    for buffer in lent.values():
        stock.release(buffer)
    assert (
        len([b for _ in range(POOL_BYTES // MAX_BUFFER_BYTES) if (b := stock.acquire(MAX_BUFFER_BYTES))])
        == POOL_BYTES // MAX_BUFFER_BYTES
    )


def test_what_is_left_is_lent_when_what_is_wanted_is_not_there() -> None:
    """The largest buffer that is free, and None when all are lent."""
    stock = BufferPool()
    first = stock.acquire(BLOCK_BYTES)
    sizes = []
    while (buffer := stock.acquire(MAX_BUFFER_BYTES)) is not None:
        sizes.append(len(buffer.view))
    assert first is not None
    assert sizes == [MAX_BUFFER_BYTES] * (POOL_BYTES // MAX_BUFFER_BYTES - 1) + [
        MAX_BUFFER_BYTES // 2,
        MAX_BUFFER_BYTES // 4,
        MAX_BUFFER_BYTES // 8,
        MAX_BUFFER_BYTES // 16,
    ]
    stock.release(first)
    assert stock.acquire(MAX_BUFFER_BYTES) is not None
    assert stock.acquire(MAX_BUFFER_BYTES) is None


@pytest.mark.parametrize(
    ("streams", "size"),
    [
        (1, MAX_BUFFER_BYTES),
        (2, MAX_BUFFER_BYTES),
        (4, MAX_BUFFER_BYTES // 2),
        (8, MIN_DOUBLE_BUFFER_BYTES),
        (16, MIN_DOUBLE_BUFFER_BYTES),
        (32, MIN_DOUBLE_BUFFER_BYTES // 2),
        (200, POOL_BYTES // 200),
    ],
)
def test_the_more_streams_the_smaller_their_buffers(streams: int, size: int) -> None:
    """All of them together stay within the stock, two each as long as that leaves them large enough."""
    assert buffer_size_for(streams) == size
    assert streams * size <= POOL_BYTES
