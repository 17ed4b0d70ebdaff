"""Signatures of elements, and selectors that find them again."""

from __future__ import annotations

import pytest

from scraper.explain.scaffold.selector_builder import is_in_menu, is_readable_name, selector_for, signature
from tests.explain.scaffold.proposals import CARDS, document


@pytest.mark.parametrize(
    ("name", "readable"),
    [("product-card", True), ("css-1x2y3z", False), ("a1b2", False), ("2col", False), ("price", True)],
)
def test_generated_names_are_not_readable(name: str, readable: bool) -> None:
    """They change with the next build of the site; some are invalid in a selector."""
    assert is_readable_name(name) is readable


def test_a_signature_leaves_out_states_and_numbers() -> None:
    """Elements of one kind share it, whatever their position or state."""
    page = document('<p class="note odd item-1">a</p><p class="note even item-2">b</p><h1>c</h1>')
    first, second = page.tree.css("p")
    heading = page.tree.css_first("h1")
    assert heading is not None
    assert signature(first) == signature(second) == ("p", ("note",))
    assert signature(heading) == ("h1", ())


def test_a_selector_matches_the_elements_like_its_example() -> None:
    """All cards and nothing else, with their number."""
    page = document(f'<body><div class="side">x</div>{CARDS}')
    example = page.tree.css_first("div.card")
    assert example is not None
    assert selector_for(page, example) == ("div.card", 8)


def test_an_element_in_the_navigation_is_in_a_menu() -> None:
    """At any depth."""
    page = document("<nav><ul><li>a</li></ul></nav><main><p>b</p></main>")
    inside, outside = page.tree.css_first("li"), page.tree.css_first("p")
    assert inside is not None
    assert outside is not None
    assert (is_in_menu(inside), is_in_menu(outside)) == (True, False)
