"""`scrape crawl --dry-run`: fetches robots.txt, sitemaps and the seeds, and prints what a run would do.

It is a real crawl with the same engine, limited to the seeds by its page budget, with its outputs in a temporary
folder. So the plan comes from the same code as the run.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from scraper.cli.dry_run_text import render
from scraper.cli.exit_codes import EXIT_FAILED, EXIT_OK
from scraper.explain.runs.dry_run import MAX_REFUSED_SEEDS, CrawlPlan
from scraper.rundir.layout import RunLayout

if TYPE_CHECKING:
    from rich.console import Console

    from scraper.config.schema.crawl import CrawlConfig
    from scraper.crawler import Crawler

# If the config has more seeds, only the first ones are fetched: a plan should not take as long as the run.
MAX_SEEDS_FETCHED = 50


def dry_run(path: Path, overrides: Sequence[str], console: Console) -> int:
    """Print what `scrape crawl` would do with the config at `path`; return the exit code. Raises `ConfigError`."""
    import asyncio

    from scraper.config.reading.load import load_config
    from scraper.config_to_settings import read_seeds
    from scraper.urls.canonicalize import KeyRules

    config = load_config(path, overrides)
    seeds = read_seeds(config, KeyRules(config.scope.strip_params, config.scope.sort_query))
    budget = max(1, min(len(seeds), MAX_SEEDS_FETCHED))
    with tempfile.TemporaryDirectory(prefix="scrape-dry-run-") as folder:
        changes = (f"limits.max_pages={budget}", f"output.folder='{folder}'", "output.sinks=[jsonl]", "files={}")
        plan = asyncio.run(_explore(load_config(path, [*overrides, *changes]), path.parent))
    plan.seed_count = len(seeds)
    for line in render(plan, config):
        console.print(line, markup=False, highlight=False)
    return EXIT_OK if any(result.error is None for result in plan.seeds) else EXIT_FAILED


async def _explore(config: CrawlConfig, base: Path) -> CrawlPlan:
    from scraper.crawler import Crawler
    from scraper.engine.signals import stop_on_signals

    plan = CrawlPlan()
    async with Crawler(config, listeners=[plan.on_event], base=base, all_sitemaps=True) as crawler:
        with stop_on_signals(crawler.stop):
            async for result in crawler.results():
                plan.add_response_time(result)
                if result.request.kind == "page":
                    plan.add_page(result)
                elif result.request.kind == "sitemap":
                    plan.add_sitemap(result)
        async for request in crawler.waiting():
            plan.add_waiting(request, crawler.refused_by(request), crawler.delay_of(request.url.host))
        assert crawler.summary is not None
        skipped = crawler.summary.values["skipped"]
        plan.skipped.update({word: count for word, count in skipped.items() if word != "budget"})
        plan.seeds_without_response.extend(_refused_seeds(crawler))
    return plan


def _refused_seeds(crawler: Crawler) -> Iterator[tuple[str, str]]:
    """(URL, reason) of the seeds that were skipped for another reason than the page budget of the dry run."""
    from scraper.explain.runs.record_search import parse_record

    assert crawler.summary is not None
    found = 0
    with RunLayout(crawler.summary.folder).skipped.open("rb") as file:
        for line in file:
            skip = parse_record(line) or {}
            if skip.get("parent") is None and skip.get("reason") != "budget" and found < MAX_REFUSED_SEEDS:
                found += 1
                yield str(skip.get("url")), f"not fetched: {skip.get('rule')}"
