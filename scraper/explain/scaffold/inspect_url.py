"""Fetch and inspect the URL given to `scrape init`: a page, or for a feed or sitemap one of the pages it lists.

All requests obey robots.txt and the politeness of a crawl.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from scraper.config.schema.crawl import CrawlConfig
from scraper.explain.pages.page_request import (
    PageFetcher,
    RequestStep,
    UrlRules,
    open_page_fetcher,
    outcome_text,
    read_stored_page,
    refusal_text,
    with_body_in_memory,
)
from scraper.explain.scaffold.config_writer import SiteFacts
from scraper.explain.scaffold.feeds_and_sitemaps import USUAL_SITEMAP_PATH, FeedLink, find_feeds, read_feed
from scraper.explain.scaffold.propose_rules import RuleIdeas, ideas_for_html, ideas_for_json
from scraper.extract.links.document import Document, parse_document, refresh_target
from scraper.extract.rules.json_document import looks_like_json, read_json
from scraper.extract.text.content_type import content_type_of, decode_page, is_html, is_json, is_text, is_xhtml
from scraper.model import Response, Url
from scraper.urls.canonicalize import BaseUrl, canonicalize

# URLs of a feed or sitemap that are tried until one can be read.
MAX_ENTRIES_TRIED = 3
# Levels of sitemap indexes that are followed down to a list of pages.
MAX_SITEMAP_DEPTH = 2
# Guesses for the next page that are fetched, to try the rules on them.
MAX_NEXT_PAGES_FETCHED = 2


@dataclass(frozen=True, slots=True)
class InspectedPage:
    """A page to make rules from: its response, facts about its host, and the guesses for rules.

    `following`: the pages that the guesses for the next page lead to, by URL, as far as they were fetched.
    """

    response: Response
    site_facts: SiteFacts
    ideas: RuleIdeas
    following: Mapping[str, Response] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class UnreadablePage:
    """No page to make rules from, and the reason."""

    reason: str


async def inspect_url(
    config: CrawlConfig, rules: UrlRules, url: Url, file: Path | None
) -> InspectedPage | UnreadablePage:
    """Inspect `url`, or the stored page in `file` without any request.

    Raises `ScraperError` when the file cannot be read, `MissingExtraError` when rules for JSON need jmespath.
    """
    if file is not None:
        page = read_stored_page(file, url)
        feed = _feed_in(page)
        if feed is not None:
            return UnreadablePage(
                f"{file} is a {feed.description}; rules are made from a page: give the address of one of them"
            )
        return _inspect_page(page, SiteFacts(url, url))
    async with open_page_fetcher(config, rules, url) as fetcher:
        steps = await fetcher.fetch(url)
        response = _page_from(steps)
        if isinstance(response, UnreadablePage):
            return response
        site_facts = _site_facts(response, steps[-1])
        feed = _feed_in(response)
        if feed is not None:
            return await _inspect_listed_page(fetcher, feed, site_facts)
        inspected = _inspect_page(response, site_facts)
        if isinstance(inspected, UnreadablePage):
            return inspected
        return replace(
            inspected,
            site_facts=await _with_feeds_read(fetcher, inspected.site_facts),
            following=await _fetch_following(fetcher, inspected),
        )


async def _fetch_following(fetcher: PageFetcher, inspected: InspectedPage) -> dict[str, Response]:
    """The pages that look like the next one, at most `MAX_NEXT_PAGES_FETCHED`: rules are tried on them."""
    following: dict[str, Response] = {}
    targets = dict.fromkeys(guess.target for guess in inspected.ideas.next_pages)
    for target in list(targets)[:MAX_NEXT_PAGES_FETCHED]:
        url = canonicalize(target)
        # A page of another host would need that host's consent and scope.
        if isinstance(url, Url) and url.host == inspected.response.request.url.host:
            page = _page_from(await fetcher.fetch(url))
            if isinstance(page, Response):
                following[target] = page
    return following


def _page_from(steps: Sequence[RequestStep]) -> Response | UnreadablePage:
    last = steps[-1]
    if last.outcome is None:
        return UnreadablePage(f"not fetched: {last.robots_verdict.rule if last.robots_verdict else 'forbidden'}")
    if not isinstance(last.outcome, Response) or not 200 <= last.outcome.status < 300:
        login = isinstance(last.outcome, Response) and last.outcome.status in (401, 403, 407)
        hint = "; --header or --config sends what a login needs" if login else ""
        return UnreadablePage(f"{last.request.url.href}: {outcome_text(last.outcome)}{hint}")
    return with_body_in_memory(last.outcome)


def _site_facts(page: Response, last: RequestStep) -> SiteFacts:
    entry = last.robots_entry
    return SiteFacts(
        page.request.url,
        page.request.url,
        robots_sitemaps=tuple(entry.sitemaps) if entry is not None else None,
        crawl_delay=entry.crawl_delay if entry is not None else None,
    )


async def _inspect_listed_page(
    fetcher: PageFetcher, feed: FeedLink, site_facts: SiteFacts
) -> InspectedPage | UnreadablePage:
    """Inspect the first page that `feed` lists and that can be read."""
    nested = feed
    # A sitemap index lists sitemaps, not pages: go down by its first entry.
    for _ in range(MAX_SITEMAP_DEPTH):
        if nested.kind != "sitemap of sitemaps":
            break
        nested = await _fetch_feed(fetcher, replace(nested, url=_parse_url(nested.first_urls[0])))
    reason = nested.problem or "it names no pages"
    for address in nested.first_urls[:MAX_ENTRIES_TRIED]:
        response = _page_from(await fetcher.fetch(_parse_url(address)))
        if isinstance(response, UnreadablePage):
            reason = response.reason
            continue
        inspected = _inspect_page(response, replace(site_facts, url=response.request.url, listed_by=feed))
        if isinstance(inspected, InspectedPage):
            return inspected
        reason = inspected.reason
    return UnreadablePage(
        f"{site_facts.requested.href} is a {feed.description}, but none of the first can be read: {reason}"
    )


async def _with_feeds_read(fetcher: PageFetcher, site_facts: SiteFacts) -> SiteFacts:
    """`site_facts` with the contents of the page's feeds, and of a sitemap at the usual path if robots.txt has none."""
    feeds = [
        await _fetch_feed(fetcher, feed)
        if feed.problem is None and feed.url.host == site_facts.requested.host
        else feed
        for feed in site_facts.feeds
    ]
    sitemap = None
    if site_facts.robots_sitemaps is not None and not site_facts.robots_sitemaps:
        sitemap_url = canonicalize(USUAL_SITEMAP_PATH, BaseUrl.of(site_facts.requested))
        assert isinstance(sitemap_url, Url), "an origin that was canonical stays so"
        sitemap = await _fetch_feed(fetcher, FeedLink(sitemap_url, "sitemap"))
    return replace(site_facts, feeds=tuple(feeds), sitemap=sitemap)


