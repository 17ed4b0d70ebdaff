"""The supplier's host: a few pages that fail until an outage is over."""

from __future__ import annotations

from html import escape

from scraper.demo_site.server import SiteResponse
from scraper.demo_site.shop import SUPPLIER_PART_COUNT
from scraper.demo_site.templates import PAGE_CSS, link_list

ROBOTS_TXT = b"User-agent: *\nDisallow:\n"
OUTAGE_RESPONSE = SiteResponse(500, b"<!DOCTYPE html><title>Out of order</title><h1>We are mending this</h1>")
RESET_RESPONSE = SiteResponse(fault="reset")


class Supplier:
    """The supplier's pages and its outage.

    It fails for `outage` seconds from the first request for a page on, and for the first `failures` requests. Every
    third failure is a connection reset, the others are status 500. robots.txt always works: without it a crawl requests
    no pages, and the circuit breaker that the demo shows would not open.
    """

    def __init__(self, address: str, shop: str, outage: float, failures: int) -> None:
        self._outage, self._failures = outage, failures
        self._request_count = 0
        self._outage_started_at: float | None = None
        parts = [(f"/parts/part-{n}.html", f"Part {n}") for n in range(1, SUPPLIER_PART_COUNT + 1)]
        self._pages = {
            "/": SiteResponse(body=_supplier_page("Supplier", link_list([*parts, (f"{shop}/", "Corner Shop")])))
        }
        for number, (path, title) in enumerate(parts, 1):
            links = link_list([("/", "All parts"), (f"{shop}/about.html", "The shop")])
            body = f'<p class="price_color">GBP {number}.50</p>{links}'
            self._pages[path] = SiteResponse(body=_supplier_page(title, body))
        self.pages = frozenset(address + path for path in self._pages)

    def respond(self, target: str, now: float) -> SiteResponse:
        """The response to `target` at `now`, in seconds of a monotonic clock."""
        path = target.partition("?")[0]
        if path == "/robots.txt":
            return SiteResponse(body=ROBOTS_TXT, content_type="text/plain")
        if self._outage_started_at is None:
            self._outage_started_at = now
        self._request_count += 1
        if self._request_count <= self._failures or now < self._outage_started_at + self._outage:
            return RESET_RESPONSE if self._request_count % 3 == 0 else OUTAGE_RESPONSE
        return self._pages.get(path) or SiteResponse(404, _supplier_page("Not found", ""))


def _supplier_page(title: str, body: str) -> bytes:
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)} | Supplier</title>'
        f"<style>{PAGE_CSS}</style></head><body><main><h1>{escape(title)}</h1>{body}</main></body></html>\n"
    ).encode()
