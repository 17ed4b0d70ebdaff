"""Compiles the selectors and regexes of a config, with errors that name the key."""

from __future__ import annotations

import re

from selectolax.lexbor import LexborHTMLParser, SelectolaxError

from scraper.css_support import unsupported_in
from scraper.errors import ExtractionRuleError
from scraper.urls.url_regex import UrlRegex


def check_selector(css: str, key_path: str) -> str:
    """Return `css` if it is a selector that selects what it says; else raise `ExtractionRuleError`, which names
    `key_path`."""
    try:
        LexborHTMLParser("<p>").css_first(css)
    except (SelectolaxError, UnicodeError) as error:
        raise ExtractionRuleError(f"{key_path}: not a CSS selector: {css!r}") from error
    if why := unsupported_in(css):
        raise ExtractionRuleError(f"{key_path}: {css!r}: {why}")
    return css


def compile_url_regex(pattern: str, key_path: str) -> UrlRegex:
    """`pattern` compiled for URLs. Raises `ExtractionRuleError`, which names `key_path`, if it is no regular
    expression."""
    try:
        return UrlRegex(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise ExtractionRuleError(f"{key_path}: not a regular expression: {pattern!r}: {error}") from error


def compile_regex(pattern: str, key_path: str) -> re.Pattern[str]:
    """`pattern` compiled. Raises `ExtractionRuleError`, which names `key_path`, if it is no regular expression."""
    try:
        return re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise ExtractionRuleError(f"{key_path}: not a regular expression: {pattern!r}: {error}") from error
