"""What the supplier's host answers: a few pages that cannot be had until an outage is over."""

from __future__ import annotations

from html import escape

from scraper.demo_site.server import Reply
from scraper.demo_site.shop import SUPPLIER_PARTS
from scraper.demo_site.templates import STYLE, listed

ROBOTS = b"User-agent: *\nDisallow:\n"
OUT_OF_ORDER = Reply(500, b"<!DOCTYPE html><title>Out of order</title><h1>We are mending this</h1>")
RESET = Reply(fault="reset")


class Supplier:
    """The supplier's pages and its outage.

    It fails for `outage` seconds from the first page asked for, and for the first `failures` requests; every third
    failure is a reset connection, the others are 500. robots.txt is always there: a host whose robots.txt cannot be
    had is not asked for pages, so its breaker would have nothing to count.
    """

    def __init__(self, address: str, shop: str, outage: float, failures: int) -> None:
        self._outage, self._failures = outage, failures
        self._asked = 0
        self._since: float | None = None
        parts = [(f"/parts/part-{n}.html", f"Part {n}") for n in range(1, SUPPLIER_PARTS + 1)]
        self._pages = {"/": Reply(body=_frame("Supplier", listed([*parts, (f"{shop}/", "Corner Shop")])))}
        for number, (path, title) in enumerate(parts, 1):
            links = listed([("/", "All parts"), (f"{shop}/about.html", "The shop")])
            body = f'<p class="price_color">GBP {number}.50</p>{links}'
            self._pages[path] = Reply(body=_frame(title, body))
        self.pages = frozenset(address + path for path in self._pages)

    def answer(self, target: str, now: float) -> Reply:
        """The response to `target` at `now`, seconds on any clock that does not step back."""
        path = target.partition("?")[0]
        if path == "/robots.txt":
            return Reply(body=ROBOTS, content_type="text/plain")
        if self._since is None:
            self._since = now
        self._asked += 1
        if self._asked <= self._failures or now < self._since + self._outage:
            return RESET if self._asked % 3 == 0 else OUT_OF_ORDER
        return self._pages.get(path) or Reply(404, _frame("Not found", ""))


def _frame(title: str, body: str) -> bytes:
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)} | Supplier</title>'
        f"<style>{STYLE}</style></head><body><main><h1>{escape(title)}</h1>{body}</main></body></html>\n"
    ).encode()
