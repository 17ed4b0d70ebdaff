"""Which bytes of a file are present and who downloads the rest: sets of byte ranges, without I/O."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from typing import NamedTuple

# Separate ranges of one file. A split that would make more gaps is refused, and metadata that claim more are invalid.
MAX_RANGES = 64
# Stands for "to the end of the body" where the length is not known.
MAX_OFFSET = 2**63 - 1


class ByteRange(NamedTuple):
    """The bytes from `start` up to, not including, `stop`."""

    start: int
    stop: int

    @property
    def size(self) -> int:
        """The number of bytes."""
        return self.stop - self.start


class RangeSet:
    """A set of bytes, kept as sorted ranges that neither overlap nor touch."""

    __slots__ = ("_starts", "_stops")

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        self._starts: list[int] = []
        self._stops: list[int] = []
        for start, stop in ranges:
            self.add(start, stop)

    @classmethod
    def from_json(cls, raw: object, size: int) -> RangeSet | None:
        """The ranges that a metadata file claims for a file of `size` bytes; None when they cannot be right."""
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
        """The number of separate ranges."""
        return len(self._starts)

    def __repr__(self) -> str:
        return f"RangeSet({', '.join(f'{start}-{stop}' for start, stop in self)})"

    @property
    def prefix(self) -> int:
        """Bytes that are present from the start of the file to the first gap."""
        return self._stops[0] if self._starts and self._starts[0] == 0 else 0

    @property
    def size(self) -> int:
        """The number of bytes in the set."""
        return sum(self._stops) - sum(self._starts)

    def add(self, start: int, stop: int) -> None:
        """Add the bytes from `start` to `stop`; an empty range changes nothing."""
        if start >= stop:
            return
        # The ranges first..last-1 overlap the new one or touch it: all of them become one range.
        first = bisect_left(self._stops, start)
        last = bisect_right(self._starts, stop)
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
    """A byte range that one stream downloads.

    `position` is the offset of the next byte from the network, `written` the offset up to which bytes are in the file,
    `stop` the offset before which the stream ends. `body_end` is where the response body ends: when another stream has
    taken over the end of this segment, `stop` lies before it and the rest of the body is cut off.
    """

    __slots__ = ("body_end", "position", "start", "stop", "written")

    def __init__(self, start: int, stop: int = MAX_OFFSET) -> None:
        self.start = self.position = self.written = start
        self.stop = self.body_end = stop

    def __repr__(self) -> str:
        return f"Segment({self.start}-{self.stop}, position={self.position}, written={self.written})"

    @property
    def remaining(self) -> int:
        """Bytes that have not arrived yet."""
        return self.stop - self.position


class SegmentSpec(NamedTuple):
    """A range for one more stream. `split_from` is the segment that gives it up; None for a gap nobody works on."""

    range: ByteRange
    split_from: Segment | None


def next_segment(present: RangeSet, total: int, active: Iterable[Segment], min_bytes: int) -> SegmentSpec | None:
    """What one more stream should download: the first gap nobody works on, else half of the largest segment.

    Neither half is smaller than `min_bytes`. None when no split is worth it.
    """
    segments = list(active)
    covered = RangeSet([*present, *((segment.start, segment.stop) for segment in segments)])
    if gaps := covered.missing(total):
        return SegmentSpec(gaps[0], None)
    # Each active segment may leave a gap when its stream fails.
    if len(present) + len(segments) >= MAX_RANGES:
        return None
    largest = max(segments, key=lambda segment: segment.remaining, default=None)
    if largest is None or largest.remaining < 2 * max(1, min_bytes):
        return None
    return SegmentSpec(ByteRange(largest.stop - largest.remaining // 2, largest.stop), largest)
