"""Every bound on what is read of a page tells what lies beyond it: in `beyond`, and in the page's `problem`."""

from __future__ import annotations

from typing import Any

import pytest

from scraper.extract.bounds import (
    FOLLOW_KEY,
    ITEMS_KEY,
    LINKS_KEY,
    OBJECTS_KEY,
    REGEX_CHARS_KEY,
    RULE_CHARS_KEY,
    TABLE_CELLS_KEY,
    VALUES_KEY,
    BeyondBounds,
    PageBounds,
    beyond_sentences,
)
from scraper.extract.page_extractor import ExtractSettings, FileSettings, PageExtractor
from scraper.extract.rules.field_settings import FieldSettings
from scraper.extract.rules.follow_links import FollowSettings
from scraper.extract.rules.next_page import NextSettings
from scraper.extract.rules.rule import RuleSettings
from scraper.model import Extraction
from scraper.testing.fakes import make_request, make_response, make_url
from scraper.urls.scope import Scope, ScopeSettings

SEED = "http://a.example/"
LINKS = "".join(f"<a href=/{n}>{n}</a>" for n in range(7))
OBJECTS = "".join(f'<p itemscope itemtype="x/Thing"><i itemprop=n>{n}</i></p>' for n in range(7))


def read(
    markup: str, bounds: PageBounds, *rules: RuleSettings, headers: dict[str, str] | None = None, **settings: Any
) -> Extraction:
    scope = Scope(ScopeSettings(mode="any"), [make_url(SEED)])
    extractor = PageExtractor(ExtractSettings(scope, rules, bounds=bounds, **settings))
    return extractor.extract(make_response(SEED, markup, headers=headers))


def field_rule(**settings: Any) -> RuleSettings:
    return RuleSettings(fields=(FieldSettings("f", **settings),))


@pytest.mark.parametrize(
    ("markup", "bounds", "rule", "beyond"),
    [
        (LINKS, PageBounds(links=5), None, {LINKS_KEY: 2}),
        (LINKS * 2, PageBounds(links=5), None, {LINKS_KEY: 2}),
        (LINKS, PageBounds(items=5), RuleSettings(each="a", fields=(FieldSettings("f"),)), {ITEMS_KEY: 2}),
        (LINKS, PageBounds(follow=5), RuleSettings(follow=(FollowSettings(css="a"),)), {FOLLOW_KEY: 2}),
        (LINKS, PageBounds(values=5), field_rule(css="a", many=True), {VALUES_KEY: 2}),
        (LINKS, PageBounds(values=5), field_rule(regex="href", many=True), {VALUES_KEY: 2}),
        ("a-" * 7, PageBounds(values=5), field_rule(css="body", transform=(("split", "-"),)), {VALUES_KEY: 3}),
        (LINKS, PageBounds(regex_chars=len(LINKS) - 3), field_rule(regex="href", many=True), {REGEX_CHARS_KEY: 3}),
        (LINKS, PageBounds(rule_chars=5), RuleSettings(each="a", fields=(FieldSettings("f"),)), {RULE_CHARS_KEY: 2}),
        (OBJECTS, PageBounds(objects=5), field_rule(structured=("thing",), json="n", many=True), {OBJECTS_KEY: 2}),
        (
            "<table>" + "<tr><td>a<td>b" * 7 + "</table>",
            PageBounds(table_cells=10),
            field_rule(css="table", table="rows", type="any"),
            {TABLE_CELLS_KEY: 7},
        ),
    ],
    ids=[
        "links",
        "repeated-links",
        "each",
        "follow",
        "values",
        "regex-values",
        "split",
        "regex-text",
        "rule",
        "objects",
        "table",
    ],
)
def test_what_lies_beyond_a_bound_is_counted(
    markup: str, bounds: PageBounds, rule: RuleSettings | None, beyond: dict[str, int]
) -> None:
    """The count stands under the key that raises the bound, and the page's record says so."""
    if rule is not None and any(field.json for field in rule.fields):
        pytest.importorskip("jmespath")
    found = read(markup, bounds, *([rule] if rule else []))
    assert found.beyond == beyond
    ((key, count),) = beyond.items()
    assert f"{count} " in (found.problem or "")
    assert key in (found.problem or "")
    assert read(markup, PageBounds(), *([rule] if rule else [])).beyond == {}


def test_links_of_all_kinds_share_one_bound() -> None:
    """Links of the header come after those of the page, and files that `files.css` selects have the bound again."""
    header = {"Link": "".join(f"</h{n}>; rel=next, " for n in range(4))}
    assert read(LINKS, PageBounds(links=8), headers=header).beyond == {LINKS_KEY: 3}
    images = "".join(f"<img src=/{n}.png>" for n in range(7))
    found = read(images, PageBounds(links=5), files=FileSettings(css=("img@src",)))
    assert (len(found.links), found.beyond) == (5, {LINKS_KEY: 2})


def test_the_next_page_is_never_left_out() -> None:
    """All pages behind it would be lost with it."""
    rule = RuleSettings(follow=(FollowSettings(css="a"),), next=NextSettings(css="b a"))
    found = read(LINKS + "<b><a href=/next>next</a></b>", PageBounds(follow=5), rule)
    assert [request.url.target for request in found.requests][-1] == "/next"


def test_entries_of_a_sitemap_beyond_the_bound_are_counted() -> None:
    """The protocol allows 50,000 entries, and a sitemap may have more."""
    scope = Scope(ScopeSettings(mode="any"), [make_url(SEED)])
    extractor = PageExtractor(ExtractSettings(scope, bounds=PageBounds(sitemap_entries=3)))
    lines = "\n".join(f"http://a.example/{n}" for n in range(5))
    found = extractor.extract(make_response(make_request(SEED, kind="sitemap"), lines))
    assert (len(found.links), found.beyond) == (3, {"limits.max_sitemap_entries": 2})
    assert "2 left out" in (found.problem or "")


def test_items_without_a_required_field_are_counted() -> None:
    """One item, however many of its fields are missing."""
    rule = RuleSettings(each="a", fields=(FieldSettings("f", "b", required=True), FieldSettings("g", "i")))
    found = read(LINKS + "<a><b>x</b></a>", PageBounds(), rule)
    assert (len(found.items), found.items_rejected) == (1, 7)


def test_nothing_is_counted_for_what_fits() -> None:
    """A bound that is just reached cuts nothing."""
    beyond = BeyondBounds()
    assert beyond.first([1, 2], 2, LINKS_KEY) == [1, 2]
    beyond.add(LINKS_KEY, 0)
    assert beyond.counts == {}
    assert beyond_sentences({LINKS_KEY: 1_000}) == ("1,000 links left out: limits.max_links",)
