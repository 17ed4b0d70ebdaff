"""Which bytes of a file are here, which are on their way, and how the rest is shared out: bookkeeping without I/O."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from typing import NamedTuple

# Separate ranges of one file: what would leave more holes is not begun, and no note may claim more.
MAX_RANGES = 64
MAX_OFFSET = 2**63 - 1


class ByteRange(NamedTuple):
    """The bytes from `start` up to, not including, `stop`."""

    start: int
    stop: int

    @property
    def size(self) -> int:
        """How many they are."""
        return self.stop - self.start


class RangeSet:
    """A set of bytes as ranges that are in order and apart from each other."""

    __slots__ = ("_starts", "_stops")

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        self._starts: list[int] = []
        self._stops: list[int] = []
        for start, stop in ranges:
            self.add(start, stop)

    @classmethod
    def from_json(cls, raw: object, size: int) -> RangeSet | None:
        """What a note claims to be in a file of `size` bytes; None when that cannot be."""
        if not isinstance(raw, list) or len(raw) > MAX_RANGES:
            return None
        end = -1
        for pair in raw:
            if not isinstance(pair, list) or len(pair) != 2 or any(type(number) is not int for number in pair):
                return None
            start, stop = pair
            if not end < start < stop <= size:
                return None
            end = stop
        return cls((start, stop) for start, stop in raw)

    def __iter__(self) -> Iterator[ByteRange]:
        return (ByteRange(start, stop) for start, stop in zip(self._starts, self._stops, strict=True))

    def __len__(self) -> int:
        return len(self._starts)

    @property
    def prefix(self) -> int:
        """Bytes from the first of the file on that are here without a gap."""
        return self._stops[0] if self._starts and self._starts[0] == 0 else 0

    @property
    def size(self) -> int:
        """Bytes that are here."""
        return sum(self._stops) - sum(self._starts)

    def add(self, start: int, stop: int) -> None:
        """The bytes from `start` to `stop` are here; an empty range changes nothing."""
        if start >= stop:
            return
        first = bisect_left(self._stops, start)  # what ends at `start` or later may be joined with it
        last = bisect_right(self._starts, stop)  # and what begins at `stop` or before
        if first < last:
            start = min(start, self._starts[first])
            stop = max(stop, self._stops[last - 1])
        self._starts[first:last] = [start]
        self._stops[first:last] = [stop]

    def missing(self, total: int) -> list[ByteRange]:
        """The gaps in a file of `total` bytes, in order."""
        starts = [0, *self._stops]
        stops = [*self._starts, total]
        return [ByteRange(start, stop) for start, stop in zip(starts, stops, strict=True) if start < stop]


class Segment:
    """A range that one stream brings. `at` is where its next byte belongs, `stop` where it leaves off.

    `written` is how far its bytes are in the file. `end` is where the body ends: a share whose `stop` lies before it
    was divided, and its stream is cut there.
    """

    __slots__ = ("at", "end", "start", "stop", "written")

    def __init__(self, start: int, stop: int = MAX_OFFSET) -> None:
        self.start = self.at = self.written = start
        self.stop = self.end = stop

    @property
    def remaining(self) -> int:
        """Bytes that are still to come."""
        return self.stop - self.at


class SegmentSpec(NamedTuple):
    """A range for another stream; `parent` is the share it is taken from, None when nobody works there."""

    range: ByteRange
    split_from: Segment | None


def next_segment(present: RangeSet, total: int, active: Iterable[Segment], min_bytes: int) -> SegmentSpec | None:
    """What another stream should bring: the first gap that nobody works on, else half of the largest share.

    Neither half is smaller than `least` bytes. None when there is nothing to gain.
    """
    at_work = list(active)
    covered = RangeSet([*present, *((share.start, share.stop) for share in at_work)])
    if gaps := covered.missing(total):
        return SegmentSpec(gaps[0], None)
    if len(present) + len(at_work) >= MAX_RANGES:
        return None
    largest = max(at_work, key=lambda share: share.remaining, default=None)
    if largest is None or largest.remaining < 2 * max(1, min_bytes):
        return None
    return SegmentSpec(ByteRange(largest.stop - largest.remaining // 2, largest.stop), largest)
