"""A whole config around proposed rules, with what is known of the page and its host said beside each line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from scraper.explain.scaffold.feeds_and_sitemaps import FeedLink
from scraper.explain.scaffold.propose_rules import Proposal
from scraper.explain.scaffold.rule_draft import to_yaml, yaml_line
from scraper.model import Url
from scraper.report.text.sanitize import clean

# The page limit of a new config: a first look.
FIRST_MAX_PAGES = 200
MAX_SITEMAPS_SHOWN = 5


@dataclass(frozen=True, slots=True)
class SiteFacts:
    """What is known around the page that was looked at.

    `url` is the page's own, `asked` what the user named (the page itself, or a feed or sitemap that names it: then
    `through` says what it is). `leads` are feeds and sitemaps; `robots` tells what robots.txt says of sitemaps, and
    `crawl_delay` (seconds) what it asks for.
    """

    url: Url
    requested: Url
    file_name: str = "config.yaml"
    feeds: tuple[FeedLink, ...] = ()
    listed_by: FeedLink | None = None
    robots_sitemaps: tuple[str, ...] | None = None
    sitemap: FeedLink | None = None
    crawl_delay: float | None = None


def write_config(proposal: Proposal, site_facts: SiteFacts) -> str:
    """The config as text. It loads, and its rules find on the page what was found."""
    return "\n".join(_config_lines(proposal, site_facts)) + "\n"


def _config_lines(proposal: Proposal, around: SiteFacts) -> Iterator[str]:
    shown = clean(around.url.href, 300)
    yield f"# Guessed from {shown}: read it, change it, then"
    yield f"#   scrape validate {clean(around.file_name)}"
    yield f"#   scrape try {shown} --config {clean(around.file_name)}"
    yield f"#   scrape crawl {clean(around.file_name)} --dry-run"
    yield ""
    yield from _seed_lines(around)
    yield ""
    yield "scope:"
    yield yaml_line("  mode: host", f"every page of {around.requested.host}; prefix stays below the seed's folder")
    if around.url.host != around.requested.host:
        host = around.url.host.partition(":")[0]
        yield yaml_line(f"  hosts: {to_yaml([host])}", "where its pages are")
    yield ""
    yield "limits:"
    yield yaml_line(
        f"  max_pages: {FIRST_MAX_PAGES}", "a first look; raise it, or leave it out, when the items are right"
    )
    yield ""
    if around.crawl_delay:
        yield f"# robots.txt asks for {around.crawl_delay:g} s between requests, and gets it."
    yield from _sitemap_lines(around)
    yield ""
    yield from (f"# {clean(text, 300)}" for text in proposal.comments)
    if proposal.drafts:
        yield "extract:"
        for draft in proposal.drafts:
            yield from draft.lines()
    else:
        yield "# Nothing on this page makes an item: no rules. Links are followed, pages are recorded."


def _seed_lines(around: SiteFacts) -> Iterator[str]:
    yield "seeds:"
    if around.listed_by is not None:
        address = to_yaml({"sitemap": around.requested.href})
        yield yaml_line(f"  - {address}", f"{around.listed_by.description}; it says what to ask for")
    else:
        yield f"  - {to_yaml(around.requested.href)}"
    for lead in around.feeds:
        seed = to_yaml({"sitemap": lead.url.href})
        usable = lead.problem is None and lead.url.host == around.requested.host
        if usable and lead.url_count:
            yield yaml_line(f"  - {seed}", f"{lead.description}; its entries are pages to ask for, too")
        elif usable:
            yield yaml_line(f"  # - {seed}", f"{lead.description}; uncomment it to ask for its entries, too")
        elif lead.problem is None:
            yield yaml_line(f"  # - {seed}", f"{lead.description}; of another host, which would then be in scope")
        else:
            yield f"  # {clean(lead.url.href, 300)}: {clean(lead.description, 200)}"


def _sitemap_lines(around: SiteFacts) -> Iterator[str]:
    named = around.robots_sitemaps
    if named:
        yield yaml_line("sitemaps: auto", f"robots.txt names {len(named)}; off leaves them alone")
        yield from (f"#   {clean(address, 300)}" for address in named[:MAX_SITEMAPS_SHOWN])
        if len(named) > MAX_SITEMAPS_SHOWN:
            yield f"#   and {len(named) - MAX_SITEMAPS_SHOWN} more"
    elif around.sitemap is not None and around.sitemap.problem is None:
        yield yaml_line(
            "sitemaps: auto", f"at the usual place, {clean(around.sitemap.url.target)}: {around.sitemap.description}"
        )
    else:
        none = "robots.txt names none" if named is not None else "robots.txt was not asked for"
        yield yaml_line("sitemaps: auto", f"{none}; the usual places are looked at")
