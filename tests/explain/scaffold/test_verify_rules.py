"""Proposed rules are verified on the page they were made from."""

from __future__ import annotations

from scraper.explain.scaffold.rule_draft import RuleDraft, RuleEntry
from scraper.explain.scaffold.verify_rules import count_yields, verify_rules
from tests.explain.scaffold.proposals import CARDS, page_of


def rule(css: str, fallback: RuleDraft | None = None) -> RuleDraft:
    """A rule whose only field is at `css` inside each card."""
    entries = (RuleEntry("each", ".card"), RuleEntry("fields", (RuleEntry("value", css),)))
    return RuleDraft(css, entries, fallback=fallback)


def test_a_rule_that_extracts_nothing_is_dropped() -> None:
    """The others stay, in their order."""
    page = page_of(f"<body>{CARDS}")
    kept = verify_rules([rule("h2"), rule(".nowhere"), rule(".product-price")], page)
    assert [draft.title for draft in kept] == ["h2", ".product-price"]
    assert count_yields(kept, page) == [8, 8]


def test_a_fallback_replaces_a_rule() -> None:
    """One that extracts nothing, or does not compile, is replaced by its fallback, if that extracts something."""
    page = page_of(f"<body>{CARDS}")
    kept = verify_rules([rule(".nowhere", rule("h2")), rule(":::", rule("time")), rule(".no", rule(".none"))], page)
    assert [draft.title for draft in kept] == ["h2", "time"]


def test_a_rule_without_fields_counts_urls() -> None:
    """A `follow` yields the URLs that it matches, each once."""
    draft = RuleDraft("follow", (RuleEntry("follow", {"match": "/item/[0-9]+$"}),))
    assert count_yields([draft], page_of(f"<body>{CARDS}")) == [8]
