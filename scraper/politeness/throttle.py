"""The adaptive throttle: it sends fewer requests to a host while the host is slower than it usually is.

The idea is Scrapy's AutoThrottle: aim at a number of requests in flight, so that the pause between starts is latency
divided by that number. Unchanged, that makes a distant host as slow as a struggling one, and it throttles a fast host
because *we* are busy. What differs here:

1. Latency is the time to the first byte less the lag of our own event loop, smoothed over about six responses. One
   response counts at most `MAX_LATENCY_FACTOR` times the smoothed latency, so a single timeout decides nothing; one
   that is mostly our own lag does not count against the host at all.
2. Only a change throttles. The usual latency follows the smoothed one down quickly and up very slowly. During the
   first `WARM_UP_RESPONSES` it is their mean, because the first one is often a robots.txt, quicker than any page.
   Up to `LATENCY_TOLERANCE` times the usual, and always below `CALM_LATENCY_SECONDS`, the pause is zero: then only the
   user's rate and concurrency limit the host, and a host without a rate runs as fast as it responds. An event loop
   saturated with 64 connections to loopback measures some 50 ms, far below `CALM_LATENCY_SECONDS`.
3. Beyond that the number of requests aimed at shrinks from the host's concurrency limit towards one, in proportion to
   the growth of latency. At the threshold the aim is the limit itself, which holds anyhow, so the pause sets in
   without a jump.
4. A response that is not 2xx or 304 never shortens the pause: errors are often quick.
"""

from __future__ import annotations

import random

from scraper.model import Denied, ErrorKind, Failure, NotModified, Outcome, Response
from scraper.politeness.rule import format_duration, parse_numbers

# The weight of a new latency in the smoothed one.
LATENCY_WEIGHT = 0.15
# The weight of a smoothed latency above the usual one in the usual one: it follows in some 500 responses.
USUAL_LATENCY_DRIFT = 1 / 500
# Responses whose mean is the first usual latency.
WARM_UP_RESPONSES = 20
# Up to this many times the usual latency a host is not throttled.
LATENCY_TOLERANCE = 2.0
# Below this smoothed latency no host is throttled.
CALM_LATENCY_SECONDS = 0.5
# One response counts at most this many times the smoothed latency (or `CALM_LATENCY_SECONDS`, if that is more).
MAX_LATENCY_FACTOR = 4.0
# The longest pause between starts that this rule asks for.
MAX_DELAY_SECONDS = 60.0
# A pause that has shrunk below this is zero.
MIN_DELAY_SECONDS = 0.001
# The number of requests aimed at for a host without a concurrency limit.
DEFAULT_CONCURRENCY_TARGET = 64


class AdaptiveThrottle:
    """Adds a pause between starts while the host is slower than usual; `delay_seconds` is that pause.

    `max_concurrency` is the host's concurrency limit, None without one.
    """

    __slots__ = ("_last_start", "_latency", "_max_concurrency", "_samples", "_usual_latency", "delay_seconds")
    name = "throttle"

    def __init__(self, max_concurrency: int | None) -> None:
        self._max_concurrency = float(DEFAULT_CONCURRENCY_TARGET if max_concurrency is None else max_concurrency)
        self._last_start = 0.0
        # The smoothed latency and the usual one, in seconds.
        self._latency = 0.0
        self._usual_latency = 0.0
        # Responses that the usual latency is made of, up to WARM_UP_RESPONSES.
        self._samples = 0
        self.delay_seconds = 0.0

    def on_start(self, now: float) -> None:
        """Record the start."""
        self._last_start = now

    def on_finish(
        self, outcome: Outcome, now: float, rng: random.Random | None = None, loop_lag: float = 0.0
    ) -> tuple[()]:
        """Learn from one latency."""
        good, measured = _measure_latency(outcome)
        mostly_lag = loop_lag > measured / 2
        measured = max(0.0, measured - loop_lag)
        smooth, samples = self._latency, self._samples
        if not samples:
            # Nothing is known yet: only a good, clean measurement may be the first.
            if good and not mostly_lag:
                self._latency = self._usual_latency = measured
                self._samples = 1
            return ()
        # Our own lag must not make the host look slower, and a quick error must not make it look faster.
        if (mostly_lag and measured > smooth) or (not good and measured <= smooth):
            return ()
        measured = min(measured, MAX_LATENCY_FACTOR * max(smooth, CALM_LATENCY_SECONDS))
        self._latency = smooth = smooth + LATENCY_WEIGHT * (measured - smooth)
        if good:
            usual = self._usual_latency
            if samples < WARM_UP_RESPONSES:
                self._samples = samples = samples + 1
                self._usual_latency = usual + (smooth - usual) / samples
            else:
                weight = LATENCY_WEIGHT if smooth < usual else USUAL_LATENCY_DRIFT
                self._usual_latency = usual + weight * (smooth - usual)
        if smooth > CALM_LATENCY_SECONDS or self.delay_seconds:
            self._adjust_delay(good)
        return ()

    def _adjust_delay(self, good: bool) -> None:
        target = self._target_delay()
        # Up at once, since the latency is smoothed already; down by half of the difference.
        delay = min(max(target, (self.delay_seconds + target) / 2), MAX_DELAY_SECONDS)
        if delay < MIN_DELAY_SECONDS:
            delay = 0.0
        if good or delay > self.delay_seconds:
            self.delay_seconds = delay

    def _target_delay(self) -> float:
        latency = self._latency
        tolerated = LATENCY_TOLERANCE * self._usual_latency
        if latency <= CALM_LATENCY_SECONDS or latency <= tolerated:
            return 0.0
        return latency / max(1.0, self._max_concurrency * tolerated / latency)

    def ready_at(self) -> float:
        """One pause after the last start."""
        return self._last_start + self.delay_seconds if self.delay_seconds else 0.0

    def wait_reason(self) -> str:
        """How slow the host is, compared with what is usual for it."""
        slow = f"answers in {format_duration(self._latency)}, usually in {format_duration(self._usual_latency)}"
        return f"adaptive throttle: the host {slow}; one request every {format_duration(self.delay_seconds)}"

    def dump_state(self) -> list[float | int | str] | None:
        """The pause, the two latencies, the samples and the last start."""
        if not self._samples:
            return None
        return [
            round(self.delay_seconds, 4),
            round(self._latency, 4),
            round(self._usual_latency, 4),
            self._samples,
            self._last_start,
        ]

    def load_state(self, raw: object) -> None:
        """Restore the pause and the latencies."""
        found = parse_numbers(raw, 5)
        if found and found[0] <= MAX_DELAY_SECONDS:
            self.delay_seconds, self._latency, self._usual_latency, samples, self._last_start = found
            self._samples = min(int(samples), WARM_UP_RESPONSES)


def _measure_latency(outcome: Outcome) -> tuple[bool, float]:
    """Whether the response was 2xx or 304, and how long (seconds) the host took."""
    if isinstance(outcome, Response):
        return 200 <= outcome.status < 300, outcome.ttfb
    if isinstance(outcome, NotModified):
        return True, outcome.elapsed
    if isinstance(outcome, Denied):
        return False, 0.0
    assert isinstance(outcome, Failure)
    # Of all failures only a timeout says how long the host takes: at least that long.
    return False, outcome.elapsed if outcome.error is ErrorKind.TIMEOUT else 0.0