async def _fetch_feed(fetcher: PageFetcher, feed: FeedLink) -> FeedLink:
    last = (await fetcher.fetch(feed.url))[-1]
    if last.outcome is None:
        return replace(feed, problem=refusal_text(last.robots_verdict))
    return read_feed(feed, with_body_in_memory(last.outcome) if isinstance(last.outcome, Response) else None)


def _parse_url(address: str) -> Url:
    found = canonicalize(address)
    assert isinstance(found, Url), "an address that was canonical stays so"
    return found


def _feed_in(page: Response) -> FeedLink | None:
    """`page` as a feed or sitemap; None when it is a page."""
    content_type = content_type_of(page)
    if is_html(content_type, page) or is_json(content_type) or not is_text(content_type):
        return None
    # The root element tells the format; it may follow comments and declarations.
    head = page.body.read()[:2_000].lower()
    kind = "RSS feed" if b"<rss" in head or b"<rdf" in head else "Atom feed" if b"<feed" in head else "sitemap"
    feed = read_feed(FeedLink(page.request.url, kind), page)
    return feed if feed.url_count else None


def _inspect_page(page: Response, site_facts: SiteFacts) -> InspectedPage | UnreadablePage:
    """Parse a page by its content type and guess rules for it."""
    content_type = content_type_of(page)
    href = page.request.url.href
    if not page.body.size:
        return UnreadablePage(f"{href} is empty: there is nothing to guess from")
    if not is_json(content_type) and looks_like_json(page.body.read()):
        # JSON that is declared as something else: a rule that reads JSON reads it.
        with suppress(ValueError):
            value = read_json(decode_page(page, content_type)).value
            return InspectedPage(page, site_facts, ideas_for_json(value, page.request.url, page.headers))
    if is_html(content_type, page):
        document = parse_document(page.body.read(), content_type, page.request.url, is_xhtml(content_type, page))
        if document.problem is not None:
            return UnreadablePage(f"{href}: {document.problem}")
        if (target := _refresh_target(document)) is not None:
            return UnreadablePage(f"{href} only redirects to {target}: give that URL")
        site_facts = replace(site_facts, feeds=tuple(find_feeds(document)))
        return InspectedPage(page, site_facts, ideas_for_html(document, page.headers))
    if is_json(content_type):
        try:
            value = read_json(decode_page(page, content_type)).value
        except ValueError as error:
            return UnreadablePage(f"{href} is declared as JSON, but cannot be parsed: {error}")
        return InspectedPage(page, site_facts, ideas_for_json(value, page.request.url, page.headers))
    kind = (content_type or "of no type").partition(";")[0][:60]
    return UnreadablePage(
        f"{href} is neither HTML nor JSON, nor a feed or sitemap ({kind}): there is nothing to guess from"
    )


def _refresh_target(document: Document) -> str | None:
    """The target of a page that has no content but a meta refresh."""
    body = document.tree.body
    # With text of its own it is a page, whatever it refreshes to.
    if body is not None and (body.text() or "").strip():
        return None
    for attributes in document.metas:
        if (attributes.get("http-equiv") or "").lower() == "refresh":
            target = refresh_target(attributes.get("content") or "")
            found = canonicalize(target, document.base) if target else None
            if isinstance(found, Url) and found.href != document.url.href:
                return found.href
    return None
