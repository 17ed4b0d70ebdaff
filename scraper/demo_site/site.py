"""The bundled site: a synthetic shop and its supplier on two ports of 127.0.0.1.

Its content depends only on the seed (absolute URLs also on the ports). It has typical features of real sites:
pagination, redirects, tracking parameters, session ids, an endless calendar, slow, broken, truncated and rate-limited
pages, and a second host that fails for a while. `ShopSite.expected` lists what a complete crawl must find.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import TracebackType

from scraper.clock import Clock
from scraper.demo_site.catalogue import CATEGORIES, Catalogue, Product
from scraper.demo_site.server import SiteRequest, SiteResponse, SiteServer
from scraper.demo_site.shop import (
    DOWNLOAD_PATHS,
    LIMITED_OFFER_COUNT,
    MISSING_PATHS,
    PRIVATE_PATH,
    REDIRECT_LOOPS,
    REDIRECTS,
    SITEMAP_ONLY_PATHS,
    SLOW_PAGE_COUNT,
    Shop,
)
from scraper.demo_site.supplier import Supplier
from scraper.demo_site.templates import page_html

# Requests below /limited/ that are accepted at once before the rate limit applies.
LIMITED_BURST = 3


@dataclass(frozen=True, slots=True)
class SiteSettings:
    """How the site behaves. Times are seconds.

    `pages` is the approximate number of HTML pages of the shop, at least 39. Every response is delayed by `latency_s`
    and up to `jitter_s` more, pages below /slow/ by `slow_s` more. The supplier fails for `outage_s` from its first
    request on, and for its first `outage_requests` requests. Below /limited/, requests above `limited_rate` per second
    get a 429. Port 0 picks a free one.
    """

    pages: int = 300
    seed: int = 7
    latency_s: float = 0.0
    jitter_s: float = 0.0
    slow_s: float = 1.5
    outage_s: float = 8.0
    outage_requests: int = 0
    limited_rate: float = 4.0
    port: int = 0
    supplier_port: int = 0


@dataclass(frozen=True, slots=True)
class ExpectedContent:
    """What a crawl must find that starts at the home page, obeys robots.txt and includes the supplier.

    `pages` are the URLs of the shop's linked HTML pages, without tracking and session parameters and without the
    calendar; `sitemap_only` those that only the sitemap lists. `products` maps URLs to products. `broken` maps URLs
    that always fail to their status (0: truncated). `forbidden` are linked URLs that robots.txt forbids.
    """

    products: Mapping[str, Product]
    pages: frozenset[str]
    sitemap_only: frozenset[str]
    supplier_pages: frozenset[str]
    media: frozenset[str]
    downloads: frozenset[str]
    redirects: Mapping[str, str]
    loops: frozenset[str]
    broken: Mapping[str, int]
    forbidden: frozenset[str]


class ShopSite:
    """The running site: `async with ShopSite(settings) as site`. `url` and `supplier_url` have no trailing slash.

    Entering raises OSError if a port is in use.
    """

    url: str
    supplier_url: str
    expected: ExpectedContent

    def __init__(self, settings: SiteSettings | None = None) -> None:
        self.settings = settings or SiteSettings()
        random_share = random.Random(self.settings.seed).random  # noqa: S311  latencies, not secrets
        latency, jitter = self.settings.latency_s, self.settings.jitter_s
        self._shop_server = SiteServer(self._respond_shop, latency, jitter, random_share)
        self._supplier_server = SiteServer(self._respond_supplier, latency, jitter, random_share)
        self._cut_once = False
        self._limited_from = 0.0
        self._shop: Shop
        self._supplier: Supplier
        self._clock: Clock

    @property
    def requests(self) -> int:
        """Number of requests to both hosts so far."""
        return self._shop_server.requests + self._supplier_server.requests

    async def __aenter__(self) -> ShopSite:
        """Start both servers."""
        settings = self.settings
        self._clock = Clock()
        try:
            self.url = f"http://127.0.0.1:{await self._shop_server.listen(settings.port)}"
            self.supplier_url = f"http://127.0.0.1:{await self._supplier_server.listen(settings.supplier_port)}"
        except OSError:
            await self.aclose()
            raise
        self._shop = Shop(Catalogue(settings.pages, settings.seed), self.url, self.supplier_url)
        self._supplier = Supplier(self.supplier_url, self.url, settings.outage_s, settings.outage_requests)
        self.expected = expected_content(self._shop, self._supplier)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop both servers and close their connections."""
        await self.aclose()

    async def aclose(self) -> None:
        """Stop both servers and close their connections. May be called twice."""
        await self._shop_server.aclose()
        await self._supplier_server.aclose()

    def _respond_shop(self, request: SiteRequest) -> SiteResponse:
        path = request.target.partition("?")[0]
        if path.startswith("/limited/") and not self._within_limit():
            body = page_html("Too many requests", "<h1>One after the other, please</h1>").encode()
            return SiteResponse(429, body, headers=(("Retry-After", "1"),))
        response = self._shop.respond(request.target)
        if path.startswith("/slow/"):
            return replace(response, delay=self.settings.slow_s)
        if path.startswith("/error/"):
            return SiteResponse(500, page_html("Broken", "<h1>This page is broken</h1>").encode())
        if path.startswith("/flaky/"):
            return self._flaky_response(path)
        return response

    def _flaky_response(self, path: str) -> SiteResponse:
        body = page_html("Long page", f"<h1>Long page</h1>{'<p>And so on.</p>' * 200}").encode()
        if path == "/flaky/once.html" and self._cut_once:
            return SiteResponse(body=body)
        self._cut_once = self._cut_once or path == "/flaky/once.html"
        return SiteResponse(body=body, fault="truncate")

    def _within_limit(self) -> bool:
        """Rate limiting by GCRA: `limited_rate` requests per second, with bursts of `LIMITED_BURST`."""
        gap, now = 1 / self.settings.limited_rate, self._clock.now()
        if self._limited_from > now + gap * (LIMITED_BURST - 1):
            return False
        self._limited_from = max(self._limited_from, now) + gap
        return True

    def _respond_supplier(self, request: SiteRequest) -> SiteResponse:
        return self._supplier.respond(request.target, self._clock.now())


