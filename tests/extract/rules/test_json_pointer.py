"""Places in what is posted: RFC 6901, and pages of a list that differ in a value there."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.errors import ExtractError
from scraper.extract.rules.field_settings import FieldSettings
from scraper.extract.rules.json_pointer import JsonPointer
from scraper.extract.rules.next_page import NextSettings
from scraper.extract.rules.rule import RuleSettings
from scraper.extract.rules.value_parsers import ParseFailure
from scraper.model import MAX_CONTENT_BYTES, Content, Extraction, Request
from scraper.urls.post_identity import json_bytes, with_post_key
from tests.extract.rules.test_field_sources import ADDRESS, url_of
from tests.extract.rules.test_follow_links import harvest

DOCUMENT = {"foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "m~n": 8, " ": 7, "deep": {"er": {"x": 1}}}


@pytest.mark.parametrize(
    ("pointer", "value"),
    [("/foo", ["bar", "baz"]), ("/foo/0", "bar"), ("/", 0), ("/a~1b", 1), ("/c%d", 2), ("/m~0n", 8), ("/ ", 7),
     ("/deep/er/x", 1), ("/none", None), ("/foo/2", None), ("/foo/-", None), ("/foo/00", None), ("/foo/x", None),
     ("/a~1b/c", None)],
)  # fmt: skip
def test_a_pointer_names_a_value(pointer: str, value: Any) -> None:
    """The table of RFC 6901 section 5; what is not there is None."""
    assert JsonPointer(pointer).read(DOCUMENT) == value


@pytest.mark.parametrize(
    ("pointer", "changed"),
    [
        ("/a", {"a": 9, "b": [1, {"c": 2}]}),
        ("/b/0", {"a": 1, "b": [9, {"c": 2}]}),
        ("/b/1/c", {"a": 1, "b": [1, {"c": 9}]}),
        ("/b/1/d", {"a": 1, "b": [1, {"c": 2, "d": 9}]}),
        ("/x/y", {"a": 1, "b": [1, {"c": 2}], "x": {"y": 9}}),
        ("/b/2", None),
        ("/b/-", None),
        ("/b/x", None),
        ("/a/b", None),
    ],
)
def test_a_value_is_put_in_its_place(pointer: str, changed: Any) -> None:
    """Missing objects are made, elements of lists are not; what it was stays as it is."""
    document: dict[str, Any] = {"a": 1, "b": [1, {"c": 2}]}
    found = JsonPointer(pointer).with_value(document, 9)
    assert isinstance(found, ParseFailure) if changed is None else found == changed
    assert document == {"a": 1, "b": [1, {"c": 2}]}


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=5), min_size=1, max_size=4), st.integers())
def test_what_was_put_in_is_read_again(steps: list[str], value: int) -> None:
    """Whatever the names hold."""
    pointer = JsonPointer("".join("/" + step.replace("~", "~0").replace("/", "~1") for step in steps))
    assert pointer.tokens == steps
    assert pointer.read(pointer.with_value({}, value)) == value


@pytest.mark.parametrize("text", ["", "page", "a.b", "/a~b", "/a~", "/x" * 40])
def test_what_is_no_pointer_is_told(text: str) -> None:
    """And one that is too long."""
    with pytest.raises(ExtractError, match="JSON Pointer"):
        JsonPointer(text)


@given(st.binary(max_size=60), st.text(max_size=10))
def test_any_content_is_changed_or_refused(data: bytes, value: str) -> None:
    """Nothing is raised, also for what is no JSON and for half of a surrogate pair."""
    found = JsonPointer("/a").update_content(Content(data, "t"), value)
    assert isinstance(found, ParseFailure) or (json.loads(found.data)["a"], found.type) == (value, "t")


JSON = "application/json"
ID = FieldSettings("id", json="id", required=True)
PAGE, AFTER = JsonPointer("/page"), JsonPointer("/after")


def lead(settings: NextSettings, body: Any, answer: Any, address: str = ADDRESS) -> Extraction:
    content = Content(body if isinstance(body, bytes) else json_bytes(body), JSON)
    request = Request(with_post_key(url_of(address), content), 2, label="l", inherited_fields={"a": 1}, content=content)
    rule = RuleSettings(label="l", each_json="items", fields=(ID,), next=settings)
    return harvest(rule, text=json.dumps(answer), kind=JSON, request=request)


SOME = {"items": [{"id": 1}], "next": "n2", "number": 7, "list": ["a", 1], "none": None, "empty": []}


@pytest.mark.parametrize(
    ("settings", "body", "after"),
    [
        (NextSettings(page=PAGE), {"q": "ü", "page": 1}, {"q": "ü", "page": 2}),
        (NextSettings(page=PAGE), {"page": "1"}, {"page": "2"}),
        (NextSettings(page=PAGE), {"q": 1}, {"q": 1, "page": 2}),
        (NextSettings(page=PAGE, first=0), {"page": "many"}, {"page": "1"}),
        (NextSettings(page=PAGE, last=1), {"page": 1}, None),
        (NextSettings(page=JsonPointer("/v/p")), {"v": {"p": 4, "x": 1}}, {"v": {"p": 5, "x": 1}}),
        (NextSettings(page=PAGE), {"page": True}, {"page": 2}),
        (NextSettings(offset=PAGE, step=20, first=0), {}, {"page": 20}),
        (NextSettings(cursor="next", param=AFTER), {"after": None}, {"after": "n2"}),
        (NextSettings(cursor="number", param=AFTER), {}, {"after": 7}),
        (NextSettings(cursor="list", param=AFTER), {}, {"after": ["a", 1]}),
        (NextSettings(cursor="none", param=AFTER), {}, None),
        (NextSettings(cursor="empty", param=AFTER), {}, None),
        (NextSettings(cursor="missing", param=AFTER), {}, None),
    ],
    ids=str,
)
def test_the_next_page_is_posted(settings: NextSettings, body: Any, after: Any) -> None:
    """One value differs, of the kind it was or of the kind the answer has; all else of the request stays."""
    pytest.importorskip("jmespath")
    found = lead(settings, body, SOME)
    assert [json.loads(request.content.data) for request in found.requests if request.content] == (
        [] if after is None else [after]
    )
    for request in found.requests:
        assert (request.url.href, request.depth, request.label, request.inherited_fields) == (ADDRESS, 2, "l", {"a": 1})
        assert request.url == with_post_key(request.url, request.content)
        assert request.content is not None
        assert request.content.type == JSON


def test_a_parameter_of_the_address_keeps_what_is_posted() -> None:
    """The query may count the pages of a POST as well."""
    pytest.importorskip("jmespath")
    (request,) = lead(NextSettings(page="p"), {"q": 1}, SOME).requests
    assert request.url.target == "/a/index.html?p=2"
    assert request.content == Content(b'{"q":1}', JSON)


def test_counting_ends_with_the_items() -> None:
    """As it does for pages that are asked for by GET."""
    pytest.importorskip("jmespath")
    assert lead(NextSettings(page=PAGE), {"page": 3}, {"items": []}).requests == ()


@pytest.mark.parametrize(
    ("settings", "body", "says"),
    [
        (NextSettings(page=PAGE), b"q=1", "not JSON"),
        (NextSettings(page=PAGE), [1], "nothing at /page"),
        (NextSettings(cursor="next", param=AFTER), b'{"a":1e999}', "cannot be written"),
        (NextSettings(cursor="next", param=AFTER), {"q": "x" * (MAX_CONTENT_BYTES - 10)}, "longer than"),
    ],
    ids=["no JSON", "no place", "no number", "too long"],
)
def test_what_cannot_be_posted_is_told(settings: NextSettings, body: Any, says: str) -> None:
    """The list ends there, its items stay, and rejected.jsonl has the reason."""
    pytest.importorskip("jmespath")
    found = lead(settings, body, SOME)
    assert found.requests == ()
    assert len(found.items) == 1
    (lost,) = found.field_errors
    assert (lost.field, lost.item_kept) == ("next", True)
    assert says in lost.reason


def test_a_get_has_no_body_to_change() -> None:
    """A rule for POSTs that reads the answer of a GET says so, and leads nowhere."""
    pytest.importorskip("jmespath")
    for settings in (NextSettings(page=PAGE), NextSettings(cursor="next", param=AFTER)):
        rule = RuleSettings(each_json="items", fields=(ID,), next=settings)
        found = harvest(rule, text=json.dumps(SOME), kind=JSON)
        assert found.requests == ()
        assert "requested by GET" in found.field_errors[0].reason
