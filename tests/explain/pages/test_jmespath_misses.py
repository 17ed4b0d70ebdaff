"""Why a JMESPath expression finds nothing."""

from __future__ import annotations

import pytest
from hypothesis import given

from scraper.explain.pages.expressions import probe_expression
from scraper.explain.pages.jmespath_misses import jmespath_misses
from tests.explain.sample_pages import ANY_JSON, api

MISSES: dict[str, tuple[str, str]] = {
    "a key": ("itmes[].name", "the page has no 'itmes'; it has: items, meta, none; similar: items"),
    "a key of the members": ("items[].nmae", "items[] has no 'nmae'; it has: id, name, price; similar: name"),
    "a key further down": ("items[].price.amuont",
        "items[].price has no 'amuont'; it has: amount; similar: amount"),
    "a list as an object": ("items.name", "items is a list of 2: items[].name looks in its members"),
    "an object as a list": ("meta[0]", "meta is an object, not a list"),
    "an index": ("items[9].id", "items has 2 members, there is no [9]"),
    "null": ("meta.next", "meta has 'next', but it is null"),
    "an empty list": ("none[].x", "none is an empty list"),
    "a filter": ("items[?id==`7`].name",
        "the filter holds for none of the 2 members of items; there it is: 1, 2"),
    "a filter on no key": ("items[?idd==`1`]", "a member has no 'idd'; it has: id, name, price; similar: id"),
}  # fmt: skip


@pytest.mark.parametrize("case", MISSES)
def test_what_is_not_found_gets_near_misses(case: str) -> None:
    """The first key, index or filter that fails, what is there instead, and similar names."""
    text, says = MISSES[case]
    found = probe_expression(api(), "json", text)
    assert (found.count, found.problem) == (0, None)
    assert any(says in hint for hint in found.hints), found.hints


@given(ANY_JSON)
def test_near_misses_in_any_json(value: object) -> None:
    """Whatever the page holds, an expression that finds nothing has an answer."""
    for text in ("a.b[0]", "a[].b", "*.a", "[?a=='x'].b", "a[?b].c | [0]", "length(a)", "{x: a}", "[a, b]", "@.a"):
        assert jmespath_misses(value, text)
