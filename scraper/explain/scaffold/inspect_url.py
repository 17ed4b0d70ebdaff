"""Looks at what `scrape init` was given: the page itself, or for a feed or a sitemap a page that it names.

Everything is asked for as a crawl would ask: politely, and only what robots.txt allows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import orjson

from scraper.config.schema.crawl import CrawlConfig
from scraper.explain.pages.page_request import Asker, Rules, Step, answer_text, asking, in_memory, stored_page
from scraper.explain.scaffold.config_writer import Around
from scraper.explain.scaffold.feeds_and_sitemaps import SITEMAP, Lead, feeds_of, read_lead
from scraper.explain.scaffold.propose_rules import Sketch, sketch_html, sketch_json
from scraper.extract.links.document import Document, parse, refresh_target
from scraper.extract.page_extractor import is_html, is_json, is_text, page_text
from scraper.model import Page, Url
from scraper.urls.canonicalize import Base, canonicalise

ENTRIES_TRIED = 3
"""Addresses of a feed or sitemap that are asked for until one answers."""
NESTING = 2
"""Sitemaps of sitemaps that are gone through."""


@dataclass(frozen=True, slots=True)
class Sight:
    """A page to make rules from, what is known around it, and what it looks like."""

    page: Page
    around: Around
    sketch: Sketch


@dataclass(frozen=True, slots=True)
class Blind:
    """There is nothing to make rules from, and why."""

    why: str


async def look(config: CrawlConfig, rules: Rules, url: Url, file: Path | None) -> Sight | Blind:
    """Look at `url`, or at the stored page in `file` without asking anybody.

    Raises `ScraperError` when the file cannot be read, `MissingExtra` when rules for the page cannot be read here.
    """
    if file is not None:
        page = stored_page(file, url)
        named = _named_by(page)
        if named is not None:
            return Blind(f"{file} is a {named.told}; rules are made from a page: give the address of one of them")
        return _seen(page, Around(url, url))
    async with asking(config, rules, url) as asker:
        steps = await asker.ask(url)
        answer = _page_of(steps)
        if isinstance(answer, Blind):
            return answer
        around = _around(answer, steps[-1])
        named = _named_by(answer)
        if named is not None:
            return await _through(asker, named, around)
        sight = _seen(answer, around)
        return sight if isinstance(sight, Blind) else replace(sight, around=await _around_more(asker, sight.around))


def _page_of(steps: Sequence[Step]) -> Page | Blind:
    last = steps[-1]
    if last.outcome is None:
        return Blind(f"not asked for: {last.robots.rule if last.robots else 'forbidden'}")
    if not isinstance(last.outcome, Page) or not 200 <= last.outcome.status < 300:
        return Blind(f"{last.request.url.href}: {answer_text(last.outcome)}")
    return in_memory(last.outcome)


def _around(page: Page, last: Step) -> Around:
    entry = last.entry
    return Around(
        page.request.url,
        page.request.url,
        robots_sitemaps=tuple(entry.sitemaps) if entry is not None else None,
        crawl_delay=entry.crawl_delay if entry is not None else None,
    )


async def _through(asker: Asker, lead: Lead, around: Around) -> Sight | Blind:
    """Make rules from the first page that a feed or sitemap names and that can be read."""
    told, nested = lead, lead
    for _ in range(NESTING):
        if nested.what != "sitemap of sitemaps":
            break
        nested = await _asked(asker, replace(nested, url=_url(nested.first[0])))
    why = nested.problem or "it names no pages"
    for address in nested.first[:ENTRIES_TRIED]:
        answer = _page_of(await asker.ask(_url(address)))
        if isinstance(answer, Blind):
            why = answer.why
            continue
        sight = _seen(answer, replace(around, url=answer.request.url, through=told))
        if isinstance(sight, Sight):
            return sight
        why = sight.why
    return Blind(f"{around.asked.href} is a {told.told}, but none of the first can be read: {why}")


async def _around_more(asker: Asker, around: Around) -> Around:
    """What feeds and the usual place of a sitemap hold."""
    leads = [
        await _asked(asker, lead) if lead.problem is None and lead.url.host == around.asked.host else lead
        for lead in around.leads
    ]
    sitemap = None
    if around.robots_sitemaps is not None and not around.robots_sitemaps:
        place = canonicalise(SITEMAP, Base.of(around.asked))
        assert isinstance(place, Url), "an origin that was canonical stays so"
        sitemap = await _asked(asker, Lead(place, "sitemap"))
    return replace(around, leads=tuple(leads), sitemap=sitemap)


async def _asked(asker: Asker, lead: Lead) -> Lead:
    last = (await asker.ask(lead.url))[-1]
    if last.outcome is None:
        return replace(lead, problem="robots.txt forbids it")
    return read_lead(lead, in_memory(last.outcome) if isinstance(last.outcome, Page) else None)


def _url(address: str) -> Url:
    found = canonicalise(address)
    assert isinstance(found, Url), "an address that was canonical stays so"
    return found


def _named_by(page: Page) -> Lead | None:
    """What `page` is when it is a feed or a sitemap; None when it is a page."""
    content_type = page.headers.get("content-type")
    if is_html(content_type, page) or is_json(content_type) or not is_text(content_type):
        return None
    head = page.body.read()[:2_000].lower()
    what = "RSS feed" if b"<rss" in head or b"<rdf" in head else "Atom feed" if b"<feed" in head else "sitemap"
    lead = read_lead(Lead(page.request.url, what), page)
    return lead if lead.count else None


def _seen(page: Page, around: Around) -> Sight | Blind:
    """What a page of some kind looks like."""
    content_type = page.headers.get("content-type")
    href = page.request.url.href
    if not page.body.size:
        return Blind(f"{href} is empty: there is nothing to guess from")
    if is_html(content_type, page):
        document = parse(page.body.read(), content_type, page.request.url)
        if document.problem is not None:
            return Blind(f"{href}: {document.problem}")
        if (target := _sent_on(document)) is not None:
            return Blind(f"{href} only sends on to {target}: give that address")
        around = replace(around, leads=tuple(feeds_of(document)))
        return Sight(page, around, sketch_html(document, page.headers))
    if is_json(content_type):
        try:
            value = orjson.loads(page_text(page, content_type))
        except orjson.JSONDecodeError as error:
            return Blind(f"{href} says it is JSON, but cannot be read: {error}")
        return Sight(page, around, sketch_json(value, page.request.url, page.headers))
    kind = (content_type or "of no type").partition(";")[0][:60]
    return Blind(f"{href} is neither HTML nor JSON, nor a feed or sitemap ({kind}): there is nothing to guess from")


def _sent_on(document: Document) -> str | None:
    """Where a page leads that has nothing but a refresh."""
    body = document.tree.body
    if body is not None and (body.text() or "").strip():
        return None
    for attributes in document.metas:
        if (attributes.get("http-equiv") or "").lower() == "refresh":
            target = refresh_target(attributes.get("content") or "")
            found = canonicalise(target, document.base) if target else None
            if isinstance(found, Url) and found.href != document.url.href:
                return found.href
    return None
