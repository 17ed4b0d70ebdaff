"""Background tasks with a life cycle: sampling for the screen, the lease heartbeat, the clock of `max_time`."""

from __future__ import annotations

from scraper.engine.run_context import Premises
from scraper.engine.run_state import Stop
from scraper.events import HostState, QueuesSampled

BUSIEST = 40
"""How many hosts a sample tells about."""
LAG_WEIGHT = 0.3
"""Weight of the newest measurement in the moving average of the loop's lag."""


class Monitor:
    """Samples queue depths and the loop's lag, renews leases, and stops the run when its time is up."""

    def __init__(self, premises: Premises) -> None:
        self._settings = premises.settings
        self._floor = premises.floor
        self._frontier = premises.frontier
        self._ledger = premises.ledger
        self._hosts = premises.hosts
        self._bus = premises.bus
        self._clock = premises.clock
        self._dice = premises.dice

    async def run(self) -> None:
        """Work until cancelled."""
        clock, every = self._clock, self._settings.sample_seconds
        started = renewed = clock.now()
        while True:
            due = clock.now() + every
            await clock.sleep_until(due)
            now = clock.now()
            self._dice.loop_lag += LAG_WEIGHT * (max(0.0, now - due) - self._dice.loop_lag)
            if self._bus.listening:
                self._bus.emit(self._sample(now))
            if now - renewed > self._settings.lease_seconds / 3:
                renewed = now
                await self._frontier.renew(list(self._floor.in_flight.values()), now + self._settings.lease_seconds)
            limit = self._settings.max_time
            if limit is not None and now - started >= limit:
                self._floor.stop(Stop("max_time", f"limits.max_time: {limit:g} s reached"))

    def _sample(self, now: float) -> QueuesSampled:
        depths = self._ledger.depths()
        floor = self._floor
        return QueuesSampled(
            now,
            depths.waiting,
            depths.delayed,
            len(floor.in_flight),
            floor.results.qsize(),
            self._dice.loop_lag,
            self._busiest(now),
        )

    def _busiest(self, now: float) -> tuple[HostState, ...]:
        """The hosts with most requests in flight and most waiting, and those that are held back."""
        states = []
        for host, gate in self._hosts.latest(4 * BUSIEST):
            waiting = self._ledger.waiting_at(host)
            state = HostState(now, host, waiting, gate.in_flight, gate.delay, gate.ready_at(), gate.breaker)
            states.append(state)
        states.sort(key=lambda s: (s.in_flight > 0 or s.ready_at > now, s.waiting + s.in_flight), reverse=True)
        return tuple(states[:BUSIEST])
