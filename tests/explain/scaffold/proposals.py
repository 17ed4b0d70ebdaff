"""Pages that `scrape init` looks at, and what it proposes for them."""

from __future__ import annotations

from scraper.config.reading.load import parse_config
from scraper.explain.pages.page_analysis import analyze_page
from scraper.explain.pages.page_request import UrlRules
from scraper.explain.scaffold.config_writer import SiteFacts, write_config
from scraper.explain.scaffold.propose_rules import Proposal, ideas_for_html, propose_rules
from scraper.extract.links.document import Document, parse_document
from scraper.model import Body, Headers, Item, Request, Response, Url
from scraper.urls.canonicalize import canonicalize

MENU = "<nav><ul>" + "".join(f'<li><a href="/m{n}">Menu {n}</a></li>' for n in range(30)) + "</ul></nav>"
CARDS = "".join(
    f'<div class="css-1x2y3z card" data-sku="{n}"><h2><a href="/item/{n}?session=abc">Thing {n}</a></h2>'
    f'<img class="card-image" src="/i{n}.jpg"><span class="product-price">€ {n}.50</span>'
    f'<time datetime="2024-05-{n + 10}">May {n}</time><button>Buy</button><a href="/item/{n}">Thing {n}</a></div>'
    for n in range(1, 9)
)
TABLE = "<table>" + "".join(f"<tr><td>Row {n}</td><td><a href='/r{n}'>r</a></td><td>{n}</td></tr>" for n in range(9))


def address(text: str) -> Url:
    url = canonicalize(text)
    assert isinstance(url, Url)
    return url


def document(text: str, url: str = "https://shop.example/list?page=1") -> Document:
    return parse_document(text.encode(), "text/html; charset=utf-8", address(url))


def page_of(
    text: str, url: str = "https://shop.example/list?page=1", kind: str = "text/html; charset=utf-8"
) -> Response:
    body = Body(len(text), len(text), "", text.encode())
    return Response(Request(address(url)), 200, Headers([(b"content-type", kind.encode())]), body)


def proposed(text: str, url: str = "https://shop.example/list?page=1") -> tuple[Proposal, Response]:
    """What is proposed for a page that holds `text`."""
    page = page_of(text, url)
    return propose_rules(ideas_for_html(document(text, url), page.headers), page), page


def items_of(text: str, url: str = "https://shop.example/list?page=1") -> tuple[tuple[Item, ...], str]:
    """The items that a guessed config finds on its own page, and the config."""
    proposal, page = proposed(text, url)
    written = write_config(proposal, SiteFacts(address(url), address(url)))
    config = parse_config(written)
    return analyze_page(config, UrlRules.from_config(config), page).extraction.items, written
