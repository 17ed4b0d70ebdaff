"""Holds transfers back to a rate of bytes, in all and by host."""

from __future__ import annotations

from collections import OrderedDict

from scraper.clock import Clock
from scraper.politeness.bandwidth import ByteRateLimit

# Hosts whose rate is remembered, those used last.
MAX_HOSTS = 10_000


class BandwidthLimiter:
    """At most `overall` bytes a second, and `per_host` from each host; None is no limit.

    Raises `ConfigError` for limits that make no sense.
    """

    def __init__(self, clock: Clock, overall: float | None = None, per_host: float | None = None) -> None:
        self._clock = clock
        self._overall = None if overall is None else ByteRateLimit(overall)
        self._per_host = None if per_host is None else ByteRateLimit(per_host).rate
        self._hosts: OrderedDict[str, ByteRateLimit] = OrderedDict()
        # Whether there is nothing to keep to.
        self.unlimited = overall is None and per_host is None

    async def throttle(self, host: str, size: int) -> float:
        """Return when more may be read, after `size` bytes have come from `host`: how long that took (seconds)."""
        now = self._clock.now()
        until = self._overall.charge(size, now) if self._overall is not None else now
        if self._per_host is not None:
            until = max(until, self._limit_of(host, self._per_host).charge(size, now))
        if until <= now:
            return 0.0
        await self._clock.sleep_until(until)
        return until - now

    def _limit_of(self, host: str, rate: float) -> ByteRateLimit:
        budget = self._hosts.get(host)
        if budget is None:
            budget = self._hosts[host] = ByteRateLimit(rate)
            if len(self._hosts) > MAX_HOSTS:
                self._hosts.popitem(last=False)
        self._hosts.move_to_end(host)
        return budget
