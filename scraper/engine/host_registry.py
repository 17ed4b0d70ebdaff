"""The one place where a request is counted on its host, and where the host is parked in the frontier.

The frontier closes a host when it hands out a lease of it; whoever took the lease has to park the host again. Four
things belong together whenever a request starts or ends: the gate counts it, its events are emitted, requests with
mirrors are moved away from a host that fails, and the host is parked until the gate's next instant. No other file
calls `Frontier.park`, `HostGate.on_start` or `HostGate.on_finish` (tests/engine/test_host_registry.py).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable

from scraper.engine.gate_cache import GateCache
from scraper.engine.mirror_routing import MirrorRouter
from scraper.events import Event, EventBus
from scraper.model import Outcome, Request
from scraper.politeness.host_gate import HostGate


class HostRegistry:
    """Starts, finishes and parks for every host of a run. Instants are epoch seconds.

    `park(host, until)` is `Frontier.park`; without a frontier, nothing is parked. The methods take a gate of `gates`
    (`get_or_restore`) and not a name, so that a request looks its host up once.
    """

    def __init__(
        self,
        gates: GateCache,
        bus: EventBus,
        rng: random.Random,
        park: Callable[[str, float], None] | None = None,
        mirrors: MirrorRouter | None = None,
    ) -> None:
        self.gates = gates
        # The same method, not a call of it: it is called several times for each request.
        self.get_or_restore = gates.get_or_restore
        # Seconds by which the event loop runs late (measured by `Monitor`): a throttle must not take that for the
        # host's latency.
        self.loop_lag = 0.0
        # Hosts one of whose origins got into trouble: other requests of theirs may be for an origin that works, which
        # the dispatcher finds out (`Dispatcher`). `newly_unhealthy` are those it has not looked at.
        self.unhealthy: set[str] = set()
        self.newly_unhealthy: set[str] = set()
        # Hosts that asked for a very long wait (`HostGate.long_wait`). They do not keep the run open.
        self.long_waits: set[str] = set()
        self._bus, self._rng, self._park, self._mirrors = bus, rng, park, mirrors

    def start(self, gate: HostGate, now: float, origin: str = "", *, reopen: bool = True) -> None:
        """Count a request that is sent now to `origin`; see `HostGate.on_start`.

        With `reopen` False the host stays closed: the caller must call `hold` later, or no request follows.
        """
        until = gate.on_start(now, origin)
        if reopen:
            self.hold(gate, until)

    def finish(self, gate: HostGate, outcome: Outcome, now: float, *, reopen: bool = True) -> None:
        """Count the end of a request, once for each `start`, also when it was cancelled. For `reopen` see `start`."""
        if events := gate.on_finish(outcome, now, self._rng, self.loop_lag):
            self._emit(gate.host, events)
            self.note_trouble(gate, now)
        if reopen:
            self.hold(gate)

    def note_trouble(self, gate: HostGate, now: float) -> None:
        """Take note of a host that must wait: for the two sets above."""
        if not gate.is_mixed:
            self.newly_unhealthy.add(gate.host)
        if gate.long_wait(now):
            self.long_waits.add(gate.host)

    def replace(self, gate: HostGate, outcome: Outcome, now: float) -> bool:
        """Finish a request and start another one in its place; False, and nothing is counted, if the host must rest."""
        events = gate.on_replace(outcome, now, self._rng, self.loop_lag)
        if events is None:
            return False
        self._emit(gate.host, events)
        self.hold(gate)
        return True

    def hold(self, gate: HostGate, until: float | None = None) -> None:
        """Hand out no request to the host before `until`, by default the gate's own instant.

        A host that is being searched for requests with mirrors stays open: see `MirrorRouter.release_time`.
        """
        if self._park is None:
            return
        if until is None:
            until = gate.ready_at()
        self._park(gate.host, until if self._mirrors is None else self._mirrors.release_time(gate.host, until))

    def move_to_mirrors(self, requests: Iterable[Request]) -> None:
        """Reopen the hosts that became unhealthy while `requests` were on their way into the frontier.

        Their requests with mirrors would otherwise wait for a host that was searched before they were queued.
        """
        if self._mirrors is not None:
            for host in self._mirrors.hosts_to_rescan(requests):
                self.hold(self.get_or_restore(host))

    def _emit(self, host: str, events: tuple[Event, ...]) -> None:
        # Mirrors first: with a scan under way, the host is not closed by the `hold` that follows.
        if self._mirrors is not None:
            self._mirrors.on_events(host, events)
        for event in events:
            self._bus.emit(event)
