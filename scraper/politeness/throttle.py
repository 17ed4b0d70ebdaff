"""The adaptive throttle: it asks a host less often while the host is slower than it usually is.

The idea is Scrapy's AutoThrottle: aim at a number of requests under way, so that the pause between starts is latency
divided by that number. Taken as it is, it makes a distant host as slow as a struggling one, and it throttles a fast
host because *we* are busy. What differs here:

- Latency is the time to the first byte less our own event loop's lag, smoothed over about six answers. One answer
  counts at most `CLIP` times the smoothed latency, so a single time-out is not a verdict; one that is mostly our own
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

from scraper.model import Denied, ErrorKind, Failure, NotModified, Outcome, Page
from scraper.politeness.rule import numbers, span

ALPHA = 0.15
"""The weight of a new latency in the smoothed one."""
DRIFT = 1 / 500
"""How fast `usual` follows a latency that stays higher: in some 500 answers."""
WARM_UP = 20
"""Answers from which `usual` is learnt at first."""
TOLERANCE = 2.0
"""Up to this many times the usual latency the host counts as well."""
CALM = 0.5
"""Seconds; below this smoothed latency no host is throttled."""
CLIP = 4.0
"""One answer counts at most this many times the smoothed latency (or `CALM`, if that is more)."""
MAX_DELAY = 60.0
"""Seconds; the longest pause between starts this rule asks for."""
NEGLIGIBLE = 0.001
"""Seconds; a pause that has shrunk below this is none."""
NOMINAL_CAP = 64
"""The number of requests aimed at from a host that has no concurrency cap."""


class Throttle:
    """Adds a pause between starts while the host is slower than usual; `delay` is that pause in seconds.

    `cap` is the host's concurrency limit, None without one.
    """

    __slots__ = ("_cap", "_last", "_latency", "_learnt", "_usual", "delay")
    name = "throttle"

    def __init__(self, cap: int | None) -> None:
        self._cap = float(NOMINAL_CAP if cap is None else cap)
        self._last = 0.0
        self._latency = 0.0
        self._usual = 0.0
        self._learnt = 0
        self.delay = 0.0

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
        measured = min(measured, CLIP * max(smooth, CALM))
        self._latency = smooth = smooth + ALPHA * (measured - smooth)
        if well:
            usual = self._usual
            if learnt < WARM_UP:
                self._learnt = learnt = learnt + 1
                self._usual = usual + (smooth - usual) / learnt
            else:
                self._usual = usual + (ALPHA if smooth < usual else DRIFT) * (smooth - usual)
        if smooth > CALM or self.delay:
            self._adjust(well)
        return ()

    def _adjust(self, well: bool) -> None:
        target = self._target()
        # Up at once, since the latency is smooth already; down by halves.
        delay = min(max(target, (self.delay + target) / 2), MAX_DELAY)
        if delay < NEGLIGIBLE:
            delay = 0.0
        if well or delay > self.delay:
            self.delay = delay

    def _target(self) -> float:
        slow = self._latency
        tolerated = TOLERANCE * self._usual
        if slow <= CALM or slow <= tolerated:
            return 0.0
        return slow / max(1.0, self._cap * tolerated / slow)

    def ready_at(self) -> float:
        """One pause after the last start."""
        return self._last + self.delay if self.delay else 0.0

    def why(self) -> str:
        """How slow the host is against its usual self."""
        slow = f"answers in {span(self._latency)}, usually in {span(self._usual)}"
        return f"adaptive throttle: the host {slow}; one request every {span(self.delay)}"

    def state(self) -> list[float | int | str] | None:
        """The pause, the two latencies and the last start."""
        if not self._learnt:
            return None
        return [round(self.delay, 4), round(self._latency, 4), round(self._usual, 4), self._learnt, self._last]

    def load(self, raw: object) -> None:
        """Take back the pause and the latencies."""
        found = numbers(raw, 5)
        if found and found[0] <= MAX_DELAY:
            self.delay, self._latency, self._usual, learnt, self._last = found
            self._learnt = min(int(learnt), WARM_UP)


def _measure(outcome: Outcome) -> tuple[bool, float]:
    """Whether the host answered 2xx or 304, and how long (seconds) it took to."""
    if isinstance(outcome, Page):
        return 200 <= outcome.status < 300, outcome.ttfb
    if isinstance(outcome, NotModified):
        return True, outcome.elapsed
    if isinstance(outcome, Denied):
        return False, 0.0
    assert isinstance(outcome, Failure)
    # Of all failures only a time-out says how long the host takes: at least that long.
    return False, outcome.elapsed if outcome.error is ErrorKind.TIMEOUT else 0.0
