"""The sections `extract` and `files`: what a field reads, and keys that do not fit together."""

from __future__ import annotations

from typing import Any

import pytest

from scraper.config.reading.load import config_from_mapping
from scraper.config.schema.extraction import ExtractRule, FieldRule
from scraper.errors import ConfigError


def rule(**keys: Any) -> ExtractRule:
    return config_from_mapping({"seeds": ["https://a.example/"], "extract": [keys]}).extract[0]


def field(**keys: Any) -> FieldRule:
    return rule(fields={"x": keys}).fields["x"]


SOURCES: list[tuple[dict[str, Any], tuple[str, ...], str]] = [
    ({"css": "h1"}, ("css",), "html"),
    ({"css": "h1", "regex": "a"}, ("css",), "html"),
    ({"json": "a"}, ("json",), "json"),
    ({"css": "script", "json": "a"}, ("css",), "html"),
    ({"regex": "a"}, ("regex",), "any"),
    ({"attr": "href"}, (), "html"),
    ({"structured": "product", "json": "name"}, ("structured",), "html"),
    ({"fields": {"a": "b"}}, (), "any"),
    ({"each": {"json": "a"}, "fields": {"b": {"json": "c"}}}, ("each",), "json"),
]


@pytest.mark.parametrize(("keys", "sources", "page_kind"), SOURCES, ids=[str(row[0]) for row in SOURCES])
def test_what_a_field_reads(keys: dict[str, Any], sources: tuple[str, ...], page_kind: str) -> None:
    """`json` and `regex` are sources only without another one; the source decides the kind of page."""
    found = field(**keys)
    assert (found.sources, found.page_kind) == (sources, page_kind)


def test_a_text_is_a_css_selector() -> None:
    """As a field, an `each` and a condition."""
    found = rule(each="li", when="b", fields={"x": "h1"})
    assert (found.each and found.each.css, found.when[0].css, found.fields["x"].css) == ("li", "b", "h1")


FIELD_MISFITS: list[tuple[dict[str, Any], str]] = [
    ({}, "expected a source"),
    ({"css": "a", "xpath": "//a"}, "one source"),
    ({"each": "li", "css": "a"}, "one source"),
    ({"each": "li"}, "means nothing without fields"),
    ({"css": "a", "fields": {"b": "c"}, "attr": "d"}, "means nothing beside fields"),
    ({"links": "all", "many": True}, "means nothing beside links"),
    ({"main_text": "text", "type": "int"}, "means nothing beside main_text"),
    ({"css": "t", "table": "rows", "regex": "a"}, "means nothing beside table"),
    ({"structured": "a", "attr": "b"}, "has no attributes"),
    ({"css": "a", "several_numbers": "min"}, "needs type int, float or decimal"),
    ({"css": "a", "plain_text": False}, "is about texts of structured"),
    ({"css": "a", "fields": {"b": "c"}, "several_numbers": "min"}, "means nothing beside fields"),
    ({"css": "a", "attr": "b", "type": "html"}, "an attribute has none"),
    ({"css": "a", "required": True, "default": "b"}, "cannot have a default"),
    ({"css": "a", "default": ["b"]}, "needs many"),
    ({"css": "a", "default": {"b": 1}}, "expected a text, a number"),
    ({"css": "a", "fields": {"b": {"json": "c"}}}, "must read html"),
]


@pytest.mark.parametrize(("keys", "message"), FIELD_MISFITS, ids=[str(row[0]) for row in FIELD_MISFITS])
def test_keys_of_a_field_that_do_not_fit_together(keys: dict[str, Any], message: str) -> None:
    """Each combination that would be ignored, or mean two things, is an error."""
    with pytest.raises(ConfigError, match=message):
        field(**keys)


RULE_MISFITS: list[tuple[dict[str, Any], str]] = [
    ({}, "expected fields, follow or next"),
    ({"fields": {}}, "must not be empty"),
    ({"next": {"page": "p"}}, "without fields there are none"),
    ({"fields": {"a": "b"}, "follow": {"css": "a", "carry": ["c"]}}, "no field 'c' in this rule to carry"),
    ({"fields": {"a": "b"}, "when": {"field": "c"}}, "no field 'c' in this rule"),
    ({"fields": {"a": "b"}, "when": {"css": "c", "json": "d"}}, "expected one of css"),
    ({"fields": {"a": "b", "c": {"json": "d"}}}, "make two rules"),
]


@pytest.mark.parametrize(("keys", "message"), RULE_MISFITS, ids=[str(row[0]) for row in RULE_MISFITS])
def test_keys_of_a_rule_that_do_not_fit_together(keys: dict[str, Any], message: str) -> None:
    """A rule reads one kind of page, and refers to its own fields."""
    with pytest.raises(ConfigError, match=message):
        rule(**keys)
