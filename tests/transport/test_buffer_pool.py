"""The pool of buffers for bodies that go to disk."""

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
def test_buffers_never_overlap(steps: list[int]) -> None:
    """However buffers are acquired and released: they never overlap, and none is larger than requested.

    A step is a size to request, or counts the buffers to skip for the next one to release.
    """
    pool, in_use = BufferPool(), dict[int, Buffer]()
    for number, step in enumerate(steps):
        if step >= 0:
            buffer = pool.acquire(step)
            if buffer is None:
                assert step < BLOCK_BYTES or sum(len(b.view) for b in in_use.values()) == POOL_BYTES
                continue
            assert BLOCK_BYTES <= len(buffer.view) <= min(step, MAX_BUFFER_BYTES)
            buffer.view[:: BLOCK_BYTES // 2] = bytes([number]) * (len(buffer.view) // (BLOCK_BYTES // 2))
            in_use[number] = buffer
        elif in_use:
            pool.release(in_use.pop(list(in_use)[step % len(in_use)]))
        for owner, buffer in in_use.items():
            assert set(buffer.view[:: BLOCK_BYTES // 2]) == {owner}
    for buffer in in_use.values():
        pool.release(buffer)
    assert (
        len([b for _ in range(POOL_BYTES // MAX_BUFFER_BYTES) if (b := pool.acquire(MAX_BUFFER_BYTES))])
        == POOL_BYTES // MAX_BUFFER_BYTES
    )


def test_the_largest_free_buffer_is_given() -> None:
    """The largest free buffer is given, and None when all memory is in use."""
    pool = BufferPool()
    first = pool.acquire(BLOCK_BYTES)
    sizes = []
    while (buffer := pool.acquire(MAX_BUFFER_BYTES)) is not None:
        sizes.append(len(buffer.view))
    assert first is not None
    assert sizes == [MAX_BUFFER_BYTES] * (POOL_BYTES // MAX_BUFFER_BYTES - 1) + [
        MAX_BUFFER_BYTES // 2,
        MAX_BUFFER_BYTES // 4,
        MAX_BUFFER_BYTES // 8,
        MAX_BUFFER_BYTES // 16,
    ]
    pool.release(first)
    assert pool.acquire(MAX_BUFFER_BYTES) is not None
    assert pool.acquire(MAX_BUFFER_BYTES) is None


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
    """All buffers together fit the pool; two per stream as long as that leaves them large enough."""
    assert buffer_size_for(streams) == size
    assert streams * size <= POOL_BYTES
