"""How fast bytes may come: a budget that refills steadily, spent after the fact.

A transfer takes what has arrived, is charged for it, and reads on when its time has come; meanwhile the connection does
not read, and the sender is slowed down by TCP itself.
"""

from __future__ import annotations

from scraper.errors import ConfigError

# What was not used is saved up for so long: enough to even out the loop's own unevenness.
BURST_SECONDS = 0.1


class ByteRateLimit:
    """At most `rate` bytes a second over all who share it. Raises `ConfigError` when that is not above zero."""

    __slots__ = ("_ready_at", "rate")

    def __init__(self, rate: float) -> None:
        if rate <= 0:
            raise ConfigError("a limit on the rate must be above 0 bytes a second; leave it out for no limit")
        self.rate = rate
        self._ready_at = 0.0

    def charge(self, size: int, now: float) -> float:
        """`size` bytes have come at the instant `now` (seconds); return from when on the next ones may be read."""
        self._ready_at = max(self._ready_at, now - BURST_SECONDS) + size / self.rate
        return self._ready_at
