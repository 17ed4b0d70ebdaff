"""Rules: which pages they read, and which elements become items."""

from __future__ import annotations

import pytest

from scraper.errors import ExtractionRuleError
from scraper.extract.rules.field_settings import FieldSettings
from scraper.extract.rules.rule import ExtractionRule, RuleSettings, formats_of
from tests.extract.rules.product_page import read_rule
from tests.extract.rules.shop_page import API, extract, fields_of


def test_each_json_makes_an_item_of_every_member() -> None:
    """Fields are sought inside the member."""
    pytest.importorskip("jmespath")
    found = fields_of(FieldSettings("id", json="id", type="any"), text=API, kind="application/json", each_json="items")
    assert found == [{"id": 1}, {"id": 2}]


@pytest.mark.parametrize("text", ["{", "", "[" * 5000, "nul"], ids=["cut", "empty", "deep", "word"])
def test_a_page_that_is_no_json_is_reported(text: str) -> None:
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
    ("settings", "key_path"),
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
def test_a_rule_that_cannot_work_is_an_error_at_once(settings: RuleSettings, key_path: str) -> None:
    """A bad selector, regex or type is an ExtractionRuleError that names its place."""
    with pytest.raises(ExtractionRuleError, match=key_path):
        ExtractionRule(settings)


def test_match_is_searched_in_the_url() -> None:
    """A rule without match is for every page."""
    assert ExtractionRule(RuleSettings()).matches("http://a.example/")
    assert ExtractionRule(RuleSettings(match=r"/item/\d+")).matches("http://a.example/item/7?x")
    assert not ExtractionRule(RuleSettings(match=r"/item/\d+$")).matches("http://a.example/item/7?x")
