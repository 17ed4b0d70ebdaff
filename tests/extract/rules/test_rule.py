"""Rules: which pages they read, and which elements become items."""

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

import json
from decimal import Decimal
from typing import Any
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scraper.errors import ExtractError, MissingExtraError
from scraper.extract.page_extractor import ExtractSettings, PageExtractor
from scraper.extract.rules import optional_libraries as optional
from scraper.extract.rules import tables
from scraper.extract.rules.css_field import FieldSettings
from scraper.extract.rules.rule import RuleSettings, formats_of
from scraper.model import Body, Extraction, Headers, Request, Response, Url
from scraper.urls.canonicalize import canonicalize
from scraper.urls.scope import Scope, ScopeSettings
from tests.extract.rules.shop_page import API, PAGE, ADDRESS, url_of, page_of, extract, fields_of, value_of



def test_each_json_makes_an_item_of_every_member() -> None:
    """Fields are sought inside the member."""
    pytest.importorskip("jmespath")
    found = fields_of(FieldSettings("id", json="id", type="any"), text=API, kind="application/json", each_json="items")
    assert found == [{"id": 1}, {"id": 2}]


@pytest.mark.parametrize(
    "text", ["{", "", "[" * 5000, "nul", '{"a": 1e999}'], ids=["cut", "empty", "deep", "word", "inf"]
)
def test_a_page_that_is_no_json_is_told(text: str) -> None:
    """The page's record says why it was not read."""
    pytest.importorskip("jmespath")
    found = extract(RuleSettings(fields=(FieldSettings("a", json="a"),)), text=text, kind="application/json")
    assert "not read as JSON" in (found.problem or "")


def test_a_rule_reads_one_kind_of_page() -> None:
    """JSON rules leave HTML alone and the other way round; a regex alone reads any text."""
    pytest.importorskip("jmespath")
    rules = (
        RuleSettings(fields=(FieldSettings("a", json="total", type="any"),)),
        RuleSettings(fields=(FieldSettings("b", css="h1"),)),
        RuleSettings(fields=(FieldSettings("c", regex="t.t"),)),
    )
    assert [item.rule for item in extract(*rules).items] == [1, 2]
    assert [item.rule for item in extract(*rules, text=API, kind="application/json").items] == [0, 2]
    assert [item.rule for item in extract(*rules, text="a tot", kind="text/plain").items] == [2]
    assert extract(*rules, text="tot", kind="image/png").items == ()
    nested = FieldSettings("n", fields=(FieldSettings("a", json="b"),))
    assert formats_of(RuleSettings(fields=(nested,))) == {"json"}


def test_each_makes_an_item_of_every_element() -> None:
    """With `each` fields are sought inside the element, and without css they are about the element itself."""
    rule = RuleSettings(
        each="article",
        fields=(FieldSettings("name", css="h1, h2"), FieldSettings("rating", attr="data-rating")),
    )
    items, field_errors = read_rule(rule)
    assert [dict(item.fields) for item in items] == [
        {"name": "Amber Lamp", "rating": "4"},
        {"name": "Other", "rating": "none"},
    ]
    assert {item.rule for item in items} == {3}
    assert field_errors == []


@pytest.mark.parametrize(
    ("settings", "where"),
    [
        (RuleSettings(match="("), "match"),
        (RuleSettings(each="[["), "each"),
        (RuleSettings(fields=(FieldSettings("f", "h1["),)), "fields.f"),
        (RuleSettings(fields=(FieldSettings("f", ""),)), "fields.f"),
        (RuleSettings(fields=(FieldSettings("f", "h1", regex="*"),)), "fields.f"),
        (RuleSettings(fields=(FieldSettings("f", "h1", links="all"),)), "fields.f"),
        (RuleSettings(fields=(FieldSettings("f", "h1", type="money"),)), "fields.f"),  # type: ignore[arg-type]
    ],
    ids=["match", "each", "css", "empty css", "regex", "two sources", "type"],
)
def test_a_rule_that_cannot_work_is_told_at_once(settings: RuleSettings, where: str) -> None:
    """A bad selector, regex or type is an ExtractError that names its place."""
    with pytest.raises(ExtractError, match=where):
        ExtractionRule(settings)


def test_match_is_searched_in_the_url() -> None:
    """A rule without match is for every page."""
    assert ExtractionRule(RuleSettings()).matches("http://a.example/")
    assert ExtractionRule(RuleSettings(match=r"/item/\d+")).matches("http://a.example/item/7?x")
    assert not ExtractionRule(RuleSettings(match=r"/item/\d+$")).matches("http://a.example/item/7?x")
