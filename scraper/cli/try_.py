"""`scrape try URL`: fetches one page with the fetcher, hooks and rules of a crawl and shows what a crawl would do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scraper.cli.exit_codes import EXIT_FAILED, EXIT_OK, echo_err

if TYPE_CHECKING:
    from rich.console import Console

    from scraper.config.schema.crawl import CrawlConfig
    from scraper.explain.pages.expressions import ExpressionKind
    from scraper.explain.pages.page_analysis import PageAnalysis
    from scraper.explain.pages.page_trial import PageTrial

# URL of a stored page if --url is not given.
DEFAULT_STORED_URL = "http://localhost/"


def try_(
    url: Annotated[str | None, typer.Argument(help="The page's URL.", show_default=False)] = None,
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="A crawl's YAML file whose rules to use.", show_default=False)
    ] = None,
    css: Annotated[
        list[str] | None,
        typer.Option(
            "--css", metavar="EXPR", help="A selector to try, such as 'img@src'; repeatable.", show_default=False
        ),
    ] = None,
    xpath: Annotated[
        list[str] | None,
        typer.Option("--xpath", metavar="EXPR", help="An XPath expression to try; repeatable.", show_default=False),
    ] = None,
    json: Annotated[
        list[str] | None,
        typer.Option("--json", metavar="EXPR", help="A JMESPath expression to try; repeatable.", show_default=False),
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", help="Read this stored page; send no request.", show_default=False)
    ] = None,
    page_url: Annotated[
        str | None, typer.Option("--url", help="With --file: the URL of the page.", show_default=False)
    ] = None,
    label: Annotated[
        str | None,
        typer.Option("--label", help="Read the page with the rules of this label.", show_default=False),
    ] = None,
    links: Annotated[int, typer.Option("--links", min=0, help="Number of links to show of each kind.")] = 5,
    repl: Annotated[
        bool, typer.Option("--repl", help="Afterwards try expressions interactively; Tab completes names.")
    ] = False,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Override a key of the config; repeatable.", show_default=False
        ),
    ] = None,
) -> None:
    """Fetch one page and show what a crawl would do with it: response, robots.txt, links, items, selectors, hooks.

    Exit codes: 0 the page was read, 1 it could not be fetched, robots.txt forbids it or a hook failed, 2 usage or
    config error (also an invalid expression).
    """
    import asyncio

    from rich.console import Console

    from scraper.errors import ConfigError
    from scraper.explain.pages.expressions import check_expression
    from scraper.explain.pages.hook_runner import HookRunner
    from scraper.explain.pages.page_request import UrlRules
    from scraper.explain.pages.page_trial import try_page
    from scraper.model import OutOfScope
    from scraper.urls.canonicalize import canonicalize

    expressions: list[tuple[ExpressionKind, str]] = [("css", text) for text in css or []]
    expressions += [("xpath", text) for text in xpath or []]
    expressions += [("json", text) for text in json or []]
    for kind, text in expressions:
        check_expression(kind, text)
    address = url or page_url or (DEFAULT_STORED_URL if file is not None else None)
    if address is None:
        raise ConfigError("give the page's URL, or a stored page with --file")
    loaded = _load_config(config, address, list(set_ or []))
    rules = UrlRules.from_config(loaded)
    found = canonicalize(address, None, rules.keys)
    if isinstance(found, OutOfScope):
        raise ConfigError(f"{address!r}: {found.rule}")
    hooks = HookRunner.load(loaded, config.parent if config is not None else Path())
    trial = asyncio.run(try_page(loaded, rules, found, hooks, file=file, label=label, max_links=links, notify=echo_err))
    console = Console(highlight=False, soft_wrap=True)
    _print_requests(console, loaded, trial, file)
    if trial.analysis is not None:
        _print_extraction(console, trial.analysis, expressions)
        if repl:
            from scraper.cli.repl import interact

            interact(console, trial.analysis)
    raise typer.Exit(EXIT_FAILED if trial.failed else EXIT_OK)


def _load_config(path: Path | None, address: str, overrides: list[str]) -> CrawlConfig:
    from scraper.config.reading.load import load_config, parse_config

    if path is not None:
        return load_config(path, overrides)
    seed = "'" + address.replace("'", "''") + "'"
    return parse_config(f"seeds: [{seed}]\n", "<try>", overrides)


def _print_requests(console: Console, config: CrawlConfig, trial: PageTrial, file: Path | None) -> None:
    """Print the requests, and what the hooks did."""
    from scraper.cli.try_lines import print_line, step_lines
    from scraper.explain.pages.repl_session import StyledLine

    if file is not None and trial.response is not None:
        print_line(
            console, "stored", f"{file}, {trial.response.body.size:,} bytes, taken as {trial.response.request.url.href}"
        )
    for step in trial.steps:
        for label, text in step_lines(step, obeys_robots=config.politeness.robots.policy == "obey"):
            print_line(console, label, text)
    for note in trial.hook_results:
        print_line(console, "hook", StyledLine(note.text, "bad" if note.failed else ""))


def _print_extraction(console: Console, reading: PageAnalysis, expressions: list[tuple[ExpressionKind, str]]) -> None:
    from scraper.cli.try_lines import check_lines, item_lines, link_lines, page_lines, print_line
    from scraper.explain.pages.repl_session import StyledLine, probe_lines

    for label, text in page_lines(reading):
        print_line(console, label, text)
    idle = (StyledLine(text) for text in reading.skipped_rules)
    for line in (*link_lines(reading), *idle, *check_lines(reading), *item_lines(reading)):
        print_line(console, "", line)
    for kind, text in expressions:
        for line in probe_lines(reading.parsed, kind, text):
            print_line(console, "", line)
