"""The keys `follow` and `next` of an extraction rule."""

from __future__ import annotations

from typing import Any

import pytest

from scraper.config.reading.load import config_from_mapping
from scraper.config.schema.following import FollowSection, NextSection
from scraper.errors import ConfigError


def load(key: str, value: Any) -> Any:
    fields = {"fields": {"a": {"regex": "b"}}}
    return getattr(
        config_from_mapping({"seeds": ["https://a.example/"], "extract": [{**fields, key: value}]}).extract[0], key
    )


def test_a_text_is_a_css_selector_and_one_follow_needs_no_list() -> None:
    """Shorthands for the common cases."""
    assert load("follow", "a.next") == (FollowSection(css="a.next"),)
    assert load("next", "a.next") == NextSection(css="a.next")


KINDS: list[tuple[dict[str, Any], str]] = [
    ({"css": "a"}, "html"),
    ({"json": "next"}, "json"),
    ({"cursor": "after", "param": "after"}, "json"),
    ({"rel": True}, "any"),
    ({"page": "p"}, "any"),
]


@pytest.mark.parametrize(("keys", "kind"), KINDS, ids=[str(row[0]) for row in KINDS])
def test_the_kind_of_page_that_next_reads(keys: dict[str, Any], kind: str) -> None:
    """A value of the request itself is there on every kind of page."""
    assert load("next", keys).page_kind == kind


MISFITS: list[tuple[str, dict[str, Any], str]] = [
    ("follow", {"css": "a", "json": "b"}, "expected one of css and json"),
    ("next", {}, "expected one of css, xpath, json, rel, page, offset and cursor"),
    ("next", {"page": "p", "offset": "o", "step": 5}, "expected one of css"),
    ("next", {"cursor": "a"}, "belong together"),
    ("next", {"offset": "o"}, "offset needs step"),
    ("next", {"css": "a", "last": 5}, "means nothing beside css"),
    ("next", {"regex": "a"}, "not available"),
]


@pytest.mark.parametrize(("key", "value", "message"), MISFITS, ids=[f"{row[0]} {row[1]}" for row in MISFITS])
def test_keys_that_do_not_fit_together(key: str, value: dict[str, Any], message: str) -> None:
    """One way to the next page, with the keys that belong to it."""
    with pytest.raises(ConfigError, match=message):
        load(key, value)
