"""The adaptive throttle: it asks a host less often while the host is slower than it usually is.

The idea is Scrapy's AutoThrottle: aim at a number of requests under way, so that the pause between starts is latency
divided by that number. Taken as it is, it makes a distant host as slow as a struggling one, and it throttles a fast
host because *we* are busy. What differs here:

- Latency is the time to the first byte less our own event loop's lag, smoothed over about six answers. One answer
  counts at most `MAX_LATENCY_FACTOR` times the smoothed latency, so a single time-out is not a verdict; one that is
  mostly our own
  lag does not count against the host at all.
- The throttle looks at change. `usual` follows the smoothed latency down quickly and up very slowly, except for the
  first `WARM_UP` answers, whose mean it is: the first one is often a robots.txt, quicker than any page. Up to
  `TOLERANCE` times the usual, and always below `CALM`, the pause is zero: the user's rate and concurrency alone
  count, and a host without a rate runs as fast as it answers. A loop that is saturated with 64 connections to
  loopback sees some 50 ms, far below `CALM`.
- Beyond that the number of requests aimed at shrinks from the host's cap towards one in the measure in which latency
  has grown. At the edge the aim is the cap itself, which the cap enforces anyhow, so the pause sets in without a jump.
- An answer that is not 2xx or 304 never shortens the pause: errors are often quick.
"""

from __future__ import annotations

import random

from scraper.model import Denied, ErrorKind, Failure, NotModified, Outcome, Response
from scraper.politeness.rule import format_duration, parse_numbers

LATENCY_WEIGHT = 0.15
"""The weight of a new latency in the smoothed one."""
USUAL_LATENCY_DRIFT = 1 / 500
"""How fast `usual` follows a latency that stays higher: in some 500 answers."""
WARM_UP_RESPONSES = 20
"""Answers from which `usual` is learnt at first."""
LATENCY_TOLERANCE = 2.0
"""Up to this many times the usual latency the host counts as well."""
CALM_LATENCY_SECONDS = 0.5
"""Seconds; below this smoothed latency no host is throttled."""
MAX_LATENCY_FACTOR = 4.0
"""One answer counts at most this many times the smoothed latency (or `CALM`, if that is more)."""
MAX_DELAY_SECONDS = 60.0
"""Seconds; the longest pause between starts this rule asks for."""
MIN_DELAY_SECONDS = 0.001
"""Seconds; a pause that has shrunk below this is none."""
DEFAULT_CONCURRENCY_TARGET = 64
"""The number of requests aimed at from a host that has no concurrency cap."""


class Throttle:
    """Adds a pause between starts while the host is slower than usual; `delay` is that pause in seconds.

    `cap` is the host's concurrency limit, None without one.
    """

    __slots__ = ("_cap", "_last", "_latency", "_learnt", "_usual", "delay_seconds")
    name = "throttle"

    def __init__(self, max_concurrency: int | None) -> None:
        self._cap = float(DEFAULT_CONCURRENCY_TARGET if max_concurrency is None else max_concurrency)
        self._last = 0.0
        self._latency = 0.0
        self._usual = 0.0
        self._learnt = 0
        self.delay_seconds = 0.0

    def on_start(self, now: float) -> None:
        """Remember when."""
        self._last = now

    def on_finish(
        self, outcome: Outcome, now: float, rng: random.Random | None = None, loop_lag: float = 0.0
    ) -> tuple[()]:
        """Learn from one latency."""
        well, measured = _measure(outcome)
        ours = loop_lag > measured / 2
        measured = max(0.0, measured - loop_lag)
        smooth, learnt = self._latency, self._learnt
        if not learnt:
            if well and not ours:
                self._latency = self._usual = measured
                self._learnt = 1
            return ()
        if (ours and measured > smooth) or (not well and measured <= smooth):
            return ()
        measured = min(measured, MAX_LATENCY_FACTOR * max(smooth, CALM_LATENCY_SECONDS))
        self._latency = smooth = smooth + LATENCY_WEIGHT * (measured - smooth)
        if well:
            usual = self._usual
            if learnt < WARM_UP_RESPONSES:
                self._learnt = learnt = learnt + 1
                self._usual = usual + (smooth - usual) / learnt
            else:
                self._usual = usual + (LATENCY_WEIGHT if smooth < usual else USUAL_LATENCY_DRIFT) * (smooth - usual)
        if smooth > CALM_LATENCY_SECONDS or self.delay_seconds:
            self._adjust(well)
        return ()

    def _adjust(self, well: bool) -> None:
        target = self._target()
        # Up at once, since the latency is smooth already; down by halves.
        delay = min(max(target, (self.delay_seconds + target) / 2), MAX_DELAY_SECONDS)
        if delay < MIN_DELAY_SECONDS:
            delay = 0.0
        if well or delay > self.delay_seconds:
            self.delay_seconds = delay

    def _target(self) -> float:
        slow = self._latency
        tolerated = LATENCY_TOLERANCE * self._usual
        if slow <= CALM_LATENCY_SECONDS or slow <= tolerated:
            return 0.0
        return slow / max(1.0, self._cap * tolerated / slow)

    def ready_at(self) -> float:
        """One pause after the last start."""
        return self._last + self.delay_seconds if self.delay_seconds else 0.0

    def wait_reason(self) -> str:
        """How slow the host is against its usual self."""
        slow = f"answers in {format_duration(self._latency)}, usually in {format_duration(self._usual)}"
        return f"adaptive throttle: the host {slow}; one request every {format_duration(self.delay_seconds)}"

    def dump_state(self) -> list[float | int | str] | None:
        """The pause, the two latencies and the last start."""
        if not self._learnt:
            return None
        return [round(self.delay_seconds, 4), round(self._latency, 4), round(self._usual, 4), self._learnt, self._last]

    def load_state(self, raw: object) -> None:
        """Take back the pause and the latencies."""
        found = parse_numbers(raw, 5)
        if found and found[0] <= MAX_DELAY_SECONDS:
            self.delay_seconds, self._latency, self._usual, learnt, self._last = found
            self._learnt = min(int(learnt), WARM_UP_RESPONSES)


def _measure(outcome: Outcome) -> tuple[bool, float]:
    """Whether the host answered 2xx or 304, and how long (seconds) it took to."""
    if isinstance(outcome, Response):
        return 200 <= outcome.status < 300, outcome.ttfb
    if isinstance(outcome, NotModified):
        return True, outcome.elapsed
    if isinstance(outcome, Denied):
        return False, 0.0
    assert isinstance(outcome, Failure)
    # Of all failures only a time-out says how long the host takes: at least that long.
    return False, outcome.elapsed if outcome.error is ErrorKind.TIMEOUT else 0.0
