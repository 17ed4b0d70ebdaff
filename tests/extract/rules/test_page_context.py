"""What fields know of their page: links, and how much may still be read."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
import pytest
from hypothesis import given
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser
from scraper.errors import ExtractError
from scraper.extract.rules import css_field as fields
from scraper.extract.rules import rule as rules
from scraper.extract.rules.css_field import FieldSettings, PageContext, visible_text
from scraper.extract.rules.rule import ExtractionRule, RuleSettings
from scraper.model import FieldError, Item, Link, OutOfScope, Url
from scraper.urls.canonicalize import BaseUrl, KeyRules, canonicalize
from tests.extract.rules.product_page import context_of, read_rule, url_of



def test_links_are_those_of_the_page() -> None:
    """`all` is every link, `in_scope` also those that only depth or nofollow keep from being asked."""
    reasons = (None, "scope", "depth", "nofollow", "trap")
    links = tuple(
        Link(url_of(f"http://a.example/{reason}"), OutOfScope(reason, "r") if reason else None) for reason in reasons
    )
    rule = RuleSettings(fields=(FieldSettings("near", links="in_scope"), FieldSettings("every", links="all")))
    items, _ = read_rule(rule, context_of(links=links))
    assert items[0].fields["every"] == [link.url.href for link in links]
    assert items[0].fields["near"] == [f"http://a.example/{reason}" for reason in (None, "depth", "nofollow")]
