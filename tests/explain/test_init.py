"""`scrape init`: the config it writes loads, runs, and finds what is on the page."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scraper.config.load import load_config, parse_config
from scraper.explain.ask import Rules
from scraper.explain.guess import find_next, outline, page_pattern, structured_kinds, write_config
from scraper.explain.outline import find_blocks
from scraper.explain.page import read_page
from scraper.extract.html import Document, parse
from scraper.model import Body, Headers, Item, Page, Request, Url
from scraper.urls.canonicalise import canonicalise
from tests.explain.conftest import Finished, Tell

MENU = "<nav><ul>" + "".join(f'<li><a href="/m{n}">Menu {n}</a></li>' for n in range(30)) + "</ul></nav>"
CARDS = "".join(
    f'<div class="css-1x2y3z card" data-sku="{n}"><h2><a href="/item/{n}?session=abc">Thing {n}</a></h2>'
    f'<img class="card-image" src="/i{n}.jpg"><span class="product-price">€ {n}.50</span>'
    f'<time datetime="2024-05-{n + 10}">May {n}</time><button>Buy</button><a href="/item/{n}">Thing {n}</a></div>'
    for n in range(1, 9)
)
TABLE = "<table>" + "".join(f"<tr><td>Row {n}</td><td><a href='/r{n}'>r</a></td><td>{n}</td></tr>" for n in range(9))


def address(text: str) -> Url:
    url = canonicalise(text)
    assert isinstance(url, Url)
    return url


def document(text: str, url: str = "https://shop.example/list?page=1") -> Document:
    return parse(text.encode(), "text/html; charset=utf-8", address(url))


def items_of(text: str, url: str = "https://shop.example/list?page=1") -> tuple[tuple[Item, ...], str]:
    """The items that a guessed config finds on its own page, and the config."""
    written = write_config(outline(document(text, url), address(url)), "config.yaml")
    config = parse_config(written)
    body = Body(len(text), len(text), "", text.encode())
    page = Page(Request(address(url)), 200, Headers([(b"content-type", b"text/html; charset=utf-8")]), body)
    return read_page(config, Rules.of(config), page).harvest.items, written


def test_repeated_blocks_become_items_with_named_and_typed_fields() -> None:
    """Cards are found, menus are not; names come from classes, types from what the texts look like."""
    items, written = items_of(f"<body>{MENU}<main>{CARDS}</main>")
    assert len(items) == 8
    fields = dict(items[0].fields)
    assert fields["sku"] == 1
    assert fields["title"] == "Thing 1"
    assert fields["link"].startswith("https://shop.example/item/1")
    assert fields["image"] == "https://shop.example/i1.jpg"
    assert str(fields["price"]) == "1.50"
    assert fields["date"] == "2024-05-11"
    assert "Buy" not in fields.values()
    assert "css-1x2y3z" not in written
    assert "# 8 on this page" in written


def test_rows_of_a_table_are_items() -> None:
    """A table without classes has rows, and its columns are told apart by their places."""
    items, _ = items_of(f"<body>{MENU}{TABLE}</table>")
    assert len(items) == 9
    assert items[3].fields == {"column_1": "Row 3", "link": "https://shop.example/r3", "column_3": 3}


def test_a_page_about_one_thing_is_one_item() -> None:
    """Heading and named parts; the few related links are not the items."""
    page = '<h1>Lamp</h1><p class="price">£5</p><p class="stock">3 left</p><div itemprop="sku">77</div>'
    items, _ = items_of(f"<body>{MENU}{page}<ul><li><a href='/a'>A</a></li><li><a href='/b'>B</a></li></ul>")
    assert {name: str(value) for name, value in items[0].fields.items()} == {
        "title": "Lamp", "price": "5", "stock": "3 left", "sku": "77",
    }  # fmt: skip


NEXT = {
    "rel": ('<a rel="next nofollow" href="?page=2">x</a>', "a[rel~=next]"),
    "head": ('<link rel="next" href="?page=2">', "link[rel~=next]"),
    "class": ('<li class="next"><a href="?page=2">x</a></li>', ".next a"),
    "text": ('<a href="?page=2">Next page</a>', "a with the text 'Next page'"),
    "sign": ('<a href="?page=2">»</a>', "a with the text '»'"),
}


@pytest.mark.parametrize("case", NEXT)
def test_pagination_is_found(case: str) -> None:
    """By relation, class or the link's words."""
    markup, place = NEXT[case]
    assert find_next(document(f"<body>{markup}")) == (place, "https://shop.example/list?page=2")


