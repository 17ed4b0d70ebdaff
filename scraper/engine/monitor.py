"""A background task: samples for the screen, the loop's lag, the renewal of leases, leases that were lost,
the limit `max_time`."""

from __future__ import annotations

from scraper.engine.run_context import RunContext
from scraper.engine.run_state import StopReason
from scraper.events import HostSample, QueuesSampled
from scraper.model import StopKind

# Hosts in one sample.
MAX_SAMPLED_HOSTS = 40
# Weight of the newest measurement in the moving average of the loop's lag.
LOOP_LAG_WEIGHT = 0.3


class Monitor:
    """Samples queues and hosts, renews leases, and stops the run when its time is up."""

    def __init__(self, context: RunContext) -> None:
        self._settings = context.settings
        self._state = context.state
        self._frontier = context.frontier
        self._frontier_view = context.frontier_view
        self._hosts = context.hosts
        self._bus = context.bus
        self._clock = context.clock

    async def run(self) -> None:
        """Work until cancelled."""
        clock, interval = self._clock, self._settings.sample_seconds
        started = renewed = clock.now()
        lost_before: set[int] = set()
        while True:
            due = clock.now() + interval
            await clock.sleep_until(due)
            now = clock.now()
            # This task woke up that much later than it should: so did every other one.
            self._hosts.loop_lag += LOOP_LAG_WEIGHT * (max(0.0, now - due) - self._hosts.loop_lag)
            if self._bus.listening:
                self._bus.emit(self._sample(now))
            if now - renewed > self._settings.lease_seconds / 3:
                renewed = now
                await self._frontier.renew(list(self._state.in_flight.values()), now + self._settings.lease_seconds)
            lost_before = self._look_for_lost_leases(lost_before)
            limit = self._settings.max_time
            if limit is not None and now - started >= limit:
                self._state.stop(StopReason(StopKind.MAX_TIME, f"limits.max_time: {limit:g} s reached"))

    def _look_for_lost_leases(self, before: set[int]) -> set[int]:
        """End the run if leases are lost, since two samples: it would wait for them for ever. Returns their ids."""
        state = self._state
        if state.stopping.is_set() or not (lost := state.lost_leases()):
            return set()
        found = {lease.id for lease in lost}
        if found == before:
            state.counts.add_lost_leases(lost)
            state.stop(StopReason(StopKind.BUG, state.counts.lost[-1]))
        return found

    def _sample(self, now: float) -> QueuesSampled:
        depths = self._frontier_view.depths()
        state = self._state
        return QueuesSampled(
            now,
            depths.waiting,
            depths.delayed,
            len(state.in_flight),
            state.results.qsize(),
            self._hosts.loop_lag,
            self._busiest_hosts(now),
        )

    def _busiest_hosts(self, now: float) -> tuple[HostSample, ...]:
        """The hosts with most requests in flight and queued; those that must wait come first."""
        samples = []
        for host, gate in self._hosts.gates.most_recent(4 * MAX_SAMPLED_HOSTS):
            queued = self._frontier_view.count_queued(host)
            samples.append(
                HostSample(now, host, queued, gate.in_flight, gate.delay_seconds, gate.ready_at(), gate.breaker_state)
            )
        samples.sort(key=lambda s: (s.in_flight > 0 or s.ready_at > now, s.waiting + s.in_flight), reverse=True)
        return tuple(samples[:MAX_SAMPLED_HOSTS])
