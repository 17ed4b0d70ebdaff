"""Selectors and regexes of a config: what is wrong is reported with its key."""

from __future__ import annotations

import pytest

from scraper.errors import ExtractionRuleError
from scraper.extract.rules.compile import check_selector, compile_regex


@pytest.mark.parametrize("css", ["a", "li:nth-child(2) > a[href^='/x']", "#id.class, b"])
def test_a_selector_is_returned_as_it_is(css: str) -> None:
    """So that a check can stand where the selector is used."""
    assert check_selector(css, "fields.a") == css


@pytest.mark.parametrize("css", ["", "[[", "a >", ":no-such-class(", "\ud800"], ids=ascii)
def test_what_is_no_selector_is_an_error(css: str) -> None:
    """The message names the key and the text."""
    with pytest.raises(ExtractionRuleError, match=r"^fields\.a: not a CSS selector: "):
        check_selector(css, "fields.a")


@pytest.mark.parametrize("pattern", ["(", "*", "[z-a]", "a{99999999999}", "(?P<n>x)(?P<n>y)"])
def test_what_is_no_regex_is_an_error(pattern: str) -> None:
    """The message names the key, the pattern and what is wrong with it."""
    with pytest.raises(ExtractionRuleError, match=r"^match: not a regular expression: .+: .+"):
        compile_regex(pattern, "match")
