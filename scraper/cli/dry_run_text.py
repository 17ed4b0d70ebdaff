"""The plan of a dry run as text: the rules, the outcome of each seed, a table of hosts, the estimated time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from scraper.report.text.eta import HostEstimate, shortest_time
from scraper.report.text.formatting import duration_text, latency_text
from scraper.report.text.sanitize import clean

if TYPE_CHECKING:
    from rich.console import RenderableType

    from scraper.config.schema.crawl import CrawlConfig
    from scraper.explain.runs.dry_run import CrawlPlan
    from scraper.model import Request, Result
    from scraper.politeness.host_overrides import PolitenessSettings

MAX_HOSTS_SHOWN = 30
MAX_RULES_SHOWN = 10
MAX_SEED_CHARS = 300


def render(plan: CrawlPlan, config: CrawlConfig) -> Iterator[RenderableType]:
    """The lines and tables to print, in order."""
    from scraper.config_to_settings import politeness_settings

    polite = politeness_settings(config)
    yield f"{config.name}: dry run, nothing is stored"
    yield f"rules: {_rules_text(config)}"
    yield from _seed_lines(plan)
    for origin, robots in plan.robots.items():
        pause = f", crawl-delay {robots.crawl_delay:g} s" if robots.crawl_delay else ""
        yield f"robots.txt {clean(origin)}: {clean(robots.detail)}{pause}"
    for address, outcome in plan.sitemaps:
        yield f"sitemap {clean(address)}: {outcome}"
    if plan.sitemap_count > len(plan.sitemaps):
        yield f"and {plan.sitemap_count - len(plan.sitemaps):,} more sitemaps"
    for warning in plan.warnings:
        yield f"warning: {clean(warning)}"
    yield from _host_table(plan, polite)
    yield from _robots_lines(plan)
    if plan.skipped:
        yield "would skip: " + ", ".join(f"{word} {count:,}" for word, count in plan.skipped.most_common())
    yield _estimate_text(plan, config, polite)


def _request_text(request: Request) -> str:
    """A seed's URL; for a POST also the beginning of its body, because several seeds may have the same URL."""
    if request.content is None:
        return f"POST {request.requested}" if request.posted_keys else request.requested
    from scraper.sinks.records import abbreviate_body

    return f"POST {request.requested} {abbreviate_body(request.content)}".rstrip()


def _seed_lines(plan: CrawlPlan) -> Iterator[str]:
    for result in plan.seeds:
        yield f"seed {clean(_request_text(result.request), MAX_SEED_CHARS)}: {_outcome_text(result)}"
    for address, why in plan.seeds_without_response:
        yield f"seed {clean(address, MAX_SEED_CHARS)}: {clean(why, 2 * MAX_SEED_CHARS)}"
    if (left := plan.seed_count - len(plan.seeds) - len(plan.seeds_without_response)) > 0:
        yield f"and {left:,} more seeds, not fetched in the dry run"


def _outcome_text(result: Result) -> str:
    """The outcome of one seed: redirects, then status with links and items, or the error."""
    from scraper.model import Failure

    steps = len(result.request.redirects)
    led = (
        f"redirects to {clean(result.url, MAX_SEED_CHARS)}{f' in {steps} steps' if steps > 1 else ''}: "
        if steps
        else ""
    )
    if isinstance(result.outcome, Failure):
        return f"{led}failed: {result.outcome.error}: {clean(result.outcome.detail, MAX_SEED_CHARS)}"
    if result.error is not None:
        return f"{led}failed: HTTP {result.status}"
    return f"{led}{result.status}, {len(result.extraction.links):,} links, {len(result.items):,} items"


def _host_table(plan: CrawlPlan, polite: PolitenessSettings) -> Iterator[RenderableType]:
    from rich.table import Table

    waiting = {name: host for name, host in plan.hosts.items() if host.waiting or host.refused}
    if not waiting:
        return
    table = Table(box=None, pad_edge=False)
    for title in ("host", "known", "refused", "in sitemaps", "one each", "at least"):
        table.add_column(title, justify="left" if title == "host" else "right")
    for name in sorted(waiting, key=lambda name: (-waiting[name].waiting, name))[:MAX_HOSTS_SHOWN]:
        host, settings = waiting[name], polite.for_host(name)
        pace, count = host.seconds_per_url(settings), host.requestable(settings)
        table.add_row(
            clean(name),
            f"{host.waiting:,}",
            f"{host.refused:,}" if host.robots_known or host.refused else "?",
            f"{host.in_sitemaps:,}",
            latency_text(pace) if pace else "-",
            duration_text(count * pace),
        )
    yield table
    if (hidden := len(waiting) - MAX_HOSTS_SHOWN) > 0:
        yield f"and {hidden:,} more hosts"


def _robots_lines(plan: CrawlPlan) -> Iterator[str]:
    counts = plan.robots_refusals.counts
    if counts:
        yield f"robots.txt forbids {sum(counts.values()):,} of the URLs found so far:"
    ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    for rule, count in ranked[:MAX_RULES_SHOWN]:
        yield f"  {count:,} by {clean(rule, MAX_SEED_CHARS)}"
    if len(ranked) > MAX_RULES_SHOWN:
        yield f"  and {sum(count for _, count in ranked[MAX_RULES_SHOWN:]):,} by other lines"
    unread = sum(1 for host in plan.hosts.values() if host.waiting and not host.robots_known)
    if unread and plan.robots:
        yield f"robots.txt of {unread:,} hosts has not been read: more URLs may be forbidden there (?)"


def _rules_text(config: CrawlConfig) -> str:
    """The rate limits, robots policy, scope and page limit of a config, in one line."""
    polite, limits = config.politeness, config.limits
    rate, most = polite.per_host.rate, polite.per_host.concurrency
    pace = "no rate limit" if rate is None else f"{rate:g} requests per second"
    at_once = "" if most is None else f", {most} at once"
    pages = "no page limit" if limits.max_pages is None else f"at most {limits.max_pages:,} pages"
    return f"{pace} per host{at_once}; robots.txt: {polite.robots.policy}; scope: {config.scope.mode}; {pages}"


def _estimate_text(plan: CrawlPlan, config: CrawlConfig, polite: PolitenessSettings) -> str:
    """How many URLs are known, and the least time to fetch them at the configured rates, all hosts in parallel."""
    paces, known, answers = [], 0, 0.0
    for name, host in plan.hosts.items():
        settings = polite.for_host(name)
        count = host.requestable(settings)
        paces.append(HostEstimate(count, host.seconds_per_url(settings)))
        known += count
        answers += count * host.response_seconds / host.responses if host.responses else 0.0

    def least(goal: int) -> str:
        # Two lower bounds: the rate limit of the slowest host, and Little's law for limits.concurrency requests.
        together = answers / config.limits.concurrency * (goal / known) if known else 0.0
        return duration_text(max(shortest_time(goal, paces), together))

    named = sum(host.in_sitemaps for host in plan.hosts.values())
    source = f" ({named:,} named by sitemaps)" if named else ""
    text = f"{known:,} URLs to fetch are known so far{source}; at the configured rate they take at least {least(known)}"
    limit = config.limits.max_pages
    if limit is not None and limit < known:
        text += f"; limits.max_pages: {limit:,} ends it after at least {least(limit)}"
    return text + ". Links found on these pages come on top."
