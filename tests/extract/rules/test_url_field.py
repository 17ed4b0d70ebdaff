"""The field by which `follow` and `next` find URLs."""

from __future__ import annotations

from typing import Any

import pytest

from scraper.errors import ExtractionRuleError
from scraper.extract.rules.url_field import compile_url_field, read_or_none
from tests.extract.rules.product_page import context_of

NO_SOURCE: dict[str, Any] = {"css": None, "xpath": None, "json": None}
MARKUP = '<a href="/1">one</a><a>none</a><a href="mailto:x">mail</a><link href="/2">'


@pytest.mark.parametrize(
    ("sources", "many", "found"),
    [
        ({}, True, ["http://shop.example/1"]),
        ({}, False, "http://shop.example/1"),
        ({"css": "link"}, False, "http://shop.example/2"),
        ({"css": "a[href^=mailto]"}, False, None),
        ({"css": "img"}, True, None),
    ],
    ids=str,
)
def test_urls_come_from_the_source_or_from_all_links(sources: dict[str, Any], many: bool, found: Any) -> None:
    """Without a source, every link counts; what is no http URL is left out."""
    context = context_of(MARKUP)
    field = compile_url_field("follow", **{**NO_SOURCE, **sources}, many=many)
    assert read_or_none(field, context.root, context) == found


def test_a_bad_selector_names_the_key() -> None:
    """`follow` or `next`, with the key of the field."""
    with pytest.raises(ExtractionRuleError, match=r"next.*\[\["):
        compile_url_field("next", css="[[", xpath=None, json=None)
