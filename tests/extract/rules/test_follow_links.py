"""`follow`: the pages a rule goes to, labels, and values that are carried along."""

from __future__ import annotations

from decimal import Decimal

import orjson
import pytest

from scraper.extract.rules import follow_links as following
from scraper.extract.rules.field_settings import FieldSettings
from scraper.extract.rules.follow_links import FollowSettings, merge_inherited, to_json_value
from scraper.extract.rules.next_page import NextSettings
from scraper.extract.rules.rule import RuleSettings
from scraper.model import Request
from tests.extract.rules.listing_page import LISTING, PRICE, TITLE, extract_listing, requested_targets
from tests.extract.rules.shop_page import ADDRESS, url_of


def test_follow_goes_to_the_pages_of_each_item() -> None:
    """Label, priority and carried values go with the request; scope and nofollow hold as for any link."""
    follow = FollowSettings(css="a.d", label="detail", priority=-3, carry=("title", "price"))
    found = extract_listing(RuleSettings(each="li", fields=(TITLE, PRICE), follow=(follow,)))
    (request,) = found.requests
    assert (request.url.target, request.depth, request.priority, request.label) == ("/d/1", 1, -3, "detail")
    assert request.inherited_fields == {"title": "One", "price": "1.50"}
    assert request.parent == ADDRESS
    denials = {link.url.href: link.denied.reason for link in found.links if link.denied}
    assert denials["http://shop.example/d/2"] == "nofollow"
    assert denials["http://other.example/3"] == "scope"


def test_nofollow_may_be_ignored() -> None:
    """As the config says for links."""
    rule = RuleSettings(each="li", follow=(FollowSettings(css="a.d"),))
    assert requested_targets(extract_listing(rule, nofollow="ignore")) == ["/d/1", "/d/2"]


def test_a_page_that_asks_not_to_be_followed_is_not() -> None:
    """The robots directive of the page holds for rules, too."""
    rule = RuleSettings(follow=(FollowSettings(css="a.d"),), next=NextSettings(css="a.next"))
    assert extract_listing(rule, headers=((b"x-robots-tag", b"nofollow"),)).requests == ()


def test_without_its_item_nothing_is_carried() -> None:
    """An item without a required field has no values to carry: `follow` with `carry` is skipped, without it is not."""
    carrying = RuleSettings(each="li", fields=(TITLE, PRICE), follow=(FollowSettings(match="other", carry=("title",)),))
    found = extract_listing(carrying, text=LISTING.replace("http://other.example/3", "/other/3"))
    assert requested_targets(found) == []
    plain = RuleSettings(each="li", fields=(TITLE, PRICE), follow=(FollowSettings(match="/other"),))
    assert requested_targets(extract_listing(plain, text=LISTING.replace("http://other.example/3", "/other/3"))) == [
        "/other/3"
    ]


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
    assert requested_targets(extract_listing(RuleSettings(follow=(follow,)))) == targets


def test_addresses_come_from_xpath() -> None:
    """XPath may name the attribute itself."""
    pytest.importorskip("lxml")
    assert requested_targets(extract_listing(RuleSettings(follow=(FollowSettings(xpath="//li[1]/a/@href"),)))) == [
        "/d/1",
        "/buy/1",
    ]


def test_addresses_come_from_json() -> None:
    """An API leads to its details, with values from the listing."""
    pytest.importorskip("jmespath")
    text = orjson.dumps(
        {"items": [{"id": 1, "url": "/api/1"}, {"id": 2, "url": "/api/2"}], "next": "/api?c=2"}
    ).decode()
    identity = FieldSettings("id", json="id", type="any")
    follow = FollowSettings(json="url", label="x", carry=("id",))
    rule = RuleSettings(each_json="items", fields=(identity,), follow=(follow,), next=NextSettings(json="next"))
    found = extract_listing(rule, text=text, kind="application/json")
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
    found = extract_listing(detail, plain, text="<h1>Own</h1>", request=request)
    assert [dict(item.fields) for item in found.items] == [{"title": "Own", "size": "L", "price": "1.50"}]
    assert [dict(item.fields) for item in extract_listing(detail, plain, text="<h1>Own</h1>").items] == [
        {"other": "Own"}
    ]


def test_items_that_only_serve_to_be_carried_are_not_kept() -> None:
    """`keep: false` writes nothing and still follows links."""
    rule = RuleSettings(each="li", fields=(TITLE,), keep=False, follow=(FollowSettings(css="a.d", carry=("title",)),))
    found = extract_listing(rule)
    assert found.items == ()
    assert [request.inherited_fields for request in found.requests] == [{"title": "One"}]


def test_too_much_to_carry_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """The request is not made without the values it should have."""
    monkeypatch.setattr(following, "MAX_CARRY_CHARS", 10)
    rule = RuleSettings(each="li", fields=(TITLE,), follow=(FollowSettings(css="a.d", carry=("title",)),))
    found = extract_listing(rule)
    assert found.requests == ()
    assert {bad.field for bad in found.field_errors} == {"follow"}


def test_only_rules_add_requests_when_links_are_not_followed() -> None:
    """Other links are reported as skipped, and still belong to the page's links in scope."""
    rule = RuleSettings(
        fields=(FieldSettings("all", links="in_scope"),), follow=(FollowSettings(css="a.d", match="/d/1"),)
    )
    found = extract_listing(rule, follow_links=False)
    assert requested_targets(found) == ["/d/1"]
    assert {link.denied.reason for link in found.links if link.denied} == {"rules", "nofollow", "scope"}
    assert not [link for link in found.links if link.denied is None]
    assert "http://shop.example/ordinary" in found.items[0].fields["all"]


def test_depth_counts_for_what_rules_follow() -> None:
    """A rule does not follow deeper than scope.max_depth; a list's next page is no deeper than the page."""
    rule = RuleSettings(follow=(FollowSettings(css="a.d"),), next=NextSettings(css="a.next"))
    assert requested_targets(extract_listing(rule, max_depth=0)) == ["/a/index.html?page=2"]


def test_what_is_carried_is_json() -> None:
    """Exact numbers become text, as in the outputs."""
    value = to_json_value({"a": [Decimal("1.50"), {"b": (1, None)}]})
    assert orjson.loads(orjson.dumps(value)) == {"a": ["1.50", {"b": [1, None]}]} == value
    assert merge_inherited({"a": None, "b": 2}, {"a": 1, "b": 3, "c": 4}) == {"a": 1, "b": 2, "c": 4}
