"""The pace that a host allows, learned from its refusals: down at once, up slowly (AIMD), one pace per host.

A host that allows so many requests a second (nginx `limit_req`) or so many connections at once (`limit_conn`, a
firewall's connection limit) says so by 429, by 503 or by a broken connection, and mostly not for how long. Waiting
alone learns nothing: after each wait the same burst ends the same way. So two limits are learned:

Rate. While a host refuses, what it still accepts is what it allows: a refusal sets the rate to a little less than what
was accepted lately (`_Accepted`). From there it climbs back to the rate of the refusal in `CLIMB_SECONDS`, goes on very
slowly, because that is about what the host allows, and faster and faster later on, in case that it allows more now (the
curve of TCP CUBIC, RFC 9438). Before the second refusal nothing is known about what is allowed, so the rate doubles
every `SEEK_DOUBLING_SECONDS`. A refusal with nothing accepted since the last one halves it.

Concurrency. When one of several requests in flight is refused, as many as are left over were not: that is the limit. It
is tried again with one more after a while, and after a longer while each time that fails.

Refusals of requests that were sent before the limits went down are the same incident. They change the rate no further,
and they are no further failures of the host (`is_repeated`): or a burst of a hundred would open its circuit breaker.
"""

from __future__ import annotations

import math

from scraper.model import ErrorKind, Failure, NotModified, Outcome, Response
from scraper.politeness.limits import ConcurrencyLimit
from scraper.politeness.retry_after import is_slow_down_status
from scraper.politeness.rule import MAX_INSTANT, format_duration, parse_numbers

# How a host breaks off what it does not take: no response at all, on a connection that was reset, refused or closed.
RESET_ERRORS = frozenset({ErrorKind.CONNECT, ErrorKind.NETWORK, ErrorKind.PROTOCOL, ErrorKind.TRUNCATED})
# After a refusal: this share of what was accepted, or of the rate when nothing was.
DECREASE = 0.9
# What is aimed at next, as a share of the rate that had been held before it was refused.
HELD_SHARE = 0.97
DECREASE_WITHOUT_SUCCESS = 0.5
# After the first refusal: the share is smaller, because a burst was accepted with it.
FIRST_DECREASE = 0.7
# Starts per second of a host that has accepted nothing yet, and the least that is learned: waits are for `HostBackoff`.
FIRST_RATE = 1.0
MIN_RATE = 1 / 30
SEEK_DOUBLING_SECONDS = 2.0
# The least of the rate that is taken to be allowed when doubling it has ended.
SOUGHT_SHARE = 0.7
CLIMB_SECONDS = 3.0
# Growth beyond the last refusal's rate, as a share of it per second; this much after no time, and more later on.
SLOW_GROWTH = 0.001
SLOW_GROWTH_SECONDS = 10.0
# A learned rate that has grown beyond this is none.
MAX_RATE = 1000.0
# What was accepted is counted over one to two times as long, or over so many starts at the learned rate.
COUNT_SECONDS = 2.0
COUNT_STARTS = 10.0
# When one more at once is tried: first, and at most after failed tries.
FIRST_RETRY_SECONDS = 5.0
MAX_RETRY_SECONDS = 60.0
# A broken connection is about the pace only if the host has accepted a request so many seconds before.
ALIVE_SECONDS = 30.0


