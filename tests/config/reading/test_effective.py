from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scraper.config.reading.effective import (
    changed_sections,
    effective_yaml,
    section_hashes,
    to_plain_values,
)
from scraper.config.reading.load import config_from_mapping, parse_config
from scraper.config.schema.crawl import CrawlConfig
from scraper.errors import ConfigError

FULL: dict[str, Any] = {
    "name": "full",
    "seeds": ["https://a.example/", {"sitemap": "https://a.example/s.xml"}],
    "scope": {"mode": "domain", "deny": [r"\.zip$", "off", "1e3"], "max_depth": 3, "traps": {"max_params": None}},
    "limits": {"max_pages": 10, "timeout": 0.25, "max_bytes": 1_234_567, "max_time": "1h30m"},
    "politeness": {
        "robots": {"policy": "obey", "above": "skip"},
        "per_host": {"rate": "7/h"},
        "hosts": {"*.a.example": {"rate": None}, "b.example": {"concurrency": 2, "adaptive": False}},
    },
    "headers": {"Accept-Language": "en", "X-A": "0o7", "X-B": "yes"},
    "extract": [
        {"match": "a", "each": "p", "fields": {"t": "h1", "n": {"attr": "id", "type": "int", "default": 0}}},
        {"fields": {"l": {"links": "all"}, "d": {"css": "p", "many": True, "default": ["a", 1, None]}}},
        {
            "label": "x",
            "keep": False,
            "next": {"cursor": "meta.next", "param": "c"},
            "follow": [{"json": "url", "label": "x", "priority": -2, "carry": ["x"]}],
            "when": [{"json": "a"}, {"field": "x", "equals": [1, "b"]}],
            "each": {"json": "items"},
            "fields": {
                "x": {"json": "a.b", "type": "text", "transform": ["strip", {"replace": ["a", ""]}, {"default": 1}]},
                "o": {"each": {"json": "c"}, "fields": {"y": {"json": "d", "type": "int"}}},
            },
        },
    ],
    "files": {"css": ["img@src"], "match": [r"\.pdf$"]},
    "hooks": ["a.b:C", "x/y.py"],
    "output": {"folder": "o", "sinks": ["csv", "sqlite"]},
    "sitemaps": "off",
    "durability": "power",
}


def shuffle_keys(value: Any, dice: random.Random) -> Any:
    if isinstance(value, dict):
        keys = list(value)
        dice.shuffle(keys)
        return {key: shuffle_keys(value[key], dice) for key in keys}
    return [shuffle_keys(member, dice) for member in value] if isinstance(value, list) else value


def test_the_effective_config_is_a_config() -> None:
    """effective_yaml loads again, to the same config and the same text."""
    config = config_from_mapping(FULL)
    text = effective_yaml(config)
    again = parse_config(text, "x.yaml")
    assert again.model_dump(exclude={"headers"}) == config.model_dump(exclude={"headers"})
    assert {k: v.reveal() for k, v in again.headers.items()} == {k: v.reveal() for k, v in config.headers.items()}
    assert effective_yaml(again) == text
    assert config_from_mapping(to_plain_values(config)) == config


def test_every_default_is_written_out() -> None:
    """The effective config names every key of every section that has defaults."""
    shown = to_plain_values(config_from_mapping({"seeds": ["https://a.example/"]}))
    assert list(shown) == list(CrawlConfig.model_fields)
    assert list(shown["limits"]) == list(type(config_from_mapping(FULL).limits).model_fields)
    assert shown["politeness"]["breaker"]["open"] == "1m"
    assert shown["seeds"] == ["https://a.example/"]


@pytest.mark.parametrize("seed", range(5))
def test_hashes_do_not_depend_on_the_order_of_keys(seed: int) -> None:
    """The same config written in another order is the same run."""
    config, other = config_from_mapping(FULL), config_from_mapping(shuffle_keys(FULL, random.Random(seed)))
    assert section_hashes(config) == section_hashes(other)


@pytest.mark.parametrize(
    ("change", "section"),
    [
        ({"limits": {"max_pages": 11}}, "limits"),
        ({"scope": {"mode": "host"}}, "scope"),
        ({"seeds": ["https://b.example/"]}, "seeds"),
        ({"extract": []}, "extract"),
        ({"politeness": {"robots": "ignore"}}, "politeness"),
        ({"headers": {"X-A": "b"}}, "headers"),
        ({"output": {"folder": "o", "sinks": ["csv"]}}, "output"),
        ({"name": "other"}, "name"),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_the_hashes_name_the_section_that_changed(change: dict[str, Any], section: str) -> None:
    """Comparing the hashes of two configs gives the changed sections."""
    before, after = config_from_mapping(FULL), config_from_mapping({**FULL, **change})
    assert changed_sections(section_hashes(before), section_hashes(after)) == [section]


def test_writing_units_in_another_way_changes_nothing() -> None:
    """60s and 1m are the same timeout."""
    one, two = ({**FULL, "limits": {"timeout": text}} for text in ("60s", "1m"))
    assert section_hashes(config_from_mapping(one)) == section_hashes(config_from_mapping(two))


_WORDS = st.sampled_from(
    [
        *("host", "off", "obey", "skip", "csv", "h1", "a[", "/x", "(", "5s", "20MB", "2/s", "https://a.example/"),
        *("a.example", "${X}", "x:y", "*", "links", "in_scope", "text", "int", "true", "unlimited", "1e3", "~"),
    ]
)
_LEAF = st.none() | st.booleans() | st.integers(-2, 2000) | st.floats() | _WORDS | st.text(max_size=8)
_KEYS = sorted(
    set(CrawlConfig.model_fields)
    | {"mode", "allow", "hosts", "traps", "fields", "css", "links", "match", "rate", "a.example", "robots", "basic"}
)
_ANY = st.recursive(
    _LEAF,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_KEYS), inner, max_size=4),
    max_leaves=15,
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(_KEYS), _ANY, max_size=6), st.booleans())
def test_any_values_are_a_config_or_a_config_error(values: dict[str, Any], with_seeds: bool) -> None:
    """Whatever is in a config, the answer is a config whose effective text loads again, or a ConfigError."""
    if with_seeds:
        values = {**values, "seeds": ["https://a.example/"]}
    try:
        config = config_from_mapping(values, env={"X": "u:p"})
    except ConfigError:
        return
    text = effective_yaml(config)
    assert effective_yaml(parse_config(text, "x", env={"X": "u:p"})) == text


_LINES = st.sampled_from(
    [
        "seeds: [https://a.example/]",
        *("name: a", "name: b", "scope:", "  mode: host", "  deny: ['(']", "limits: {retries: 1", "}", "- a"),
        *("x: *a", "<<: {}", "headers: {A: ${X}}", "politeness: {robots: obey}", "\t", "--- ", "extract:"),
        "  - fields: {a: h1}",
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(_LINES | st.text(max_size=12), max_size=8).map("\n".join), st.lists(st.text(max_size=12), max_size=2))
def test_any_text_is_a_config_or_a_config_error(text: str, options: list[str]) -> None:
    """Whatever stands in a file and in options, nothing but ConfigError is raised, and it has problems."""
    try:
        config = parse_config(text, "c.yaml", options, env={})
    except ConfigError as error:
        seeds, problems = 0, len(error.problems)
    else:
        seeds, problems = len(config.seeds), 0
    assert bool(seeds) != bool(problems)
