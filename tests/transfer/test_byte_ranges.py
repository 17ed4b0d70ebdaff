"""Which bytes are here and who brings the rest: a model of sets of numbers beside the real bookkeeping."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from scraper.transfer.byte_ranges import MAX_RANGES, ByteRange, RangeSet, Segment, SegmentSpec, next_segment

TOTAL = 60
BYTE = st.integers(0, TOTAL)


class File(RuleBasedStateMachine):
    """A file of `TOTAL` bytes that streams bring, fail at and share; a set of numbers is the truth."""

    def __init__(self) -> None:
        super().__init__()
        self.have = RangeSet()
        self.bytes: set[int] = set()
        self.shares: list[Segment] = []
        self.brought: list[int] = []

    @rule(start=BYTE, stop=BYTE)
    def bytes_were_here_before(self, start: int, stop: int) -> None:
        """What an earlier attempt left, before any stream is at work."""
        if not self.shares:
            self.have.add(start, stop)
            self.bytes |= set(range(start, stop))

    @rule(least=st.integers(1, 8))
    def another_stream_begins(self, least: int) -> None:
        task = next_segment(self.have, TOTAL, self.shares, least)
        if task is None:
            return
        if task.split_from is not None:
            assert task.range.size >= least
            assert task.split_from.remaining - task.range.size >= least
            task.split_from.stop = task.range.start
        self.shares.append(Segment(*task.range))

    @precondition(lambda self: self.shares)
    @rule(data=st.data(), size=st.integers(1, 9))
    def bytes_come(self, data: st.DataObject, size: int) -> None:
        share = data.draw(st.sampled_from(self.shares))
        size = min(size, share.remaining)
        self.brought += range(share.position, share.position + size)
        share.position += size

    @precondition(lambda self: self.shares)
    @rule(data=st.data())
    def bytes_are_written(self, data: st.DataObject) -> None:
        share = data.draw(st.sampled_from(self.shares))
        self.have.add(share.written, share.position)
        self.bytes |= set(range(share.written, share.position))
        share.written = share.position

    @precondition(lambda self: self.shares)
    @rule(data=st.data())
    def a_stream_ends(self, data: st.DataObject) -> None:
        """All it brought is written; what it did not bring is a gap."""
        share = data.draw(st.sampled_from(self.shares))
        self.have.add(share.written, share.position)
        self.bytes |= set(range(share.written, share.position))
        self.shares.remove(share)

    @invariant()
    def the_set_agrees(self) -> None:
        assert {n for pair in self.have for n in range(*pair)} == self.bytes
        assert self.have.size == len(self.bytes)
        assert self.have.prefix == next(n for n in range(TOTAL + 1) if n not in self.bytes)
        gaps = self.have.missing(TOTAL)
        assert {n for gap in gaps for n in range(*gap)} == set(range(TOTAL)) - self.bytes
        pairs = [list(pair) for pair in self.have]
        assert all(before[1] < after[0] for before, after in itertools.pairwise(pairs))
        read = RangeSet.from_json(pairs, TOTAL)
        assert read is not None
        assert list(read) == list(self.have)

    @invariant()
    def no_byte_is_brought_twice(self) -> None:
        assert len(self.brought) == len(set(self.brought))
        ahead = [n for share in self.shares for n in range(share.position, share.stop)]
        assert len(ahead) == len(set(ahead))
        assert not set(ahead) & set(self.brought)


TestFile = File.TestCase


def test_gaps_that_nobody_fills_come_first() -> None:
    """The first hole without a stream is the next task; then the larger share is halved."""
    lead, other = Segment(10, 20), Segment(40, 60)
    assert next_segment(RangeSet([(0, 10)]), 60, [lead, other], 5) == SegmentSpec(ByteRange(20, 40), None)
    assert next_segment(RangeSet([(0, 10), (20, 40)]), 60, [lead, other], 5) == SegmentSpec(ByteRange(50, 60), other)
    assert next_segment(RangeSet([(0, 10), (20, 40)]), 60, [lead, other], 11) is None


def test_the_number_of_ranges_is_bounded() -> None:
    """A file in very many pieces is not divided further."""
    have = RangeSet((4 * n, 4 * n + 3) for n in range(MAX_RANGES - 1))
    share = Segment(4 * MAX_RANGES, 10_000)
    have.add(0, 4)
    for gap in have.missing(4 * MAX_RANGES)[:-1]:
        assert next_segment(have, 10_000, [share], 1) == SegmentSpec(gap, None)
        break
    full = [Segment(gap.start, gap.stop) for gap in have.missing(10_000)]
    assert next_segment(have, 10_000, full, 1) is None


@pytest.mark.parametrize(
    "raw",
    [
        None,
        {},
        [1],
        [[1]],
        [[1, 2, 3]],
        [[0, True]],
        [[0.0, 1.0]],
        [[-1, 5]],
        [[5, 5]],
        [[6, 5]],
        [[0, 5], [5, 9]],
        [[4, 9], [0, 2]],
        [[0, 101]],
        [[0, "5"]],
        [[2 * n, 2 * n + 1] for n in range(MAX_RANGES + 1)],
    ],
    ids=str,
)
def test_what_cannot_be_is_not_believed(raw: object) -> None:
    """A note's ranges are in order, apart, not empty and within the file, or the note is not trusted."""
    assert RangeSet.from_json(raw, 100) is None


@given(st.lists(st.tuples(BYTE, BYTE)))
def test_the_order_of_adding_does_not_matter(pairs: list[tuple[int, int]]) -> None:
    """A set of bytes is the same whichever came first."""
    assert list(RangeSet(pairs)) == list(RangeSet(reversed(pairs)))
