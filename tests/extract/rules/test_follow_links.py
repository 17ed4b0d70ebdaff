"""Where rules lead: follow, next, labels and what is carried."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.extract.page_extractor import ExtractSettings, PageExtractor
from scraper.extract.rules import follow_links as following
from scraper.extract.rules.field_settings import FieldSettings
from scraper.extract.rules.follow_links import FollowSettings, merge_inherited, to_json_value
from scraper.extract.rules.next_page import NextSettings, query_param, with_query_param
from scraper.extract.rules.rule import RuleSettings
from scraper.model import Extraction, Headers, Request
from scraper.urls.scope import Scope, ScopeSettings
from tests.extract.rules.test_field_sources import ADDRESS, page_of, url_of

LISTING = """<a href="/ordinary">o</a><ul>
<li><a class=d href="/d/1">One</a><b>1.50</b><a href="/buy/1">buy</a></li>
<li><a class=d href="/d/2" rel=nofollow>Two</a><b>2.50</b></li>
<li><a class=d href="http://other.example/3">Three</a></li></ul>
<a class=next href="?page=2">next</a><a rel="prev next" href="/rel-next">n</a>"""
TITLE = FieldSettings("title", css="a.d")
PRICE = FieldSettings("price", css="b", type="decimal", required=True)


def harvest(
    *rules: RuleSettings,
    text: str = LISTING,
    kind: str = "text/html",
    request: Request | None = None,
    headers: tuple[tuple[bytes, bytes], ...] = (),
    **settings: Any,
) -> Extraction:
    scope = Scope(ScopeSettings(max_depth=settings.pop("max_depth", None)), [url_of(ADDRESS)])
    extractor = PageExtractor(ExtractSettings(scope, rules, **settings))
    page = page_of(text, kind)
    page = replace(page, request=request or page.request, headers=Headers([*page.headers.raw, *headers]))
    found = extractor.extract(page)
    assert found.problem is None
    return found


def asked(found: Extraction) -> list[str]:
    return [request.url.target for request in found.requests]


def test_follow_goes_to_the_pages_of_each_item() -> None:
    """Label, priority and carried values go with the request; scope and nofollow hold as for any link."""
    follow = FollowSettings(css="a.d", label="detail", priority=-3, carry=("title", "price"))
    found = harvest(RuleSettings(each="li", fields=(TITLE, PRICE), follow=(follow,)))
    (request,) = found.requests
    assert (request.url.target, request.depth, request.priority, request.label) == ("/d/1", 1, -3, "detail")
    assert request.inherited_fields == {"title": "One", "price": "1.50"}
    assert request.parent == ADDRESS
    fates = {link.url.href: link.denied.reason for link in found.links if link.denied}
    assert fates["http://shop.example/d/2"] == "nofollow"
    assert fates["http://other.example/3"] == "scope"


def test_nofollow_may_be_ignored() -> None:
    """As the config says for links."""
    rule = RuleSettings(each="li", follow=(FollowSettings(css="a.d"),))
    assert asked(harvest(rule, nofollow="ignore")) == ["/d/1", "/d/2"]


def test_a_page_that_asks_not_to_be_followed_is_not() -> None:
    """The robots directive of the page holds for rules, too."""
    rule = RuleSettings(follow=(FollowSettings(css="a.d"),), next=NextSettings(css="a.next"))
    assert harvest(rule, headers=((b"x-robots-tag", b"nofollow"),)).requests == ()


def test_without_its_item_nothing_is_carried() -> None:
    """A listing's item that lost a required field leads nowhere with `carry`, and as ever without."""
    carrying = RuleSettings(each="li", fields=(TITLE, PRICE), follow=(FollowSettings(match="other", carry=("title",)),))
    found = harvest(carrying, text=LISTING.replace("http://other.example/3", "/other/3"))
    assert asked(found) == []
    plain = RuleSettings(each="li", fields=(TITLE, PRICE), follow=(FollowSettings(match="/other"),))
    assert asked(harvest(plain, text=LISTING.replace("http://other.example/3", "/other/3"))) == ["/other/3"]


