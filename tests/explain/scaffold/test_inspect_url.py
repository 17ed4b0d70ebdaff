"""`scrape init`: the config it writes loads, runs, and finds what is on the page."""

from __future__ import annotations

import json
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from scraper.config.reading.load import load_config, parse_config
from scraper.explain.scaffold.feeds_and_sitemaps import find_feeds
from scraper.explain.scaffold.verify_rules import extract_with
from tests.explain.conftest import FinishedRun, RunCommand
from tests.explain.scaffold.proposals import CARDS, MENU, TABLE, document, items_of, proposed


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


STRIPED = "".join(
    f"<tr class='row-{n} {'odd' if n % 2 else 'even'}'><td><a href='/t{n}'>Topic {n}</a></td><td>{n} posts</td></tr>"
    for n in range(8)
)
POSTS = "".join(
    f"<div class='post-{n} post type-post status-publish category-{'ab'[n % 2]}'>"
    f"<h2><a href='/{n}'>Post {n}</a></h2><p>About {n}</p></div>"
    for n in range(8)
)
OTHER_TABLE = "<table id='side'>" + "<tr><th>a</th><td>b</td></tr>" * 8 + "</table>"
ROWS = {
    "striped": (f"<table>{STRIPED}</table>", "table tr", 8),
    "a head of its own": (f"<table><tr><th>Topic</th><th>Posts</th></tr>{STRIPED}</table>", "table tr", 8),
    "one table of two": (f"<table class='threads'>{STRIPED}</table>{OTHER_TABLE}", "table.threads tr", 8),
    "posts with topics": (POSTS, "div.post.status-publish", 8),
    "striped lists": ("<ul>" + STRIPED.replace("tr", "li").replace("td", "span") + "</ul>", "body > ul > li", 8),
}


@pytest.mark.parametrize("case", ROWS)
def test_rows_are_one_kind_whatever_their_stripes(case: str) -> None:
    """Classes for stripes and states do not part them; heads are none; of several tables one is named."""
    text, each, count = ROWS[case]
    proposal, _ = proposed(f"<body>{MENU}{text}")
    assert (proposal.drafts[0].get("each"), proposal.yields) == (each, (count,))


def test_a_page_about_one_thing_is_one_item() -> None:
    """Heading and named parts; the few related links are not the items."""
    page = '<h1>Lamp</h1><p class="price">£5</p><p class="stock">3 left</p><div itemprop="sku">77</div>'
    items, _ = items_of(f"<body>{MENU}{page}<ul><li><a href='/a'>A</a></li><li><a href='/b'>B</a></li></ul>")
    assert {name: str(value) for name, value in items[0].fields.items()} == {
        "title": "Lamp", "price": "5", "stock": "3 left", "sku": "77",
    }  # fmt: skip


def test_a_pages_feeds_are_found() -> None:
    """RSS, Atom and JSON feeds, each address once; other alternates are none."""
    head = "".join(
        f'<link rel="{rel}" type="{kind}" href="{href}">'
        for rel, kind, href in (
            ("Alternate", "application/rss+xml; charset=utf-8", "/feed"),
            ("alternate", "application/rss+xml", "/feed"),
            ("alternate", "application/atom+xml", "/atom"),
            ("alternate", "application/json", "/wp-json/page"),
            ("alternate", "application/feed+json", "/feed.json"),
            ("alternate", "text/html", "/de"),
        )
    )
    told = [(lead.url.target, lead.description) for lead in find_feeds(document(head))]
    json_feed = "JSON feed: `scrape init` on it writes rules for it"
    assert told == [
        ("/feed", "RSS feed: not looked at"), ("/atom", "Atom feed: not looked at"), ("/feed.json", json_feed),
    ]  # fmt: skip


def test_a_field_is_not_called_like_the_pages_own_address() -> None:
    """Every item has `url` already, so what a page calls so has another name."""
    ld = '<script type="application/ld+json">{"@type": "Product", "name": "L", "url": "https://a.b/c"}</script>'
    items, _ = items_of(f"<h1>L</h1>{ld}")
    assert items[0].fields["address"] == "https://a.b/c"
    blocks = "".join(f'<li class="x"><b class="url">u{n}</b><i>t{n}</i></li>' for n in range(5))
    assert items_of(f"<body>{blocks}")[0][0].fields["address"] == "u0"


