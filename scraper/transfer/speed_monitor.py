"""How fast a transfer is, and whether that is slow enough for another stream: decided without I/O."""

from __future__ import annotations

from scraper.transfer.attempt import Transfer
from scraper.transport.settings import SegmentSettings

HELD = 0.1
"""The share of the time that our own limits on the rate may take before they are what makes a transfer slow."""


class Pulse:
    """Measures a transfer while the number of its streams stays the same. Instants are epoch seconds."""

    __slots__ = ("_at", "_before", "_held", "_least", "_received", "_settings", "_transfer")

    def __init__(self, settings: SegmentSettings, transfer: Transfer, now: float) -> None:
        self._settings, self._transfer = settings, transfer
        self._before: float | None = None
        self._least = settings.slow_after
        self._mark(now)

    def is_slow(self, left: int, streams: int, now: float) -> bool:
        """Whether `left` bytes would take too long with `streams` at work, for no reason of ours."""
        elapsed = now - self._at
        if elapsed < self._least:
            return False
        if self._transfer.held - self._held > HELD * elapsed * streams:
            self._mark(now)
            return False
        return self._rate(now) * self._settings.patience <= left

    def gained(self, now: float) -> bool:
        """Whether the stream that was added last has made the whole as much faster as it must."""
        return self._before is None or self._rate(now) >= self._before * self._settings.gain

    def add(self, now: float) -> None:
        """One stream more is about to begin."""
        self._before = self._rate(now)
        self.begun(now)

    def begun(self, now: float) -> None:
        """It has begun: from here on it counts."""
        self._least = self._settings.again_after
        self._mark(now)

    def ended(self, now: float) -> None:
        """One stream less is at work."""
        self._before = None
        self.begun(now)

    def _rate(self, now: float) -> float:
        return (self._transfer.received - self._received) / max(now - self._at, 1e-3)

    def _mark(self, now: float) -> None:
        self._at, self._received, self._held = now, self._transfer.received, self._transfer.held
