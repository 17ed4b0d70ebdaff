"""The politeness gates of the hosts at work: restored from what the frontier stores, compacted when idle."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from itertools import islice

from scraper.politeness.host_gate import HOST_STATE_GATE, GateSettings, HostGate


class GateCache:
    """One `HostGate` per host, at most `max_active` of them as objects.

    Beyond that, the idle gate that was used longest ago is kept as its JSON text. At most `max_dormant` texts are kept
    and the oldest is dropped first. That never makes a crawl impolite: a host that must wait for long is parked in the
    frontier.
    """

    def __init__(self, settings_for: Callable[[str], GateSettings], max_active: int, max_dormant: int) -> None:
        self._settings_for = settings_for
        self._max_active, self._max_dormant = max_active, max_dormant
        # Both are in order of use, oldest first.
        self._active: OrderedDict[str, HostGate] = OrderedDict()
        self._dormant: OrderedDict[str, str] = OrderedDict()

    def get_or_restore(self, host: str, host_state: Mapping[str, str] | None = None, now: float = 0.0) -> HostGate:
        """The gate of `host`, restored or new if it is not active.

        `host_state` is that of a lease (`Lease.host_state`). A host that an earlier session gave up may be requested
        again from `now` (epoch seconds) on.
        """
        gate = self._active.get(host)
        if gate is not None:
            self._active.move_to_end(host)
            return gate
        settings = self._settings_for(host)
        # 1. From this session; 2. from an earlier one; 3. new.
        if (text := self._dormant.pop(host, None)) is not None:
            gate = HostGate.from_json(settings, host, text)
        elif (text := (host_state or {}).get(HOST_STATE_GATE)) is not None:
            gate = HostGate.from_json(settings, host, text)
            gate.reset_given_up(now)
        else:
            gate = HostGate(settings, host)
        self._active[host] = gate
        if len(self._active) > self._max_active:
            self._evict_one_idle()
        return gate

    def peek(self, host: str) -> HostGate | None:
        """The active gate of `host`, or None; does not count as use."""
        return self._active.get(host)

    def most_recent(self, count: int) -> Iterable[tuple[str, HostGate]]:
        """The `count` gates used most recently, latest first."""
        return islice(reversed(self._active.items()), count)

    def _evict_one_idle(self) -> None:
        # A gate with a request in flight must stay: its finish would otherwise be counted on another object.
        for host, gate in self._active.items():
            if gate.in_flight == 0:
                self._dormant[host] = gate.to_json()
                del self._active[host]
                break
        while len(self._dormant) > self._max_dormant:
            self._dormant.popitem(last=False)
