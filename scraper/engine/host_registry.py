"""The gates of the hosts at work, restored from what the frontier remembers and put away when idle."""

from __future__ import annotations

import random
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from itertools import islice

from scraper.model import Denied, Failure, NotModified, Outcome, Result
from scraper.politeness.host_gate import GateSettings, HostGate

HOST_STATE_GATE = "gate"


class HostRegistry:
    """One `HostGate` per host, at most `active` of them live.

    An idle gate that must make room is kept as its note (at most `max_dormant` of those, oldest forgotten first): a
    host
    that is blocked for long is parked in the frontier anyway, so forgetting a note never makes a crawl impolite.
    """

    def __init__(self, settings_for: Callable[[str], GateSettings], max_active: int, max_dormant: int) -> None:
        self._settings_for = settings_for
        self._max_active, self._max_dormant = max_active, max_dormant
        self._gates: OrderedDict[str, HostGate] = OrderedDict()
        self._dormant: OrderedDict[str, str] = OrderedDict()

    def get_or_restore(self, host: str, host_state: Mapping[str, str] | None, now: float = 0.0) -> HostGate:
        """The gate of `host`, made or restored when it is not at work; `notes` are those of a lease.

        A host that an earlier session gave up is given another chance from `now` on.
        """
        gate = self._gates.get(host)
        if gate is not None:
            self._gates.move_to_end(host)
            return gate
        settings = self._settings_for(host)
        if (note := self._dormant.pop(host, None)) is not None:
            gate = HostGate.from_json(settings, host, note)
        elif (note := (host_state or {}).get(HOST_STATE_GATE)) is not None:
            gate = HostGate.from_json(settings, host, note)
            gate.reset_given_up(now)
        else:
            gate = HostGate(settings, host)
        self._gates[host] = gate
        if len(self._gates) > self._max_active:
            self._evict_one_idle()
        return gate

    def peek(self, host: str) -> HostGate | None:
        """The live gate of `host`, if there is one."""
        return self._gates.get(host)

    def most_recent(self, count: int) -> Iterable[tuple[str, HostGate]]:
        """The `count` gates used most recently, latest first."""
        return islice(reversed(self._gates.items()), count)

    def gates(self) -> Iterable[tuple[str, HostGate]]:
        """Every live gate, least recently used first."""
        return self._gates.items()

    def _evict_one_idle(self) -> None:
        for host, gate in self._gates.items():
            if gate.in_flight == 0:
                self._dormant[host] = gate.to_json()
                del self._gates[host]
                break
        while len(self._dormant) > self._max_dormant:
            self._dormant.popitem(last=False)


class Dice:
    """The run's source of chance and its measure of the loop's own delay: what rules are given beside `now`."""

    __slots__ = ("loop_lag", "rng")

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.loop_lag = 0.0


def outcome_code(outcome: Outcome) -> str:
    """The word an outcome is counted under: `ok`, `http_404`, or the error's kind.

    `not_followed` is a 3xx that leads nowhere, such as 300 without a Location; `redirect` is a failure, such as a loop.
    """
    match outcome:
        case Failure(error=error):
            return str(error)
        case Denied(reason=reason):
            return str(reason)
        case NotModified():
            return "ok"
        case page:
            if page.status >= 400:
                return f"http_{page.status}"
            return "ok" if page.status < 300 else "not_followed"


def settled_code(result: Result) -> str:
    """The word a finished URL is counted under: that of its outcome, with its kind before it unless it is a page.

    `sitemap_none` is a sitemap that is not there: we look in the usual places, and most sites have none.
    """
    word = "duplicate" if result.duplicate_of else outcome_code(result.outcome)
    kind = result.request.kind
    if kind == "sitemap" and word in ("http_404", "http_410"):
        word = "none"
    return word if kind == "page" else f"{kind}_{word}"


def counts_as_page(code: str) -> bool:
    """Whether a settled URL's word is that of a page: those count against `max_pages`."""
    return not code.startswith(("sitemap_", "file_"))
