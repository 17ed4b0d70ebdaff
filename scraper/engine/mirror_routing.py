"""Requests that need not wait for their host, because the same can be asked for elsewhere: mirrors.

When a host gets into trouble, what waits for it is looked at once: the dispatcher leases it as if the host could be
asked, turns each request that has another place to go to that place, and puts the others back behind. So nothing that
has a mirror waits for a breaker, and nothing is read or kept for runs without mirrors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Literal, Protocol

from scraper.clock import Clock
from scraper.engine.host_registry import HostRegistry
from scraper.events import BreakerOpened, Event, HostParked
from scraper.frontier.interface import FrontierView
from scraper.model import Done, Failure, Lease, NotModified, Request, Response, Retry, Settlement

HostAvailability = Literal["open", "held", "ended"]
"""Whether a host may be asked in its turn, has to be left alone for a while, or is given up."""


class MirrorPolicy(Protocol):
    """Other places where the same may be asked for. `standing` tells how a host (`Url.host`) stands."""

    def has_mirror(self, host: str) -> bool:
        """Whether requests for `host` may have another place."""
        ...

    def next_attempt(
        self,
        outcome: Response | Failure,
        verdict: Done | Retry,
        now: float,
        retryable: bool,
        availability: Callable[[str], HostAvailability],
    ) -> Done | Retry:
        """What follows from a request that brought nothing, where the retry policy has decided on `verdict`.

        `may_pass`: another try at the same place may mend it.
        """
        ...

    def alternative_for(self, request: Request, availability: Callable[[str], HostAvailability]) -> Request | None:
        """What to ask for instead of `request`, whose host must wait; None when nothing can be asked sooner."""
        ...


class MirrorRouter:
    """Knows which hosts' queues are to be looked at, and what becomes of a request there."""

    def __init__(
        self, policy: MirrorPolicy | None, hosts: HostRegistry, frontier_view: FrontierView, clock: Clock
    ) -> None:
        self.policy = policy
        self._hosts, self._frontier_view, self._clock = hosts, frontier_view, clock
        self._unscanned: dict[
            str, int
        ] = {}  # hosts in trouble alone: how many of their requests were not looked at yet

    def availability(self, host: str) -> HostAvailability:
        """How `host` stands now."""
        gate = self._hosts.peek(host)
        if gate is None:
            return "open"
        if gate.gave_up_reason:
            return "ended"
        return "held" if gate.is_unhealthy(self._clock.now()) else "open"

    def reroute_new(self, requests: Sequence[Request]) -> Sequence[Request]:
        """`requests` that come from outside, those of hosts in trouble turned elsewhere where that is possible."""
        if self.policy is None:
            return requests
        hosts = {request.url.host for request in requests}
        trouble = {h for h in hosts if self.policy.has_mirror(h) and self.availability(h) != "open"}
        if not trouble:
            return requests
        return [(self._mirror_of(r) or r) if r.url.host in trouble else r for r in requests]

    def hosts_to_rescan(self, requests: Iterable[Request]) -> set[str]:
        """Hosts to be looked at once more: they got into trouble while `requests` were on their way to the frontier.

        Only those of requests that have another place: a look costs a lease of everything that waits there.
        """
        if self.policy is None:
            return set()
        found: set[str] = set()
        for request in requests:
            host = request.url.host
            if host in found or not self.policy.has_mirror(host) or self.availability(host) == "open":
                continue
            if self._mirror_of(request) is not None:
                found.add(host)
                self.rescan(host)
        return found

    def next_attempt(
        self, outcome: Response | Failure | NotModified, verdict: Done | Retry, now: float, retryable: bool
    ) -> Done | Retry:
        """What follows from `outcome`, where the retry policy has decided on `verdict`."""
        if self.policy is None or isinstance(outcome, NotModified):
            return verdict
        if isinstance(outcome, Response) and outcome.status < 400:
            return verdict
        return self.policy.next_attempt(outcome, verdict, now, retryable, self.availability)

    def on_events(self, host: str, events: Sequence[Event]) -> None:
        """Look at the queue of `host` when it is in trouble now."""
        if any(isinstance(event, BreakerOpened | HostParked) for event in events):
            self.rescan(host)

    def rescan(self, host: str) -> None:
        """Look at what waits for `host`, which is in trouble: of late, or since an earlier session."""
        if self.policy is not None and self.policy.has_mirror(host):
            self._unscanned[host] = self._frontier_view.count_queued(host) + 1

    def release_time(self, host: str, ready: float) -> float:
        """From when the frontier may hand out requests of `host`, which may be asked from `ready` on."""
        return 0.0 if self._unscanned and self._unscanned.get(host) and self.availability(host) != "open" else ready

    def reroute_leased(self, lease: Lease) -> Settlement | None:
        """Where to put a request whose host must wait; None when it stays where it is."""
        host = lease.request.url.host
        left = self._unscanned.get(host)
        if not left or self.policy is None:
            return None
        if left > 1:
            self._unscanned[host] = left - 1
        else:
            del self._unscanned[host]
        request = self._mirror_of(lease.request)
        if request is None:
            request = replace(lease.request, priority=lease.request.priority + 1)
        return Settlement(lease, Retry(self._clock.now(), request))

    def _mirror_of(self, request: Request) -> Request | None:
        return None if self.policy is None else self.policy.alternative_for(request, self.availability)
