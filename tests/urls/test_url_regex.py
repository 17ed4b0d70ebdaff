"""Patterns for URLs: compared in one form, and those that can never match are found."""

from __future__ import annotations

import pickle
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scraper.model import Url
from scraper.urls.canonicalize import canonicalize
from scraper.urls.url_regex import UrlRegex, never_matches, shown_url


def href(address: str) -> str:
    found = canonicalize(address)
    assert isinstance(found, Url)
    return found.href


@pytest.mark.parametrize(
    ("pattern", "address", "found"),
    [
        ("/категория/", "http://a.example/категория/1", True),
        ("/категория/", "http://a.example/%D0%BA%D0%B0%D1%82/1", False),
        ("/%d0%ba", "http://a.example/к", True),
        ("[а-я]+/$", "http://a.example/кат/", True),
        ("(?i)/КАТ", "http://a.example/кат", True),
        ("/[^а-я]*$", "http://a.example/кат", False),
        ("/my files/", "http://a.example/my%20files/1", True),
        ("/my%20files/", "http://a.example/my files/1", True),
        (r"/my\sfiles/", "http://a.example/my%20files/1", True),
        ("/[^ /]+/x", "http://a.example/my%20files/x", True),
        ("/%7Euser", "http://a.example/~user", True),
        ("/a%2fb", "http://a.example/a%2Fb", True),
        ("/a/b c", "http://a.example/a%2Fb%20c", False),
        (r"/\{id\}", "http://a.example/{id}", True),
        ("//münchen", "http://münchen.example/", True),
        ("//xn--mnchen-3ya", "http://münchen.example/", True),
        ("café", "http://a.example/cafe\u0301", True),
        ("cafe\u0301", "http://a.example/café", True),
        (r"\?q=красная лампа", "http://a.example/?q=красная лампа", True),
        ("100%$", "http://a.example/?q=100%", True),
        ("/a|b$", "http://a.example/b", True),
        ("/%E9 x", "http://a.example/%e9%20x", True),
    ],
)
def test_a_pattern_and_a_url_are_compared_in_one_form(pattern: str, address: str, found: bool) -> None:
    """As the browser shows it or as it is fetched: what means the same address matches."""
    compiled = UrlRegex(pattern)
    assert (compiled.search(href(address)) is not None) is found
    assert compiled.pattern == pattern
    assert (pickle.loads(pickle.dumps(compiled)).search(href(address)) is not None) is found


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("^/products/", "begins with http"),
        (r"^www\.", "begins with http"),
        ("(^/a|^/b)", "begins with http"),
        (r"^https?://Shop\.example", "lower case"),
        ("/page#top", "after #"),
        ("(x#|y#)", "after #"),
        (r"\.pdf$/x", "end of a URL"),
        ("a^b", "beginning of a URL"),
        (r"a\nb", "control"),
    ],
)
def test_a_pattern_that_can_never_match_is_found(pattern: str, reason: str) -> None:
    """What it requires that no URL has is said."""
    assert reason in (never_matches(pattern) or "")


@pytest.mark.parametrize(
    "pattern",
    ["", "^", "$", "/$", "^http", "^h", "^ht+p", "^https?://a", "^(https?://)?x", "(?i)^HTTPS://A", "https://Shop",
     "^/?", "(?m)a^b", "/a#?", "(?:#x)?", "(^/a|b)", "^(?!.*x)", "[^#]+", "/категория/", "a b", "("],
)  # fmt: skip
def test_no_other_pattern_is_blamed(pattern: str) -> None:
    """A pattern that may match, or that is no regular expression, is not said to be without effect."""
    assert never_matches(pattern) is None


@settings(deadline=None)
@given(st.from_regex(r"[a-zа-я /%~#^$.{}|ü-]{0,12}", fullmatch=True), st.text(max_size=12))
def test_what_is_said_to_never_match_never_does(pattern: str, path: str) -> None:
    """A pattern that is found in a URL is never said to match none."""
    url = canonicalize(f"http://a.example/{path}")
    try:
        compiled = UrlRegex(pattern)
    except re.error:
        return
    if isinstance(url, Url) and compiled.search(url.href) is not None:
        assert never_matches(pattern) is None


@settings(deadline=None)
@given(st.text(max_size=30))
def test_an_address_is_shown_as_what_it_was_written_as(path: str) -> None:
    """The shown form leads to the same URL again."""
    url = canonicalize(f"http://a.example/{path}")
    if isinstance(url, Url) and path.isprintable():
        again = canonicalize(shown_url(url.href))
        assert isinstance(again, Url)
        assert shown_url(again.href) == shown_url(url.href)
