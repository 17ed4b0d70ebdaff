"""The pace that a host allows: found within a minute, kept, and never above what the user set."""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import pairwise

import pytest

from scraper.model import ErrorKind, Failure, Outcome, Response
from scraper.politeness.host_gate import GateSettings, HostGate
from tests.politeness.outcomes import NOW, failure, page, request

UNLIMITED = GateSettings(rate=None, concurrency=16, adaptive=False)


@dataclass
class LeakyBucket:
    """nginx's `limit_req rate=... burst=... nodelay`."""

    rate: float
    burst: int
    excess: float = 0.0
    at: float = NOW

    def accepts(self, now: float, _: int) -> bool:
        self.excess, self.at = max(0.0, self.excess - self.rate * (now - self.at)), now
        if self.excess + 1 > self.burst + 1:
            return False
        self.excess += 1
        return True


@dataclass
class FixedWindow:
    """So many requests in each window of so many seconds."""

    count: int
    seconds: float
    window: float = -1.0
    used: int = 0

    def accepts(self, now: float, _: int) -> bool:
        if (window := now // self.seconds) != self.window:
            self.window, self.used = window, 0
        self.used += 1
        return self.used <= self.count


@dataclass
class Connections:
    """So many requests at once (nginx's `limit_conn`)."""

    at_once: int

    def accepts(self, _: float, in_flight: int) -> bool:
        return in_flight < self.at_once


Limit = LeakyBucket | FixedWindow | Connections


@dataclass
class Host:
    """A host that takes `latency` seconds, and refuses at once what is beyond its limit."""

    limit: Limit
    refusal: Callable[[], Outcome]
    latency: float = 0.05
    settings: GateSettings = UNLIMITED
    accepted: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)

    def run(self, seconds: float, gate: HostGate | None = None, start: float = NOW) -> HostGate:
        """Ask the host for as much as the gate lets, as an engine does whose queue never ends."""
        gate = gate or HostGate(self.settings, "h.example")
        rng, now, serving, order = random.Random(1), start, 0, 0
        ends: list[tuple[float, int, float, bool]] = []
        while now < start + seconds:
            while gate.ready_at() <= now:
                gate.on_start(now)
                ok = self.limit.accepts(now, serving)
                serving += ok
                order += 1
                (self.accepted if ok else self.refused).append(now)
                heapq.heappush(ends, (now + (self.latency if ok else 0.001), order, now, ok))
            ready = gate.ready_at()
            if ends and ends[0][0] <= ready:
                now, _, started, ok = heapq.heappop(ends)
                serving -= ok
                outcome = page() if ok else self.refusal()
                gate.on_finish(_sent_at(outcome, started, now), now, rng)
            elif ready < math.inf:
                now = max(now, ready)
            else:
                raise AssertionError(f"nothing can happen any more: {gate.wait_reason(now)}")
        return gate

    def accepted_between(self, start: float, end: float) -> int:
        return sum(NOW + start <= at < NOW + end for at in self.accepted)


def _sent_at(outcome: Outcome, started: float, now: float) -> Outcome:
    assert isinstance(outcome, Response | Failure)
    return replace(outcome, started_at=started, elapsed=now - started)


REFUSALS: dict[str, Callable[[], Outcome]] = {
    "429": lambda: page(429),
    "503": lambda: page(503),
    "429 retry-after": lambda: page(429, {"Retry-After": "1"}),
    "reset": lambda: failure(ErrorKind.NETWORK),
    "no response": lambda: failure(ErrorKind.PROTOCOL),
}


@pytest.mark.parametrize("refusal", REFUSALS)
@pytest.mark.parametrize(
    ("limit", "latency", "per_second"),
    [
        (LeakyBucket(5, 3), 0.002, 5),
        (LeakyBucket(5, 0), 0.05, 5),
        (LeakyBucket(1, 5), 0.05, 1),
        (LeakyBucket(0.5, 1), 0.05, 0.5),
        (LeakyBucket(10, 20), 0.3, 10),
        (LeakyBucket(50, 10), 0.05, 50),
        (LeakyBucket(100, 100), 0.01, 100),
        (FixedWindow(60, 60), 0.05, 1),
        (FixedWindow(20, 10), 0.05, 2),
        (FixedWindow(5, 1), 0.05, 5),
        (Connections(1), 0.3, 1 / 0.3),
        (Connections(2), 0.3, 2 / 0.3),
        (Connections(5), 1.0, 5),
    ],
    ids=str,
)
def test_nine_tenths_of_what_a_host_allows(limit: Limit, latency: float, per_second: float, refusal: str) -> None:
    """After a minute at most, whatever the host counts and however it refuses."""
    host = Host(replace(limit), REFUSALS[refusal], latency)
    host.run(300)
    assert host.accepted_between(60, 300) >= 0.9 * per_second * 240
    # Nor is the host asked much more than it allows.
    assert len(host.refused) <= 0.2 * len(host.accepted) + 60


