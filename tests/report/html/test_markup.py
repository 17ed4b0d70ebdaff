"""HTML that is safe from injection."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from scraper.report.html.markup import link, tag


@given(st.text(), st.text())
def test_text_is_escaped_wherever_it_stands(text: str, attribute: str) -> None:
    """In an element and in an attribute, whatever it is."""
    made = tag("p", text, title=attribute)
    inner = made.removeprefix("<p ").removesuffix("</p>")
    assert made.count("<") == 2
    assert inner.count('"') == 2


def test_only_addresses_of_the_web_become_links() -> None:
    """`javascript:` stays text."""
    assert "<a" not in link("javascript:alert(1)")
    assert 'href="https://a.example/?a=1&amp;b=2"' in link("https://a.example/?a=1&b=2")
