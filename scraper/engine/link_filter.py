"""Which links of a page are queued, which are recorded as skipped, and which are neither because they were recently."""

from __future__ import annotations

from scraper.model import Extraction, Link, OutOfScope, Priority, Request, Skip
from scraper.structures.recent_set import RecentSet
from scraper.urls.progress import UrlProgress
from scraper.urls.traps import TrapSettings

PRIORITY_OF_KIND = {"file": Priority.FILE, "sitemap": Priority.SITEMAP}


class LinkFilter:
    """Remembers the links and skips it passed on recently; the frontier knows all of them, but at a higher price.

    `memory` is how many it remembers of each (`RecentSet`). `progress` denies links that only lead to more of the same.
    """

    def __init__(self, max_sitemap_depth: int, memory: int, progress: UrlProgress | None = None) -> None:
        self._max_sitemap_depth = max_sitemap_depth
        self.progress = progress or UrlProgress(TrapSettings(max_unproductive=None))
        self._recent_links = RecentSet(memory)
        self._recent_skips = RecentSet(memory)

    def select(
        self, source: Request, extraction: Extraction, content: bytes | None = None
    ) -> tuple[tuple[Request, ...], tuple[Skip, ...]]:
        """Requests to queue and URLs to record as skipped, of what was found on the page of `source`.

        `content` is that of the page, None when it is not in memory.
        """
        skipped: list[Skip] = []
        # What rules request goes before a link to the same URL: it may carry a label and fields.
        discovered = [
            request for request in extraction.requests if self._recent_links.add_if_new(hash(request.url.key))
        ]
        for link in extraction.links:
            key = hash(link.url.key)
            denied = link.denied
            if denied is None and link.kind == "sitemap":
                denied = self._too_deep(source)
            # 1. Denied: a skip, once, unless a link to it in another place was allowed.
            if denied is not None:
                if key not in self._recent_links and self._recent_skips.add_if_new(key):
                    skipped.append(Skip(link.url, source.url.href, *denied))
            # 2. Allowed: queued, once.
            elif self._recent_links.add_if_new(key):
                discovered.append(_request_for(source, link))
        # 3. Allowed, and nothing but more of what has brought nothing new. Forgotten, as a better page may name it too.
        if closed := self.progress.judge(source, discovered, extraction.items, content):
            for request, rule in closed:
                key = hash(request.url.key)
                self._recent_links.discard(key)
                if self._recent_skips.add_if_new(key):
                    skipped.append(Skip(request.url, source.url.href, "trap", rule))
            denied_keys = {request.url.key for request, _ in closed}
            discovered = [request for request in discovered if request.url.key not in denied_keys]
        return tuple(discovered), tuple(skipped)

    def _too_deep(self, source: Request) -> OutOfScope | None:
        if source.sitemap_depth >= self._max_sitemap_depth:
            return OutOfScope("sitemap", f"sitemaps are nested deeper than {self._max_sitemap_depth}")
        return None


def _request_for(source: Request, link: Link) -> Request:
    if link.kind == "page":
        depth = source.depth + 1
        return Request(link.url, depth, source.url.href, "page", depth)
    # Files and sitemaps are no pages of their own: they have the depth of the page that names them.
    is_sitemap = link.kind == "sitemap"
    sitemap_depth = source.sitemap_depth + 1 if is_sitemap else 0
    depth = source.depth if is_sitemap else max(source.depth, 0)
    priority = PRIORITY_OF_KIND[link.kind]
    return Request(link.url, depth, source.url.href, link.kind, priority, sitemap_depth=sitemap_depth)
