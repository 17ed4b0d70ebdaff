"""The settings of a field: which source they name."""

from __future__ import annotations

from typing import Any

import pytest

from scraper.extract.rules.field_settings import FieldSettings


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, True),
        ({"attr": "href"}, True),
        ({"css": "a"}, True),
        ({"css": "a", "json": "x", "regex": "y"}, True),
        ({"xpath": "//a"}, True),
        ({"table": "rows"}, True),
        ({"json": "a"}, False),
        ({"regex": "a"}, False),
        ({"links": "all"}, False),
        ({"main_text": "text"}, False),
        ({"structured": ("product",)}, False),
        ({"structured": ("product",), "json": "name"}, False),
    ],
    ids=str,
)
def test_a_field_without_another_source_reads_an_element(settings: dict[str, Any], expected: bool) -> None:
    """Selected by CSS or XPath, or the item's own."""
    assert FieldSettings("f", **settings).reads_element is expected
