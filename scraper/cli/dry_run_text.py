"""A dry run's plan in words: the rules, what answered and what did not, each host's share, how long it takes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from scraper.report.text.eta import Pace, shortest
from scraper.report.text.formatting import duration_text, latency_text
from scraper.report.text.sanitize import clean

if TYPE_CHECKING:
    from rich.console import RenderableType

    from scraper.config.schema.crawl import CrawlConfig
    from scraper.explain.runs.dry_run import Plan
    from scraper.model import Request, Result
    from scraper.politeness.host_overrides import PolitenessSettings

HOSTS_SHOWN = 30
RULES_SHOWN = 10
SEED_CHARS = 300


def render(plan: Plan, config: CrawlConfig) -> Iterator[RenderableType]:
    """What is printed, piece by piece."""
    from scraper.config_to_settings import politeness_settings

    polite = politeness_settings(config)
    yield f"{config.name}: a dry run; nothing is kept"
    yield f"rules: {_rules(config)}"
    yield from _seeds(plan)
    for origin, robots in plan.robots.items():
        pause = f", crawl-delay {robots.crawl_delay:g} s" if robots.crawl_delay else ""
        yield f"robots.txt {clean(origin)}: {clean(robots.detail)}{pause}"
    for address, answer in plan.sitemaps:
        yield f"sitemap {clean(address)}: {answer}"
    if plan.sitemap_count > len(plan.sitemaps):
        yield f"and {plan.sitemap_count - len(plan.sitemaps):,} more sitemaps"
    for warning in plan.warnings:
        yield f"warning: {clean(warning)}"
    yield from _hosts(plan, polite)
    yield from _refusals(plan)
    if plan.skipped:
        yield "would skip: " + ", ".join(f"{word} {count:,}" for word, count in plan.skipped.most_common())
    yield _estimate(plan, config, polite)


def _way(request: Request) -> str:
    """How a seed was asked for: its address, and what was posted, for several seeds may have one address."""
    if request.content is None:
        return f"POST {request.requested}" if request.posts else request.requested
    from scraper.sinks.records import shown_body

    return f"POST {request.requested} {shown_body(request.content)}".rstrip()


def _seeds(plan: Plan) -> Iterator[str]:
    for result in plan.seeds:
        yield f"seed {clean(_way(result.request), SEED_CHARS)}: {_answer(result)}"
    for address, why in plan.seeds_refused:
        yield f"seed {clean(address, SEED_CHARS)}: {clean(why, 2 * SEED_CHARS)}"
    if (left := plan.seed_count - len(plan.seeds) - len(plan.seeds_refused)) > 0:
        yield f"and {left:,} more seeds, which were not asked for now"


def _answer(result: Result) -> str:
    """What came of one seed: where it led, what answered, or why nothing did."""
    from scraper.model import Failure

    steps = len(result.request.hops)
    led = f"redirects to {clean(result.url, SEED_CHARS)}{f' in {steps} steps' if steps > 1 else ''}: " if steps else ""
    if isinstance(result.outcome, Failure):
        return f"{led}failed: {result.outcome.error}: {clean(result.outcome.detail, SEED_CHARS)}"
    if result.error is not None:
        return f"{led}failed: HTTP {result.status}"
    return f"{led}{result.status}, {len(result.harvest.links):,} links, {len(result.items):,} items"


def _hosts(plan: Plan, polite: PolitenessSettings) -> Iterator[RenderableType]:
    from rich.table import Table

    waiting = {name: host for name, host in plan.hosts.items() if host.known or host.refused}
    if not waiting:
        return
    table = Table(box=None, pad_edge=False)
    for title in ("host", "known", "refused", "in sitemaps", "one each", "at least"):
        table.add_column(title, justify="left" if title == "host" else "right")
    for name in sorted(waiting, key=lambda name: (-waiting[name].known, name))[:HOSTS_SHOWN]:
        host, settings = waiting[name], polite.for_host(name)
        pace, count = host.pace(settings), host.allowed(settings)
        table.add_row(
            clean(name),
            f"{host.known:,}",
            f"{host.refused:,}" if host.robots_known or host.refused else "?",
            f"{host.in_sitemaps:,}",
            latency_text(pace) if pace else "-",
            duration_text(count * pace),
        )
    yield table
    if (hidden := len(waiting) - HOSTS_SHOWN) > 0:
        yield f"and {hidden:,} more hosts"


def _refusals(plan: Plan) -> Iterator[str]:
    counts = plan.refusals.counts
    if counts:
        yield f"robots.txt refuses {sum(counts.values()):,} of the URLs found so far:"
    ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    for rule, count in ranked[:RULES_SHOWN]:
        yield f"  {count:,} by {clean(rule, SEED_CHARS)}"
    if len(ranked) > RULES_SHOWN:
        yield f"  and {sum(count for _, count in ranked[RULES_SHOWN:]):,} by other lines"
    unread = sum(1 for host in plan.hosts.values() if host.known and not host.robots_known)
    if unread and plan.robots:
        yield f"robots.txt of {unread:,} hosts has not been read: more may be refused there (?)"


def _rules(config: CrawlConfig) -> str:
    """The pace and the bounds of a config in one line."""
    polite, limits = config.politeness, config.limits
    rate, most = polite.per_host.rate, polite.per_host.concurrency
    pace = "no limit of requests a second" if rate is None else f"{rate:g} requests a second"
    at_once = "" if most is None else f", {most} at once"
    pages = "no limit of pages" if limits.max_pages is None else f"at most {limits.max_pages:,} pages"
    return f"{pace} to a host{at_once}; robots.txt: {polite.robots.policy}; scope: {config.scope.mode}; {pages}"


def _estimate(plan: Plan, config: CrawlConfig, polite: PolitenessSettings) -> str:
    """How much is known and how long it takes at the polite rate, all hosts at once."""
    paces, known, answers = [], 0, 0.0
    for name, host in plan.hosts.items():
        settings = polite.for_host(name)
        count = host.allowed(settings)
        paces.append(Pace(count, host.pace(settings)))
        known += count
        answers += count * host.seconds / host.answers if host.answers else 0.0

    def least(goal: int) -> str:
        # All hosts together have no more requests under way than limits.concurrency.
        together = answers / config.limits.concurrency * (goal / known) if known else 0.0
        return duration_text(max(shortest(goal, paces), together))

    named = sum(host.in_sitemaps for host in plan.hosts.values())
    source = f" ({named:,} named by sitemaps)" if named else ""
    told = f"{known:,} URLs to ask for are known so far{source}; at the polite rate they take at least {least(known)}"
    limit = config.limits.max_pages
    if limit is not None and limit < known:
        told += f"; limits.max_pages: {limit:,} ends it after at least {least(limit)}"
    return told + ". What their pages link to comes on top."
