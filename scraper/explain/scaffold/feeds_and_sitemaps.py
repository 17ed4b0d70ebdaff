"""Feeds and sitemaps of a page: lists of URLs that a crawl could begin with instead of the page itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from scraper.extract.links.document import Document
from scraper.extract.links.sitemap import SitemapReader
from scraper.model import Response, Url
from scraper.urls.canonicalize import BaseUrl, canonicalize

FEED_TYPES = re.compile(r"application/(?:(rss|atom)\+xml|(?:feed\+)?json)(?:$|[;\s])", re.IGNORECASE)
MAX_LINKS = 50
MAX_FEEDS = 3
# Where most sites have their sitemap.
USUAL_SITEMAP_PATH = "/sitemap.xml"


@dataclass(frozen=True, slots=True)
class FeedLink:
    """A feed or sitemap. `url_count` is how many URLs it lists; None when it was not read.

    `problem` says why a crawl cannot begin with it. `first_urls` are the first URLs that it lists.
    """

    url: Url
    kind: str
    url_count: int | None = None
    problem: str | None = None
    first_urls: tuple[str, ...] = ()

    @property
    def description(self) -> str:
        """Its kind and number of URLs, or its problem, in a few words."""
        if self.problem is not None:
            return f"{self.kind}: {self.problem}"
        return f"{self.kind}: {'not read' if self.url_count is None else f'{self.url_count:,} addresses'}"


def find_feeds(document: Document) -> Iterator[FeedLink]:
    """The feeds that a page links to by rel=alternate."""
    seen: set[str] = set()
    for node in document.tree.css("link[rel~=alternate i][type][href]")[:MAX_LINKS]:
        kind = FEED_TYPES.match((node.attributes.get("type") or "").strip())
        found = canonicalize(node.attributes.get("href") or "", document.base)
        if kind is None or not isinstance(found, Url) or found.key in seen or len(seen) >= MAX_FEEDS:
            continue
        # rel=alternate with a JSON type may also be an API's view of the page; feeds have "feed" in their type.
        if kind[1] is None and "feed" not in (node.attributes.get("type") or "").lower():
            continue
        seen.add(found.key)
        if kind[1] is None:
            yield FeedLink(found, "JSON feed", problem="`scrape init` on it writes rules for it")
        else:
            yield FeedLink(found, {"rss": "RSS", "atom": "Atom"}[kind[1].lower()] + " feed")


def read_feed(feed: FeedLink, page: Response | None) -> FeedLink:
    """`feed` with the URLs that its response `page` lists; without a response it has a problem."""
    if page is None or page.status >= 400:
        return replace(feed, problem="no response" if page is None else f"status {page.status}")
    reader = SitemapReader()
    entries = [*reader.feed(page.body.read()), *reader.close()]
    base = BaseUrl.of(page.request.url)
    addresses: list[str] = []
    nested = False
    for entry in entries:
        found = canonicalize(entry.loc, base)
        if isinstance(found, Url):
            nested = nested or entry.kind == "sitemap"
            addresses.append(found.href)
    if not addresses:
        return replace(feed, url_count=0, problem=reader.problem or "it lists no URLs")
    kind = "sitemap of sitemaps" if nested else feed.kind
    return replace(feed, kind=kind, url_count=len(addresses), first_urls=tuple(addresses[:10]))
