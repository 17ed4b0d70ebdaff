"""Bandwidth limits: how many bytes a second may be received, in total and from each host.

A transfer receives first, is charged for the bytes, and waits before it reads on. Meanwhile the connection is not read,
and TCP flow control slows the sender down.
"""

from __future__ import annotations

from collections import OrderedDict

from scraper.clock import Clock
from scraper.errors import ConfigError

# Unused bandwidth is saved up for this long, which evens out delays of the event loop.
BURST_SECONDS = 0.1
# Hosts whose state is kept, the most recently used ones. A forgotten host starts with a full burst.
MAX_HOSTS = 10_000


class BandwidthLimiter:
    """Limits transfers to `overall` bytes a second, and to `per_host` from each host; None is no limit.

    Raises `ConfigError` for a limit that is not above zero.
    """

    def __init__(self, clock: Clock, overall: float | None = None, per_host: float | None = None) -> None:
        for rate in (overall, per_host):
            if rate is not None and rate <= 0:
                raise ConfigError("a limit on the rate must be above 0 bytes a second; leave it out for no limit")
        self._clock = clock
        self._overall, self._per_host = overall, per_host
        # Instants from which on bytes may be read again.
        self._overall_ready_at = 0.0
        self._host_ready_at: OrderedDict[str, float] = OrderedDict()
        self.unlimited = overall is None and per_host is None

    async def throttle(self, host: str, size: int) -> float:
        """Wait until more may be read, after `size` bytes came from `host`; return how long that took (seconds)."""
        now = self._clock.now()
        ready_at = self.charge(host, size, now)
        if ready_at <= now:
            return 0.0
        await self._clock.sleep_until(ready_at)
        return ready_at - now

    def charge(self, host: str, size: int, now: float) -> float:
        """`size` bytes came from `host` at the instant `now` (seconds); return when the next ones may be read."""
        ready_at = now
        if self._overall is not None:
            ready_at = self._overall_ready_at = _advance(self._overall_ready_at, size / self._overall, now)
        if self._per_host is not None:
            host_ready_at = _advance(self._host_ready_at.get(host, 0.0), size / self._per_host, now)
            self._host_ready_at[host] = host_ready_at
            self._host_ready_at.move_to_end(host)
            if len(self._host_ready_at) > MAX_HOSTS:
                self._host_ready_at.popitem(last=False)
            ready_at = max(ready_at, host_ready_at)
        return ready_at


def _advance(ready_at: float, seconds: float, now: float) -> float:
    return max(ready_at, now - BURST_SECONDS) + seconds
