"""Fields by CSS: sources, types, what is missing and what is refused."""

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
from scraper.extract.rules.field_settings import FieldSettings
from scraper.extract.rules.page_context import PageContext
from scraper.extract.rules.rule import ExtractionRule, RuleSettings
from scraper.extract.rules.visible_text import visible_text
from scraper.model import FieldError, Item, Link, OutOfScope, Url
from scraper.urls.canonicalize import BaseUrl, KeyRules, canonicalize

PAGE = """<!DOCTYPE html><html><head><title> A  shop </title></head><body>
<article class="product" data-rating="4"><h1>Amber <b>Lamp</b></h1>
<p class="price_color">£1,234.50</p><p class="availability">In stock (7 available)</p>
<img class="cover" src="../c/1.png" alt=""><time datetime="2024-03-12">12/03/24</time>
<ul><li class="tag">new</li><li class="tag"> eco </li><li class="tag"></li></ul>
<a href="/next?utm_source=x#top">next</a><a name="anchor">none</a><input type="checkbox" checked>
<table><tr><td>Weight</td><td>12 kg</td></tr></table></article>
<article class="product" data-rating="none"><h2>Other</h2><p class="price_color">on request</p></article>
<p class="empty"> </p><script>var sku = "X-17";</script></body></html>"""


def url_of(text: str) -> Url:
    url = canonicalize(text)
    assert isinstance(url, Url)
    return url


def view_of(markup: str = PAGE, links: tuple[Link, ...] = ()) -> PageContext:
    root = LexborHTMLParser(markup).root
    assert root is not None
    return PageContext(root, BaseUrl.of(url_of("http://shop.example/a/b/index.html")), KeyRules(("utm_*",)), links)


def read(rule: RuleSettings, view: PageContext | None = None) -> tuple[list[Item], list[FieldError]]:
    items: list[Item] = []
    rejected: list[FieldError] = []
    ExtractionRule(rule, 3).read(view or view_of(), items, rejected)
    return items, rejected


def value_of(**settings: Any) -> Any:
    items, rejected = read(RuleSettings(fields=(FieldSettings("it", **settings),)))
    assert rejected == []
    return items[0].fields["it"]


@pytest.mark.parametrize(
    ("settings", "value"),
    [
        ({"css": "title"}, "A shop"),
        ({"css": "h1"}, "Amber Lamp"),
        ({"css": "h1, h2", "many": True}, ["Amber Lamp", "Other"]),
        ({"css": ".tag", "many": True}, ["new", "eco"]),
        ({"css": "article", "attr": "data-rating", "type": "int"}, 4),
        ({"css": "article", "attr": "DATA-RATING"}, "4"),
        ({"css": ".price_color", "type": "decimal"}, Decimal("1234.50")),
        ({"css": ".price_color", "type": "float"}, 1234.5),
        ({"css": ".availability", "type": "int"}, 7),
        ({"css": ".availability", "regex": r"\((\d+)"}, "7"),
        ({"css": ".availability", "regex": r"\d+"}, "7"),
        ({"css": ".availability", "regex": r"(gone)|stock"}, None),
        ({"css": "script", "regex": 'sku = "([^"]+)"'}, "X-17"),
        ({"css": "img", "attr": "src", "type": "url"}, "http://shop.example/a/c/1.png"),
        ({"css": "img", "type": "url"}, "http://shop.example/a/c/1.png"),
        ({"css": "a", "type": "url"}, "http://shop.example/next?utm_source=x"),
        ({"css": "img", "attr": "alt"}, None),
        ({"css": "img", "attr": "title"}, None),
        ({"css": "time", "attr": "datetime", "type": "date"}, "2024-03-12"),
        ({"css": "h2", "type": "html"}, "<h2>Other</h2>"),
        ({"css": "input", "attr": "checked", "type": "bool"}, True),
        ({"css": "input", "attr": "disabled", "type": "bool"}, False),
        ({"css": ".availability", "type": "bool"}, True),
        ({"css": ".availability", "type": "bool", "regex": "Out of"}, False),
        ({"css": ".nothing", "type": "bool"}, False),
        ({"css": ".nothing", "type": "bool", "default": True}, True),
        ({"css": ".nothing"}, None),
        ({"css": ".empty"}, None),
        ({"css": ".empty", "default": "-"}, "-"),
        ({"css": ".nothing", "many": True}, []),
        ({"css": ".nothing", "many": True, "default": ["x"]}, ["x"]),
        ({"css": "table"}, "Weight 12 kg"),
    ],
    ids=str,
)
def test_a_field_gives_its_value(settings: dict[str, Any], value: Any) -> None:
    """Source, regex and type in this order; what is empty or absent is the default."""
    assert value_of(**settings) == value


