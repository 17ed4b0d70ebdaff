"""How fast a transfer is, and whether that is slow enough for another stream: decided without I/O."""

from __future__ import annotations

from scraper.transfer.attempt import DownloadAttempt
from scraper.transport.settings import SegmentSettings

# The share of the time that our own limits on the rate may take before they are what makes a transfer slow.
MAX_THROTTLED_SHARE = 0.1


class ThroughputMonitor:
    """Measures a transfer while the number of its streams stays the same. Instants are epoch seconds."""

    __slots__ = ("_at", "_before", "_held", "_least", "_received", "_settings", "_transfer")

    def __init__(self, settings: SegmentSettings, transfer: DownloadAttempt, now: float) -> None:
        self._settings, self._transfer = settings, transfer
        self._before: float | None = None
        self._least = settings.slow_after
        self._reset(now)

    def is_slow(self, left: int, streams: int, now: float) -> bool:
        """Whether `left` bytes would take too long with `streams` at work, for no reason of ours."""
        elapsed = now - self._at
        if elapsed < self._least:
            return False
        if self._transfer.held - self._held > MAX_THROTTLED_SHARE * elapsed * streams:
            self._reset(now)
            return False
        return self._rate(now) * self._settings.max_remaining_seconds <= left

    def last_segment_helped(self, now: float) -> bool:
        """Whether the stream that was added last has made the whole as much faster as it must."""
        return self._before is None or self._rate(now) >= self._before * self._settings.min_speedup

    def segment_requested(self, now: float) -> None:
        """One stream more is about to begin."""
        self._before = self._rate(now)
        self.segment_started(now)

    def segment_started(self, now: float) -> None:
        """It has begun: from here on it counts."""
        self._least = self._settings.check_interval
        self._reset(now)

    def segment_ended(self, now: float) -> None:
        """One stream less is at work."""
        self._before = None
        self.segment_started(now)

    def _rate(self, now: float) -> float:
        return (self._transfer.received - self._received) / max(now - self._at, 1e-3)

    def _reset(self, now: float) -> None:
        self._at, self._received, self._held = now, self._transfer.received, self._transfer.held