@pytest.mark.parametrize("refusal", ["429", "503", "reset"])
@pytest.mark.parametrize("concurrency", [2, 16, 64])
def test_sixty_pages_of_a_host_that_allows_five_a_second(concurrency: int, refusal: str) -> None:
    """Little more than the twelve seconds that they take, however large the first burst was."""
    host = Host(LeakyBucket(5, 3), REFUSALS[refusal], 0.01, replace(UNLIMITED, concurrency=concurrency))
    host.run(20)
    assert host.accepted[59] <= NOW + 16


def test_a_burst_that_is_refused_opens_no_breaker() -> None:
    """It is one incident: the circuit breaker counts one failure."""
    gate, rng = HostGate(replace(UNLIMITED, concurrency=200), "h"), random.Random(1)
    for _ in range(100):
        gate.on_start(NOW)
    for _ in range(100):
        gate.on_finish(_sent_at(page(503), NOW, NOW + 0.1), NOW + 0.1, rng)
    assert (gate.breaker_state, gate.in_flight) == ("closed", 0)


def test_a_host_that_refuses_everything_still_opens_its_breaker() -> None:
    """Refused one after the other, each one counts."""
    gate, rng, now = HostGate(UNLIMITED, "h"), random.Random(1), NOW
    for _ in range(6):
        now = max(now, gate.ready_at()) + 0.1
        gate.on_start(now)
        gate.on_finish(_sent_at(page(503), now, now + 0.05), now + 0.05, rng)
    assert gate.breaker_state == "open"


def test_what_was_learned_is_kept() -> None:
    """A resumed run begins with it, so no burst is refused again."""
    host = Host(LeakyBucket(5, 3), REFUSALS["503"], 0.01)
    gate = host.run(60)
    again = HostGate.from_json(UNLIMITED, "h.example", gate.to_json())
    assert again.delay_seconds == pytest.approx(gate.delay_seconds, rel=0.01)
    later = Host(LeakyBucket(5, 3), REFUSALS["503"], 0.01)
    later.run(30, again, NOW + 60)
    assert len(later.refused) <= 3
    assert later.accepted_between(60, 90) >= 0.9 * 5 * 30


def test_the_user_s_limits_hold() -> None:
    """Nothing that is learned makes requests come faster than the rate that was set."""
    settings = GateSettings(rate=2.0, concurrency=2, adaptive=False)
    host = Host(LeakyBucket(5, 0), REFUSALS["429"], 0.05, settings)
    host.run(60)
    starts = sorted(host.accepted + host.refused)
    assert all(later - earlier >= 0.5 - 1e-6 for earlier, later in pairwise(starts))


def test_a_host_that_refuses_nothing_has_no_learned_pace() -> None:
    """404, 500 and time-outs are no refusals, and nothing is stored."""
    gate, rng = HostGate(UNLIMITED, "h"), random.Random(1)
    for outcome in (page(), page(404), page(500), failure(ErrorKind.TIMEOUT), failure(ErrorKind.DNS)) * 5:
        gate.on_start(NOW)
        gate.on_finish(outcome, NOW, rng)
    assert gate.delay_seconds == 0.0
    assert '"pace"' not in gate.to_json()


def test_a_url_that_always_breaks_costs_no_pace() -> None:
    """A broken connection of a retry says nothing about how fast a host may be asked."""
    gate, rng, now = HostGate(UNLIMITED, "h"), random.Random(1), NOW
    for attempt in range(1, 4):
        for outcome in (page(), failure(ErrorKind.NETWORK, of=request(attempt=attempt))):
            now += 1.0
            gate.on_start(now)
            gate.on_finish(outcome, now, rng)
    assert gate.delay_seconds == 0.0


def test_learning_can_be_switched_off() -> None:
    """Then waits are all that a refusal brings."""
    gate = HostGate(replace(UNLIMITED, learn_pace=False), "h")
    gate.on_start(NOW)
    gate.on_finish(page(429), NOW, random.Random(1))
    assert gate.delay_seconds == 0.0
    assert "slowed down" in gate.wait_reason(NOW)


def test_the_reason_names_what_was_learned() -> None:
    """In words, with both limits."""
    gate, rng = HostGate(UNLIMITED, "h"), random.Random(1)
    for _ in range(3):
        gate.on_start(NOW)
    gate.on_finish(_sent_at(page(429), NOW, NOW + 0.1), NOW + 0.1, rng)
    assert "learned pace: the host refused more than one request every 1.43 s and 2 at once" in gate.wait_reason(NOW)
