"""The state of a crawl at one moment, with the numbers that lines and displays compute from it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from scraper.events import HostSample, QueuesSampled
from scraper.report.stats import StatsSnapshot
from scraper.report.text.eta import HostEstimate, time_left
from scraper.report.text.event_text import EventText


@dataclass(frozen=True, slots=True)
class CrawlSnapshot:
    """The state of a crawl at `now` (epoch seconds).

    `waiting_before` is the number of URLs queued when the session began, until the first `queues` sample.
    `rates` are the requests per second of the last seconds, by host.
    """

    stats: StatsSnapshot
    now: float
    queues: QueuesSampled | None = None
    problems: tuple[EventText, ...] = ()
    waiting_before: int = 0
    rates: Mapping[str, float] = field(default_factory=dict)

    @property
    def done(self) -> int:
        """URLs settled, those of earlier sessions included."""
        return self.stats.known_before + self.stats.settled

    @property
    def known(self) -> int:
        """URLs settled, waiting, delayed, or in flight."""
        if self.queues is None:
            return max(self.done, self.stats.known_before + self.waiting_before)
        queues = self.queues
        return self.done + queues.waiting + queues.delayed + queues.in_flight + queues.results

    @property
    def expected_total(self) -> int:
        """How many URLs will be settled, as far as known now: all known URLs, at most `max_pages`."""
        limit = self.stats.max_pages
        return self.known if limit is None else max(self.done, min(self.known, limit))

    @property
    def eta(self) -> float | None:
        """Seconds to the end, from the current rate and the rate limits of the hosts; None when unknown."""
        if self.queues is None:
            return None
        limit = None if self.stats.max_pages is None else max(0, self.stats.max_pages - self.done)
        paces = [_host_estimate(host, self.now) for host in self.queues.hosts]
        return time_left(self.known - self.done, limit, self.stats.pages_per_second, paces)


def _host_estimate(host: HostSample, now: float) -> HostEstimate:
    given_up = host.ready_at == math.inf and not host.in_flight
    return HostEstimate(host.waiting, host.delay, host.ready_at - now, given_up)
