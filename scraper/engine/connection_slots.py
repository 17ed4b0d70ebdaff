"""Slots for further requests to a host, for the segments of large files: under the same rules as leased requests.

A worker that fetches a file over several connections asks here before it opens one. The host's gate decides, so rate,
cap, breaker and Retry-After hold over leased requests and segments together. A slot takes the place of an idle worker,
so all connections of the run stay within its concurrency; and requests that are queued go first.
"""

from __future__ import annotations

from scraper.clock import Clock
from scraper.engine.host_registry import HostRegistry
from scraper.engine.run_state import RunState
from scraper.frontier.interface import FrontierView
from scraper.model import Outcome


class ConnectionSlots:
    """The run's `SlotProvider`; see `fetch.interface`."""

    def __init__(self, state: RunState, hosts: HostRegistry, frontier_view: FrontierView, clock: Clock) -> None:
        self._state, self._hosts, self._frontier_view, self._clock = state, hosts, frontier_view, clock

    def acquire(self, host: str) -> bool:
        """Whether one more request may be sent to `host` now; it counts as in flight until `release`."""
        state, now = self._state, self._clock.now()
        # A job in the queue is not counted on its host yet, so the free capacity is unknown while there is one.
        if state.stopping.is_set() or state.free_slots < 1 or not state.jobs.empty() or self.contended(host):
            return False
        gate = self._hosts.get_or_restore(host)
        # Also False during a probe: a breaker that is not closed has no instant while a request is in flight. On a
        # host with two origins it cannot be told whose breaker to ask.
        if gate.ready_at() > now or gate.is_mixed:
            return False
        state.free_slots -= 1
        self._hosts.start(gate, now)
        return True

    def renew(self, host: str, outcome: Outcome) -> bool:
        """Whether a request to `host` that ended as `outcome` may be followed by another one in its slot, now."""
        if self._state.stopping.is_set():
            return False
        return self._hosts.replace(self._hosts.get_or_restore(host), outcome, self._clock.now())

    def release(self, host: str, outcome: Outcome) -> None:
        """The request in a slot ended as `outcome`: the one that acquired it, or the last one that renewed it."""
        self._hosts.finish(self._hosts.get_or_restore(host), outcome, self._clock.now())
        self._state.free_slots += 1
        self._state.dispatcher_wakeup.set()

    def contended(self, host: str) -> bool:
        """Whether requests to `host` are queued."""
        return self._frontier_view.count_queued(host) > 0
