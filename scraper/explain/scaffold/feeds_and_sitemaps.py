"""Where a crawl could begin beside the page itself: its feeds, the sitemaps of its host."""

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
# The usual place of a sitemap.
USUAL_SITEMAP_PATH = "/sitemap.xml"


@dataclass(frozen=True, slots=True)
class FeedLink:
    """A list of addresses for robots. `count` is how many it names; None when it was not looked at.

    `problem` says why a crawl cannot begin with it. `first` are the first addresses that it names.
    """

    url: Url
    kind: str
    url_count: int | None = None
    problem: str | None = None
    first_urls: tuple[str, ...] = ()

    @property
    def description(self) -> str:
        """What it is and holds, in a few words."""
        if self.problem is not None:
            return f"{self.kind}: {self.problem}"
        return f"{self.kind}: {'not looked at' if self.url_count is None else f'{self.url_count:,} addresses'}"


def find_feeds(document: Document) -> Iterator[FeedLink]:
    """The feeds that a page names."""
    seen: set[str] = set()
    for node in document.tree.css("link[rel~=alternate i][type][href]")[:MAX_LINKS]:
        kind = FEED_TYPES.match((node.attributes.get("type") or "").strip())
        found = canonicalize(node.attributes.get("href") or "", document.base)
        if kind is None or not isinstance(found, Url) or found.key in seen or len(seen) >= MAX_FEEDS:
            continue
        # JSON that is no feed (an API's own view of the page) calls itself alternate, too.
        if kind[1] is None and "feed" not in (node.attributes.get("type") or "").lower():
            continue
        seen.add(found.key)
        if kind[1] is None:
            yield FeedLink(found, "JSON feed", problem="`scrape init` on it writes rules for it")
        else:
            yield FeedLink(found, {"rss": "RSS", "atom": "Atom"}[kind[1].lower()] + " feed")


def read_feed(lead: FeedLink, page: Response | None) -> FeedLink:
    """`lead` with what `page`, its answer, holds; without an answer it cannot be used."""
    if page is None or page.status >= 400:
        return replace(lead, problem="it does not answer" if page is None else f"it answers {page.status}")
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
        return replace(lead, url_count=0, problem=reader.problem or "it names no addresses")
    what = "sitemap of sitemaps" if nested else lead.kind
    return replace(lead, kind=what, url_count=len(addresses), first_urls=tuple(addresses[:10]))
