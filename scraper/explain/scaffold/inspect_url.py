"""Looks at what `scrape init` was given: the page itself, or for a feed or a sitemap a page that it names.

Everything is asked for as a crawl would ask: politely, and only what robots.txt allows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import orjson

from scraper.config.schema.crawl import CrawlConfig
from scraper.explain.pages.page_request import (
    PageFetcher,
    RequestStep,
    UrlRules,
    open_page_fetcher,
    outcome_text,
    read_stored_page,
    with_body_in_memory,
)
from scraper.explain.scaffold.config_writer import SiteFacts
from scraper.explain.scaffold.feeds_and_sitemaps import USUAL_SITEMAP_PATH, FeedLink, find_feeds, read_feed
from scraper.explain.scaffold.propose_rules import RuleIdeas, ideas_for_html, ideas_for_json
from scraper.extract.links.document import Document, parse_document, refresh_target
from scraper.extract.text.content_type import content_type_of, decode_page, is_html, is_json, is_text
from scraper.model import Response, Url
from scraper.urls.canonicalize import BaseUrl, canonicalize

MAX_ENTRIES_TRIED = 3
"""Addresses of a feed or sitemap that are asked for until one answers."""
MAX_SITEMAP_DEPTH = 2
"""Sitemaps of sitemaps that are gone through."""


@dataclass(frozen=True, slots=True)
class InspectedPage:
    """A page to make rules from, what is known around it, and what it looks like."""

    response: Response
    site_facts: SiteFacts
    ideas: RuleIdeas


@dataclass(frozen=True, slots=True)
class UnreadablePage:
    """There is nothing to make rules from, and why."""

    reason: str


async def inspect_url(
    config: CrawlConfig, rules: UrlRules, url: Url, file: Path | None
) -> InspectedPage | UnreadablePage:
    """Look at `url`, or at the stored page in `file` without asking anybody.

    Raises `ScraperError` when the file cannot be read, `MissingExtraError` when rules for the page cannot be read here.
    """
    if file is not None:
        page = read_stored_page(file, url)
        named = _named_by(page)
        if named is not None:
            return UnreadablePage(
                f"{file} is a {named.description}; rules are made from a page: give the address of one of them"
            )
        return _seen(page, SiteFacts(url, url))
    async with open_page_fetcher(config, rules, url) as asker:
        steps = await asker.fetch(url)
        answer = _page_of(steps)
        if isinstance(answer, UnreadablePage):
            return answer
        around = _around(answer, steps[-1])
        named = _named_by(answer)
        if named is not None:
            return await _through(asker, named, around)
        sight = _seen(answer, around)
        return (
            sight
            if isinstance(sight, UnreadablePage)
            else replace(sight, site_facts=await _around_more(asker, sight.site_facts))
        )


def _page_of(steps: Sequence[RequestStep]) -> Response | UnreadablePage:
    last = steps[-1]
    if last.outcome is None:
        return UnreadablePage(f"not asked for: {last.robots_verdict.rule if last.robots_verdict else 'forbidden'}")
    if not isinstance(last.outcome, Response) or not 200 <= last.outcome.status < 300:
        return UnreadablePage(f"{last.request.url.href}: {outcome_text(last.outcome)}")
    return with_body_in_memory(last.outcome)


def _around(page: Response, last: RequestStep) -> SiteFacts:
    entry = last.robots_entry
    return SiteFacts(
        page.request.url,
        page.request.url,
        robots_sitemaps=tuple(entry.sitemaps) if entry is not None else None,
        crawl_delay=entry.crawl_delay if entry is not None else None,
    )


async def _through(asker: PageFetcher, lead: FeedLink, around: SiteFacts) -> InspectedPage | UnreadablePage:
    """Make rules from the first page that a feed or sitemap names and that can be read."""
    told, nested = lead, lead
    for _ in range(MAX_SITEMAP_DEPTH):
        if nested.kind != "sitemap of sitemaps":
            break
        nested = await _asked(asker, replace(nested, url=_url(nested.first_urls[0])))
    why = nested.problem or "it names no pages"
    for address in nested.first_urls[:MAX_ENTRIES_TRIED]:
        answer = _page_of(await asker.fetch(_url(address)))
        if isinstance(answer, UnreadablePage):
            why = answer.reason
            continue
        sight = _seen(answer, replace(around, url=answer.request.url, listed_by=told))
        if isinstance(sight, InspectedPage):
            return sight
        why = sight.reason
    return UnreadablePage(f"{around.requested.href} is a {told.description}, but none of the first can be read: {why}")


async def _around_more(asker: PageFetcher, around: SiteFacts) -> SiteFacts:
    """What feeds and the usual place of a sitemap hold."""
    leads = [
        await _asked(asker, lead) if lead.problem is None and lead.url.host == around.requested.host else lead
        for lead in around.feeds
    ]
    sitemap = None
    if around.robots_sitemaps is not None and not around.robots_sitemaps:
        place = canonicalize(USUAL_SITEMAP_PATH, BaseUrl.of(around.requested))
        assert isinstance(place, Url), "an origin that was canonical stays so"
        sitemap = await _asked(asker, FeedLink(place, "sitemap"))
    return replace(around, feeds=tuple(leads), sitemap=sitemap)


async def _asked(asker: PageFetcher, lead: FeedLink) -> FeedLink:
    last = (await asker.fetch(lead.url))[-1]
    if last.outcome is None:
        return replace(lead, problem="robots.txt forbids it")
    return read_feed(lead, with_body_in_memory(last.outcome) if isinstance(last.outcome, Response) else None)


def _url(address: str) -> Url:
    found = canonicalize(address)
    assert isinstance(found, Url), "an address that was canonical stays so"
    return found


def _named_by(page: Response) -> FeedLink | None:
    """What `page` is when it is a feed or a sitemap; None when it is a page."""
    content_type = content_type_of(page)
    if is_html(content_type, page) or is_json(content_type) or not is_text(content_type):
        return None
    head = page.body.read()[:2_000].lower()
    what = "RSS feed" if b"<rss" in head or b"<rdf" in head else "Atom feed" if b"<feed" in head else "sitemap"
    lead = read_feed(FeedLink(page.request.url, what), page)
    return lead if lead.url_count else None


def _seen(page: Response, around: SiteFacts) -> InspectedPage | UnreadablePage:
    """What a page of some kind looks like."""
    content_type = content_type_of(page)
    href = page.request.url.href
    if not page.body.size:
        return UnreadablePage(f"{href} is empty: there is nothing to guess from")
    if is_html(content_type, page):
        document = parse_document(page.body.read(), content_type, page.request.url)
        if document.problem is not None:
            return UnreadablePage(f"{href}: {document.problem}")
        if (target := _sent_on(document)) is not None:
            return UnreadablePage(f"{href} only sends on to {target}: give that address")
        around = replace(around, feeds=tuple(find_feeds(document)))
        return InspectedPage(page, around, ideas_for_html(document, page.headers))
    if is_json(content_type):
        try:
            value = orjson.loads(decode_page(page, content_type))
        except orjson.JSONDecodeError as error:
            return UnreadablePage(f"{href} says it is JSON, but cannot be read: {error}")
        return InspectedPage(page, around, ideas_for_json(value, page.request.url, page.headers))
    kind = (content_type or "of no type").partition(";")[0][:60]
    return UnreadablePage(
        f"{href} is neither HTML nor JSON, nor a feed or sitemap ({kind}): there is nothing to guess from"
    )


def _sent_on(document: Document) -> str | None:
    """Where a page leads that has nothing but a refresh."""
    body = document.tree.body
    if body is not None and (body.text() or "").strip():
        return None
    for attributes in document.metas:
        if (attributes.get("http-equiv") or "").lower() == "refresh":
            target = refresh_target(attributes.get("content") or "")
            found = canonicalize(target, document.base) if target else None
            if isinstance(found, Url) and found.href != document.url.href:
                return found.href
    return None
