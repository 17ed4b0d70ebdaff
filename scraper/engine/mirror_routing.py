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
from scraper.engine.host_registry import HostBook
from scraper.events import BreakerOpened, Event, HostParked
from scraper.frontier.interface import Ledger
from scraper.model import Done, Failure, Lease, NotModified, Page, Request, Retry, Settlement

Standing = Literal["open", "held", "ended"]
"""Whether a host may be asked in its turn, has to be left alone for a while, or is given up."""


class Alternatives(Protocol):
    """Other places where the same may be asked for. `standing` tells how a host (`Url.host`) stands."""

    def offered_at(self, host: str) -> bool:
        """Whether requests for `host` may have another place."""
        ...

    def after(
        self,
        outcome: Page | Failure,
        verdict: Done | Retry,
        now: float,
        may_pass: bool,
        standing: Callable[[str], Standing],
    ) -> Done | Retry:
        """What follows from a request that brought nothing, where the retry policy has decided on `verdict`.

        `may_pass`: another try at the same place may mend it.
        """
        ...

    def instead(self, request: Request, standing: Callable[[str], Standing]) -> Request | None:
        """What to ask for instead of `request`, whose host must wait; None when nothing can be asked sooner."""
        ...


class Detours:
    """Knows which hosts' queues are to be looked at, and what becomes of a request there."""

    def __init__(self, alternatives: Alternatives | None, hosts: HostBook, ledger: Ledger, clock: Clock) -> None:
        self.alternatives = alternatives
        self._hosts, self._ledger, self._clock = hosts, ledger, clock
        self._left: dict[str, int] = {}  # hosts in trouble alone: how many of their requests were not looked at yet

    def standing(self, host: str) -> Standing:
        """How `host` stands now."""
        gate = self._hosts.get(host)
        if gate is None:
            return "open"
        if gate.ended:
            return "ended"
        return "held" if gate.troubled(self._clock.now()) else "open"

    def divert(self, requests: Sequence[Request]) -> Sequence[Request]:
        """`requests` that come from outside, those of hosts in trouble turned elsewhere where that is possible."""
        if self.alternatives is None:
            return requests
        hosts = {request.url.host for request in requests}
        trouble = {h for h in hosts if self.alternatives.offered_at(h) and self.standing(h) != "open"}
        if not trouble:
            return requests
        return [(self._elsewhere(r) or r) if r.url.host in trouble else r for r in requests]

    def stranded(self, requests: Iterable[Request]) -> set[str]:
        """Hosts to be looked at once more: they got into trouble while `requests` were on their way to the frontier.

        Only those of requests that have another place: a look costs a lease of everything that waits there.
        """
        if self.alternatives is None:
            return set()
        found: set[str] = set()
        for request in requests:
            host = request.url.host
            if host in found or not self.alternatives.offered_at(host) or self.standing(host) == "open":
                continue
            if self._elsewhere(request) is not None:
                found.add(host)
                self.look_at(host)
        return found

    def after(
        self, outcome: Page | Failure | NotModified, verdict: Done | Retry, now: float, may_pass: bool
    ) -> Done | Retry:
        """What follows from `outcome`, where the retry policy has decided on `verdict`."""
        if self.alternatives is None or isinstance(outcome, NotModified):
            return verdict
        if isinstance(outcome, Page) and outcome.status < 400:
            return verdict
        return self.alternatives.after(outcome, verdict, now, may_pass, self.standing)

    def heard(self, host: str, news: Sequence[Event]) -> None:
        """Look at the queue of `host` when it is in trouble now."""
        if any(isinstance(event, BreakerOpened | HostParked) for event in news):
            self.look_at(host)

    def look_at(self, host: str) -> None:
        """Look at what waits for `host`, which is in trouble: of late, or since an earlier session."""
        if self.alternatives is not None and self.alternatives.offered_at(host):
            self._left[host] = self._ledger.waiting_at(host) + 1

    def instant(self, host: str, ready: float) -> float:
        """From when the frontier may hand out requests of `host`, which may be asked from `ready` on."""
        return 0.0 if self._left and self._left.get(host) and self.standing(host) != "open" else ready

    def turn(self, lease: Lease) -> Settlement | None:
        """Where to put a request whose host must wait; None when it stays where it is."""
        host = lease.request.url.host
        left = self._left.get(host)
        if not left or self.alternatives is None:
            return None
        if left > 1:
            self._left[host] = left - 1
        else:
            del self._left[host]
        request = self._elsewhere(lease.request)
        if request is None:
            request = replace(lease.request, priority=lease.request.priority + 1)
        return Settlement(lease, Retry(self._clock.now(), request))

    def _elsewhere(self, request: Request) -> Request | None:
        return None if self.alternatives is None else self.alternatives.instead(request, self.standing)
