"""`scrape init URL`: inspects a page and writes a working config for it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scraper.cli.exit_codes import EXIT_FAILED, echo_err
from scraper.rundir.layout import CONFIG_FILE

if TYPE_CHECKING:
    from scraper.explain.scaffold.propose_rules import Proposal
    from scraper.model import Item, Response


def init(
    url: Annotated[
        str, typer.Argument(help="A page with the data you want, ideally a list of items.", show_default=False)
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="File to write (default: print the config).", show_default=False),
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", help="Inspect this stored page; send no request.", show_default=False)
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config", "-c", help="Fetch with the headers, auth and network of this YAML file.", show_default=False
        ),
    ] = None,
    header: Annotated[
        list[str] | None,
        typer.Option("--header", metavar="'NAME: TEXT'", help="Send this header; repeatable.", show_default=False),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
) -> None:
    """Inspect a page and write a config for it: repeated items, their fields, pagination, feeds, sitemaps.

    Reads HTML, structured data in HTML (JSON-LD, microdata), JSON, and pages named by a feed or sitemap. Guesses are
    marked in comments, and every rule has been tried on the page and on the one that its `next` leads to. Exit codes: 0
    written, 1 no rules found, 2 usage error.
    """
    import asyncio
    from dataclasses import replace

    from scraper.config.reading.load import load_config, parse_config
    from scraper.errors import ConfigError
    from scraper.explain.pages.page_request import UrlRules
    from scraper.explain.scaffold.config_writer import write_config
    from scraper.explain.scaffold.inspect_url import UnreadablePage, inspect_url
    from scraper.explain.scaffold.propose_rules import LOGIN_FORM_COMMENT, propose_rules
    from scraper.explain.scaffold.rule_draft import to_yaml
    from scraper.model import OutOfScope
    from scraper.report.text.sanitize import clean
    from scraper.urls.canonicalize import canonicalize

    if output is not None and output.exists() and not force:
        raise ConfigError(f"{output} already exists: choose another name, or replace it with --force")
    found = canonicalize(url)
    if isinstance(found, OutOfScope):
        raise ConfigError(f"{url!r}: {found.rule}")
    # Headers are sent to hosts in scope: the page is the only seed.
    overrides = [f"seeds={to_yaml([found.href])}", *map(_header_override, header or [])]
    asking = (
        load_config(config, overrides)
        if config is not None
        else parse_config(f"seeds: {to_yaml([found.href])}\n", "<init>", overrides)
    )
    sight = asyncio.run(inspect_url(asking, UrlRules.from_config(asking), found, file))
    if isinstance(sight, UnreadablePage):
        echo_err(f"error: {clean(sight.reason, 600)}")
        raise typer.Exit(EXIT_FAILED)
    proposal = propose_rules(sight.ideas, sight.response, sight.following)
    if LOGIN_FORM_COMMENT in proposal.comments:
        echo_err(f"note: {LOGIN_FORM_COMMENT}")
    if not proposal.drafts and proposal.file_pattern is None:
        echo_err(f"error: {clean(sight.response.request.url.href)}: nothing on this page can be extracted as an item")
        echo_err("If scripts build the page, try `scrape init` with the URL of the JSON that they load.")
        raise typer.Exit(EXIT_FAILED)
    facts = replace(
        sight.site_facts,
        file_name=output.name if output else CONFIG_FILE,
        asked_with=(*asking.headers, *(f"auth for {host}" for host in asking.auth)),
    )
    text = write_config(proposal, facts)
    parse_config(text, str(output or "<init>"))
    _write_config(output, text)
    _print_findings(proposal, sight.response, url)


def _header_override(text: str) -> str:
    """`--header 'Name: text'` as an override of the config's key `headers`. Raises `ConfigError`."""
    from scraper.errors import ConfigError
    from scraper.explain.scaffold.rule_draft import to_yaml

    name, colon, value = text.partition(":")
    if not colon or not name.strip() or "." in name or not value.strip():
        raise ConfigError("--header takes a name, a colon and the text: --header 'Authorization: Bearer ...'")
    return f"headers.{name.strip()}={to_yaml(value.strip())}"


def _write_config(output: Path | None, text: str) -> None:
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
    echo_err(f"{output}: written")


def _print_findings(proposal: Proposal, page: Response, requested_url: str) -> None:
    """Print how many items or addresses each rule finds on the page it was made from."""
    from scraper.explain.scaffold.verify_rules import extract_with
    from scraper.report.text.sanitize import clean

    page_name = "this page" if page.request.requested == requested_url else clean(page.request.url.href)
    if (files := proposal.file_pattern) is not None:
        echo_err(f"files: {files.files:,} on {page_name}")
    if not proposal.drafts:
        return
    firsts: dict[int, Item] = {}
    for item in extract_with(proposal.drafts, page).items:
        firsts.setdefault(item.rule, item)
    for number, (draft, count) in enumerate(zip(proposal.drafts, proposal.yields, strict=True)):
        unit = "item" if draft.get("fields") is not None else "address"
        plural = "" if count == 1 else "es" if unit == "address" else "s"
        found = f"{count:,} {unit}{plural} on {page_name}{_first_item_text(firsts.get(number))}"
        echo_err(f"extract[{number}] {clean(draft.title, 60)}: {found}")


def _first_item_text(item: Item | None) -> str:
    from scraper.report.text.sanitize import clean
    from scraper.sinks.records import as_text

    if item is None:
        return ""
    shown = ", ".join(f"{clean(name, 40)}={clean(as_text(value), 40)}" for name, value in item.fields.items())
    return f"; the first: {clean(shown, 400)}"
