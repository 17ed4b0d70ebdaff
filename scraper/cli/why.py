"""`scrape why CONFIG URL`: which rule decides about a URL, and what became of it in a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from scraper.config.schema.crawl import CrawlConfig
    from scraper.explain.pages.page_request import Rules
    from scraper.explain.runs.why import Facts, RobotsFact, RunFacts
    from scraper.model import Url

LABEL = 14
"""Columns of the labels."""


def why(
    config: Annotated[Path, typer.Argument(help="The crawl's YAML file.", show_default=False)],
    url: Annotated[str, typer.Argument(help="The URL that the question is about.", show_default=False)],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder of the run (output.folder).", show_default=False)
    ] = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Never ask the site for its robots.txt; use what the run remembers.")
    ] = False,
    body: Annotated[
        str | None,
        typer.Option(
            "--body", metavar="TEXT", help="Of several POSTs to the URL, the one that sent this.", show_default=False
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
    """Say which rule decides about a URL; after a run, or during it, also what happened to it.

    Every try is listed where there was more than one; the last line names the one reason. Nothing is changed, and a
    run that is going on is not disturbed.
    """
    from rich.console import Console

    from scraper.config.reading.load import load_config
    from scraper.explain.pages.page_request import Rules
    from scraper.model import OutOfScope
    from scraper.urls.canonicalize import canonicalise

    overrides = list(set_ or [])
    if output is not None:
        overrides.append("output.folder='" + str(output).replace("'", "''") + "'")
    loaded = load_config(config, overrides)
    rules = Rules.of(loaded)
    found = canonicalise(url, None, rules.keys)
    console = Console(highlight=False)
    if isinstance(found, OutOfScope) and as_json:
        typer.echo(json.dumps({"url": url, "reason": found.reason, "detail": found.rule}, ensure_ascii=False))
        raise typer.Exit(0)
    if isinstance(found, OutOfScope):
        _print(console, "reason", f"{found.reason}: {found.rule}")
        raise typer.Exit(0)
    facts = _facts(loaded, rules, found, offline, body)
    if as_json:
        _print_json(facts)
    else:
        _tell(console, facts)


def _facts(config: CrawlConfig, rules: Rules, url: Url, offline: bool, body: str | None) -> Facts:
    from scraper.clock import wall_time
    from scraper.explain.runs.why import Facts, depth_in, judge_scope, run_facts
    from scraper.urls.post_identity import plain_key

    run = run_facts(config.output.folder, url, config, rules.keys, body)
    is_seed = any(url.key in (seed.key, plain_key(seed.key)) for seed in rules.seeds)
    depth = 0 if is_seed else depth_in(run)
    steps, is_file = judge_scope(rules.scope, config, url, depth)
    refused = any(step.verdict == "rejects" for step in steps)
    robots = _robots(config, rules, url, run, offline or refused, wall_time())
    return Facts(url, config, steps, depth, is_file, robots, run, is_seed)


def _robots(
    config: CrawlConfig, rules: Rules, url: Url, run: RunFacts | None, offline: bool, now: float
) -> RobotsFact | None:
    """What robots.txt says: from the run's memory, or asked for now. A URL out of scope is no reason to ask."""
    import asyncio

    from scraper.explain.pages.page_request import asking
    from scraper.explain.runs.why import RobotsFact, robots_source

    if config.politeness.robots.policy == "ignore":
        return RobotsFact(None, "politeness.robots: ignore")
    if run is not None and run.robots is not None:
        return RobotsFact(run.robots.judge(url.target), robots_source(run.robots, now))
    if offline:
        return None

    async def ask() -> RobotsFact:
        async with asking(config, rules, url) as asker:
            entry = await asker.robots(url)
            return RobotsFact(entry.judge(url.target), f"read now, {entry.detail}")

    return asyncio.run(ask())


def _tell(console: object, facts: Facts) -> None:
    from scraper.clock import wall_time
    from scraper.explain.runs.why_text import lines

    for label, text in lines(facts, wall_time()):
        _print(console, label, text)


def _print_json(facts: Facts) -> None:
    from scraper.clock import wall_time
    from scraper.explain.runs.why_text import values

    typer.echo(json.dumps(values(facts, wall_time()), ensure_ascii=False))


def _print(console: object, label: str, text: str) -> None:
    from rich.console import Console
    from rich.text import Text

    from scraper.report.text.sanitize import clean

    assert isinstance(console, Console)
    style = "bold" if label == "reason" else ""
    line = Text.assemble((f"{label:<{LABEL}}", "dim"), (clean(text, 4000), style))
    console.print(line, soft_wrap=True)