def test_a_huge_page_is_looked_at_in_bounds() -> None:
    """Ten thousand blocks: some of them are read."""
    proposal, _ = proposed("<body>" + CARDS * 1_300)
    assert proposal.yields == (10_000,)  # as many items as a page may have


def test_the_command_writes_a_config_that_runs(finished: FinishedRun, tell: RunCommand, tmp_path: Path) -> None:
    """init, validate, try: on the bundled shop all items of a list are found; a file is not replaced unasked."""
    path = tmp_path / "shop.yaml"
    listing = finished.shop + "/catalogue/page-1.html"
    said = tell("init", listing, "-o", str(path))
    assert said.exit_code == 0, said.output
    assert "extract[0] each: article.product: 20 items on this page" in said.output
    config = load_config(path)
    assert "price" in config.extract[0].fields
    assert tell("validate", str(path)).exit_code == 0
    assert "items: 20" in tell("try", listing, "--config", str(path)).output
    assert tell("init", listing, "-o", str(path)).exit_code == 2
    assert tell("init", listing, "-o", str(path), "--force").exit_code == 0
    assert "each: article.product" in tell("init", listing).output


@pytest.mark.parametrize(("path", "says"), [("/private/staff.html", "robots.txt line"), ("/missing/one.html", "404")])
def test_a_page_that_cannot_be_read(finished: FinishedRun, tell: RunCommand, path: str, says: str) -> None:
    """Exit 1 with the reason, and nothing is written."""
    said = tell("init", finished.shop + path)
    assert (said.exit_code, says in said.output) == (1, True)
    assert "seeds" not in said.output


def test_a_stored_page_asks_nobody(tell: RunCommand, tmp_path: Path) -> None:
    """--file needs no network; the feeds of such a page were not looked at and stand in comments."""
    (tmp_path / "p.html").write_text(f"<link rel=alternate type=application/rss+xml href=/feed><body>{CARDS}")
    said = tell("init", "https://shop.invalid/", "--file", str(tmp_path / "p.html"))
    assert said.exit_code == 0
    assert "  # - {sitemap: 'https://shop.invalid/feed'}" in said.output
    loaded = parse_config(said.output.partition("extract[0] ")[0].replace("  # - {sitemap", "  - {sitemap"))
    assert loaded.seeds[1].sitemap == "https://shop.invalid/feed"


NOTHING = {
    "empty": ("", "is empty"),
    "blank": ("<html></html>", "nothing on this page can be extracted as an item"),
    "a refresh": ("<meta http-equiv=refresh content='0;url=/start'>", "only sends on to https://shop.invalid/start"),
    "too deep": ("<div>" * 100_000, "nested too deeply"),
}


@pytest.mark.parametrize("case", NOTHING)
def test_a_page_without_anything(tell: RunCommand, tmp_path: Path, case: str) -> None:
    """Exit 1 with the reason, and no config."""
    text, says = NOTHING[case]
    (tmp_path / "p.html").write_text(text)
    said = tell("init", "https://shop.invalid/", "--file", str(tmp_path / "p.html"))
    assert (said.exit_code, says in said.output, "seeds" in said.output) == (1, True, False)


FEED = b"<rss><channel><item><link>https://shop.invalid/1</link></item></channel></rss>"
OTHER = {
    "binary": ("p.png", b"\x89PNG\r\n\x1a\n\0", "neither HTML nor JSON"),
    "broken JSON": ("p.json", b"{", "cannot be read"),
    "a stored feed": (
        "p.xml",
        b"<rss><channel><item><link>https://shop.invalid/1</link></item></channel></rss>",
        "RSS feed",
    ),
    "a text": ("p.txt", b"hello", "neither HTML nor JSON"),
}


@pytest.mark.parametrize("case", OTHER)
def test_what_is_no_page(tell: RunCommand, tmp_path: Path, case: str) -> None:
    """Exit 1: what it is instead."""
    name, content, says = OTHER[case]
    (tmp_path / name).write_bytes(content)
    said = tell("init", "https://shop.invalid/", "--file", str(tmp_path / name))
    assert (said.exit_code, says in said.output) == (1, True), said.output


