"""Measures over many events in little memory: a rate over the last seconds, and a histogram of durations."""

from __future__ import annotations

import math
from collections import deque

# How far a rolling rate looks back.
WINDOW_SECONDS = 10
# Buckets of a histogram: 160 from 0.5 ms to about 30 minutes, in steps of 10 %.
FIRST_BUCKET_SECONDS = 0.0005
BUCKET_GROWTH = 1.1
BUCKET_COUNT = 160
_LOG_BUCKET_GROWTH = math.log(BUCKET_GROWTH)


class RollingRate:
    """Amounts a second over the last `WINDOW_SECONDS`. Remembers one sum a second."""

    def __init__(self) -> None:
        self._sums: deque[list[float]] = deque(maxlen=WINDOW_SECONDS)
        self._first_at: float | None = None

    def add(self, at: float, amount: float) -> None:
        """Count `amount` at the instant `at` (epoch seconds)."""
        if self._first_at is None:
            self._first_at = at
        second = math.floor(at)
        if self._sums and self._sums[-1][0] >= second:
            self._sums[-1][1] += amount
        else:
            self._sums.append([second, amount])

    def per_second(self, now: float) -> float:
        """The mean rate over the window that ends at `now`; over the time since the first amount when that is less."""
        if self._first_at is None:
            return 0.0
        total = sum(amount for second, amount in self._sums if second > now - WINDOW_SECONDS)
        return total / min(float(WINDOW_SECONDS), max(1.0, now - self._first_at))


class DurationHistogram:
    """Counts durations in buckets that grow by 10 %: quantiles are right to 10 %, however many there were."""

    def __init__(self) -> None:
        self._counts = [0] * BUCKET_COUNT
        self.total = 0
        self.largest = 0.0

    def add(self, seconds: float) -> None:
        """Count one duration."""
        bucket = 0
        if seconds > FIRST_BUCKET_SECONDS:
            bucket = BUCKET_COUNT - 1
            if seconds < math.inf:
                bucket = min(bucket, 1 + int(math.log(seconds / FIRST_BUCKET_SECONDS) / _LOG_BUCKET_GROWTH))
                self.largest = max(self.largest, seconds)
        self._counts[bucket] += 1
        self.total += 1

    def quantile(self, share: float) -> float:
        """The duration (seconds) that `share` (0 to 1) of all do not exceed; 0 when there are none."""
        wanted, seen = share * self.total, 0
        for bucket, count in enumerate(self._counts):
            seen += count
            if count and seen >= wanted:
                return min(self.largest, FIRST_BUCKET_SECONDS * BUCKET_GROWTH**bucket)
        return 0.0
