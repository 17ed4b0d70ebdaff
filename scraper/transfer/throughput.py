"""Is a download so slow that another connection is worth opening? Decided from byte counts, without I/O."""

from __future__ import annotations

from scraper.transfer.attempt import DownloadAttempt
from scraper.transport.settings import SegmentSettings

# The share of the time that our own bandwidth limits may take. Above it they are the reason why the download is slow,
# and another connection would not help.
MAX_THROTTLED_SHARE = 0.1


class ThroughputMonitor:
    """Measures the rate of an attempt over a period in which the number of its streams does not change.

    `now` is in epoch seconds, rates are bytes per second over all streams.
    """

    __slots__ = (
        "_attempt",
        "_min_period",
        "_period_start",
        "_rate_before",
        "_received_before",
        "_settings",
        "_throttled_before",
    )

    def __init__(self, settings: SegmentSettings, attempt: DownloadAttempt, now: float) -> None:
        self._settings, self._attempt = settings, attempt
        # The rate before the last stream was added; None when there is nothing to compare with.
        self._rate_before: float | None = None
        self._min_period = settings.slow_after
        self._reset(now)

    def is_slow(self, remaining: int, streams: int, now: float) -> bool:
        """Whether `remaining` bytes would take too long with `streams` at work, and the server is the reason."""
        elapsed = now - self._period_start
        if elapsed < self._min_period:
            return False
        if self._attempt.throttled_for - self._throttled_before > MAX_THROTTLED_SHARE * elapsed * streams:
            self._reset(now)
            return False
        return self._rate(now) * self._settings.max_remaining_seconds <= remaining

    def last_segment_helped(self, now: float) -> bool:
        """Whether the stream that was added last has raised the whole rate by the factor `min_speedup`."""
        return self._rate_before is None or self._rate(now) >= self._rate_before * self._settings.min_speedup

    def segment_requested(self, now: float) -> None:
        """A request for one more segment is about to be sent."""
        self._rate_before = self._rate(now)
        self.segment_started(now)

    def segment_started(self, now: float) -> None:
        """Its body begins to arrive: the rate is measured from here on."""
        self._min_period = self._settings.check_interval
        self._reset(now)

    def segment_ended(self, now: float) -> None:
        """One stream has ended. The rate before says nothing about what remains."""
        self._rate_before = None
        self.segment_started(now)

    def _rate(self, now: float) -> float:
        return (self._attempt.received - self._received_before) / max(now - self._period_start, 1e-3)

    def _reset(self, now: float) -> None:
        self._period_start = now
        self._received_before, self._throttled_before = self._attempt.received, self._attempt.throttled_for
