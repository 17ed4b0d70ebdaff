"""What the recorder settles in one transaction, and whether somebody waits for it."""

from __future__ import annotations

from dataclasses import dataclass, field

from scraper.engine.audit import PageCounts
from scraper.engine.run_state import RunState
from scraper.events import Event
from scraper.frontier.interface import FrontierView
from scraper.model import Body, Request, Result, Retry, Settlement


@dataclass(slots=True)
class SettlementBatch:
    """Settlements, and what is to be done once they are stored."""

    settlements: list[Settlement] = field(default_factory=list)
    # Handed to the caller and to the listeners afterwards: they never see what a crash could undo.
    results: list[Result] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    # Bodies in files, to be deleted when the sinks have read them.
    spooled_bodies: list[Body] = field(default_factory=list)
    # Links that the settlements discovered or skipped.
    link_count: int = 0
    # What was found on its pages.
    found: PageCounts = field(default_factory=PageCounts)
    # Hosts that get something to do by this batch.
    _hosts_with_work: set[str] = field(default_factory=set)
    _urgent: bool = False

    def add(self, settlement: Settlement, now: float) -> None:
        """Add a settlement, made at `now` (epoch seconds)."""
        self.settlements.append(settlement)
        self.link_count += len(settlement.discovered) + len(settlement.skipped)
        if settlement.discovered:
            self._hosts_with_work.update([request.url.host for request in settlement.discovered])
            if settlement.lease.request.kind == "sitemap":  # what it lists has priority over what is queued
                self._urgent = True
        elif isinstance(settlement.verdict, Retry) and settlement.verdict.at <= now:
            self._hosts_with_work.add(settlement.verdict.request.url.host)

    def would_unblock_workers(self, state: RunState, frontier_view: FrontierView) -> bool:
        """Whether settling now would give idle workers something to do, or end the run."""
        if self._urgent or (state.jobs.empty() and not state.in_flight and not frontier_view.depths().waiting):
            return True
        return any(not frontier_view.count_queued(host) for host in self._hosts_with_work)

    def retry_requests(self) -> list[Request]:
        """The requests that are queued again, perhaps to another URL."""
        return [settlement.verdict.request for settlement in self.settlements if isinstance(settlement.verdict, Retry)]
