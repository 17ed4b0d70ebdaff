"""`scrape try URL`: one page through the same fetcher, hooks and rules as a crawl, and what would come of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scraper.cli.exit_codes import FAILED, OK, say

if TYPE_CHECKING:
    from rich.console import Console

    from scraper.config.schema.crawl import CrawlConfig
    from scraper.explain.pages.expressions import ExpressionKind
    from scraper.explain.pages.page_reading import Reading
    from scraper.explain.pages.page_trial import Trial

STORED_URL = "http://localhost/"
"""Where a stored page is taken to come from when nobody says."""


def try_(
    url: Annotated[str | None, typer.Argument(help="The page's URL.", show_default=False)] = None,
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="A crawl's YAML file: its rules are used.", show_default=False)
    ] = None,
    css: Annotated[
        list[str] | None,
        typer.Option("--css", metavar="EXPR", help="A selector to try, 'img@src'; repeatable.", show_default=False),
    ] = None,
    xpath: Annotated[
        list[str] | None,
        typer.Option("--xpath", metavar="EXPR", help="An XPath expression to try; repeatable.", show_default=False),
    ] = None,
    json: Annotated[
        list[str] | None,
        typer.Option("--json", metavar="EXPR", help="JMESPath to try on a JSON page; repeatable.", show_default=False),
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", help="Read this stored page and ask nobody.", show_default=False)
    ] = None,
    page_url: Annotated[
        str | None, typer.Option("--url", help="With --file: where the page comes from.", show_default=False)
    ] = None,
    label: Annotated[
        str | None,
        typer.Option("--label", help="Read the page as one that a follow with this label led to.", show_default=False),
    ] = None,
    links: Annotated[int, typer.Option("--links", min=0, help="Links to show of each kind.")] = 5,
    repl: Annotated[
        bool, typer.Option("--repl", help="Then try expressions interactively; Tab completes names.")
    ] = False,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Override a key of the config; repeatable.", show_default=False
        ),
    ] = None,
) -> None:
    """Ask for one page and show what a crawl would make of it: answer, robots.txt, links, items, selectors, hooks.

    Exit codes: 0 it was read, 1 it could not be fetched, robots.txt forbids it or a hook failed, 2 usage or config
    error, a wrong expression among them.
    """
    import asyncio

    from rich.console import Console

    from scraper.errors import ConfigError
    from scraper.explain.pages.expressions import check_expression
    from scraper.explain.pages.hook_runner import HookedPage
    from scraper.explain.pages.page_request import Rules
    from scraper.explain.pages.page_trial import attempt
    from scraper.model import OutOfScope
    from scraper.urls.canonicalize import canonicalise

    expressions: list[tuple[ExpressionKind, str]] = [("css", text) for text in css or []]
    expressions += [("xpath", text) for text in xpath or []]
    expressions += [("json", text) for text in json or []]
    for kind, text in expressions:
        check_expression(kind, text)
    address = url or page_url or (STORED_URL if file is not None else None)
    if address is None:
        raise ConfigError("give the page's URL, or a stored page with --file")
    loaded = _config(config, address, list(set_ or []))
    rules = Rules.of(loaded)
    found = canonicalise(address, None, rules.keys)
    if isinstance(found, OutOfScope):
        raise ConfigError(f"{address!r}: {found.rule}")
    hooks = HookedPage.load(loaded.hooks, config.parent if config is not None else Path())
    trial = asyncio.run(attempt(loaded, rules, found, hooks, file=file, label=label, shown=links, tell=say))
    console = Console(highlight=False, soft_wrap=True)
    _render(console, loaded, trial, file)
    if trial.reading is not None:
        _render_reading(console, trial.reading, expressions)
        if repl:
            from scraper.cli.repl import interact

            interact(console, trial.reading)
    raise typer.Exit(FAILED if trial.failed else OK)


def _config(path: Path | None, address: str, overrides: list[str]) -> CrawlConfig:
    from scraper.config.reading.load import load_config, parse_config

    if path is not None:
        return load_config(path, overrides)
    seed = "'" + address.replace("'", "''") + "'"
    return parse_config(f"seeds: [{seed}]\n", "<try>", overrides)


def _render(console: Console, config: CrawlConfig, trial: Trial, file: Path | None) -> None:
    """The requests, and what hooks did."""
    from scraper.cli.try_lines import show, step_lines
    from scraper.explain.pages.repl_session import Line

    if file is not None and trial.page is not None:
        show(console, "stored", f"{file}, {trial.page.body.size:,} bytes, taken as {trial.page.request.url.href}")
    for step in trial.steps:
        for label, text in step_lines(step, obeyed=config.politeness.robots.policy == "obey"):
            show(console, label, text)
    for note in trial.notes:
        show(console, "hook", Line(note.text, "bad" if note.failed else ""))


def _render_reading(console: Console, reading: Reading, expressions: list[tuple[ExpressionKind, str]]) -> None:
    from scraper.cli.try_lines import check_lines, item_lines, link_lines, page_lines, show
    from scraper.explain.pages.repl_session import Line, probe_lines

    for label, text in page_lines(reading):
        show(console, label, text)
    idle = (Line(text) for text in reading.idle_rules)
    for line in (*link_lines(reading), *idle, *check_lines(reading), *item_lines(reading)):
        show(console, "", line)
    for kind, text in expressions:
        for line in probe_lines(reading.surface, kind, text):
            show(console, "", line)