@pytest.mark.parametrize(
    ("follow", "targets"),
    [
        (FollowSettings(match="/d/1|buy"), ["/d/1", "/buy/1"]),
        (FollowSettings(css="li a", match="buy"), ["/buy/1"]),
        (FollowSettings(regex=r'href="(/buy/\d)"'), ["/buy/1"]),
    ],
    ids=["match", "css", "regex"],
)
def test_addresses_come_from_any_source(follow: FollowSettings, targets: list[str]) -> None:
    """Links by CSS and regex, filtered by `match`."""
    assert asked(harvest(RuleSettings(follow=(follow,)))) == targets


def test_addresses_come_from_xpath() -> None:
    """XPath may name the attribute itself."""
    pytest.importorskip("lxml")
    assert asked(harvest(RuleSettings(follow=(FollowSettings(xpath="//li[1]/a/@href"),)))) == ["/d/1", "/buy/1"]


def test_addresses_come_from_json() -> None:
    """An API leads to its details, with values from the listing."""
    pytest.importorskip("jmespath")
    text = orjson.dumps(
        {"items": [{"id": 1, "url": "/api/1"}, {"id": 2, "url": "/api/2"}], "next": "/api?c=2"}
    ).decode()
    identity = FieldSettings("id", json="id", type="any")
    follow = FollowSettings(json="url", label="x", carry=("id",))
    rule = RuleSettings(each_json="items", fields=(identity,), follow=(follow,), next=NextSettings(json="next"))
    found = harvest(rule, text=text, kind="application/json")
    assert [(r.url.target, r.inherited_fields, r.label) for r in found.requests] == [
        ("/api/1", {"id": 1}, "x"),
        ("/api/2", {"id": 2}, "x"),
        ("/api?c=2", None, None),
    ]


def test_a_label_chooses_the_rules_and_carried_values_begin_the_items() -> None:
    """Labelled rules read labelled pages and no others; where both have a value the page's own counts."""
    detail = RuleSettings(label="detail", fields=(FieldSettings("title", css="h1"), FieldSettings("size", css=".none")))
    plain = RuleSettings(fields=(FieldSettings("other", css="h1"),))
    request = Request(
        url_of(ADDRESS), 1, label="detail", inherited_fields={"title": "listed", "price": "1.50", "size": "L"}
    )
    found = harvest(detail, plain, text="<h1>Own</h1>", request=request)
    assert [dict(item.fields) for item in found.items] == [{"title": "Own", "size": "L", "price": "1.50"}]
    assert [dict(item.fields) for item in harvest(detail, plain, text="<h1>Own</h1>").items] == [{"other": "Own"}]


def test_items_that_only_serve_to_be_carried_are_not_kept() -> None:
    """`keep: false` writes nothing and still leads on."""
    rule = RuleSettings(each="li", fields=(TITLE,), keep=False, follow=(FollowSettings(css="a.d", carry=("title",)),))
    found = harvest(rule)
    assert found.items == ()
    assert [request.inherited_fields for request in found.requests] == [{"title": "One"}]


