"""`scrape init URL`: looks at a page and writes a config that runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scraper.cli.exit_codes import FAILED, say

if TYPE_CHECKING:
    from scraper.explain.scaffold.propose_rules import Proposal
    from scraper.model import Item, Page


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

    It reads HTML, what HTML says for machines (JSON-LD, microdata), JSON, and pages that a feed or sitemap names.
    What was guessed is said in comments, and every rule has been tried on the page. Exit codes: 0 written, 1 there is
    nothing to make rules from, 2 usage error.
    """
    import asyncio
    from dataclasses import replace

    from scraper.config.reading.load import parse_config
    from scraper.errors import ConfigError
    from scraper.explain.pages.page_request import Rules
    from scraper.explain.scaffold.config_writer import write_config
    from scraper.explain.scaffold.inspect_url import Blind, look
    from scraper.explain.scaffold.propose_rules import propose
    from scraper.explain.scaffold.rule_draft import written
    from scraper.model import OutOfScope
    from scraper.report.text.sanitize import clean
    from scraper.urls.canonicalize import canonicalise

    if output is not None and output.exists() and not force:
        raise ConfigError(f"{output} is there already: choose another name, or --force replaces it")
    found = canonicalise(url)
    if isinstance(found, OutOfScope):
        raise ConfigError(f"{url!r}: {found.rule}")
    plain = parse_config(f"seeds: {written([found.href])}\n", "<init>")
    sight = asyncio.run(look(plain, Rules.of(plain), found, file))
    if isinstance(sight, Blind):
        say(f"error: {clean(sight.why, 600)}")
        raise typer.Exit(FAILED)
    proposal = propose(sight.sketch, sight.page)
    if not proposal.drafts:
        say(f"error: {clean(sight.page.request.url.href)}: nothing on this page makes an item")
        say("When scripts make what it shows, `scrape init` on the address of the JSON they load may find it.")
        raise typer.Exit(FAILED)
    text = write_config(proposal, replace(sight.around, file_name=output.name if output else "config.yaml"))
    parse_config(text, str(output or "<init>"))
    _write(output, text)
    _tell(proposal, sight.page, url)


def _write(output: Path | None, text: str) -> None:
    from scraper.errors import SinkError

    if output is None:
        sys.stdout.write(text)
        sys.stdout.flush()
        return
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise SinkError(f"{output}: cannot be written: {error.strerror or error}") from error
    say(f"{output}: written")


def _tell(proposal: Proposal, page: Page, asked: str) -> None:
    """Say what each rule finds on the page it was made from."""
    from scraper.explain.scaffold.verify_rules import read
    from scraper.report.text.sanitize import clean

    place = "this page" if page.request.requested == asked else clean(page.request.url.href)
    firsts: dict[int, Item] = {}
    for item in read(proposal.drafts, page).items:
        firsts.setdefault(item.rule, item)
    for number, (draft, count) in enumerate(zip(proposal.drafts, proposal.gives, strict=True)):
        unit = "item" if draft.get("fields") is not None else "address"
        plural = "" if count == 1 else "es" if unit == "address" else "s"
        found = f"{count:,} {unit}{plural} on {place}{_first(firsts.get(number))}"
        say(f"extract[{number}] {clean(draft.what, 60)}: {found}")


def _first(item: Item | None) -> str:
    from scraper.report.text.sanitize import clean
    from scraper.sinks.records import as_text

    if item is None:
        return ""
    shown = ", ".join(f"{clean(name, 40)}={clean(as_text(value), 40)}" for name, value in item.fields.items())
    return f"; the first: {clean(shown, 400)}"
