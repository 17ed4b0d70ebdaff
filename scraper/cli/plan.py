"""`scrape crawl --dry-run`: reads robots.txt and sitemaps, asks for the seeds, and tells what a run would do.

It runs the same machine as a crawl, with a page budget of just the seeds and a temporary folder for its outputs, so
that what it tells is what would happen.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from scraper.cli.exits import FAILED, OK
from scraper.events import Event, RobotsFetched, Warned

if TYPE_CHECKING:
    from rich.console import Console

    from scraper.config.schema import CrawlConfig
    from scraper.model import Request, Result

HOSTS_SHOWN = 30
SITEMAPS_SHOWN = 20
GUESSED = ("/sitemap.xml", "/sitemap_index.xml", "/sitemap.txt")
"""Usual places of sitemaps: that nothing is there is not worth a line."""


@dataclass(slots=True)
class Plan:
    """What a dry run found: the seeds' answers, the sitemaps', what waits by host, what robots.txt said by origin."""

    seeds: list[Result] = field(default_factory=list)
    sitemaps: list[tuple[str, str]] = field(default_factory=list)
    """The first `SITEMAPS_SHOWN` that answered or should have: address, and what came of it."""
    sitemap_count: int = 0
    in_sitemaps: int = 0
    waiting: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    robots: dict[str, RobotsFetched] = field(default_factory=dict)
    delays: dict[str, float] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def watch(self, event: Event) -> None:
        """Take what is worth telling of the run."""
        if isinstance(event, RobotsFetched):
            self.robots[event.origin] = event
        elif isinstance(event, Warned):
            self.warnings.append(event.message)


def dry_run(path: Path, overrides: Sequence[str], console: Console) -> int:
    """Find out what `scrape crawl` would do with this config, print it, and return the exit code."""
    import asyncio

    from scraper.config.load import load_config
    from scraper.translate import read_seeds
    from scraper.urls.canonicalise import KeyRules

    config = load_config(path, overrides)
    seeds = read_seeds(config, KeyRules(config.scope.strip_params, config.scope.sort_query))
    with tempfile.TemporaryDirectory(prefix="scrape-dry-run-") as folder:
        budget = (f"limits.max_pages={len(seeds)}", f"output.folder='{folder}'", "output.sinks=[jsonl]", "files={}")
        plan = asyncio.run(_explore(load_config(path, [*overrides, *budget]), path.parent))
    _render(plan, config, console)
    return OK if any(result.error is None for result in plan.seeds) else FAILED


async def _explore(config: CrawlConfig, base: Path) -> Plan:
    from scraper.crawler import Crawler
    from scraper.engine.shutdown import signals_stop

    plan = Plan()
    async with Crawler(config, listeners=[plan.watch], base=base) as crawler:
        with signals_stop(crawler.floor):
            async for result in crawler.results():
                if result.request.kind == "page":
                    plan.seeds.append(result)
                elif result.request.kind == "sitemap":
                    _take_sitemap(plan, result)
        async for request in crawler.waiting():
            _count(plan, request, crawler.delay_of(request.url.host))
        assert crawler.summary is not None
        skipped = crawler.summary.values["skipped"]
        plan.skipped.update({word: count for word, count in skipped.items() if word != "budget"})
    return plan


def _take_sitemap(plan: Plan, result: Result) -> None:
    """Note how many URLs in scope a sitemap names."""
    if result.status == 404 and result.request.url.target in GUESSED:
        return
    named = sum(1 for link in result.harvest.links if link.denied is None and link.kind != "sitemap")
    plan.sitemap_count += 1
    plan.in_sitemaps += named
    if len(plan.sitemaps) < SITEMAPS_SHOWN:
        answer = f"{result.status or result.error}, {named:,} URLs in scope"
        plan.sitemaps.append((result.request.url.href, answer))


def _count(plan: Plan, request: Request, delay: float) -> None:
    plan.waiting[request.url.host] += 1
    plan.delays[request.url.host] = delay


def _render(plan: Plan, config: CrawlConfig, console: Console) -> None:
    from rich.table import Table

    from scraper.report.amounts import duration_text, latency_text
    from scraper.report.sanitise import clean

    console.print(f"{config.name}: a dry run; nothing is kept", highlight=False)
    console.print(f"rules: {_rules(config)}", markup=False, highlight=False)
    for result in plan.seeds:
        answer = f"{result.status or result.error}, {len(result.harvest.links)} links, {len(result.items)} items"
        console.print(f"seed {clean(result.request.requested)}: {answer}", markup=False, highlight=False)
    for origin, robots in plan.robots.items():
        pause = f", crawl-delay {robots.crawl_delay:g} s" if robots.crawl_delay else ""
        console.print(f"robots.txt {clean(origin)}: {clean(robots.detail)}{pause}", markup=False, highlight=False)
    for address, answer in plan.sitemaps:
        console.print(f"sitemap {clean(address)}: {answer}", markup=False, highlight=False)
    if plan.sitemap_count > len(plan.sitemaps):
        console.print(f"and {plan.sitemap_count - len(plan.sitemaps):,} more sitemaps", highlight=False)
    for warning in plan.warnings:
        console.print(f"warning: {clean(warning)}", markup=False, highlight=False)
    table = Table(box=None, pad_edge=False)
    for title in ("host", "known", "one each", "at least"):
        table.add_column(title, justify="left" if title == "host" else "right")
    for host, count in plan.waiting.most_common(HOSTS_SHOWN):
        delay = plan.delays[host]
        table.add_row(clean(host), f"{count:,}", latency_text(delay) if delay else "-", duration_text(count * delay))
    console.print(table)
    if (hidden := len(plan.waiting) - HOSTS_SHOWN) > 0:
        console.print(f"and {hidden:,} more hosts", highlight=False)
    if plan.skipped:
        words = ", ".join(f"{word} {count:,}" for word, count in plan.skipped.most_common())
        console.print(f"would skip: {words}", highlight=False)
    console.print(_estimate(plan, config), highlight=False)


def _rules(config: CrawlConfig) -> str:
    """The pace and the bounds of a config in one line."""
    polite, limits = config.politeness, config.limits
    rate, most = polite.per_host.rate, polite.per_host.concurrency
    pace = "no limit of requests a second" if rate is None else f"{rate:g} requests a second"
    at_once = "" if most is None else f", {most} at once"
    pages = "no limit of pages" if limits.max_pages is None else f"at most {limits.max_pages:,} pages"
    return f"{pace} to a host{at_once}; robots.txt: {polite.robots.policy}; scope: {config.scope.mode}; {pages}"


def _estimate(plan: Plan, config: CrawlConfig) -> str:
    """How much is known and how long it takes at the polite rate, all hosts at once."""
    from scraper.report.amounts import duration_text
    from scraper.report.eta import Pace, shortest

    known, limit = sum(plan.waiting.values()), config.limits.max_pages
    paces = [Pace(count, plan.delays[host]) for host, count in plan.waiting.items()]
    source = f" ({plan.in_sitemaps:,} named by sitemaps)" if plan.in_sitemaps else ""
    least = duration_text(shortest(known, paces))
    told = f"{known:,} URLs known so far{source}; at the polite rate they take at least {least}"
    if limit is not None and limit < known:
        told += f"; limits.max_pages: {limit:,} ends it after at least {duration_text(shortest(limit, paces))}"
    return told + ". What their pages link to comes on top."
