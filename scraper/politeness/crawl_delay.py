"""Crawl-delay: the pause between requests that a site asks for in its robots.txt (not part of RFC 9309)."""

from __future__ import annotations

import math
from typing import Literal

from scraper.events import HostParked
from scraper.model import Outcome
from scraper.politeness.rule import format_duration, parse_numbers

# What to do with a host that asks for more than `max_crawl_delay`: obey all the same (slow), or stop (skip).
LongDelayPolicy = Literal["slow", "skip"]


class CrawlDelay:
    """Starts are `seconds` apart and never two at once, when the site asks for it.

    A delay above `max_delay` (seconds) is obeyed (`slow`) or ends the host (`skip`). It is never shortened: that would
    be faster than the site asked for.
    """

    __slots__ = ("_host", "_in_flight", "_last_start", "_max_delay", "_policy", "seconds")
    name = "crawl-delay"

    def __init__(self, host: str, max_delay: float, policy: LongDelayPolicy) -> None:
        self._host, self._max_delay, self._policy = host, max_delay, policy
        self.seconds = 0.0
        # Starts are recorded before a delay is known: the first request to a host is the one for its robots.txt.
        self._last_start = 0.0
        self._in_flight = 0

    def set_delay(self, seconds: float | None, now: float) -> tuple[HostParked, ...]:
        """Set the delay that robots.txt asks for; None, zero, negative and infinite numbers remove it."""
        skipped_before = self.skips_host
        self.seconds = seconds if seconds is not None and 0 < seconds < math.inf else 0.0
        if self.skips_host and not skipped_before:
            return (HostParked(now, self._host, math.inf, self.wait_reason()),)
        return ()

    @property
    def skips_host(self) -> bool:
        """The delay is longer than `max_delay`, and the policy is to skip such hosts."""
        return self._policy == "skip" and self.seconds > self._max_delay

    def on_start(self, now: float) -> None:
        """Record the start."""
        self._last_start = now
        self._in_flight += 1

    def on_finish(self, outcome: Outcome, now: float, *_: object) -> tuple[()]:
        """One request less in flight."""
        if self._in_flight:
            self._in_flight -= 1
        return ()

    def ready_at(self) -> float:
        """One delay after the last start, and not while a request is in flight."""
        if not self.seconds:
            return 0.0
        return math.inf if self._in_flight or self.skips_host else self._last_start + self.seconds

    def wait_reason(self) -> str:
        """The delay, and that it is too long when it is."""
        asked = f"crawl-delay: robots.txt asks for {format_duration(self.seconds)} between requests"
        return f"{asked}, more than max_crawl_delay ({format_duration(self._max_delay)})" if self.skips_host else asked

    def dump_state(self) -> list[float | int | str]:
        """The delay and the last start."""
        return [self.seconds, self._last_start]

    def load_state(self, raw: object) -> None:
        """Restore the delay and the last start."""
        if found := parse_numbers(raw, 2):
            self.seconds, self._last_start = found
