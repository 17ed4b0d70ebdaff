"""`scrape why CONFIG URL`: shows which rule decides about a URL and what happened to it in a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from scraper.config.schema.crawl import CrawlConfig
    from scraper.explain.pages.page_request import UrlRules
    from scraper.explain.runs.why import RobotsFact, RunFacts, UrlFacts
    from scraper.model import Url

# Width of the column of labels.
LABEL_COLUMNS = 14


def why(
    config: Annotated[Path, typer.Argument(help="The crawl's YAML file.", show_default=False)],
    url: Annotated[str, typer.Argument(help="The URL to explain.", show_default=False)],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder of the run (output.folder).", show_default=False)
    ] = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Send no request; use the robots.txt that the run has stored.")
    ] = False,
    body: Annotated[
        str | None,
        typer.Option(
            "--body",
            metavar="TEXT",
            help="If the URL was posted to several times: the request with this body.",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Override a key of the config; repeatable.", show_default=False
        ),
    ] = None,
) -> None:
    """Show which rule decides about a URL and, during or after a run, what happened to it.

    All attempts are listed if there were several; the last line names the deciding reason. Read-only; a run in
    progress is not disturbed.
    """
    from rich.console import Console

    from scraper.config.reading.load import load_config
    from scraper.explain.pages.page_request import UrlRules
    from scraper.model import OutOfScope
    from scraper.urls.canonicalize import canonicalize

    overrides = list(set_ or [])
    if output is not None:
        overrides.append("output.folder='" + str(output).replace("'", "''") + "'")
    loaded = load_config(config, overrides)
    rules = UrlRules.from_config(loaded)
    found = canonicalize(url, None, rules.keys)
    console = Console(highlight=False)
    if isinstance(found, OutOfScope) and as_json:
        typer.echo(json.dumps({"url": url, "reason": found.reason, "detail": found.rule}, ensure_ascii=False))
        raise typer.Exit(0)
    if isinstance(found, OutOfScope):
        _print_line(console, "reason", f"{found.reason}: {found.rule}")
        raise typer.Exit(0)
    facts = _collect_facts(loaded, rules, found, offline, body)
    if as_json:
        _print_json(facts)
    else:
        _print_facts(console, facts)


def _collect_facts(config: CrawlConfig, rules: UrlRules, url: Url, offline: bool, body: str | None) -> UrlFacts:
    from scraper.clock import wall_time
    from scraper.explain.runs.why import UrlFacts, explain_scope, read_run_facts, recorded_depth
    from scraper.urls.post_identity import strip_post_prefix

    run = read_run_facts(config.output.folder, url, config, rules.keys, body)
    is_seed = any(url.key in (seed.key, strip_post_prefix(seed.key)) for seed in rules.seeds)
    depth = 0 if is_seed else recorded_depth(run)
    steps, is_file = explain_scope(rules.scope, config, url, depth)
    # robots.txt is not fetched for a URL that is out of scope anyway.
    refused = any(step.verdict == "rejects" for step in steps)
    robots = _robots_fact(config, rules, url, run, offline or refused, wall_time())
    return UrlFacts(url, config, steps, depth, is_file, robots, run, is_seed)


def _robots_fact(
    config: CrawlConfig, rules: UrlRules, url: Url, run: RunFacts | None, offline: bool, now: float
) -> RobotsFact | None:
    """What robots.txt says about `url`: from the state of the run, or fetched now unless `offline`."""
    import asyncio

    from scraper.explain.pages.page_request import open_page_fetcher
    from scraper.explain.runs.why import RobotsFact, robots_source_text

    if config.politeness.robots.policy == "ignore":
        return RobotsFact(None, "politeness.robots: ignore")
    if run is not None and run.robots is not None:
        return RobotsFact(run.robots.check(url.target), robots_source_text(run.robots, now))
    if offline:
        return None

    async def ask() -> RobotsFact:
        async with open_page_fetcher(config, rules, url) as asker:
            entry = await asker.fetch_robots(url)
            return RobotsFact(entry.check(url.target), f"read now, {entry.detail}")

    return asyncio.run(ask())


def _print_facts(console: object, facts: UrlFacts) -> None:
    from scraper.clock import wall_time
    from scraper.explain.runs.why_text import fact_lines

    for label, text in fact_lines(facts, wall_time()):
        _print_line(console, label, text)


def _print_json(facts: UrlFacts) -> None:
    from scraper.clock import wall_time
    from scraper.explain.runs.why_text import facts_as_json

    typer.echo(json.dumps(facts_as_json(facts, wall_time()), ensure_ascii=False))


def _print_line(console: object, label: str, text: str) -> None:
    from rich.console import Console
    from rich.text import Text

    from scraper.report.text.sanitize import clean

    assert isinstance(console, Console)
    style = "bold" if label == "reason" else ""
    line = Text.assemble((f"{label:<{LABEL_COLUMNS}}", "dim"), (clean(text, 4000), style))
    console.print(line, soft_wrap=True)
