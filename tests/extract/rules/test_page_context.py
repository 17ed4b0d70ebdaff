"""What fields know of their page: links, and how much may still be read."""

from __future__ import annotations

import pytest

from scraper.extract.rules import page_context
from scraper.extract.rules.field_settings import FieldSettings
from scraper.extract.rules.page_context import ReadBudgetExceeded, absolute_url
from scraper.extract.rules.parse_failure import ParseFailure
from scraper.extract.rules.rule import RuleSettings
from scraper.model import Link, OutOfScope
from tests.extract.rules.product_page import context_of, read_rule, url_of


def test_links_are_those_of_the_page() -> None:
    """`all` is every link, `in_scope` also those that only depth or nofollow keep from being fetched."""
    reasons = (None, "scope", "depth", "nofollow", "trap")
    links = tuple(
        Link(url_of(f"http://a.example/{reason}"), OutOfScope(reason, "r") if reason else None) for reason in reasons
    )
    rule = RuleSettings(fields=(FieldSettings("near", links="in_scope"), FieldSettings("every", links="all")))
    items, _ = read_rule(rule, context_of(links=links))
    assert items[0].fields["every"] == [link.url.href for link in links]
    assert items[0].fields["near"] == [f"http://a.example/{reason}" for reason in (None, "depth", "nofollow")]


def test_reading_ends_with_the_budget_of_the_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each rule may read so much of a page, and no more."""
    monkeypatch.setattr(page_context, "MAX_RULE_CHARS", 10)
    context = context_of()
    context.charge(10)
    with pytest.raises(ReadBudgetExceeded, match="more than 10 characters"):
        context.charge(1)
    context.reset_budget()
    context.charge(10)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("../x", "http://shop.example/a/x"),
        ("?a#b", "http://shop.example/a/b/index.html?a#b"),
        ("#", "http://shop.example/a/b/index.html"),
        ("#ä b", "http://shop.example/a/b/index.html#%C3%A4%20b"),
        ("mailto:x", None),
    ],
    ids=str,
)
def test_a_url_is_made_absolute(text: str, expected: str | None) -> None:
    """By the page's base; what cannot be fetched is a failure that quotes it."""
    found = absolute_url(text, context_of())
    assert found == expected or (isinstance(found, ParseFailure) and text in found)
