"""Background tasks with a life cycle: sampling for the screen, the lease heartbeat, the clock of `max_time`."""

from __future__ import annotations

from scraper.engine.run_context import RunContext
from scraper.engine.run_state import StopReason
from scraper.events import HostSample, QueuesSampled

MAX_SAMPLED_HOSTS = 40
"""How many hosts a sample tells about."""
LOOP_LAG_WEIGHT = 0.3
"""Weight of the newest measurement in the moving average of the loop's lag."""


class Monitor:
    """Samples queue depths and the loop's lag, renews leases, and stops the run when its time is up."""

    def __init__(self, premises: RunContext) -> None:
        self._settings = premises.settings
        self._state = premises.state
        self._frontier = premises.frontier
        self._frontier_view = premises.frontier_view
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
            self._dice.loop_lag += LOOP_LAG_WEIGHT * (max(0.0, now - due) - self._dice.loop_lag)
            if self._bus.listening:
                self._bus.emit(self._sample(now))
            if now - renewed > self._settings.lease_seconds / 3:
                renewed = now
                await self._frontier.renew(list(self._state.in_flight.values()), now + self._settings.lease_seconds)
            limit = self._settings.max_time
            if limit is not None and now - started >= limit:
                self._state.stop(StopReason("max_time", f"limits.max_time: {limit:g} s reached"))

    def _sample(self, now: float) -> QueuesSampled:
        depths = self._frontier_view.depths()
        floor = self._state
        return QueuesSampled(
            now,
            depths.waiting,
            depths.delayed,
            len(floor.in_flight),
            floor.results.qsize(),
            self._dice.loop_lag,
            self._busiest_hosts(now),
        )

    def _busiest_hosts(self, now: float) -> tuple[HostSample, ...]:
        """The hosts with most requests in flight and most waiting, and those that are held back."""
        states = []
        for host, gate in self._hosts.most_recent(4 * MAX_SAMPLED_HOSTS):
            waiting = self._frontier_view.count_queued(host)
            state = HostSample(
                now, host, waiting, gate.in_flight, gate.delay_seconds, gate.ready_at(), gate.breaker_state
            )
            states.append(state)
        states.sort(key=lambda s: (s.in_flight > 0 or s.ready_at > now, s.waiting + s.in_flight), reverse=True)
        return tuple(states[:MAX_SAMPLED_HOSTS])