def expected_content(shop: Shop, supplier: Supplier) -> ExpectedContent:
    """What a crawl must find in `shop` and at `supplier`."""
    products = shop.catalogue.products
    paths = {"/", "/about.html", "/terms.html", "/service.html", "/flaky/once.html"}
    paths |= {product.path for product in products}
    paths |= {f"/catalogue/page-{n}.html" for n in range(1, len(shop.listings) + 1)}
    for name, listings in zip(CATEGORIES, shop.category_listings, strict=True):
        paths |= {f"/category/{name.lower()}/index.html"}
        paths |= {f"/category/{name.lower()}/page-{n}.html" for n in range(2, len(listings) + 1)}
    paths |= {f"/limited/offer-{n}.html" for n in range(1, LIMITED_OFFER_COUNT + 1)}
    paths |= {f"/slow/page-{n}.html" for n in range(1, SLOW_PAGE_COUNT + 1)}

    def full(some: object) -> str:
        return f"{shop.address}{some}"

    broken = {full(path): 404 for path in (*MISSING_PATHS, "/login.html", "/missing/terms-1998.html")}
    broken |= {full("/error/broken.html"): 500, full("/flaky/truncated.html"): 0}
    moved = {n: products[n - 1].path for n in (1, len(products) // 2 + 1, len(products))}
    redirects = {full(f"/old/product-{n}.html"): full(path) for n, path in moved.items()}
    redirects |= {full(path): full(target) for path, (_, target) in REDIRECTS.items()}
    return ExpectedContent(
        products={full(product.path): product for product in products},
        pages=frozenset(full(path) for path in paths),
        sitemap_only=frozenset(full(path) for path in SITEMAP_ONLY_PATHS),
        supplier_pages=supplier.pages,
        media=frozenset(full(product.cover_path) for product in products),
        downloads=frozenset(full(path) for path in DOWNLOAD_PATHS),
        redirects=redirects,
        loops=frozenset(full(path) for path in REDIRECT_LOOPS),
        broken=broken,
        forbidden=frozenset({full(PRIVATE_PATH), full("/cart"), *(full(f"/cart?add={p.number}") for p in products)}),
    )


async def serve(settings: SiteSettings, until_eof: bool = False) -> None:
    """Run the site until cancelled. Prints its two base URLs as two lines on standard output.

    With `until_eof` it ends at the end of standard input, and so with the process that started it.
    """
    async with ShopSite(settings) as site:
        sys.stdout.write(f"{site.url}\n{site.supplier_url}\n")
        sys.stdout.flush()
        if not until_eof:
            await asyncio.Event().wait()
        await asyncio.to_thread(sys.stdin.read)


def main(arguments: list[str] | None = None) -> int:
    """`python -m scraper.demo_site.site`: run the site until interrupted."""
    default = SiteSettings()
    parser = argparse.ArgumentParser(prog="python -m scraper.demo_site.site", description="The bundled synthetic site.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--supplier-port", type=int, default=0)
    parser.add_argument("--pages", type=int, default=default.pages)
    parser.add_argument("--seed", type=int, default=default.seed)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before every response")
    parser.add_argument("--jitter", type=float, default=0.0, help="up to so many seconds more")
    parser.add_argument("--outage", type=float, default=default.outage_s, help="seconds the supplier fails")
    parser.add_argument("--until-eof", action="store_true", help="end when standard input ends")
    given = parser.parse_args(arguments)
    settings = SiteSettings(
        pages=given.pages,
        seed=given.seed,
        latency_s=given.latency,
        jitter_s=given.jitter,
        outage_s=given.outage,
        port=given.port,
        supplier_port=given.supplier_port,
    )
    try:
        asyncio.run(serve(settings, given.until_eof))
    except KeyboardInterrupt:
        return 0
    except OSError as error:
        sys.stderr.write(f"cannot listen: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