PATTERNS = {
    "a number in the query": ("/list?page=1", "/list?page=2", r"/list\?page=[0-9]+$"),
    "a number in the path": ("/c/page-1.html", "/c/page-2.html", r"/c/page-[0-9]+\.html$"),
    "a first page without": ("/list", "/list?page=2", r"/list\?page=[0-9]+$|/list$"),
    "a folder": ("/blog/", "/blog/page/2/", r"/blog/page/[0-9]+/$|/blog/$"),
    "no number": ("/index.html", "/preface.html", None),
    "another site": ("/list", "//other.example/2", None),
}


@pytest.mark.parametrize("case", PATTERNS)
def test_pages_of_a_list_have_a_pattern(case: str) -> None:
    """The number that changes; a host's digits are none."""
    here, following, pattern = PATTERNS[case]
    base = "http://10.0.0.2:8080"
    target = f"http:{following}" if following.startswith("//") else base + following
    assert page_pattern(address(base + here), target) == pattern


def test_what_a_page_says_for_machines_is_told() -> None:
    """JSON-LD by type (broken ones passed over), microdata, OpenGraph, feeds."""
    head = (
        '<script type="application/ld+json">{"@graph": [{"@type": "Product"}, {"@type": ["Offer"]}]}</script>'
        '<script type="application/ld+json">{broken</script><meta property="og:title" content="x">'
        '<link rel="alternate" type="application/rss+xml" href="/feed.xml"><div itemscope itemtype="https://schema.org/Book">'
    )
    page = document(head)
    assert list(structured_kinds(page)) == ["JSON-LD: Product, Offer", "microdata: Book", "OpenGraph"]
    assert outline(page, page.url).feeds == ("https://shop.example/feed.xml",)


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=40), st.text(max_size=30), st.integers(0, 6))
def test_whatever_a_page_holds_the_config_loads(text: str, name: str, count: int) -> None:
    """Classes, texts and attributes of any kind: the config is right, and a line of it stays one line."""
    block = f'<div class="{name}" data-{name}="{text}"><b class="{text}">{text}</b><a href="{text}">{text}</a></div>'
    items_of(f"<body><h1>{text}</h1>{block * count}")


def test_a_huge_page_is_looked_at_in_bounds() -> None:
    """Twenty thousand blocks: some of them are read."""
    (best, *_) = find_blocks(document("<body>" + CARDS * 2_500))
    assert (best.each, best.size) == ("div.card", 20_000)


def test_the_command_writes_a_config_that_runs(finished: Finished, tell: Tell, tmp_path: Path) -> None:
    """init, validate, try: on the bundled shop all items of a list are found; a file is not replaced unasked."""
    path = tmp_path / "shop.yaml"
    listing = finished.shop + "/catalogue/page-1.html"
    said = tell("init", listing, "-o", str(path))
    assert said.code == 0, said.out
    assert "the rules find 20 items" in said.out
    config = load_config(path)
    assert "price" in config.extract[0].fields
    assert tell("validate", str(path)).code == 0
    assert "items: 20" in tell("try", listing, "--config", str(path)).out
    assert tell("init", listing, "-o", str(path)).code == 2
    assert tell("init", listing, "-o", str(path), "--force").code == 0
    assert "each: article.product" in tell("init", listing).out


@pytest.mark.parametrize(("path", "says"), [("/private/staff.html", "robots.txt line"), ("/missing/one.html", "404")])
def test_a_page_that_cannot_be_read(finished: Finished, tell: Tell, path: str, says: str) -> None:
    """Exit 1 with the reason, and nothing is written."""
    said = tell("init", finished.shop + path)
    assert (said.code, says in said.out) == (1, True)
    assert "seeds" not in said.out


def test_a_stored_page_and_one_that_is_not_html(tell: Tell, tmp_path: Path) -> None:
    """--file asks nobody; JSON is no page to guess from."""
    (tmp_path / "p.html").write_text(f"<body>{CARDS}")
    assert tell("init", "https://shop.example/", "--file", str(tmp_path / "p.html")).code == 0
    (tmp_path / "p.json").write_text(json.dumps({}))
    assert tell("init", "https://shop.example/", "--file", str(tmp_path / "p.json")).code == 1
