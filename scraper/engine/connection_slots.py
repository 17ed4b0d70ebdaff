"""Places for the segments of large files: requests beside those that were leased, under the same rules.

A fetcher that brings a file over several connections asks here before it opens one. The answer is the host's gate's, so
rate, cap, breaker and Retry-After hold over leased and claimed requests alike. A claimed request takes the seat of an
idle fetcher, so all connections of the run together stay within its concurrency; and whatever waits in the frontier
goes first.
"""

from __future__ import annotations

from scraper.engine.run_context import RunContext
from scraper.events import Event
from scraper.model import Outcome
from scraper.politeness.host_gate import HostGate


class ConnectionSlots:
    """The run's `SlotProvider`; see `fetch.interface`."""

    def __init__(self, premises: RunContext) -> None:
        self._state = premises.state
        self._frontier = premises.frontier
        self._frontier_view = premises.frontier_view
        self._hosts = premises.hosts
        self._bus = premises.bus
        self._clock = premises.clock
        self._dice = premises.dice
        self._mirrors = premises.mirrors

    def acquire(self, host: str) -> bool:
        """Whether one more request may be sent to `host` now; it counts as under way until `release`."""
        floor, now = self._state, self._clock.now()
        # A lease that lies in the queue is not charged to its host yet: with one there, nobody knows what is spare.
        if floor.stopping.is_set() or floor.free_slots < 1 or not floor.jobs.empty() or self.contended(host):
            return False
        gate = self._gate(host)
        if gate.ready_at() > now:  # a breaker that is not closed says so here, while anything is under way
            return False
        floor.free_slots -= 1
        self._park(host, gate.on_start(now))
        return True

    def renew(self, host: str, outcome: Outcome) -> bool:
        """Whether a request to `host` that ended as `outcome` may be followed by another in its place, now."""
        if self._state.stopping.is_set():
            return False
        gate = self._gate(host)
        told = gate.on_replace(outcome, self._clock.now(), self._dice.rng, self._dice.loop_lag)
        if told is None:
            return False
        self._emit(host, told)
        self._park(host, gate.ready_at())
        return True

    def release(self, host: str, outcome: Outcome) -> None:
        """A request that was claimed, or one in whose place it goes on, ended as `outcome`."""
        gate = self._gate(host)
        self._emit(host, gate.on_finish(outcome, self._clock.now(), self._dice.rng, self._dice.loop_lag))
        self._park(host, gate.ready_at())
        self._state.free_slots += 1
        self._state.dispatcher_wakeup.set()

    def contended(self, host: str) -> bool:
        """Whether requests to `host` wait."""
        return self._frontier_view.count_queued(host) > 0

    def _park(self, host: str, ready: float) -> None:
        self._frontier.park(host, self._mirrors.release_time(host, ready))

    def _emit(self, host: str, news: tuple[Event, ...]) -> None:
        if news:
            self._mirrors.on_events(host, news)
        for event in news:
            self._bus.emit(event)

    def _gate(self, host: str) -> HostGate:
        return self._hosts.get_or_restore(host, None)