def test_many_urls_leave_out_elements_without_the_attribute() -> None:
    """An anchor without href gives no URL and no complaint."""
    assert value_of(css="a", attr="href", type="url", many=True) == ["http://shop.example/next?utm_source=x"]


def test_each_makes_an_item_of_every_element() -> None:
    """With `each` fields are sought inside the element, and without css they are about the element itself."""
    rule = RuleSettings(
        each="article",
        fields=(FieldSettings("name", css="h1, h2"), FieldSettings("rating", attr="data-rating")),
    )
    items, rejected = read(rule)
    assert [dict(item.fields) for item in items] == [
        {"name": "Amber Lamp", "rating": "4"},
        {"name": "Other", "rating": "none"},
    ]
    assert {item.rule for item in items} == {3}
    assert rejected == []


def test_a_value_that_does_not_parse_is_null_and_told() -> None:
    """The item is kept without the value, and `FieldError` says which field of which rule, and why."""
    items, rejected = read(RuleSettings(each="article", fields=(FieldSettings("price", ".price_color", type="float"),)))
    assert [dict(item.fields) for item in items] == [{"price": 1234.5}, {"price": None}]
    assert rejected == [FieldError("price", "no number in 'on request'", 3)]


def test_a_value_that_does_not_parse_falls_back_to_its_default() -> None:
    """The default stands in for what cannot be read, too."""
    items, rejected = read(RuleSettings(fields=(FieldSettings("n", "h2", type="int", default=0),)))
    assert items[0].fields == {"n": 0}
    assert len(rejected) == 1


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"css": ".nothing"}, "nothing found for .nothing"),
        ({"css": ".empty"}, "nothing found for .empty"),
        ({"css": "img", "attr": "title"}, "nothing found for img @title"),
        ({"css": ".nothing", "type": "bool"}, "nothing found for .nothing"),
        ({"css": ".nothing", "many": True}, "nothing found for .nothing"),
        ({"css": "h1", "regex": "xyz"}, "nothing found for h1 that matches the regex"),
        ({"css": "h2", "type": "decimal"}, "no number in 'Other'"),
        ({"css": "a", "type": "date"}, "not a date in a known form: 'next'"),
        ({"links": "all"}, "nothing found for links: all"),
    ],
    ids=str,
)
def test_without_a_required_field_there_is_no_item(settings: dict[str, Any], reason: str) -> None:
    """A required field that is missing or does not parse rejects the item, with a reason."""
    rule = RuleSettings(fields=(FieldSettings("title", "h1"), FieldSettings("it", required=True, **settings)))
    assert read(rule) == ([], [FieldError("it", reason, 3, item_kept=False)])


def test_bad_values_among_many_are_left_out_and_told_once() -> None:
    """The good ones are kept, also when the field is required."""
    rule = RuleSettings(fields=(FieldSettings("p", ".price_color", type="decimal", many=True, required=True),))
    items, rejected = read(rule)
    assert items[0].fields == {"p": [Decimal("1234.50")]}
    assert rejected == [FieldError("p", "1 of 2 not read, the first: no number in 'on request'", 3)]


@pytest.mark.parametrize("href", ["javascript:void(0)", "mailto:a@b.example", "http://", "http://a b/"], ids=str)
def test_a_url_that_cannot_be_fetched_is_refused(href: str) -> None:
    """Only http and https URLs are values of type url."""
    view = view_of(f'<a href="{href}">x</a>')
    items, rejected = read(RuleSettings(fields=(FieldSettings("u", "a", type="url"),)), view)
    assert items[0].fields == {"u": None}
    assert "not a usable URL" in rejected[0].reason


