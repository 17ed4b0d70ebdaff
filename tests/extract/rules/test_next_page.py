"""`next`: from one page of a list to the next."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.extract.rules.field_settings import FieldSettings
from scraper.extract.rules.json_pointer import JsonPointer
from scraper.extract.rules.next_page import NextSettings, query_param, with_query_param
from scraper.extract.rules.rule import RuleSettings
from scraper.model import MAX_CONTENT_BYTES, Content, Extraction, Request
from scraper.urls.post_identity import json_bytes, with_post_key
from tests.extract.rules.listing_page import extract_listing, requested_targets
from tests.extract.rules.shop_page import ADDRESS, url_of

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
    found = extract_listing(RuleSettings(label="l", fields=(PLAIN,), next=settings), request=request)
    assert requested_targets(found) == ([target] if target else [])
    for after in found.requests:
        assert (after.depth, after.priority, after.label, after.inherited_fields) == (3, 5, "l", {"a": 1})


def test_counting_ends_with_the_items() -> None:
    """A page that brings none is behind the last one."""
    rule = RuleSettings(fields=(NONE,), next=NextSettings(page="p"))
    assert extract_listing(rule).requests == ()


def test_the_link_header_says_next() -> None:
    """RFC 8288, also on a JSON page."""
    rule = RuleSettings(fields=(FieldSettings("t", regex="."),), next=NextSettings(rel=True))
    header = (b"link", b'</page/2>; rel="next", </page/9>; rel="last"')
    assert requested_targets(extract_listing(rule, text="[]", kind="application/json", headers=(header,))) == [
        "/page/2"
    ]


@pytest.mark.parametrize(
    ("cursor", "target"),
    [('"a b&c"', "/a/index.html?c=a+b%26c"), ("7", "/a/index.html?c=7"), ("null", None),
     ('""', None), ("[1]", None), ("false", None)],
)  # fmt: skip
def test_a_cursor_goes_into_its_parameter(cursor: str, target: str | None) -> None:
    """An empty one ends the list."""
    pytest.importorskip("jmespath")
    found = extract_listing(
        RuleSettings(next=NextSettings(cursor="meta.next", param="c")),
        text=f'{{"meta": {{"next": {cursor}}}}}',
        kind="application/json",
    )
    assert requested_targets(found) == ([target] if target else [])


@given(st.from_regex(r"[a-z=&%+?;0-9]{0,30}", fullmatch=True), st.text(min_size=1, max_size=9), st.text(max_size=9))
def test_a_parameter_that_was_set_is_read_again(query: str, name: str, value: str) -> None:
    """Whatever else is in the URL, and however name and value must be written."""
    name, value = (text.encode("utf-8", "ignore").decode() for text in (name, value))
    href = with_query_param(f"http://a.example/x?{query}", name or "n", value)
    assert query_param(href, name or "n") == value


JSON_TYPE = "application/json"

ID_FIELD = FieldSettings("id", json="id", required=True)

PAGE_POINTER, AFTER_POINTER = JsonPointer("/page"), JsonPointer("/after")


def extract_posted(settings: NextSettings, body: Any, response: Any, href: str = ADDRESS) -> Extraction:
    content = Content(body if isinstance(body, bytes) else json_bytes(body), JSON_TYPE)
    request = Request(with_post_key(url_of(href), content), 2, label="l", inherited_fields={"a": 1}, content=content)
    rule = RuleSettings(label="l", each_json="items", fields=(ID_FIELD,), next=settings)
    return extract_listing(rule, text=json.dumps(response), kind=JSON_TYPE, request=request)


SOME_ITEMS = {"items": [{"id": 1}], "next": "n2", "number": 7, "list": ["a", 1], "none": None, "empty": []}


@pytest.mark.parametrize(
    ("settings", "body", "after"),
    [
        (NextSettings(page=PAGE_POINTER), {"q": "ü", "page": 1}, {"q": "ü", "page": 2}),
        (NextSettings(page=PAGE_POINTER), {"page": "1"}, {"page": "2"}),
        (NextSettings(page=PAGE_POINTER), {"q": 1}, {"q": 1, "page": 2}),
        (NextSettings(page=PAGE_POINTER, first=0), {"page": "many"}, {"page": "1"}),
        (NextSettings(page=PAGE_POINTER, last=1), {"page": 1}, None),
        (NextSettings(page=JsonPointer("/v/p")), {"v": {"p": 4, "x": 1}}, {"v": {"p": 5, "x": 1}}),
        (NextSettings(page=PAGE_POINTER), {"page": True}, {"page": 2}),
        (NextSettings(offset=PAGE_POINTER, step=20, first=0), {}, {"page": 20}),
        (NextSettings(cursor="next", param=AFTER_POINTER), {"after": None}, {"after": "n2"}),
        (NextSettings(cursor="number", param=AFTER_POINTER), {}, {"after": 7}),
        (NextSettings(cursor="list", param=AFTER_POINTER), {}, {"after": ["a", 1]}),
        (NextSettings(cursor="none", param=AFTER_POINTER), {}, None),
        (NextSettings(cursor="empty", param=AFTER_POINTER), {}, None),
        (NextSettings(cursor="missing", param=AFTER_POINTER), {}, None),
    ],
    ids=str,
)
def test_the_next_page_is_posted(settings: NextSettings, body: Any, after: Any) -> None:
    """One value differs, of the kind it was or of the kind the response has; all else of the request stays."""
    pytest.importorskip("jmespath")
    found = extract_posted(settings, body, SOME_ITEMS)
    assert [json.loads(request.content.data) for request in found.requests if request.content] == (
        [] if after is None else [after]
    )
    for request in found.requests:
        assert (request.url.href, request.depth, request.label, request.inherited_fields) == (ADDRESS, 2, "l", {"a": 1})
        assert request.url == with_post_key(request.url, request.content)
        assert request.content is not None
        assert request.content.type == JSON_TYPE


def test_a_parameter_of_the_address_keeps_what_is_posted() -> None:
    """The query may count the pages of a POST as well."""
    pytest.importorskip("jmespath")
    (request,) = extract_posted(NextSettings(page="p"), {"q": 1}, SOME_ITEMS).requests
    assert request.url.target == "/a/index.html?p=2"
    assert request.content == Content(b'{"q":1}', JSON_TYPE)


def test_counting_in_posts_ends_with_the_items() -> None:
    """As it does for pages that are requested by GET."""
    pytest.importorskip("jmespath")
    assert extract_posted(NextSettings(page=PAGE_POINTER), {"page": 3}, {"items": []}).requests == ()


@pytest.mark.parametrize(
    ("settings", "body", "reason"),
    [
        (NextSettings(page=PAGE_POINTER), b"q=1", "not JSON"),
        (NextSettings(page=PAGE_POINTER), [1], "nothing at /page"),
        (NextSettings(cursor="next", param=AFTER_POINTER), b'{"a":1e999}', "cannot be written"),
        (NextSettings(cursor="next", param=AFTER_POINTER), {"q": "x" * (MAX_CONTENT_BYTES - 10)}, "longer than"),
    ],
    ids=["no JSON", "no such member", "no number", "too long"],
)
def test_what_cannot_be_posted_is_reported(settings: NextSettings, body: Any, reason: str) -> None:
    """The list ends there, its items stay, and rejected.jsonl has the reason."""
    pytest.importorskip("jmespath")
    found = extract_posted(settings, body, SOME_ITEMS)
    assert found.requests == ()
    assert len(found.items) == 1
    (error,) = found.field_errors
    assert (error.field, error.item_kept) == ("next", True)
    assert reason in error.reason


def test_a_get_has_no_body_to_change() -> None:
    """A rule for POSTs that reads the response to a GET reports it and follows nothing."""
    pytest.importorskip("jmespath")
    for settings in (NextSettings(page=PAGE_POINTER), NextSettings(cursor="next", param=AFTER_POINTER)):
        rule = RuleSettings(each_json="items", fields=(ID_FIELD,), next=settings)
        found = extract_listing(rule, text=json.dumps(SOME_ITEMS), kind=JSON_TYPE)
        assert found.requests == ()
        assert "requested by GET" in found.field_errors[0].reason
