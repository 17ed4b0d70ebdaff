"""`scrape init URL`: looks at a page and writes a config that runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scraper.cli.exits import FAILED, say

if TYPE_CHECKING:
    from scraper.config.schema import CrawlConfig
    from scraper.explain.ask import Rules
    from scraper.model import Item, Page, Url
    from scraper.politeness.robots import RobotsEntry


def init(
    url: Annotated[str, typer.Argument(help="A page with what you want: best a list of items.", show_default=False)],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write; else it is printed.", show_default=False)
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", help="Look at this stored page and ask nobody.", show_default=False)
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it is there.")] = False,
) -> None:
    """Look at a page and write a config for it: what repeats, its fields, pagination, feeds, sitemaps.

    What was guessed is said in comments. Exit codes: 0 written, 1 the page could not be read, 2 usage error.
    """
    from scraper.config.load import parse_config
    from scraper.errors import ConfigError
    from scraper.explain.ask import Rules
    from scraper.explain.guess import outline, write_config
    from scraper.explain.page import read_page
    from scraper.model import OutOfScope
    from scraper.urls.canonicalise import canonicalise

    if output is not None and output.exists() and not force:
        raise ConfigError(f"{output} is there already: choose another name, or --force replaces it")
    found = canonicalise(url)
    if isinstance(found, OutOfScope):
        raise ConfigError(f"{url!r}: {found.rule}")
    plain = parse_config("seeds: ['" + url.replace("'", "''") + "']\n", "<init>")
    page, robots = _look(plain, Rules.of(plain), found, file)
    if page is None:
        raise typer.Exit(FAILED)
    document = read_page(plain, Rules.of(plain), page).document
    if document is None:
        say(f"error: {url} is not HTML: there is nothing to guess from")
        raise typer.Exit(FAILED)
    sitemaps, delay = (robots.sitemaps, robots.crawl_delay) if robots is not None else ((), None)
    text = write_config(outline(document, page.request.url, sitemaps, delay), output.name if output else "config.yaml")
    written = parse_config(text, str(output or "<init>"))
    items = read_page(written, Rules.of(written), page).harvest.items
    _write(output, text)
    say(f"the rules find {len(items)} item{'' if len(items) == 1 else 's'} on this page" + _first(items))


def _look(config: CrawlConfig, rules: Rules, url: Url, file: Path | None) -> tuple[Page | None, RobotsEntry | None]:
    """The page, stored or asked for now, and its robots.txt; why there is none has been told."""
    from scraper.cli.try_ import ask_now
    from scraper.explain.ask import answer_text, stored_page
    from scraper.model import Page

    if file is not None:
        return stored_page(file, url), None
    last = ask_now(config, rules, url)[-1]
    if last.outcome is None:
        say(f"error: not asked for: {last.robots.rule if last.robots else 'forbidden'}")
        return None, None
    if not isinstance(last.outcome, Page) or last.outcome.status >= 400:
        say(f"error: {last.request.url.href}: {answer_text(last.outcome)}")
        return None, None
    return last.outcome, last.entry


def _write(output: Path | None, text: str) -> None:
    from scraper.errors import SinkError

    if output is None:
        sys.stdout.write(text)
        return
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise SinkError(f"{output}: cannot be written: {error.strerror or error}") from error
    say(f"{output}: written")


def _first(items: tuple[Item, ...]) -> str:
    from scraper.report.sanitise import clean
    from scraper.sinks.records import as_text

    if not items:
        return ""
    shown = ", ".join(f"{name}={clean(as_text(value), 40)}" for name, value in items[0].fields.items())
    return f"; the first: {shown}"
