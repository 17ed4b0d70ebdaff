"""Repeated blocks of a page become items with fields."""

from __future__ import annotations

import pytest

from tests.explain.scaffold.proposals import CARDS, MENU, TABLE, items_of, proposed


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
    """A table without classes has rows, and its columns are reported apart by their places."""
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


def test_a_huge_page_is_inspected_in_bounds() -> None:
    """Ten thousand blocks are below the limit of items: the proposal is tried on all of them."""
    proposal, _ = proposed("<body>" + CARDS * 1_300)
    assert proposal.yields == (10_400,)
