"""Seeds that are posted to, and the parameters in what they post."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from scraper.config.reading.effective import effective_yaml
from scraper.config.reading.load import config_from_mapping, parse_config
from scraper.config_to_settings import extract_settings, read_seeds, scope_for, seed_requests
from scraper.errors import ConfigError
from scraper.extract.rules.json_pointer import JsonPointer
from scraper.extract.rules.next_page import NextSettings
from scraper.model import MAX_CONTENT_BYTES, Content
from scraper.urls.canonicalize import DEFAULT_KEY_RULES
from scraper.urls.post_identity import with_post_key

URL = "https://api.example/search"


def seeds(*entries: Any, **more: Any) -> dict[str, Any]:
    return {"seeds": list(entries), **more}


def post(**keys: Any) -> dict[str, Any]:
    return seeds({"url": URL, "method": "POST", **keys})


def error_of(values: dict[str, Any]) -> str:
    with pytest.raises(ConfigError) as caught:
        config_from_mapping(values)
    return str(caught.value)


@pytest.mark.parametrize(
    ("keys", "content"),
    [
        ({"json": {"q": "ä", "page": 1}}, Content('{"q":"ä","page":1}'.encode(), "application/json")),
        ({"json": [1, None, True, 1.5]}, Content(b"[1,null,true,1.5]", "application/json")),
        ({"json": None}, Content(b"null", "application/json")),
        ({"json": {}, "content_type": "application/graphql+json"}, Content(b"{}", "application/graphql+json")),
        (
            {"body": "a=1&b=ä", "content_type": "text/x; charset=utf-8"},
            Content("a=1&b=ä".encode(), "text/x; charset=utf-8"),
        ),
        ({}, Content(b"", "")),
    ],
    ids=["json", "list", "null", "own type", "body", "nothing"],
)
def test_what_a_seed_posts(keys: dict[str, Any], content: Content) -> None:
    """JSON is written compactly, a body unchanged; the effective config says the same again."""
    config = config_from_mapping(post(**keys))
    for loaded in (config, parse_config(effective_yaml(config))):
        (request,) = seed_requests(loaded, DEFAULT_KEY_RULES)
        assert request.content == content
        assert request.url == with_post_key(request.url, content)
        assert request.url.href == URL


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (seeds({"url": URL, "json": {}}), "seeds[0].json: is sent with POST alone (add method: POST)"),
        (seeds({"url": URL, "method": "GET", "body": "x", "content_type": "a/b"}), "is sent with POST alone"),
        (post(json={}, body="x", content_type="a/b"), "seeds[0].body: means nothing beside json"),
        (post(body="x"), "seeds[0].body: needs content_type"),
        (post(content_type="a/b"), "seeds[0].content_type: means nothing without"),
        (post(body={"a": 1}, content_type="a/b"), "expected a text, got a mapping (a mapping is sent as JSON"),
        (post(body="x", content_type="json"), "expected a media type such as application/json"),
        (post(body="x", content_type="a/b\r\nX: y"), "expected a media type"),
        (post(json=float("nan")), "cannot be written as JSON"),
        (post(json={"a": {1, 2}}), "expected a value that JSON has"),
        (post(json="\ud800"), "cannot be written as JSON"),
        (post(body="\ud800", content_type="a/b"), "half of a surrogate pair"),
        (
            post(body="x" * (MAX_CONTENT_BYTES + 1), content_type="a/b"),
            "is 65,537 bytes long; at most 65,536 can be posted",
        ),
        (post(json="x" * MAX_CONTENT_BYTES), "is 65,538 bytes long"),
        (seeds({"url": URL, "method": "PUT"}), "seeds[0].method"),
        (seeds({"sitemap": URL, "method": "POST"}), "POST is for a url alone"),
        (seeds({"sitemap": URL, "label": "x"}), "only a url or a file of URLs has a label"),
        (seeds({"url": URL, "label": "x"}), "seeds: no rule has the label 'x' that a seed gives"),
    ],
)
def test_keys_that_make_no_sense_together_are_errors(values: dict[str, Any], says: str) -> None:
    """The message names the key that is wrong, and what to do."""
    assert says in error_of(values)


def next_of(**way: Any) -> NextSettings | None:
    config = config_from_mapping(seeds(URL, extract=[{"fields": {"a": {"json": "b"}}, "next": way}]))
    return (
        extract_settings(config, scope_for(config, read_seeds(config, DEFAULT_KEY_RULES)), DEFAULT_KEY_RULES)
        .rules[0]
        .next
    )


@pytest.mark.parametrize(
    ("way", "settings"),
    [
        ({"page": {"json": "/page"}}, NextSettings(page=JsonPointer("/page"))),
        ({"page": "p"}, NextSettings(page="p")),
        ({"offset": {"json": "/v/skip"}, "step": 20}, NextSettings(offset=JsonPointer("/v/skip"), first=0, step=20)),
        (
            {"cursor": "meta.next", "param": {"json": "/after"}},
            NextSettings(cursor="meta.next", param=JsonPointer("/after")),
        ),
        ({"cursor": "meta.next", "param": "after"}, NextSettings(cursor="meta.next", param="after")),
    ],
)
def test_the_value_of_the_next_page_is_a_parameter_or_a_pointer(way: dict[str, Any], settings: NextSettings) -> None:
    """A parameter of the address, or a JSON Pointer into what was posted."""
    pytest.importorskip("jmespath")
    assert next_of(**way) == settings


@pytest.mark.parametrize(
    ("param", "says"),
    [
        ("/page", "a JSON Pointer into the posted JSON is written {json: /page}"),
        ({"json": "page"}, "expected a JSON Pointer such as /page, got 'page' (did you mean /page?)"),
        ({"json": "variables.page"}, "did you mean /variables/page?"),
        ({"json": "/a~b"}, "~ is written ~0"),
        ({"json": 5}, "expected a JSON Pointer such as /page, got the number 5"),
        ({"json": "/" * 40}, "500 characters and 32 steps"),
        ({"body": "/page"}, "a parameter's name, or {json: /page}"),
        ({}, "a parameter's name, or {json: /page}"),
    ],
)
def test_what_is_no_request_parameter_is_named(param: Any, says: str) -> None:
    """With what was probably meant."""
    assert says in error_of(seeds(URL, extract=[{"fields": {"a": {"json": "b"}}, "next": {"page": param}}]))


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.text(st.characters(codec="ascii", categories=["L"]), min_size=1, max_size=5), inner, max_size=3
        )
    ),
    max_leaves=8,
)


@given(values)
def test_any_json_is_posted_as_it_was_written(value: Any) -> None:
    """Through the config, and through the effective config again; secrets are another matter (test_post_secret.py)."""
    assume("${" not in json.dumps(value))
    config = config_from_mapping(post(json=value))
    assume("********" not in repr(config.seeds[0].json))
    for loaded in (config, parse_config(effective_yaml(config))):
        (request,) = seed_requests(loaded, DEFAULT_KEY_RULES)
        assert request.content is not None
        assert json.loads(request.content.data) == value
