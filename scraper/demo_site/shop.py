"""The shop's response for every path: pages, pictures, sitemaps, redirects, and traps for crawlers."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from functools import lru_cache
from html import escape

from scraper.demo_site.catalogue import CATEGORIES, Catalogue, Product, paginate
from scraper.demo_site.images import make_pdf, make_png
from scraper.demo_site.server import SiteResponse
from scraper.demo_site.templates import breadcrumbs, link_list, page_html, pagination, product_card, stock_text

# Rendered responses that are kept in memory.
MAX_CACHED_RESPONSES = 2048
SUPPLIER_PART_COUNT = 12
LIMITED_OFFER_COUNT = 6
SLOW_PAGE_COUNT = 3
MISSING_PATHS = ("/missing/one.html", "/missing/two.html", "/missing/three.html")
DOWNLOAD_PATHS = ("/downloads/catalogue.pdf", "/downloads/warranty.pdf")
# Pages that nothing links to: only the sitemap names them.
SITEMAP_ONLY_PATHS = ("/notes/opening-hours.html", "/notes/repairs.html")
PRIVATE_PATH = "/private/staff.html"
# Redirects that lead to a page. `/old/product-N.html` also redirects, permanently, to the product's page.
REDIRECTS = {
    "/old/home.html": (301, "/"),
    "/old/one.html": (302, "/old/two.html"),
    "/old/two.html": (307, "/about.html"),
}
REDIRECT_LOOPS = {"/old/left.html": (302, "/old/right.html"), "/old/right.html": (302, "/old/left.html")}

ROBOTS_TXT = "User-agent: *\nDisallow: /private/\nDisallow: /cart\n\nSitemap: {shop}/sitemap.xml\n"
XML_CONTENT_TYPE = "application/xml"
SITEMAP_TEMPLATE = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<{0} xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n{1}</{0}>\n'
)


class Shop:
    """The content of the shop's host. `address` and `supplier` are base URLs without a trailing slash."""

    def __init__(self, catalogue: Catalogue, address: str, supplier: str) -> None:
        self.catalogue = catalogue
        self.address = address
        self.supplier = supplier
        self.listings = paginate(catalogue.products)
        self.category_listings = tuple(paginate(products) for products in catalogue.by_category)
        self._fixed_pages: dict[str, Callable[[], SiteResponse]] = {
            "/": self._home,
            "/index.html": self._home,
            "/about.html": self._about,
            "/terms.html": self._terms,
            "/service.html": self._service,
            "/robots.txt": lambda: SiteResponse(
                body=ROBOTS_TXT.format(shop=address).encode(), content_type="text/plain"
            ),
            "/sitemap.xml": self._sitemap_index,
            "/sitemaps/pages.xml": self._sitemap_pages,
            "/sitemaps/products.xml.gz": self._sitemap_products,
            "/cart": lambda: _html_response("Cart", "<h1>Cart</h1><p>Your cart is empty.</p>"),
            PRIVATE_PATH: lambda: _html_response("Staff", "<h1>Staff only</h1>"),
        }
        self._page_patterns: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], SiteResponse | None]], ...] = (
            (re.compile(r"/catalogue/[a-z-]+-([0-9]{1,9})/index\.html"), self._product),
            (re.compile(r"/catalogue/page-([0-9]{1,9})\.html"), self._listing),
            (re.compile(r"/category/([a-z]+)/(?:index|page-([0-9]{1,9}))\.html"), self._category),
            (re.compile(r"/media/cover-([0-9]{1,9})\.png"), self._picture),
            (re.compile(r"/old/product-([0-9]{1,9})\.html"), self._old_product),
            (re.compile(r"/limited/offer-([0-9]{1,3})\.html"), self._offer),
            (re.compile(r"/slow/page-([0-9]{1,3})\.html"), self._slow),
            (re.compile(r"/downloads/([a-z]+)\.pdf"), self._download),
            (re.compile(r"/notes/([a-z-]+)\.html"), self._sitemap_only_page),
        )
        self._respond_cached = lru_cache(MAX_CACHED_RESPONSES)(self._respond_to_path)

    def respond(self, target: str) -> SiteResponse:
        """The response to `target` (path and query). Only the calendar reads the query."""
        path, _, query = target.partition("?")
        if path == "/calendar":
            return self._calendar(query)
        return self._respond_cached(path)

    def _respond_to_path(self, path: str) -> SiteResponse:
        if plain := self._fixed_pages.get(path):
            return plain()
        if moved := REDIRECTS.get(path) or REDIRECT_LOOPS.get(path):
            return _redirect_response(*moved)
        for pattern, make_response in self._page_patterns:
            if found := pattern.fullmatch(path):
                response = make_response(found)
                if response is not None:
                    return response
        body = page_html("Not found", "<h1>Not found</h1><p>There is nothing at this address.</p>")
        return SiteResponse(404, body.encode())

    def _home(self) -> SiteResponse:
        products = self.catalogue.products
        fresh = sorted(products, key=lambda p: (p.added, p.number), reverse=True)[:8]
        campaign = "".join(
            f'<li><a href="{p.path}?utm_source=home&amp;utm_campaign=spring">{escape(p.name)}</a></li>'
            for p in products[:5]
        )
        body = (
            f"<h1>Corner Shop</h1><p>{len(products)} things for house and garden.</p>"
            f'<h2>New</h2><div class="grid">{"".join(product_card(p, self._session_id(0)) for p in fresh)}</div>'
            f"<h2>In the newsletter</h2><ul>{campaign}</ul>"
            f'<p><a href="/calendar?month=2024-05">Events</a> · <a href="{self.supplier}/">Our supplier</a> · '
            '<a href="/login.html" rel="nofollow">Log in</a></p>'
        )
        return _html_response("Home", body, head=f'<link rel="canonical" href="{self.address}/">')

    def _about(self) -> SiteResponse:
        body = page_html("About", "<h1>About us</h1><p>Café, crêpes and furniture since 1987. Prices in £.</p>")
        text = body.replace('<meta charset="utf-8">', "").encode("windows-1252")
        return SiteResponse(body=text, content_type="text/html; charset=windows-1252")

    def _terms(self) -> SiteResponse:
        head = '<meta name="robots" content="noindex, nofollow">'
        return _html_response(
            "Terms", '<h1>Terms</h1><p><a href="/missing/terms-1998.html">Old terms</a></p>', head=head
        )

    def _service(self) -> SiteResponse:
        """A page with links to all faulty pages."""
        last = len(self.catalogue.products)
        links = [
            *((path, "Gone page") for path in MISSING_PATHS),
            ("/error/broken.html", "Broken page"),
            ("/flaky/truncated.html", "Page that is always cut short"),
            ("/flaky/once.html", "Page that is cut short the first time"),
            *((f"/limited/offer-{n}.html", f"Offer {n}") for n in range(1, LIMITED_OFFER_COUNT + 1)),
            *((f"/slow/page-{n}.html", f"Slow page {n}") for n in range(1, SLOW_PAGE_COUNT + 1)),
            *((path, "Moved page") for path in REDIRECTS),
            *((f"/old/product-{n}.html", f"Product {n} as it was") for n in {1, last // 2 + 1, last}),
            ("/old/left.html", "Page that goes in circles"),
            *((path, "Paper") for path in DOWNLOAD_PATHS),
        ]
        return _html_response("Service", f"<h1>Service</h1>{link_list(links)}")

    def _listing(self, found: re.Match[str]) -> SiteResponse | None:
        number = int(found[1])
        if not 1 <= number <= len(self.listings):
            return None
        return self._listing_page("Catalogue", number, self.listings, "/catalogue/page-{}.html", number)

    def _category(self, found: re.Match[str]) -> SiteResponse | None:
        names = [name.lower() for name in CATEGORIES]
        if found[1] not in names:
            return None
        index, number = names.index(found[1]), int(found[2] or 1)
        listings = self.category_listings[index]
        if not 1 <= number <= len(listings) or found[2] == "1":
            return None
        address = f"/category/{found[1]}/page-{{}}.html"
        return self._listing_page(CATEGORIES[index], number, listings, address, 1000 + index * 100 + number)

    def _listing_page(
        self, title: str, number: int, listings: list[tuple[Product, ...]], address: str, session: int
    ) -> SiteResponse:
        links, head = pagination(number, len(listings), address)
        if address.startswith("/category/"):  # a category's first page has an address of its own
            first, index = address.format(1), address.replace("page-{}", "index")
            links, head = links.replace(f'"{first}"', f'"{index}"'), head.replace(f'"{first}"', f'"{index}"')
        goods = "".join(product_card(p, self._session_id(session)) for p in listings[number - 1])
        crumbs = breadcrumbs(("/", "Home"))
        return _html_response(
            f"{title}, page {number}", f'{crumbs}<h1>{title}</h1><div class="grid">{goods}</div>{links}', head=head
        )

    def _product(self, found: re.Match[str]) -> SiteResponse | None:
        product = self._find_product(found)
        if product is None or product.path != found[0]:
            return None
        category = CATEGORIES[product.category]
        tags = "".join(f'<li class="tag">{escape(tag)}</li>' for tag in product.tags)
        specs = {"Number": product.number, "Material": product.material, "Weight": f"{product.grams} g"}
        rows = "".join(f"<tr><th>{name}</th><td>{value}</td></tr>" for name, value in specs.items())
        paragraphs = "".join(f"<p>{text}</p>" for text in self.catalogue.description(product))
        part = ""
        if product.number % 10 == 1:
            number = product.number // 10 % SUPPLIER_PART_COUNT + 1
            part = f'<p><a class="part" href="{self.supplier}/parts/part-{number}.html">Spare parts</a></p>'
        body = (
            breadcrumbs(("/", "Home"), (f"/category/{category.lower()}/index.html", category))
            + f'<article class="product_page" data-rating="{product.rating}"><h1>{escape(product.name)}</h1>'
            f'<img class="cover" src="{product.cover_path}" alt="{escape(product.name)}" width="96" height="96">'
            f'<p class="price_color">{product.price_text}</p><p class="availability">{stock_text(product)}</p>'
            f'<ul class="tags">{tags}</ul><p>Added <time datetime="{product.added}">{product.added}</time></p>'
            f'<div class="description">{paragraphs}</div><table class="specs">{rows}</table>'
            f'<p><a href="/cart?add={product.number}">Add to cart</a></p>{part}</article>'
            f"<h2>Related</h2>{link_list((p.path, p.name) for p in self.catalogue.related(product))}"
        )
        return _html_response(product.name, body, head=f'<link rel="canonical" href="{self.address}{product.path}">')

    def _picture(self, found: re.Match[str]) -> SiteResponse | None:
        product = self._find_product(found)
        return SiteResponse(body=make_png(product.number), content_type="image/png") if product else None

    def _old_product(self, found: re.Match[str]) -> SiteResponse | None:
        product = self._find_product(found)
        return _redirect_response(301, product.path) if product else None

    def _find_product(self, found: re.Match[str]) -> Product | None:
        number = int(found[1])
        return self.catalogue.products[number - 1] if 1 <= number <= len(self.catalogue.products) else None

    def _offer(self, found: re.Match[str]) -> SiteResponse | None:
        if not 1 <= int(found[1]) <= LIMITED_OFFER_COUNT:
            return None
        return _html_response(f"Offer {found[1]}", f"<h1>Offer {found[1]}</h1><p>Today only, and every day.</p>")

    def _slow(self, found: re.Match[str]) -> SiteResponse | None:
        if not 1 <= int(found[1]) <= SLOW_PAGE_COUNT:
            return None
        return _html_response(f"Slow page {found[1]}", f"<h1>Slow page {found[1]}</h1><p>Thank you for waiting.</p>")

    def _download(self, found: re.Match[str]) -> SiteResponse | None:
        return (
            SiteResponse(body=make_pdf(found[1].capitalize()), content_type="application/pdf")
            if found[0] in DOWNLOAD_PATHS
            else None
        )

    def _sitemap_only_page(self, found: re.Match[str]) -> SiteResponse | None:
        title = found[1].replace("-", " ").capitalize()
        return (
            _html_response(title, f"<h1>{title}</h1><p>Ask at the counter.</p>")
            if found[0] in SITEMAP_ONLY_PATHS
            else None
        )

    def _calendar(self, query: str) -> SiteResponse:
        """The page of one month, with links to the previous and the next one: an endless trap."""
        found = re.search(r"(?:^|&)month=([0-9]{4})-([0-9]{2})(?:&|$)", query)
        months = int(found[1]) * 12 + int(found[2]) - 1 if found else 2024 * 12
        name, before, after = (f"{(m // 12) % 10_000:04d}-{m % 12 + 1:02d}" for m in (months, months - 1, months + 1))
        links = ((f"/calendar?month={before}", "earlier"), (f"/calendar?month={after}", "later"))
        return _html_response(f"Events in {name}", f"<h1>Events in {name}</h1><p>No events.</p>{link_list(links)}")

    def _sitemap_index(self) -> SiteResponse:
        places = ("/sitemaps/pages.xml", "/sitemaps/products.xml.gz")
        entries = "".join(f"<sitemap><loc>{self.address}{path}</loc></sitemap>\n" for path in places)
        return SiteResponse(
            body=SITEMAP_TEMPLATE.format("sitemapindex", entries).encode(), content_type=XML_CONTENT_TYPE
        )

    def _sitemap_pages(self) -> SiteResponse:
        paths = ("/", "/about.html", *SITEMAP_ONLY_PATHS)
        entries = "".join(f"<url><loc>{self.address}{path}</loc></url>\n" for path in paths)
        return SiteResponse(body=SITEMAP_TEMPLATE.format("urlset", entries).encode(), content_type=XML_CONTENT_TYPE)

    def _sitemap_products(self) -> SiteResponse:
        entries = "".join(
            f"<url><loc>{self.address}{p.path}</loc><lastmod>{p.added}</lastmod></url>\n"
            for p in self.catalogue.products
        )
        packed = gzip.compress(SITEMAP_TEMPLATE.format("urlset", entries).encode(), mtime=0)
        return SiteResponse(body=packed, content_type="application/gzip")

    def _session_id(self, number: int) -> str:
        """The session id in the links of one listing page."""
        return f"{(self.catalogue.seed * 7919 + number * 104_729) % 0xFFFFFFFF:08x}"


def _html_response(title: str, body: str, *, head: str = "") -> SiteResponse:
    return SiteResponse(body=page_html(title, body, head=head).encode())


def _redirect_response(status: int, target: str) -> SiteResponse:
    body = f'<!DOCTYPE html><title>Moved</title><p><a href="{escape(target)}">Moved</a></p>'
    return SiteResponse(status, body.encode(), headers=(("Location", target),))
