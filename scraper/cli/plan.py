"""`scrape crawl --dry-run`: reads robots.txt and sitemaps, asks for the seeds, and finds out what a run would do.

It runs the same machine as a crawl, with a page budget of just the seeds and a temporary folder for its outputs, so
that what it tells is what would happen.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from scraper.cli.exits import FAILED, OK
from scraper.events import Event, RobotsFetched, Warned
from scraper.report.stats import Words

if TYPE_CHECKING:
    from rich.console import Console

    from scraper.config.schema import CrawlConfig
    from scraper.crawler import Crawler
    from scraper.model import Request, Result
    from scraper.politeness.gate import GateSettings

SEEDS_ASKED = 50
"""Seeds that are asked for; of more only the first ones, for a plan should not take as long as the run."""
SITEMAPS_SHOWN = 20
REFUSED_SEEDS = 20
"""Seeds that were not asked for and are named with the reason."""
RULES_COUNTED = 1_000
"""Lines of robots.txt that are counted on their own."""
GUESSED = ("/sitemap.xml", "/sitemap_index.xml", "/sitemap.txt")
"""Usual places of sitemaps: that nothing is there is not worth a line."""


@dataclass(slots=True)
class HostPlan:
    """One host: URLs that wait to be asked for, those that robots.txt refuses, those that sitemaps name.

    `delay` is seconds between starts. `seconds` and `answers` are what its answers took so far. `robots_known` says
    whether its robots.txt has been read.
    """

    known: int = 0
    refused: int = 0
    in_sitemaps: int = 0
    delay: float = 0.0
    seconds: float = 0.0
    answers: int = 0
    robots_known: bool = False

    def pace(self, settings: GateSettings) -> float:
        """Seconds a URL takes at least: the pause between starts, or the answer where few may be under way at once."""
        answer = self.seconds / self.answers if self.answers else 0.0
        return max(self.delay, answer / settings.concurrency if settings.concurrency else 0.0)

    def allowed(self, settings: GateSettings) -> int:
        """URLs that may be asked for, within the host's own page limit."""
        return self.known if settings.max_pages is None else min(self.known, settings.max_pages)


@dataclass(slots=True)
class Plan:
    """What a dry run found: the seeds' answers, the sitemaps', what waits by host, what robots.txt said by origin."""

    seed_count: int = 0
    seeds: list[Result] = field(default_factory=list)
    seeds_refused: list[tuple[str, str]] = field(default_factory=list)
    """Seeds that gave no answer: address, and where the redirect leads or the rule that decided."""
    sitemaps: list[tuple[str, str]] = field(default_factory=list)
    """The first `SITEMAPS_SHOWN` that answered or should have: address, and what came of it."""
    sitemap_count: int = 0
    hosts: dict[str, HostPlan] = field(default_factory=dict)
    skipped: Counter[str] = field(default_factory=Counter)
    refusals: Words = field(default_factory=lambda: Words(RULES_COUNTED))
    """URLs by the origin and the line of robots.txt that refuses them."""
    robots: dict[str, RobotsFetched] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def watch(self, event: Event) -> None:
        """Take what is worth telling of the run."""
        if isinstance(event, RobotsFetched):
            self.robots[event.origin] = event
        elif isinstance(event, Warned):
            self.warnings.append(event.message)

    def host(self, name: str) -> HostPlan:
        """The host's entry."""
        return self.hosts.setdefault(name, HostPlan())

    def answered(self, result: Result) -> None:
        """Note how long an answer took."""
        host = self.host(result.request.url.host)
        host.seconds += result.outcome.elapsed
        host.answers += 1

    def page(self, result: Result) -> None:
        """Take a page that was asked for: a seed, or where seeds were refused, what the budget had left."""
        if result.request.parent is None:
            self.seeds.append(result)
        else:
            self.host(result.request.url.host).known += 1

    def sitemap(self, result: Result) -> None:
        """Note how many URLs in scope a sitemap names, and of which hosts."""
        if result.status == 404 and result.request.url.target in GUESSED:
            return
        named = [link.url.host for link in result.harvest.links if link.denied is None and link.kind != "sitemap"]
        for host in named:
            self.host(host).in_sitemaps += 1
        self.sitemap_count += 1
        if len(self.sitemaps) < SITEMAPS_SHOWN:
            answer = f"{result.status or result.error}, {len(named):,} URLs in scope"
            self.sitemaps.append((result.request.url.href, answer))

    def waits(self, request: Request, refused_by: str | None, delay: float) -> None:
        """Count one URL that is known and was not asked for."""
        robots = self.robots.get(request.url.origin)
        if refused_by is None and robots is not None and robots.outcome == "unreachable":
            refused_by = f"robots.txt, which cannot be read: {robots.detail}"
        if request.parent is None and request.hops and len(self.seeds_refused) < REFUSED_SEEDS:
            why = f": {refused_by}" if refused_by else ""
            self.seeds_refused.append((request.requested, f"redirects to {request.url.href}, not asked for{why}"))
        host = self.host(request.url.host)
        host.delay = delay
        host.robots_known = host.robots_known or request.url.origin in self.robots
        if refused_by is None:
            host.known += 1
        else:
            host.refused += 1
            self.refusals.add(f"{request.url.origin} {refused_by}")


