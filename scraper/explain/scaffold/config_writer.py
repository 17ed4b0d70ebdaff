"""A whole config around proposed rules, with what is known of the page and its host said beside each line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from scraper.explain.scaffold.feeds_and_sitemaps import Lead
from scraper.explain.scaffold.propose_rules import Proposal
from scraper.explain.scaffold.rule_draft import line, written
from scraper.model import Url
from scraper.report.text.sanitize import clean

FIRST_PAGES = 200
"""The page limit of a new config: a first look."""
SITEMAPS_TOLD = 5


@dataclass(frozen=True, slots=True)
class Around:
    """What is known around the page that was looked at.

    `url` is the page's own, `asked` what the user named (the page itself, or a feed or sitemap that names it: then
    `through` says what it is). `leads` are feeds and sitemaps; `robots` tells what robots.txt says of sitemaps, and
    `crawl_delay` (seconds) what it asks for.
    """

    url: Url
    asked: Url
    file_name: str = "config.yaml"
    leads: tuple[Lead, ...] = ()
    through: Lead | None = None
    robots_sitemaps: tuple[str, ...] | None = None
    sitemap: Lead | None = None
    crawl_delay: float | None = None


def write_config(proposal: Proposal, around: Around) -> str:
    """The config as text. It loads, and its rules find on the page what was found."""
    return "\n".join(_lines(proposal, around)) + "\n"


def _lines(proposal: Proposal, around: Around) -> Iterator[str]:
    shown = clean(around.url.href, 300)
    yield f"# Guessed from {shown}: read it, change it, then"
    yield f"#   scrape validate {clean(around.file_name)}"
    yield f"#   scrape try {shown} --config {clean(around.file_name)}"
    yield f"#   scrape crawl {clean(around.file_name)} --dry-run"
    yield ""
    yield from _seeds(around)
    yield ""
    yield "scope:"
    yield line("  mode: host", f"every page of {around.asked.host}; prefix stays below the seed's folder")
    if around.url.host != around.asked.host:
        host = around.url.host.partition(":")[0]
        yield line(f"  hosts: {written([host])}", "where its pages are")
    yield ""
    yield "limits:"
    yield line(f"  max_pages: {FIRST_PAGES}", "a first look; raise it, or leave it out, when the items are right")
    yield ""
    if around.crawl_delay:
        yield f"# robots.txt asks for {around.crawl_delay:g} s between requests, and gets it."
    yield from _sitemaps(around)
    yield ""
    yield from (f"# {clean(text, 300)}" for text in proposal.told)
    if proposal.drafts:
        yield "extract:"
        for draft in proposal.drafts:
            yield from draft.lines()
    else:
        yield "# Nothing on this page makes an item: no rules. Links are followed, pages are recorded."


def _seeds(around: Around) -> Iterator[str]:
    yield "seeds:"
    if around.through is not None:
        address = written({"sitemap": around.asked.href})
        yield line(f"  - {address}", f"{around.through.told}; it says what to ask for")
    else:
        yield f"  - {written(around.asked.href)}"
    for lead in around.leads:
        seed = written({"sitemap": lead.url.href})
        usable = lead.problem is None and lead.url.host == around.asked.host
        if usable and lead.count:
            yield line(f"  - {seed}", f"{lead.told}; its entries are pages to ask for, too")
        elif usable:
            yield line(f"  # - {seed}", f"{lead.told}; uncomment it to ask for its entries, too")
        elif lead.problem is None:
            yield line(f"  # - {seed}", f"{lead.told}; of another host, which would then be in scope")
        else:
            yield f"  # {clean(lead.url.href, 300)}: {clean(lead.told, 200)}"


def _sitemaps(around: Around) -> Iterator[str]:
    named = around.robots_sitemaps
    if named:
        yield line("sitemaps: auto", f"robots.txt names {len(named)}; off leaves them alone")
        yield from (f"#   {clean(address, 300)}" for address in named[:SITEMAPS_TOLD])
        if len(named) > SITEMAPS_TOLD:
            yield f"#   and {len(named) - SITEMAPS_TOLD} more"
    elif around.sitemap is not None and around.sitemap.problem is None:
        yield line("sitemaps: auto", f"at the usual place, {clean(around.sitemap.url.target)}: {around.sitemap.told}")
    else:
        none = "robots.txt names none" if named is not None else "robots.txt was not asked for"
        yield line("sitemaps: auto", f"{none}; the usual places are looked at")