def test_links_are_those_of_the_page() -> None:
    """`all` is every link, `in_scope` also those that only depth or nofollow keep from being asked."""
    reasons = (None, "scope", "depth", "nofollow", "trap")
    links = tuple(
        Link(url_of(f"http://a.example/{reason}"), OutOfScope(reason, "r") if reason else None) for reason in reasons
    )
    rule = RuleSettings(fields=(FieldSettings("near", links="in_scope"), FieldSettings("every", links="all")))
    items, _ = read(rule, view_of(links=links))
    assert items[0].fields["every"] == [link.url.href for link in links]
    assert items[0].fields["near"] == [f"http://a.example/{reason}" for reason in (None, "depth", "nofollow")]


def test_a_page_without_links_gives_an_empty_list() -> None:
    """Links are a list even when there are none."""
    assert value_of(links="all") == []


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<p>a<b>b</b>c</p>", "abc"),
        ("<p>a<br>b</p>", "a b"),
        ("<div>a<div>b</div>c</div>", "a b c"),
        ("<ul><li>a</li><li>b</li></ul>", "a b"),
        ("<div><p>a</p><i>b</i></div>", "a b"),
        ("<p>a<script>bad()</script><style>p{}</style>b</p>", "ab"),
        ("<p>a<!-- no -->b</p>", "ab"),
        ("<p>\n a\u00a0 \t b </p>", "a b"),
        ("<p></p>", ""),
        ("<p>&lt;x&gt; &amp;</p>", "<x> &"),
    ],
)
def test_visible_text_reads_as_a_reader_sees_it(markup: str, text: str) -> None:
    """Blocks are set apart, inline elements are not, scripts and comments are not there."""
    element = LexborHTMLParser(markup).css_first("p, div, ul")
    assert element is not None
    assert visible_text(element) == text


def test_text_outside_the_element_is_not_its_text() -> None:
    """Neighbours of the element do not count."""
    element = LexborHTMLParser("<div>x<p>a<b>b</b></p>y</div>").css_first("p")
    assert element is not None
    assert visible_text(element) == "ab"


def test_a_deep_page_is_read_without_recursion() -> None:
    """Ten thousand nested elements are no trouble."""
    element = LexborHTMLParser("<div>" * 10_000 + "x").css_first("div")
    assert element is not None
    assert visible_text(element) == "x"


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


def test_limits_hold_and_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Values, items, texts and what a regex reads are bounded, and none is cut silently."""
    monkeypatch.setattr(fields, "MAX_VALUES", 2)
    monkeypatch.setattr(rules, "MAX_ITEMS", 3)
    monkeypatch.setattr(fields, "MAX_VALUE_CHARS", 50)
    monkeypatch.setattr(fields, "MAX_REGEX_CHARS", 5)
    view = view_of("<i>1</i>" * 4 + f"<p>{'x' * 51}</p><b>0123456</b>")
    items, rejected = read(RuleSettings(fields=(FieldSettings("f", "i", many=True),)), view)
    assert items[0].fields == {"f": ["1", "1"]}
    assert "only the first 2" in rejected[0].reason
    items, rejected = read(RuleSettings(each="i", fields=(FieldSettings("f"),)), view)
    assert len(items) == 3
    assert rejected[0].field == "each"
    for settings in (FieldSettings("f", "p"), FieldSettings("f", "b", regex="6")):
        items, rejected = read(RuleSettings(fields=(settings,)), view)
        assert items[0].fields == {"f": None}
        assert "characters" in rejected[0].reason


@given(st.text(max_size=200), st.sampled_from(["text", "int", "float", "decimal", "bool", "url", "date", "html"]))
def test_no_page_makes_a_field_raise(markup: str, kind: Any) -> None:
    """Whatever the page, every field gives a value, its default or a reason."""
    rule = RuleSettings(fields=(FieldSettings("a", "*", type=kind), FieldSettings("b", "p", type=kind, many=True)))
    items, _ = read(rule, view_of(f"<p>{markup}<p>{markup}"))
    assert set(items[0].fields) == {"a", "b"}