def test_too_much_to_carry_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The request is not made without the values it should have."""
    monkeypatch.setattr(following, "MAX_CARRY_CHARS", 10)
    rule = RuleSettings(each="li", fields=(TITLE,), follow=(FollowSettings(css="a.d", carry=("title",)),))
    found = harvest(rule)
    assert found.requests == ()
    assert {bad.field for bad in found.field_errors} == {"follow"}


PLAIN = FieldSettings("t", css="li")
NONE = FieldSettings("t", css=".none", required=True)


@pytest.mark.parametrize(
    ("settings", "address", "target"),
    [
        (NextSettings(css="a.next"), ADDRESS, "/a/index.html?page=2"),
        (NextSettings(rel=True), ADDRESS, "/rel-next"),
        (NextSettings(page="p"), "http://shop.example/list?x=1", "/list?x=1&p=2"),
        (NextSettings(page="p"), "http://shop.example/list?p=7&x=1", "/list?p=8&x=1"),
        (NextSettings(page="p", last=7), "http://shop.example/list?p=7", None),
        (NextSettings(page="p", first=0), "http://shop.example/list?p=many", "/list?p=1"),
        (NextSettings(offset="o", step=20, first=0), "http://shop.example/list", "/list?o=20"),
        (NextSettings(offset="o", step=20, first=0), "http://shop.example/list?o=40", "/list?o=60"),
        (NextSettings(css="a.none"), ADDRESS, None),
    ],
    ids=str,
)
def test_next_leads_through_a_list(settings: NextSettings, address: str, target: str | None) -> None:
    """The next page is as deep as this one, and keeps its label, priority and what it carries."""
    request = Request(url_of(address), 3, priority=5, label="l", inherited_fields={"a": 1})
    found = harvest(RuleSettings(label="l", fields=(PLAIN,), next=settings), request=request)
    assert asked(found) == ([target] if target else [])
    for after in found.requests:
        assert (after.depth, after.priority, after.label, after.inherited_fields) == (3, 5, "l", {"a": 1})


def test_counting_ends_with_the_items() -> None:
    """A page that brings none is behind the last one."""
    rule = RuleSettings(fields=(NONE,), next=NextSettings(page="p"))
    assert harvest(rule).requests == ()


def test_the_link_header_says_next() -> None:
    """RFC 8288, also on a JSON page."""
    rule = RuleSettings(fields=(FieldSettings("t", regex="."),), next=NextSettings(rel=True))
    header = (b"link", b'</page/2>; rel="next", </page/9>; rel="last"')
    assert asked(harvest(rule, text="[]", kind="application/json", headers=(header,))) == ["/page/2"]


@pytest.mark.parametrize(
    ("cursor", "target"),
    [('"a b&c"', "/a/index.html?c=a+b%26c"), ("7", "/a/index.html?c=7"), ("null", None),
     ('""', None), ("[1]", None), ("false", None)],
)  # fmt: skip
def test_a_cursor_goes_into_its_parameter(cursor: str, target: str | None) -> None:
    """An empty one ends the list."""
    pytest.importorskip("jmespath")
    found = harvest(
        RuleSettings(next=NextSettings(cursor="meta.next", param="c")),
        text=f'{{"meta": {{"next": {cursor}}}}}',
        kind="application/json",
    )
    assert asked(found) == ([target] if target else [])


def test_only_rules_lead_when_links_are_not_followed() -> None:
    """Other links are told as skipped, and still belong to the page's links in scope."""
    rule = RuleSettings(
        fields=(FieldSettings("all", links="in_scope"),), follow=(FollowSettings(css="a.d", match="/d/1"),)
    )
    found = harvest(rule, follow_links=False)
    assert asked(found) == ["/d/1"]
    assert {link.denied.reason for link in found.links if link.denied} == {"rules", "nofollow", "scope"}
    assert not [link for link in found.links if link.denied is None]
    assert "http://shop.example/ordinary" in found.items[0].fields["all"]


def test_depth_counts_for_what_rules_follow() -> None:
    """A rule does not lead deeper than scope.max_depth; a list's next page is no deeper than the page."""
    rule = RuleSettings(follow=(FollowSettings(css="a.d"),), next=NextSettings(css="a.next"))
    assert asked(harvest(rule, max_depth=0)) == ["/a/index.html?page=2"]


@given(st.from_regex(r"[a-z=&%+?;0-9]{0,30}", fullmatch=True), st.text(min_size=1, max_size=9), st.text(max_size=9))
def test_a_parameter_that_was_set_is_read_again(query: str, name: str, value: str) -> None:
    """Whatever else stands in the address, and however name and value must be written."""
    name, value = (text.encode("utf-8", "ignore").decode() for text in (name, value))
    href = with_query_param(f"http://a.example/x?{query}", name or "n", value)
    assert query_param(href, name or "n") == value


def test_what_is_carried_is_json() -> None:
    """Exact numbers become text, as in the outputs."""
    value = to_json_value({"a": [Decimal("1.50"), {"b": (1, None)}]})
    assert orjson.loads(orjson.dumps(value)) == {"a": ["1.50", {"b": [1, None]}]} == value
    assert merge_inherited({"a": None, "b": 2}, {"a": 1, "b": 3, "c": 4}) == {"a": 1, "b": 2, "c": 4}
