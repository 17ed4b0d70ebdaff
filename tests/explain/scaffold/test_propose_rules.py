"""Rules for pages about one thing, and for structured data."""

from __future__ import annotations

import json
from decimal import Decimal

from scraper.explain.scaffold.verify_rules import extract_with
from tests.explain.scaffold.proposals import CARDS, MENU, items_of, proposed


def test_a_page_about_one_thing_is_one_item() -> None:
    """Heading and named parts; the few related links are not the items."""
    page = '<h1>Lamp</h1><p class="price">£5</p><p class="stock">3 left</p><div itemprop="sku">77</div>'
    items, _ = items_of(f"<body>{MENU}{page}<ul><li><a href='/a'>A</a></li><li><a href='/b'>B</a></li></ul>")
    assert {name: str(value) for name, value in items[0].fields.items()} == {
        "title": "Lamp", "price": "5", "stock": "3 left", "sku": "77",
    }  # fmt: skip


def test_a_field_is_not_called_like_the_pages_own_address() -> None:
    """Every item has `url` already, so what a page calls so has another name."""
    ld = '<script type="application/ld+json">{"@type": "Product", "name": "L", "url": "https://a.b/c"}</script>'
    items, _ = items_of(f"<h1>L</h1>{ld}")
    assert items[0].fields["address"] == "https://a.b/c"
    blocks = "".join(f'<li class="x"><b class="url">u{n}</b><i>t{n}</i></li>' for n in range(5))
    assert items_of(f"<body>{blocks}")[0][0].fields["address"] == "u0"


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


def test_microdata_of_a_blog_names_its_fields() -> None:
    """Properties in the blocks are fields by their names, in the form of the others."""
    posts = "".join(
        f'<article itemscope itemtype="https://schema.org/BlogPosting"><h2 itemprop="headline">Post {n}</h2>'
        f'<time itemprop="datePublished" datetime="2024-01-0{n}">x</time></article>'
        for n in range(1, 6)
    )
    items, _ = items_of(f"<body>{posts}")
    assert dict(items[1].fields) == {"headline": "Post 2", "date_published": "2024-01-02"}
