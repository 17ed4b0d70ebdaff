"""Moves requests to a mirror when their host fails, instead of letting them wait for it.

When a host becomes unhealthy, its queue is scanned once: the frontier hands its requests out although the host must
wait. The dispatcher gives each one either to a mirror, or back to its queue behind the others. So nothing that has a
mirror waits for a circuit breaker. Runs without mirrors pay nothing: no host is ever scanned.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Protocol

from scraper.clock import Clock
from scraper.engine.gate_cache import GateCache
from scraper.events import BreakerOpened, Event, HostParked
from scraper.frontier.interface import FrontierView
from scraper.model import Done, Failure, Lease, NotModified, Request, Response, Retry, Settlement


class HostAvailability(StrEnum):
    """Whether a host may be requested."""

    # In its turn; it may have to wait for its rate.
    OPEN = "open"
    # Not now: it fails, or has asked for a wait.
    BLOCKED = "blocked"
    # Not again in this run.
    GIVEN_UP = "given_up"


AvailabilityOf = Callable[[str], HostAvailability]


class MirrorPolicy(Protocol):
    """Knows the mirrors of requests. `availability(host)` says whether a host (`Url.host`) may be requested."""

    def has_mirror(self, host: str) -> bool:
        """Whether some request to `host` may have a mirror on another host; may be wrong, but never wrongly False."""
        ...

    def next_attempt(
        self,
        outcome: Response | Failure,
        verdict: Done | Retry,
        now: float,
        retryable: bool,
        availability: AvailabilityOf,
    ) -> Done | Retry:
        """What follows a request that failed, where the retry policy has decided on `verdict`.

        `retryable`: the same URL may still succeed.
        """
        ...

    def alternative_for(self, request: Request, availability: AvailabilityOf) -> Request | None:
        """The request to send instead of `request`, whose host must wait; None if no mirror is available sooner."""
        ...


class MirrorRouter:
    """Knows which hosts' queues are being scanned, and where each request found there goes."""

    def __init__(
        self, policy: MirrorPolicy | None, gates: GateCache, frontier_view: FrontierView, clock: Clock
    ) -> None:
        self.policy = policy
        self._gates, self._frontier_view, self._clock = gates, frontier_view, clock
        # How many requests of a host are still to be scanned. Only hosts that are being scanned are in it.
        self._unscanned: dict[str, int] = {}

    def availability(self, host: str) -> HostAvailability:
        """Whether `host` may be requested now."""
        gate = self._gates.peek(host)
        if gate is None:
            return HostAvailability.OPEN
        if gate.gave_up_reason:
            return HostAvailability.GIVEN_UP
        return HostAvailability.BLOCKED if gate.is_unhealthy(self._clock.now()) else HostAvailability.OPEN

    def reroute_new(self, requests: Sequence[Request]) -> Sequence[Request]:
        """`requests` that come from outside, with those to unhealthy hosts replaced by their mirrors where possible."""
        if self.policy is None:
            return requests
        hosts = {request.url.host for request in requests}
        unhealthy = {host for host in hosts if self._may_be_rerouted(host)}
        if not unhealthy:
            return requests
        return [(self._mirror_of(r) or r) if r.url.host in unhealthy else r for r in requests]

    def hosts_to_rescan(self, requests: Iterable[Request]) -> set[str]:
        """Begin a scan of the hosts that became unhealthy while `requests` were on their way into the frontier.

        Only hosts with a request that has a mirror: a scan costs a lease of everything that is queued for the host.
        """
        found: set[str] = set()
        if self.policy is None:
            return found
        for request in requests:
            host = request.url.host
            if host not in found and self._may_be_rerouted(host) and self._mirror_of(request) is not None:
                found.add(host)
                self.rescan(host)
        return found

    def next_attempt(
        self, outcome: Response | Failure | NotModified, verdict: Done | Retry, now: float, retryable: bool
    ) -> Done | Retry:
        """What follows `outcome`, where the retry policy has decided on `verdict`."""
        if self.policy is None or isinstance(outcome, NotModified):
            return verdict
        if isinstance(outcome, Response) and outcome.status < 400:
            return verdict
        return self.policy.next_attempt(outcome, verdict, now, retryable, self.availability)

    def on_events(self, host: str, events: Sequence[Event]) -> None:
        """Scan the queue of `host` if one of its events says that it became unhealthy."""
        if any(isinstance(event, BreakerOpened | HostParked) for event in events):
            self.rescan(host)

    def rescan(self, host: str) -> None:
        """Scan what is queued for `host`, which became unhealthy now or in an earlier session."""
        if self.policy is not None and self.policy.has_mirror(host):
            # One more than is queued: the request that is leased at this moment may go back to the queue.
            self._unscanned[host] = self._frontier_view.count_queued(host) + 1

    def release_time(self, host: str, until: float) -> float:
        """From when the frontier may hand out requests to `host`: `until`, or 0.0 (at once) during its scan."""
        if self._unscanned and self._unscanned.get(host) and self.availability(host) is not HostAvailability.OPEN:
            return 0.0
        return until

    def reroute_leased(self, lease: Lease) -> Settlement | None:
        """Where a leased request goes whose host must wait; None when the host is not being scanned.

        Counts the scan down whenever `release_time` was 0.0 for this host: otherwise the same lease would come again
        and again.
        """
        host = lease.request.url.host
        left = self._unscanned.get(host)
        if not left or self.availability(host) is HostAvailability.OPEN:
            return None
        if left > 1:
            self._unscanned[host] = left - 1
        else:
            del self._unscanned[host]
        request = self._mirror_of(lease.request)
        if request is None:
            # Behind what has not been scanned yet.
            request = replace(lease.request, priority=lease.request.priority + 1)
        return Settlement(lease, Retry(self._clock.now(), request))

    def _may_be_rerouted(self, host: str) -> bool:
        if self.policy is None or not self.policy.has_mirror(host):
            return False
        return self.availability(host) is not HostAvailability.OPEN

    def mirror_for(self, request: Request) -> Request | None:
        """The request to send instead of `request`, whose origin must wait; None without one."""
        return self._mirror_of(request)

    def _mirror_of(self, request: Request) -> Request | None:
        return None if self.policy is None else self.policy.alternative_for(request, self.availability)
