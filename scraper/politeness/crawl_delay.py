"""Crawl-delay: the pause between requests that a site asks for in its robots.txt."""

from __future__ import annotations

import math
from typing import Literal

from scraper.events import HostParked
from scraper.model import Outcome
from scraper.politeness.rule import format_duration, parse_numbers

LongDelayPolicy = Literal["slow", "skip"]
"""What to do with a host that asks for more than `max_crawl_delay`: obey all the same, or leave it alone."""


class CrawlDelay:
    """Starts are `seconds` apart and never two at once, when the site asks for it.

    Starts are watched before a delay is known, because the first request to a host is the one that learns of it.
    A delay above `longest` is obeyed (`slow`) or ends the host (`skip`); it is never shortened, which would be
    faster than what the site asked for.
    """

    __slots__ = ("_host", "_in_flight", "_last", "_longest", "_policy", "seconds")
    name = "crawl-delay"

    def __init__(self, host: str, max_delay: float, policy: LongDelayPolicy) -> None:
        self._host, self._longest, self._policy = host, max_delay, policy
        self.seconds = 0.0
        self._last = 0.0
        self._in_flight = 0

    def set_delay(self, seconds: float | None, now: float) -> tuple[HostParked, ...]:
        """Set the delay the site asks for; None, zero and what is no sane number take it away."""
        before = self.skips_host
        self.seconds = seconds if seconds is not None and 0 < seconds < math.inf else 0.0
        if self.skips_host and not before:
            return (HostParked(now, self._host, math.inf, self.wait_reason()),)
        return ()

    @property
    def skips_host(self) -> bool:
        """The delay is longer than allowed and such hosts are left alone."""
        return self._policy == "skip" and self.seconds > self._longest

    def on_start(self, now: float) -> None:
        """One more is under way."""
        self._last = now
        self._in_flight += 1

    def on_finish(self, outcome: Outcome, now: float, *_: object) -> tuple[()]:
        """One less is under way."""
        if self._in_flight:
            self._in_flight -= 1
        return ()

    def ready_at(self) -> float:
        """One delay after the last start, and not while a request is under way."""
        if not self.seconds:
            return 0.0
        return math.inf if self._in_flight or self.skips_host else self._last + self.seconds

    def wait_reason(self) -> str:
        """The delay, and when that is the case that it is too long."""
        asked = f"crawl-delay: robots.txt asks for {format_duration(self.seconds)} between requests"
        return f"{asked}, more than max_crawl_delay ({format_duration(self._longest)})" if self.skips_host else asked

    def dump_state(self) -> list[float | int | str]:
        """The delay and the last start."""
        return [self.seconds, self._last]

    def load_state(self, raw: object) -> None:
        """Take back the delay and the last start."""
        if found := parse_numbers(raw, 2):
            self.seconds, self._last = found