class LearnedPace:
    """Limits starts per second and requests at once to what the host was found to allow; both unlimited at first.

    `concurrency` is the limit that the user set, with the requests in flight. Rates are starts per second.
    """

    __slots__ = (
        "_accepted",
        "_accepted_since_refusal",
        "_ceiling",
        "_climb_per_second",
        "_concurrency",
        "_last_accepted",
        "_last_growth",
        "_lowered_at",
        "_next_start",
        "_proven",
        "_refused_at",
        "_retry_at",
        "_retry_wait",
        "_seeking",
        "_trying_more",
        "max_in_flight",
        "rate",
    )
    name = "pace"

    def __init__(self, concurrency: ConcurrencyLimit) -> None:
        self._concurrency = concurrency
        self.rate = math.inf
        self.max_in_flight = math.inf
        self._accepted = _Accepted()
        self._accepted_since_refusal = 0
        self._last_accepted = -math.inf
        self._last_growth = self._next_start = 0.0
        # The last refusal that changed the rate, and the rate (accepted) at which it came.
        self._refused_at = -math.inf
        self._ceiling = 0.0
        self._climb_per_second = 0.0
        self._seeking = False
        self._retry_at = 0.0
        self._retry_wait = FIRST_RETRY_SECONDS
        self._trying_more = False
        # Requests at once with one that was accepted among them, since the limit went down; and when it did.
        self._proven = 0
        self._lowered_at = -math.inf

    @property
    def limits_host(self) -> bool:
        """Whether anything was learned: if not, requests need not be counted here."""
        return self.rate != math.inf or self.max_in_flight != math.inf

    @property
    def delay_seconds(self) -> float:
        """Seconds between starts, 0 when no rate was learned."""
        return 1.0 / self.rate

    def on_start(self, now: float) -> None:
        """Charge one start to the learned rate."""
        if self.rate != math.inf:
            next_start = self._next_start
            self._next_start = (now if now > next_start else next_start) + 1.0 / self.rate

    def is_repeated(self, outcome: Outcome, now: float) -> bool:
        """Whether `outcome` is a refusal of a request that was sent before the last refusal: the same incident.

        To be asked before `on_finish`.
        """
        if isinstance(outcome, Response) and outcome.status < 400:
            return False
        if _is_refusal(outcome):
            return _was_sent_by(outcome, self._refused_at, now)
        # No connection at all is how a host looks that is down; only one that works refuses connections.
        may_be_down = isinstance(outcome, Failure) and outcome.error is ErrorKind.CONNECT and not self._is_alive(now)
        return _is_reset(outcome) and not may_be_down and _was_sent_by(outcome, self._lowered_at, now)

    def _is_alive(self, now: float) -> bool:
        return now - self._last_accepted <= ALIVE_SECONDS

    def on_finish(self, outcome: Outcome, now: float, *_: object) -> tuple[()]:
        """Learn from one outcome. Called while the request still counts as in flight."""
        if isinstance(outcome, NotModified) or (
            isinstance(outcome, Response) and outcome.status < 500 and outcome.status != 429
        ):
            self.on_accepted(now)
        elif _is_refusal(outcome):
            # When as many at once were accepted a moment ago, it is the rate.
            if self._concurrency.in_flight > max(self._proven, 1):
                self._lower_concurrency(now)
            if not _was_sent_by(outcome, self._refused_at, now):
                self._lower_rate(now)
        elif _is_reset(outcome):
            if self._concurrency.in_flight > max(self._proven, 1):
                self._lower_concurrency(now)
            # Broken all the same. Once a URL: one that always breaks says nothing about the pace.
            elif self._is_alive(now) and not (
                outcome.request.attempt or _was_sent_by(outcome, max(self._refused_at, self._lowered_at), now)
            ):
                self._lower_rate(now)
        return ()

    # -- down

    def _lower_concurrency(self, now: float) -> None:
        left = self._concurrency.in_flight - 1
        if left > self.max_in_flight:  # sent before the limit went down
            return
        self._lowered_at, self._proven = now, 0
        if self._trying_more:
            self._retry_wait = min(2 * self._retry_wait, MAX_RETRY_SECONDS)
        self.max_in_flight, self._trying_more = left, False
        self._retry_at = now + self._retry_wait

    def _lower_rate(self, now: float) -> None:
        accepted = self._accepted.per_second(now, self.rate)
        if self.rate == math.inf:
            reached = accepted or FIRST_RATE
            rate, self._seeking = FIRST_DECREASE * reached, True
        elif self._accepted_since_refusal:
            if self._seeking or now - self._refused_at <= CLIMB_SECONDS:
                # What was accepted is no more than a hint: while the rate doubles it lags behind, and a crawl that had
                # little to ask was accepted less than the host allows.
                reached = max(min(self.rate, accepted), self.rate * (SOUGHT_SHARE if self._seeking else 0.5))
            else:
                reached = HELD_SHARE * self.rate
            rate, self._seeking = DECREASE * reached, False
        else:
            reached = self._ceiling
            rate = DECREASE_WITHOUT_SUCCESS * self.rate
        self.rate, self._ceiling = max(rate, MIN_RATE), max(reached, MIN_RATE)
        self._climb_per_second = (self._ceiling - self.rate) / CLIMB_SECONDS
        self._refused_at = self._last_growth = now
        self._accepted_since_refusal = 0
        self._next_start = max(self._next_start, now + 1.0 / self.rate)

    # -- up

    def on_accepted(self, now: float) -> None:
        """Learn from a request that the host accepted, whatever it answered; it still counts as in flight."""
        self._last_accepted = now
        if now >= self._accepted.ends:
            self._accepted.turn(now, self.rate)
        self._accepted.count += 1
        if self.limits_host:
            self._raise_limits(now)

    def _raise_limits(self, now: float) -> None:
        self._accepted_since_refusal += 1
        if self.rate != math.inf:
            self._raise_rate(now)
        if self._concurrency.in_flight > self._proven:
            self._proven = self._concurrency.in_flight
        # At the limit, this request included: more than these would have been sent.
        if now >= self._retry_at and self._concurrency.in_flight >= self.max_in_flight:
            if self._trying_more:  # the last raise has held
                self._retry_wait = FIRST_RETRY_SECONDS
            self.max_in_flight += max(1, self.max_in_flight // 2)
            self._trying_more = True
            self._retry_at = now + self._retry_wait
            if self.max_in_flight >= self._concurrency.max_in_flight:
                self.max_in_flight = math.inf

    def _raise_rate(self, now: float) -> None:
        if self._refused_at == -math.inf:  # restored: go on from what was learned as after a refusal
            self._refused_at = now
        seconds = min(now - self._last_growth, 1.0)  # not for a time in which nothing was asked
        self._last_growth = now
        if now > self._next_start + 1.0 / self.rate:
            return  # fewer requests than this rate allows: nothing was tried, nothing is learned
        if self._seeking:
            self.rate *= 2.0 ** (seconds / SEEK_DOUBLING_SECONDS)
        elif self.rate < self._ceiling:
            self.rate += self._climb_per_second * seconds
        else:
            beyond = (now - self._refused_at - CLIMB_SECONDS) / SLOW_GROWTH_SECONDS
            self.rate += self._ceiling * SLOW_GROWTH * (1.0 + beyond * beyond) * seconds
        if self.rate > MAX_RATE:
            self.rate = math.inf

    # -- what follows

    def ready_at(self) -> float:
        """One interval after the last start; `math.inf` while as many requests are in flight as the host takes."""
        if self._concurrency.in_flight >= self.max_in_flight:
            return math.inf
        return self._next_start if self.rate != math.inf else 0.0

    def allows_replacement(self, now: float) -> bool:
        """Whether a request may be sent at `now` in place of one that ends."""
        return self._concurrency.in_flight <= self.max_in_flight and (self.rate == math.inf or self._next_start <= now)

    def wait_reason(self) -> str:
        """The limits that were learned."""
        limits = []
        if self.rate != math.inf:
            limits.append(f"one request every {format_duration(self.delay_seconds)}")
        if self.max_in_flight != math.inf:
            limits.append(f"{self.max_in_flight:.0f} at once")
        return f"learned pace: the host refused more than {' and '.join(limits)}"

    def dump_state(self) -> list[float | int | str] | None:
        """The rate and the rate of the last refusal, 0 for none; the requests at once, 0 for any; the next start."""
        if not self.limits_host:
            return None
        rate = 0.0 if self.rate == math.inf else round(self.rate, 4)
        at_once = 0 if self.max_in_flight == math.inf else int(self.max_in_flight)
        return [rate, round(self._ceiling, 4), at_once, min(self._next_start, MAX_INSTANT)]

    def load_state(self, raw: object) -> None:
        """Restore both limits; the rate goes on slowly from where it was."""
        if found := parse_numbers(raw, 4):
            rate, ceiling, at_once, self._next_start = found
            self.rate = max(rate, MIN_RATE) if rate else math.inf
            self._ceiling = ceiling or self.rate
            self._climb_per_second = max(0.0, ceiling - rate) / CLIMB_SECONDS
            self.max_in_flight = float(int(at_once)) if at_once >= 1 else math.inf


class _Accepted:
    """Accepted requests of the last seconds: counted in two periods, the present one and the one before.

    Whoever adds one to `count` calls `turn` before, from the instant `ends` on.
    """

    __slots__ = ("_before", "_began", "_first", "count", "ends")

    def __init__(self) -> None:
        self.count = self._before = 0
        self.ends = self._began = self._first = -math.inf

    def per_second(self, now: float, rate: float) -> float:
        """Accepted requests per second; of less than a second's count as of a second: a burst is no rate."""
        if now >= self.ends:
            self.turn(now, rate)
        accepted = self.count + self._before
        return accepted / max(1.0, now - self._first) if accepted else 0.0

    def turn(self, now: float, rate: float) -> None:
        """Begin the next period if the present one is long enough for `rate`."""
        length = max(COUNT_SECONDS, COUNT_STARTS / rate)
        if now >= self._began + 2 * length:
            self.count, self._before, self._first, self._began = 0, 0, now, now
        elif now >= self._began + length:
            self._before, self._first = self.count, self._began
            self.count, self._began = 0, now
        self.ends = max(now, self._began + COUNT_SECONDS)


def _is_refusal(outcome: Outcome) -> bool:
    """Whether the host says that this was too much: 429 or 503, also when its body was cut off."""
    return (
        isinstance(outcome, Response | Failure) and outcome.status is not None and is_slow_down_status(outcome.status)
    )


def _was_sent_by(outcome: Outcome, instant: float, now: float) -> bool:
    assert isinstance(outcome, Response | Failure)
    return (outcome.started_at or now - outcome.elapsed) <= instant


def _is_reset(outcome: Outcome) -> bool:
    return (
        isinstance(outcome, Failure)
        and outcome.error in RESET_ERRORS
        and outcome.status is None
        and not outcome.received
        and not outcome.permanent
    )
