"""What the shop answers on every path: pages, pictures, sitemaps, and the corners where crawlers get lost."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from functools import lru_cache
from html import escape

from scraper.demo_site.catalogue import CATEGORIES, Catalogue, Product, slices
from scraper.demo_site.images import pdf, png
from scraper.demo_site.server import Reply
from scraper.demo_site.templates import breadcrumbs, frame, listed, pager, stock, teaser

CACHED_REPLIES = 2048
"""How many rendered pages are kept."""
SUPPLIER_PARTS = 12
LIMITED_OFFERS = 6
SLOW_PAGES = 3
MISSING = ("/missing/one.html", "/missing/two.html", "/missing/three.html")
DOWNLOADS = ("/downloads/catalogue.pdf", "/downloads/warranty.pdf")
NOTES = ("/notes/opening-hours.html", "/notes/repairs.html")
"""Pages that nothing links to: only the sitemap names them."""
PRIVATE = "/private/staff.html"
REDIRECTS = {
    "/old/home.html": (301, "/"),
    "/old/one.html": (302, "/old/two.html"),
    "/old/two.html": (307, "/about.html"),
}
"""Redirects that end well. `/old/product-N.html` is a further one, permanently to that product."""
LOOP = {"/old/left.html": (302, "/old/right.html"), "/old/right.html": (302, "/old/left.html")}

ROBOTS = "User-agent: *\nDisallow: /private/\nDisallow: /cart\n\nSitemap: {shop}/sitemap.xml\n"
XML = "application/xml"
SITEMAP = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<{0} xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n{1}</{0}>\n'
)


class Shop:
    """The content of the shop host. The addresses are `http://host:port` without a slash at the end."""

    def __init__(self, catalogue: Catalogue, address: str, supplier: str) -> None:
        self.catalogue = catalogue
        self.address = address
        self.supplier = supplier
        self.listings = slices(catalogue.products)
        self.category_listings = tuple(slices(products) for products in catalogue.by_category)
        self._plain: dict[str, Callable[[], Reply]] = {
            "/": self._home,
            "/index.html": self._home,
            "/about.html": self._about,
            "/terms.html": self._terms,
            "/service.html": self._service,
            "/robots.txt": lambda: Reply(body=ROBOTS.format(shop=address).encode(), content_type="text/plain"),
            "/sitemap.xml": self._sitemap_index,
            "/sitemaps/pages.xml": self._sitemap_pages,
            "/sitemaps/products.xml.gz": self._sitemap_products,
            "/cart": lambda: _page("Cart", "<h1>Cart</h1><p>Your cart is empty.</p>"),
            PRIVATE: lambda: _page("Staff", "<h1>Staff only</h1>"),
        }
        self._patterns: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], Reply | None]], ...] = (
            (re.compile(r"/catalogue/[a-z-]+-([0-9]{1,9})/index\.html"), self._product),
            (re.compile(r"/catalogue/page-([0-9]{1,9})\.html"), self._listing),
            (re.compile(r"/category/([a-z]+)/(?:index|page-([0-9]{1,9}))\.html"), self._category),
            (re.compile(r"/media/cover-([0-9]{1,9})\.png"), self._picture),
            (re.compile(r"/old/product-([0-9]{1,9})\.html"), self._old_product),
            (re.compile(r"/limited/offer-([0-9]{1,3})\.html"), self._offer),
            (re.compile(r"/slow/page-([0-9]{1,3})\.html"), self._slow),
            (re.compile(r"/downloads/([a-z]+)\.pdf"), self._download),
            (re.compile(r"/notes/([a-z-]+)\.html"), self._note),
        )
        self._cached = lru_cache(CACHED_REPLIES)(self._answer)

    def answer(self, target: str) -> Reply:
        """The response to `target` (path and query). Tracking and session parameters change nothing."""
        path, _, query = target.partition("?")
        if path == "/calendar":
            return self._calendar(query)
        return self._cached(path)

    def _answer(self, path: str) -> Reply:
        if plain := self._plain.get(path):
            return plain()
        if moved := REDIRECTS.get(path) or LOOP.get(path):
            return _moved(*moved)
        for pattern, answer in self._patterns:
            if found := pattern.fullmatch(path):
                reply = answer(found)
                if reply is not None:
                    return reply
        body = frame("Not found", "<h1>Not found</h1><p>There is nothing at this address.</p>")
        return Reply(404, body.encode())

    def _home(self) -> Reply:
        products = self.catalogue.products
        fresh = sorted(products, key=lambda p: (p.added, p.number), reverse=True)[:8]
        campaign = "".join(
            f'<li><a href="{p.path}?utm_source=home&amp;utm_campaign=spring">{escape(p.name)}</a></li>'
            for p in products[:5]
        )
        body = (
            f"<h1>Corner Shop</h1><p>{len(products)} things for house and garden.</p>"
            f'<h2>New</h2><div class="grid">{"".join(teaser(p, self._session(0)) for p in fresh)}</div>'
            f"<h2>In the newsletter</h2><ul>{campaign}</ul>"
            f'<p><a href="/calendar?month=2024-05">Events</a> · <a href="{self.supplier}/">Our supplier</a> · '
            '<a href="/login.html" rel="nofollow">Log in</a></p>'
        )
        return _page("Home", body, head=f'<link rel="canonical" href="{self.address}/">')

    def _about(self) -> Reply:
        body = frame("About", "<h1>About us</h1><p>Café, crêpes and furniture since 1987. Prices in £.</p>")
        text = body.replace('<meta charset="utf-8">', "").encode("windows-1252")
        return Reply(body=text, content_type="text/html; charset=windows-1252")

    def _terms(self) -> Reply:
        head = '<meta name="robots" content="noindex, nofollow">'
        return _page("Terms", '<h1>Terms</h1><p><a href="/missing/terms-1998.html">Old terms</a></p>', head=head)

    def _service(self) -> Reply:
        """Links to everything that goes wrong."""
        last = len(self.catalogue.products)
        links = [
            *((path, "Gone page") for path in MISSING),
            ("/error/broken.html", "Broken page"),
            ("/flaky/truncated.html", "Page that is always cut short"),
            ("/flaky/once.html", "Page that is cut short the first time"),
            *((f"/limited/offer-{n}.html", f"Offer {n}") for n in range(1, LIMITED_OFFERS + 1)),
            *((f"/slow/page-{n}.html", f"Slow page {n}") for n in range(1, SLOW_PAGES + 1)),
            *((path, "Moved page") for path in REDIRECTS),
            *((f"/old/product-{n}.html", f"Product {n} as it was") for n in {1, last // 2 + 1, last}),
            ("/old/left.html", "Page that goes in circles"),
            *((path, "Paper") for path in DOWNLOADS),
        ]
        return _page("Service", f"<h1>Service</h1>{listed(links)}")

    def _listing(self, found: re.Match[str]) -> Reply | None:
        number = int(found[1])
        if not 1 <= number <= len(self.listings):
            return None
        return self._list("Catalogue", number, self.listings, "/catalogue/page-{}.html", number)

    def _category(self, found: re.Match[str]) -> Reply | None:
        names = [name.lower() for name in CATEGORIES]
        if found[1] not in names:
            return None
        index, number = names.index(found[1]), int(found[2] or 1)
        listings = self.category_listings[index]
        if not 1 <= number <= len(listings) or found[2] == "1":
            return None
        address = f"/category/{found[1]}/page-{{}}.html"
        return self._list(CATEGORIES[index], number, listings, address, 1000 + index * 100 + number)

    def _list(self, title: str, number: int, listings: list[tuple[Product, ...]], address: str, session: int) -> Reply:
        links, head = pager(number, len(listings), address)
        if address.startswith("/category/"):  # a category's first page has an address of its own
            first, index = address.format(1), address.replace("page-{}", "index")
            links, head = links.replace(f'"{first}"', f'"{index}"'), head.replace(f'"{first}"', f'"{index}"')
        goods = "".join(teaser(p, self._session(session)) for p in listings[number - 1])
        crumbs = breadcrumbs(("/", "Home"))
        return _page(
            f"{title}, page {number}", f'{crumbs}<h1>{title}</h1><div class="grid">{goods}</div>{links}', head=head
        )

    def _product(self, found: re.Match[str]) -> Reply | None:
        product = self._numbered(found)
        if product is None or product.path != found[0]:
            return None
        category = CATEGORIES[product.category]
        tags = "".join(f'<li class="tag">{escape(tag)}</li>' for tag in product.tags)
        specs = {"Number": product.number, "Material": product.material, "Weight": f"{product.grams} g"}
        rows = "".join(f"<tr><th>{name}</th><td>{value}</td></tr>" for name, value in specs.items())
        paragraphs = "".join(f"<p>{text}</p>" for text in self.catalogue.description(product))
        part = ""
        if product.number % 10 == 1:
            number = product.number // 10 % SUPPLIER_PARTS + 1
            part = f'<p><a class="part" href="{self.supplier}/parts/part-{number}.html">Spare parts</a></p>'
        body = (
            breadcrumbs(("/", "Home"), (f"/category/{category.lower()}/index.html", category))
            + f'<article class="product_page" data-rating="{product.rating}"><h1>{escape(product.name)}</h1>'
            f'<img class="cover" src="{product.cover}" alt="{escape(product.name)}" width="96" height="96">'
            f'<p class="price_color">{product.price_text}</p><p class="availability">{stock(product)}</p>'
            f'<ul class="tags">{tags}</ul><p>Added <time datetime="{product.added}">{product.added}</time></p>'
            f'<div class="description">{paragraphs}</div><table class="specs">{rows}</table>'
            f'<p><a href="/cart?add={product.number}">Add to cart</a></p>{part}</article>'
            f"<h2>Related</h2>{listed((p.path, p.name) for p in self.catalogue.related(product))}"
        )
        return _page(product.name, body, head=f'<link rel="canonical" href="{self.address}{product.path}">')

    def _picture(self, found: re.Match[str]) -> Reply | None:
        product = self._numbered(found)
        return Reply(body=png(product.number), content_type="image/png") if product else None

    def _old_product(self, found: re.Match[str]) -> Reply | None:
        product = self._numbered(found)
        return _moved(301, product.path) if product else None

    def _numbered(self, found: re.Match[str]) -> Product | None:
        number = int(found[1])
        return self.catalogue.products[number - 1] if 1 <= number <= len(self.catalogue.products) else None

    def _offer(self, found: re.Match[str]) -> Reply | None:
        if not 1 <= int(found[1]) <= LIMITED_OFFERS:
            return None
        return _page(f"Offer {found[1]}", f"<h1>Offer {found[1]}</h1><p>Today only, and every day.</p>")

    def _slow(self, found: re.Match[str]) -> Reply | None:
        if not 1 <= int(found[1]) <= SLOW_PAGES:
            return None
        return _page(f"Slow page {found[1]}", f"<h1>Slow page {found[1]}</h1><p>Thank you for waiting.</p>")

    def _download(self, found: re.Match[str]) -> Reply | None:
        return Reply(body=pdf(found[1].capitalize()), content_type="application/pdf") if found[0] in DOWNLOADS else None

    def _note(self, found: re.Match[str]) -> Reply | None:
        title = found[1].replace("-", " ").capitalize()
        return _page(title, f"<h1>{title}</h1><p>Ask at the counter.</p>") if found[0] in NOTES else None

    def _calendar(self, query: str) -> Reply:
        """A month, with links to the ones before and after it: there is no end to them."""
        found = re.search(r"(?:^|&)month=([0-9]{4})-([0-9]{2})(?:&|$)", query)
        months = int(found[1]) * 12 + int(found[2]) - 1 if found else 2024 * 12
        name, before, after = (f"{(m // 12) % 10_000:04d}-{m % 12 + 1:02d}" for m in (months, months - 1, months + 1))
        links = ((f"/calendar?month={before}", "earlier"), (f"/calendar?month={after}", "later"))
        return _page(f"Events in {name}", f"<h1>Events in {name}</h1><p>No events.</p>{listed(links)}")

    def _sitemap_index(self) -> Reply:
        places = ("/sitemaps/pages.xml", "/sitemaps/products.xml.gz")
        entries = "".join(f"<sitemap><loc>{self.address}{path}</loc></sitemap>\n" for path in places)
        return Reply(body=SITEMAP.format("sitemapindex", entries).encode(), content_type=XML)

    def _sitemap_pages(self) -> Reply:
        paths = ("/", "/about.html", *NOTES)
        entries = "".join(f"<url><loc>{self.address}{path}</loc></url>\n" for path in paths)
        return Reply(body=SITEMAP.format("urlset", entries).encode(), content_type=XML)

    def _sitemap_products(self) -> Reply:
        entries = "".join(
            f"<url><loc>{self.address}{p.path}</loc><lastmod>{p.added}</lastmod></url>\n"
            for p in self.catalogue.products
        )
        packed = gzip.compress(SITEMAP.format("urlset", entries).encode(), mtime=0)
        return Reply(body=packed, content_type="application/gzip")

    def _session(self, number: int) -> str:
        """The session id that one listing gives to the links on it."""
        return f"{(self.catalogue.seed * 7919 + number * 104_729) % 0xFFFFFFFF:08x}"


def _page(title: str, body: str, *, head: str = "") -> Reply:
    return Reply(body=frame(title, body, head=head).encode())


def _moved(status: int, target: str) -> Reply:
    body = f'<!DOCTYPE html><title>Moved</title><p><a href="{escape(target)}">Moved</a></p>'
    return Reply(status, body.encode(), headers=(("Location", target),))
