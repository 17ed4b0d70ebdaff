"""What a dry run finds out: the seeds' answers, what waits by host, what robots.txt refuses."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from scraper.events import Event, RobotsFetched, Warned
from scraper.report.stats import BoundedCounter

if TYPE_CHECKING:
    from scraper.model import Request, Result
    from scraper.politeness.host_gate import GateSettings

MAX_SITEMAPS_SHOWN = 20
MAX_REFUSED_SEEDS = 20
"""Seeds that were not asked for and are named with the reason."""
MAX_RULES_COUNTED = 1_000
"""Lines of robots.txt that are counted on their own."""
USUAL_SITEMAP_PATHS = ("/sitemap.xml", "/sitemap_index.xml", "/sitemap.txt")
"""Usual places of sitemaps: that nothing is there is not worth a line."""


@dataclass(slots=True)
class HostPlan:
    """One host: URLs that wait to be asked for, those that robots.txt refuses, those that sitemaps name.

    `delay` is seconds between starts. `seconds` and `answers` are what its answers took so far. `robots_known` says
    whether its robots.txt has been read.
    """

    waiting: int = 0
    refused: int = 0
    in_sitemaps: int = 0
    delay: float = 0.0
    response_seconds: float = 0.0
    responses: int = 0
    robots_known: bool = False

    def seconds_per_url(self, settings: GateSettings) -> float:
        """Seconds a URL takes at least: the pause between starts, or the answer where few may be under way at once."""
        answer = self.response_seconds / self.responses if self.responses else 0.0
        return max(self.delay, answer / settings.concurrency if settings.concurrency else 0.0)

    def requestable(self, settings: GateSettings) -> int:
        """URLs that may be asked for, within the host's own page limit."""
        return self.waiting if settings.max_pages is None else min(self.waiting, settings.max_pages)


@dataclass(slots=True)
class CrawlPlan:
    """What a dry run found: the seeds' answers, the sitemaps', what waits by host, what robots.txt said by origin."""

    seed_count: int = 0
    seeds: list[Result] = field(default_factory=list)
    seeds_without_response: list[tuple[str, str]] = field(default_factory=list)
    """Seeds that gave no answer: address, and where the redirect leads or the rule that decided."""
    sitemaps: list[tuple[str, str]] = field(default_factory=list)
    """The first `MAX_SITEMAPS_SHOWN` that answered or should have: address, and what came of it."""
    sitemap_count: int = 0
    hosts: dict[str, HostPlan] = field(default_factory=dict)
    skipped: Counter[str] = field(default_factory=Counter)
    robots_refusals: BoundedCounter = field(default_factory=lambda: BoundedCounter(MAX_RULES_COUNTED))
    """URLs by the origin and the line of robots.txt that refuses them."""
    robots: dict[str, RobotsFetched] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def on_event(self, event: Event) -> None:
        """Take what is worth telling of the run."""
        if isinstance(event, RobotsFetched):
            self.robots[event.origin] = event
        elif isinstance(event, Warned):
            self.warnings.append(event.message)

    def host(self, name: str) -> HostPlan:
        """The host's entry."""
        return self.hosts.setdefault(name, HostPlan())

    def add_response_time(self, result: Result) -> None:
        """Note how long an answer took."""
        host = self.host(result.request.url.host)
        host.response_seconds += result.outcome.elapsed
        host.responses += 1

    def add_page(self, result: Result) -> None:
        """Take a page that was asked for: a seed, or where seeds were refused, what the budget had left."""
        if result.request.parent is None:
            self.seeds.append(result)
        else:
            self.host(result.request.url.host).waiting += 1

    def add_sitemap(self, result: Result) -> None:
        """Note how many URLs in scope a sitemap names, and of which hosts."""
        if result.status == 404 and result.request.url.target in USUAL_SITEMAP_PATHS:
            return
        named = [link.url.host for link in result.extraction.links if link.denied is None and link.kind != "sitemap"]
        for host in named:
            self.host(host).in_sitemaps += 1
        self.sitemap_count += 1
        if len(self.sitemaps) < MAX_SITEMAPS_SHOWN:
            answer = f"{result.status or result.error}, {len(named):,} URLs in scope"
            self.sitemaps.append((result.request.url.href, answer))

    def add_waiting(self, request: Request, refused_by: str | None, delay: float) -> None:
        """Count one URL that is known and was not asked for."""
        robots = self.robots.get(request.url.origin)
        if refused_by is None and robots is not None and robots.outcome == "unreachable":
            refused_by = f"robots.txt, which cannot be read: {robots.detail}"
        if request.parent is None and request.redirects and len(self.seeds_without_response) < MAX_REFUSED_SEEDS:
            why = f": {refused_by}" if refused_by else ""
            self.seeds_without_response.append(
                (request.requested, f"redirects to {request.url.href}, not fetched{why}")
            )
        host = self.host(request.url.host)
        host.delay = delay
        host.robots_known = host.robots_known or request.url.origin in self.robots
        if refused_by is None:
            host.waiting += 1
        else:
            host.refused += 1
            self.robots_refusals.add(f"{request.url.origin} {refused_by}")
