"""The `Link` response header (RFC 8288)."""

from __future__ import annotations

import pytest

from scraper.extract.links.link_header import HeaderLink, parse_link_headers


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("<a>; rel=next", [("a", {"next"})]),
        ('<a>; rel="next prev"', [("a", {"next", "prev"})]),
        ("<a>;rel=next,<b>;rel=prev", [("a", {"next"}), ("b", {"prev"})]),
        ('<a,b;c>; title="x, <y>; rel=z"; rel=next', [("a,b;c", {"next"})]),
        (r'<a>; title="\"q"; REL=Next', [("a", {"next"})]),
        ("<a>; rel=next; rel=prev", [("a", {"next"})]),
        ("< a >", [("a", set())]),
        ("<a>; anchor=x; rel=next, <b>; rel=next", [("b", {"next"})]),
        ("<a>; rel = next ;", [("a", {"next"})]),
        ('<a>; rel="next', [("a", {"next"})]),
        ("junk, <a>; rel=next", [("a", {"next"})]),
        ("<a; rel=next", []),
        ("", []),
    ],
)
def test_the_link_header(value: str, expected: list[tuple[str, set[str]]]) -> None:
    """RFC 8288, with tolerance for what is broken."""
    assert parse_link_headers([value]) == [HeaderLink(target, frozenset(rels)) for target, rels in expected]


def test_all_links_of_the_header_are_read() -> None:
    """The transport bounds the head of a response, and nothing else is left out."""
    assert len(parse_link_headers(["<a>; rel=next, " * 1000] * 3)) == 3_000


@pytest.mark.parametrize("value", ["<a>" + "; " * 50_000, '<a>;x="' + "\\" * 50_000, "<" * 50_000, "<a>;x=" * 20_000])
def test_a_hostile_link_header_is_quick(value: str) -> None:
    """Reading is linear: these take milliseconds."""
    assert len(parse_link_headers([value])) <= 1