def dry_run(path: Path, overrides: Sequence[str], console: Console) -> int:
    """Find out what `scrape crawl` would do with this config, print it, and return the exit code."""
    import asyncio

    from scraper.cli.plan_text import render
    from scraper.config.load import load_config
    from scraper.translate import read_seeds
    from scraper.urls.canonicalise import KeyRules

    config = load_config(path, overrides)
    seeds = read_seeds(config, KeyRules(config.scope.strip_params, config.scope.sort_query))
    budget = max(1, min(len(seeds), SEEDS_ASKED))
    with tempfile.TemporaryDirectory(prefix="scrape-dry-run-") as folder:
        changes = (f"limits.max_pages={budget}", f"output.folder='{folder}'", "output.sinks=[jsonl]", "files={}")
        plan = asyncio.run(_explore(load_config(path, [*overrides, *changes]), path.parent))
    plan.seed_count = len(seeds)
    for line in render(plan, config):
        console.print(line, markup=False, highlight=False)
    return OK if any(result.error is None for result in plan.seeds) else FAILED


async def _explore(config: CrawlConfig, base: Path) -> Plan:
    from scraper.crawler import Crawler
    from scraper.engine.shutdown import signals_stop

    plan = Plan()
    async with Crawler(config, listeners=[plan.watch], base=base, all_sitemaps=True) as crawler:
        with signals_stop(crawler.floor):
            async for result in crawler.results():
                plan.answered(result)
                if result.request.kind == "page":
                    plan.page(result)
                elif result.request.kind == "sitemap":
                    plan.sitemap(result)
        async for request in crawler.waiting():
            plan.waits(request, crawler.refused_by(request), crawler.delay_of(request.url.host))
        assert crawler.summary is not None
        skipped = crawler.summary.values["skipped"]
        plan.skipped.update({word: count for word, count in skipped.items() if word != "budget"})
        plan.seeds_refused.extend(_refused_seeds(crawler))
    return plan


def _refused_seeds(crawler: Crawler) -> Iterator[tuple[str, str]]:
    """The seeds that the run skipped for another reason than its budget."""
    from scraper.explain.records import parse_record

    assert crawler.summary is not None
    found = 0
    with (crawler.summary.folder / "skipped.jsonl").open("rb") as file:
        for line in file:
            skip = parse_record(line) or {}
            if skip.get("parent") is None and skip.get("reason") != "budget" and found < REFUSED_SEEDS:
                found += 1
                yield str(skip.get("url")), f"not asked for: {skip.get('rule')}"
