"""JSON-LD, microdata and OpenGraph."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.extract.rules.shop_page import value_of


def test_structured_objects_are_found_in_order() -> None:
    """JSON-LD comes first, then microdata, then OpenGraph; subtypes count as the type."""
    found = value_of(structured=("Product",), type="any", many=True)
    assert [thing.get("name") or thing.get("title") for thing in found] == ["Lamp", "Micro lamp", "OG lamp"]
    assert value_of(structured=("article",), type="any")["headline"] == "Light"
    assert found[1] == {
        "@type": "Product",
        "name": "Micro lamp",
        "url": "http://shop.example/m",
        "offers": {"@type": "Offer", "price": "7.50", "color": ["red", "blue"]},
    }
    assert found[2]["image"] == ["/1.png", "/2.png"]
    assert found[2]["product:price:amount"] == "5"
    assert value_of(structured=("opengraph",), type="any") == found[2]
    assert value_of(structured=("recipe",), type="any") is None


def test_json_picks_from_structured_objects() -> None:
    """`json` beside `structured` reads inside the objects."""
    pytest.importorskip("jmespath")
    assert value_of(structured=("product",), json="offers.price", type="decimal") == Decimal("19.90")


@pytest.mark.parametrize(
    "script",
    [
        '<!-- {"@type": "Product", "name": "x"} -->',
        '//<![CDATA[\n{"@type": "Product", "name": "x"}\n//]]>',
        '[{"@type": "Product", "name": "x"}];',
        '{"@type": "Product", "name": "x", "text": "raw\nbreak"}',
    ],
)
def test_sloppy_json_ld_is_read(script: str) -> None:
    """What shops write is read where it can be meant in one way."""
    page = f'<script type="application/ld+json">{script}</script>'
    assert value_of(page, structured=("product",), type="any")["name"] == "x"


@pytest.mark.parametrize("wanted", ["product", "boat", "schema:Boat", "https://schema.org/Boat"])
def test_an_item_may_have_several_types(wanted: str) -> None:
    """HTML standard, 5.2.2: `itemtype` is a list. The one asked for may be written with its prefix or address."""
    page = '<div itemscope itemtype="http://schema.org/Product http://schema.org/Boat"><b itemprop=name>Gull</b></div>'
    found = value_of(page, structured=(wanted,), type="any")
    assert found == {"@type": ["Product", "Boat"], "name": "Gull"}


def test_an_item_that_belongs_to_no_other_stands_for_itself() -> None:
    """`itemprop` on an item outside any itemscope says nothing."""
    page = '<div itemprop=offers itemscope itemtype="http://schema.org/Offer"><b itemprop=price>5</b></div>'
    assert value_of(page, structured=("offer",), type="any") == {"@type": "Offer", "price": "5"}


def test_opengraph_by_name_and_in_lists() -> None:
    """Many sites write `name` for `property`; a property may hold several."""
    page = (
        '<meta name="og:title" content="T"><meta property="og:image twitter:image" content="/i"><meta name=x content=y>'
    )
    assert value_of(page, structured=("opengraph",), type="any") == {"title": "T", "image": "/i"}
