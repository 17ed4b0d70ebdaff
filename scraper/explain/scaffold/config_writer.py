"""Write a whole config around proposed rules, with comments about the page and its host."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from scraper.explain.scaffold.feeds_and_sitemaps import FeedLink
from scraper.explain.scaffold.propose_rules import Proposal
from scraper.explain.scaffold.rule_draft import to_yaml, yaml_line
from scraper.model import Url
from scraper.report.text.sanitize import clean
from scraper.rundir.layout import CONFIG_FILE

# `limits.max_pages` of a new config: enough to check the items, not the whole site.
FIRST_MAX_PAGES = 200
MAX_SITEMAPS_SHOWN = 5


@dataclass(frozen=True, slots=True)
class SiteFacts:
    """What is known about the inspected page and its host.

    `url` is the page; `requested` is what the user gave: the page, or the feed or sitemap `listed_by` that lists it.
    `feeds` are those the page links to. `robots_sitemaps` are the sitemaps in robots.txt, None when it was not read;
    `sitemap` is one at the usual path. `crawl_delay` (seconds) is robots.txt's.
    `asked_with`: the headers and credentials that the page was asked with, by name; their values are not written.
    """

    url: Url
    requested: Url
    file_name: str = CONFIG_FILE
    feeds: tuple[FeedLink, ...] = ()
    listed_by: FeedLink | None = None
    robots_sitemaps: tuple[str, ...] | None = None
    sitemap: FeedLink | None = None
    crawl_delay: float | None = None
    asked_with: tuple[str, ...] = ()


def write_config(proposal: Proposal, site_facts: SiteFacts) -> str:
    """The config as YAML text. It is valid, and its rules extract from the page what `proposal` counted."""
    return "\n".join(_config_lines(proposal, site_facts)) + "\n"


def _config_lines(proposal: Proposal, site_facts: SiteFacts) -> Iterator[str]:
    shown = clean(site_facts.url.href, 300)
    yield f"# Guessed from {shown}: read it, change it, then"
    yield f"#   scrape validate {clean(site_facts.file_name)}"
    yield f"#   scrape try {shown} --config {clean(site_facts.file_name)}"
    yield f"#   scrape crawl {clean(site_facts.file_name)} --dry-run"
    yield ""
    yield from _seed_lines(site_facts)
    yield ""
    yield "scope:"
    yield yaml_line("  mode: host", f"every page of {site_facts.requested.host}; prefix stays below the seed's folder")
    # A feed on one host may list pages of another, which mode host would exclude.
    if site_facts.url.host != site_facts.requested.host:
        host = site_facts.url.host.partition(":")[0]
        yield yaml_line(f"  hosts: {to_yaml([host])}", "where its pages are")
    yield ""
    yield "limits:"
    yield yaml_line(
        f"  max_pages: {FIRST_MAX_PAGES}", "a first look; raise it, or leave it out, when the items are right"
    )
    yield ""
    if site_facts.asked_with:
        yield f"# Asked with {clean(', '.join(site_facts.asked_with), 200)}: a crawl needs them,"
        yield "# too, under headers or auth; ${NAME} reads a value from the environment."
        yield ""
    # For information: the crawl obeys it without any setting.
    if site_facts.crawl_delay:
        yield f"# robots.txt asks for {site_facts.crawl_delay:g} s between requests, and gets it."
    yield from _sitemap_lines(site_facts)
    yield ""
    yield from (f"# {clean(text, 300)}" for text in proposal.comments)
    if (files := proposal.file_pattern) is not None:
        yield "files:"
        yield yaml_line(f"  match: {to_yaml([files.match])}", f"{files.files} on this page")
        yield ""
    if proposal.drafts:
        yield "extract:"
        for draft in proposal.drafts:
            yield from draft.lines()
    elif proposal.file_pattern is None:
        yield "# Nothing on this page makes an item: no rules. Links are followed, pages are recorded."


def _seed_lines(site_facts: SiteFacts) -> Iterator[str]:
    yield "seeds:"
    if site_facts.listed_by is not None:
        address = to_yaml({"sitemap": site_facts.requested.href})
        yield yaml_line(f"  - {address}", f"{site_facts.listed_by.description}; its entries are the pages to fetch")
    else:
        yield f"  - {to_yaml(site_facts.requested.href)}"
    for feed in site_facts.feeds:
        seed = to_yaml({"sitemap": feed.url.href})
        # A feed of another host is only suggested: as a seed it would extend the scope to that host.
        usable = feed.problem is None and feed.url.host == site_facts.requested.host
        if usable and feed.url_count:
            yield yaml_line(f"  - {seed}", f"{feed.description}; its entries are fetched as pages, too")
        elif usable:
            yield yaml_line(f"  # - {seed}", f"{feed.description}; uncomment it to fetch its entries, too")
        elif feed.problem is None:
            yield yaml_line(f"  # - {seed}", f"{feed.description}; of another host, which would then be in scope")
        else:
            yield f"  # {clean(feed.url.href, 300)}: {clean(feed.description, 200)}"


def _sitemap_lines(site_facts: SiteFacts) -> Iterator[str]:
    named = site_facts.robots_sitemaps
    if named:
        yield yaml_line("sitemaps: auto", f"robots.txt names {len(named)}; off leaves them alone")
        yield from (f"#   {clean(address, 300)}" for address in named[:MAX_SITEMAPS_SHOWN])
        if len(named) > MAX_SITEMAPS_SHOWN:
            yield f"#   and {len(named) - MAX_SITEMAPS_SHOWN} more"
    elif site_facts.sitemap is not None and site_facts.sitemap.problem is None:
        yield yaml_line(
            "sitemaps: auto",
            f"at the usual path, {clean(site_facts.sitemap.url.target)}: {site_facts.sitemap.description}",
        )
    else:
        absent = "robots.txt names none" if named is not None else "robots.txt was not fetched"
        yield yaml_line("sitemaps: auto", f"{absent}; the usual paths are tried")
