"""The memory that buffers are made of."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scraper.transport.buffer_pool import BUFFERED, CELL, ENOUGH, LARGEST, Buffer, Stock, wanted

steps = st.lists(st.one_of(st.integers(0, 2 * LARGEST), st.integers(-80, -1)), max_size=60)


@given(steps)
@settings(max_examples=100, deadline=None)
def test_no_two_bearers_have_the_same_memory(steps: list[int]) -> None:
    """Whatever is asked for and given back: buffers are apart, and none is larger than wanted.

    A step is a size to ask for, or counts the buffers to pass over for the next one to go back.
    """
    stock, lent = Stock(), dict[int, Buffer]()
    for number, step in enumerate(steps):
        if step >= 0:
            buffer = stock.lend(step)
            if buffer is None:
                assert step < CELL or sum(len(b.room) for b in lent.values()) == BUFFERED
                continue
            assert CELL <= len(buffer.room) <= min(step, LARGEST)
            buffer.room[:: CELL // 2] = bytes([number]) * (len(buffer.room) // (CELL // 2))
            lent[number] = buffer
        elif lent:
            stock.take_back(lent.pop(list(lent)[step % len(lent)]))
        for owner, buffer in lent.items():
            assert set(buffer.room[:: CELL // 2]) == {owner}
    for buffer in lent.values():
        stock.take_back(buffer)
    assert len([b for _ in range(BUFFERED // LARGEST) if (b := stock.lend(LARGEST))]) == BUFFERED // LARGEST


def test_what_is_left_is_lent_when_what_is_wanted_is_not_there() -> None:
    """The largest buffer that is free, and None when all are lent."""
    stock = Stock()
    first = stock.lend(CELL)
    sizes = []
    while (buffer := stock.lend(LARGEST)) is not None:
        sizes.append(len(buffer.room))
    assert first is not None
    assert sizes == [LARGEST] * (BUFFERED // LARGEST - 1) + [LARGEST // 2, LARGEST // 4, LARGEST // 8, LARGEST // 16]
    stock.take_back(first)
    assert stock.lend(LARGEST) is not None
    assert stock.lend(LARGEST) is None


@pytest.mark.parametrize(
    ("streams", "size"),
    [
        (1, LARGEST),
        (2, LARGEST),
        (4, LARGEST // 2),
        (8, ENOUGH),
        (16, ENOUGH),
        (32, ENOUGH // 2),
        (200, BUFFERED // 200),
    ],
)
def test_the_more_streams_the_smaller_their_buffers(streams: int, size: int) -> None:
    """All of them together stay within the stock, two each as long as that leaves them large enough."""
    assert wanted(streams) == size
    assert streams * size <= BUFFERED
