"""HTML templates of the shop: the page layout, and parts that several pages use."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from scraper.demo_site.catalogue import CATEGORIES, Product

PAGE_CSS = (
    "body{font:16px/1.5 system-ui,sans-serif;margin:0;color:#223;background:#faf9f6}"
    "header,footer{background:#284b63;color:#fff;padding:.8rem 2rem}header a,footer a{color:#fff;margin-right:1rem}"
    "main{max-width:64rem;margin:1.5rem auto;padding:0 1rem}nav.side a{margin-right:.8rem}"
    ".grid{display:grid;grid-template-columns:repeat(auto-fill,minmax(13rem,1fr));gap:1rem}"
    "article.product{background:#fff;border:1px solid #ddd;border-radius:.5rem;padding:1rem}"
    ".price_color{font-weight:600;color:#1b6e3c}.availability{color:#567;font-size:.9rem}.tags{list-style:none;padding:0}"
    ".tag{display:inline-block;background:#e4ecf1;border-radius:1rem;padding:0 .6rem;margin:.2rem;font-size:.9rem}"
    "table.specs td,table.specs th{padding:.2rem .8rem;text-align:left;border-bottom:1px solid #ddd}"
)


def page_html(title: str, body: str, *, head: str = "") -> str:
    """A whole page. `title` is text and gets escaped; `body` and `head` are markup."""
    side = "".join(f'<a href="/category/{name.lower()}/index.html">{name}</a>' for name in CATEGORIES)
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head><meta charset="utf-8"><title>{escape(title)} | Corner Shop</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{PAGE_CSS}</style>{head}</head>\n'
        '<body>\n<header><a href="/">Corner Shop</a><a href="/catalogue/page-1.html">Catalogue</a>'
        '<a href="/about.html">About</a><a href="/cart">Cart</a></header>\n'
        f'<main><nav class="side">{side}</nav>\n{body}\n</main>\n'
        '<footer><a href="/service.html">Service</a><a href="/terms.html">Terms</a><a href="/private/staff.html">Staff'
        '</a><a href="/?utm_source=footer&amp;utm_medium=link">Home</a><a href="#top">Top</a>'
        '<a href="mailto:shop@example.org">Write to us</a></footer>\n</body>\n</html>\n'
    )


def breadcrumbs(*steps: tuple[str, str]) -> str:
    """Breadcrumb links; `steps` are pairs of href and text, from the home page on."""
    links = " › ".join(f'<a href="{escape(href)}">{escape(text)}</a>' for href, text in steps)
    return f'<p class="breadcrumbs">{links}</p>'


def product_card(product: Product, session: str) -> str:
    """A product on a listing page. The link of its picture has a session id: another URL for the same page."""
    name = escape(product.name)
    return (
        f'<article class="product" data-rating="{product.rating}"><a href="{product.path}?sid={session}">'
        f'<img src="{product.cover_path}" alt="{name}" width="48" height="48"></a>'
        f'<h3><a href="{product.path}">{name}</a></h3><p class="price_color">{product.price_text}</p>'
        f'<p class="availability">{stock_text(product)}</p></article>'
    )


def stock_text(product: Product) -> str:
    """The product's availability as text."""
    return f"In stock ({product.stock} available)" if product.stock else "Out of stock"


def pagination(number: int, count: int, address: str) -> tuple[str, str]:
    """Links to the previous and next page of page `number` of `count`: markup for the body and for the head.

    `address` is the path of a page with `{}` for its number.
    """
    body, head = [], []
    if number > 1:
        previous = address.format(number - 1)
        body.append(f'<a rel="prev" href="{previous}">previous</a>')
        head.append(f'<link rel="prev" href="{previous}">')
    body.append(f"page {number} of {count}")
    if number < count:
        following = address.format(number + 1)
        body.append(f'<a rel="next" href="{following}">next</a>')
        head.append(f'<link rel="next" href="{following}">')
    return f'<p class="pager">{" · ".join(body)}</p>', "".join(head)


def link_list(items: Iterable[tuple[str, str]]) -> str:
    """A list of links; `items` are pairs of href and text."""
    return "<ul>" + "".join(f'<li><a href="{escape(href)}">{escape(text)}</a></li>' for href, text in items) + "</ul>"