def test_json_needs_its_extra(tell: RunCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without JMESPath a JSON page is exit 2 with what to install, and structured objects are taken whole."""
    monkeypatch.setitem(sys.modules, "jmespath", None)
    (tmp_path / "p.json").write_text('[{"a": 1, "b": 2}]')
    said = tell("init", "https://shop.invalid/", "--file", str(tmp_path / "p.json"))
    assert (said.exit_code, "pip install 'scraper[json]'" in said.output) == (2, True)
    ld = '<script type="application/ld+json">{"@type": "Product", "name": "Lamp", "sku": "7"}</script>'
    items, written = items_of(f"<h1>Lamp</h1>{ld}")
    assert items[0].fields["product"] == {"@type": "Product", "name": "Lamp", "sku": "7"}
    assert "pip install 'scraper[json]'" in written


PRODUCTS = [
    {"@type": "Product", "name": f"Thing {n}", "sku": f"S-{n}", "gtin13": f"40010{n}", "offers": {"price": f"{n}.50"}}
    for n in range(1, 9)
]


def test_json_ld_beside_a_list_says_more_than_its_blocks() -> None:
    """What the blocks do not show becomes a rule of its own, only where there is such data; what they do does not."""
    script = f'<script type="application/ld+json">{json.dumps(PRODUCTS)}</script>'
    proposal, page = proposed(f"<body>{CARDS}{script}")
    assert [draft.title for draft in proposal.drafts] == ["each: div.card", "structured: product"]
    listed = extract_with(proposal.drafts, page).items[-1].fields["products"]
    assert listed[1] == {"name": "Thing 2", "sku": "S-2", "gtin13": "400102", "price": Decimal("2.50")}
    names = [{"@type": "Product", "name": product["name"]} for product in PRODUCTS]
    known, _ = proposed(f'<body>{CARDS}<script type="application/ld+json">{json.dumps(names)}</script>')
    assert [draft.title for draft in known.drafts] == ["each: div.card"]


def test_a_product_page_takes_json_ld_and_what_else_it_shows() -> None:
    """One item: its JSON-LD, then what only the page shows; the related things are not the items."""
    thing = {**PRODUCTS[0], "image": ["https://shop.example/a.jpg"], "brand": {"@type": "Brand", "name": "ACME"}}
    script = f'<script type="application/ld+json">{json.dumps(thing)}</script>'
    related = "<ul>" + "".join(f"<li><a href='/{n}'>r{n}</a></li>" for n in range(4)) + "</ul>"
    specs = "<table class='specs'>" + "<tr><th>Size</th><td>3</td></tr>" * 3 + "</table>"
    items, written = items_of(f"<title>T</title><h1>Thing 1</h1><p class='stock'>3 left</p>{specs}{related}{script}")
    assert len(items) == 1
    fields = items[0].fields
    assert [fields[name] for name in ("name", "brand", "price")] == ["Thing 1", "ACME", Decimal("1.50")]
    assert fields["stock"] == "3 left"
    assert fields["image"] == ["https://shop.example/a.jpg"]
    assert fields["rows"] == [["Size", "3"]] * 3
    assert "when: {field: name}" in written


def test_definitions_are_two_lists_of_one_item() -> None:
    """A glossary has no blocks: its terms and what they mean."""
    items, _ = items_of("<h1>Glossary</h1><dl>" + "".join(f"<dt>T{n}<dd>means {n}" for n in range(4)) + "</dl>")
    assert items[0].fields == {
        "title": "Glossary", "terms": ["T0", "T1", "T2", "T3"],
        "definitions": ["means 0", "means 1", "means 2", "means 3"],
    }  # fmt: skip


def test_microdata_of_a_blog_names_its_fields() -> None:
    """Properties in the blocks are fields by their names, in the form of the others."""
    posts = "".join(
        f'<article itemscope itemtype="https://schema.org/BlogPosting"><h2 itemprop="headline">Post {n}</h2>'
        f'<time itemprop="datePublished" datetime="2024-01-0{n}">x</time></article>'
        for n in range(1, 6)
    )
    items, _ = items_of(f"<body>{posts}")
    assert dict(items[1].fields) == {"headline": "Post 2", "date_published": "2024-01-02"}
