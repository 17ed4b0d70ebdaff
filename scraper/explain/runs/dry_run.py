"""What a dry run collects: responses of seeds and sitemaps, waiting URLs by host, and what robots.txt refuses."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from scraper.engine.robots_service import DEFAULT_SITEMAP_PATHS
from scraper.events import Event, RobotsFetched, Warned
from scraper.report.stats import BoundedCounter

if TYPE_CHECKING:
    from scraper.model import Request, Result
    from scraper.politeness.host_gate import GateSettings

MAX_SITEMAPS_SHOWN = 20
# Seeds without a response that are listed with the reason.
MAX_REFUSED_SEEDS = 20
# Lines of robots.txt that get a count of their own; further ones are counted together.
MAX_RULES_COUNTED = 1_000


@dataclass(slots=True)
class HostPlan:
    """One host: numbers of URLs that are waiting, refused by robots.txt, and listed in sitemaps.

    `delay` is seconds between request starts. `response_seconds` is the sum over `responses` requests.
    `robots_known` says whether its robots.txt has been read.
    """

    waiting: int = 0
    refused: int = 0
    in_sitemaps: int = 0
    delay: float = 0.0
    response_seconds: float = 0.0
    responses: int = 0
    robots_known: bool = False

    def seconds_per_url(self, settings: GateSettings) -> float:
        """Seconds per URL: the pause between starts, or the mean response time shared by `concurrency` requests."""
        mean_response = self.response_seconds / self.responses if self.responses else 0.0
        return max(self.delay, mean_response / settings.concurrency if settings.concurrency else 0.0)

    def requestable(self, settings: GateSettings) -> int:
        """Waiting URLs that the host's own page limit allows to fetch."""
        return self.waiting if settings.max_pages is None else min(self.waiting, settings.max_pages)


@dataclass(slots=True)
class CrawlPlan:
    """What a dry run found.

    `seeds` are the results of fetched seeds; `seeds_without_response` are pairs of URL and reason: where a redirect
    leads, or the rule that refused it. `sitemaps` are pairs of URL and result, the first `MAX_SITEMAPS_SHOWN`.
    `robots_refusals` counts URLs by origin and line of robots.txt.
    """

    seed_count: int = 0
    seeds: list[Result] = field(default_factory=list)
    seeds_without_response: list[tuple[str, str]] = field(default_factory=list)
    sitemaps: list[tuple[str, str]] = field(default_factory=list)
    sitemap_count: int = 0
    hosts: dict[str, HostPlan] = field(default_factory=dict)
    skipped: Counter[str] = field(default_factory=Counter)
    robots_refusals: BoundedCounter = field(default_factory=lambda: BoundedCounter(MAX_RULES_COUNTED))
    robots: dict[str, RobotsFetched] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def on_event(self, event: Event) -> None:
        """Collect robots.txt results and warnings; other events are ignored."""
        if isinstance(event, RobotsFetched):
            self.robots[event.origin] = event
        elif isinstance(event, Warned):
            self.warnings.append(event.message)

    def host(self, name: str) -> HostPlan:
        """The plan of one host, made on first use."""
        return self.hosts.setdefault(name, HostPlan())

    def add_response_time(self, result: Result) -> None:
        """Add the time that one response took."""
        host = self.host(result.request.url.host)
        host.response_seconds += result.outcome.elapsed
        host.responses += 1

    def add_page(self, result: Result) -> None:
        """Add a fetched page. One that is no seed was fetched only because seeds were refused: it is still to crawl."""
        if result.request.parent is None:
            self.seeds.append(result)
        else:
            self.host(result.request.url.host).waiting += 1

    def add_sitemap(self, result: Result) -> None:
        """Add a sitemap, and count the URLs in scope that it lists by host."""
        # A crawl tries the usual paths without any sign of a sitemap: a 404 there is not worth a line.
        if result.status == 404 and result.request.url.target in DEFAULT_SITEMAP_PATHS:
            return
        listed_hosts = [
            link.url.host for link in result.extraction.links if link.denied is None and link.kind != "sitemap"
        ]
        for host in listed_hosts:
            self.host(host).in_sitemaps += 1
        self.sitemap_count += 1
        if len(self.sitemaps) < MAX_SITEMAPS_SHOWN:
            outcome_text = f"{result.status or result.error}, {len(listed_hosts):,} URLs in scope"
            self.sitemaps.append((result.request.url.href, outcome_text))

    def add_waiting(self, request: Request, refused_by: str | None, delay: float) -> None:
        """Count one known URL that was not fetched; `refused_by` is the line of robots.txt that forbids it."""
        robots = self.robots.get(request.url.origin)
        # A crawl fetches nothing from an origin whose robots.txt it cannot read (RFC 9309, section 2.3.1.4).
        if refused_by is None and robots is not None and robots.outcome == "unreachable":
            refused_by = f"robots.txt, which cannot be read: {robots.detail}"
        if request.parent is None and request.redirects and len(self.seeds_without_response) < MAX_REFUSED_SEEDS:
            reason = f": {refused_by}" if refused_by else ""
            self.seeds_without_response.append(
                (request.requested, f"redirects to {request.url.href}, not fetched{reason}")
            )
        host = self.host(request.url.host)
        host.delay = delay
        host.robots_known = host.robots_known or request.url.origin in self.robots
        if refused_by is None:
            host.waiting += 1
        else:
            host.refused += 1
            self.robots_refusals.add(f"{request.url.origin} {refused_by}")
