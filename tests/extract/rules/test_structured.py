"""JSON-LD, microdata and OpenGraph."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scraper.errors import ExtractError, MissingExtraError
from scraper.extract.page_extractor import ExtractSettings, PageExtractor
from scraper.extract.rules import optional_libraries as optional
from scraper.extract.rules import tables
from scraper.extract.rules.css_field import FieldSettings
from scraper.extract.rules.rule import RuleSettings, formats_of
from scraper.model import Body, Extraction, Headers, Request, Response, Url
from scraper.urls.canonicalize import canonicalize
from scraper.urls.scope import Scope, ScopeSettings
from tests.extract.rules.shop_page import API, PAGE, ADDRESS, url_of, page_of, extract, fields_of, value_of



def test_structured_objects_are_found_in_order() -> None:
    """JSON-LD comes first, then microdata, then OpenGraph; special cases of a type count as the type."""
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
