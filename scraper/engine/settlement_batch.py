"""What the recorder settles in one transaction, and whether somebody waits for it."""

from __future__ import annotations

from dataclasses import dataclass, field

from scraper.engine.run_state import RunState
from scraper.events import Event
from scraper.frontier.interface import FrontierView
from scraper.model import Body, Request, Result, Retry, Settlement


@dataclass(slots=True)
class SettlementBatch:
    """Settlements with what belongs to them: `results` and `events` are told, `spooled` bodies deleted afterwards.

    `links` counts what the settlements have discovered and skipped.
    """

    settlements: list[Settlement] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    spooled_bodies: list[Body] = field(default_factory=list)
    link_count: int = 0
    _hosts_with_work: set[str] = field(default_factory=set)
    _urgent: bool = False

    def add(self, settlement: Settlement, now: float) -> None:
        """Take in a settlement, which happens at `now`."""
        self.settlements.append(settlement)
        self.link_count += len(settlement.discovered) + len(settlement.skipped)
        if settlement.discovered:
            self._hosts_with_work.update([request.url.host for request in settlement.discovered])
            if settlement.lease.request.kind == "sitemap":  # what it names comes before what waits
                self._urgent = True
        elif isinstance(settlement.verdict, Retry) and settlement.verdict.at <= now:
            self._hosts_with_work.add(settlement.verdict.request.url.host)

    def would_unblock_workers(self, state: RunState, frontier_view: FrontierView) -> bool:
        """Whether settling would give idle fetchers something to do, or end the run."""
        if self._urgent or (state.jobs.empty() and not state.in_flight and not frontier_view.depths().waiting):
            return True
        return any(not frontier_view.count_queued(host) for host in self._hosts_with_work)

    def retry_requests(self) -> list[Request]:
        """The requests that are asked again, in whatever form."""
        return [settlement.verdict.request for settlement in self.settlements if isinstance(settlement.verdict, Retry)]
