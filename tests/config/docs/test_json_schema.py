"""The JSON Schema for editors, read by a validator that is not ours: it marks what the loader refuses, and no more."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from scraper.config.docs.json_schema import json_schema
from scraper.config.docs.key_tree import ConfigKey, walk_keys
from scraper.config.reading.effective import effective_yaml
from scraper.config.reading.load import config_from_mapping, load_config, parse_config
from scraper.config.reading.yaml import read_yaml
from scraper.config.schema.crawl import CrawlConfig
from scraper.errors import ConfigError

ROOT = Path(__file__).parents[3]
CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))
ENV = {"API_TOKEN": "abc", "PRESS_USER": "ada", "PRESS_PASS": "open"}
SEEDS = {"seeds": ["https://a.example/"]}
EDITOR = Draft202012Validator(json_schema())


def documented_configs() -> list[Any]:
    """Every YAML block of the docs that is a config, or some of its top-level keys."""
    found = []
    # docs/extending.md names plug-ins that are not installed; tests/test_extending.py runs its examples.
    pages = [path for path in sorted((ROOT / "docs").glob("*.md")) if path.stem != "extending"]
    for page in [ROOT / "README.md", *pages]:
        for number, text in enumerate(re.findall(r"```yaml\n(.*?)```", page.read_text("utf-8"), re.DOTALL)):
            value = read_yaml(text, page.name).value
            if isinstance(value, dict) and value.keys() <= CrawlConfig.model_fields.keys():
                found.append(pytest.param({**SEEDS, **value}, id=f"{page.stem}-{number}"))
    return found


def loads(values: dict[str, Any]) -> bool:
    """Whether the loader takes it."""
    try:
        config_from_mapping(values, env=ENV)
    except ConfigError:
        return False
    return True


def test_it_is_a_schema() -> None:
    """It obeys the draft that it names."""
    Draft202012Validator.check_schema(json_schema())


def test_a_default_is_what_one_would_write() -> None:
    """An editor writes it behind the key: with its unit, and nothing where there is none."""
    limits = json_schema()["$defs"]["LimitsSection"]["properties"]
    assert [limits[key]["default"] for key in ("timeout", "max_bytes", "retries")] == ["30s", "20MB", 3]
    assert "default" not in limits["max_pages"]
    assert "default" not in json_schema()["$defs"]["FieldRule"]["properties"]["css"]
    assert "default" in json_schema()["$defs"]["FieldRule"]["properties"], "the key of that name"


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_the_examples_are_valid(path: Path) -> None:
    """Every file in configs/, as it is written and as `scrape validate` prints it."""
    EDITOR.validate(read_yaml(path.read_text("utf-8"), "f").value)
    EDITOR.validate(read_yaml(effective_yaml(load_config(path, env=ENV)), "f").value)


def test_the_docs_hold_configs() -> None:
    """The blocks that the next test looks at are found."""
    assert len(documented_configs()) >= 8


@pytest.mark.parametrize("values", documented_configs())
def test_what_the_docs_show_is_valid(values: dict[str, Any]) -> None:
    """For the loader and for an editor."""
    parse_config(effective_yaml(config_from_mapping(values, env=ENV)), env=ENV)
    EDITOR.validate(values)


def rule(**keys: Any) -> dict[str, Any]:
    """A config with one extraction rule."""
    return {"extract": [{"fields": {"a": "h1"}, **keys}]}


def one(**keys: Any) -> dict[str, Any]:
    """A config with one field."""
    return rule(fields={"a": keys})


RIGHT = [
    ("duration", {"limits": {"deadline": "1h30m"}}),
    ("duration-number", {"limits": {"timeout": 5}}),
    ("size", {"limits": {"max_bytes": "20MB"}}),
    ("null", {"limits": {"max_pages": None}}),
    ("rate", {"politeness": {"per_host": {"rate": "30/m"}}}),
    ("rate-null", {"politeness": {"per_host": {"rate": None}}}),
    ("robots-word", {"politeness": {"robots": "ignore"}}),
    ("robots-mapping", {"politeness": {"robots": {"policy": "ignore"}}}),
    ("overlay", {"politeness": {"hosts": {"a.example": {"rate": "1/s"}}}}),
    ("sitemap", {"seeds": [{"sitemap": "https://a.example/s.xml"}]}),
    ("field", one(css="p", type="int")),
    ("steps", one(css="p", transform=["strip", {"replace": ["a", ""]}])),
    ("step", one(css="p", transform="strip")),
    ("conditions", rule(when="h1", unless=[{"field": "a", "equals": 5}])),
    ("condition", rule(when={"css": "h1"})),
    ("each-json", rule(each={"json": "items"}, fields={"a": {"json": "b"}})),
    ("each-xpath", rule(each={"xpath": "//li"})),
    ("nested", one(structured="product", fields={"b": {"json": "c"}})),
    ("follow-one", rule(follow={"css": "a", "priority": 1})),
    ("follow-many", rule(follow=["a", {"regex": "x"}])),
    ("next", rule(next={"rel": True})),
    ("hook", {"hooks": "a:B"}),
    ("hooks", {"hooks": ["a:B"]}),
    ("off", {"sitemaps": "off"}),
    ("login", {"auth": {"a.example": {"basic": "u:p"}}}),
]  # fmt: skip

WRONG = [
    ("no-seeds", {"seeds": None}),
    ("empty-seeds", {"seeds": []}),
    ("seeds-text", {"seeds": "https://a.example/"}),
    ("seed-host", {"seeds": ["a.example"]}),
    ("seed-scheme", {"seeds": ["ftp://a.example/"]}),
    ("seed-number", {"seeds": [5]}),
    ("seed-key", {"seeds": [{"sitmap": "https://a.example/s.xml"}]}),
    ("seed-two", {"seeds": [{"sitemap": "https://a.example/s.xml", "url": "https://a.example/"}]}),
    ("seed-none", {"seeds": [{}]}),
    ("top-key", {"nonsense": 1}),
    ("section-key", {"limits": {"max_page": 5}}),
    ("section-list", {"limits": [5]}),
    ("section-text", {"politeness": "polite"}),
    ("overlay-key", {"politeness": {"hosts": {"a.example": {"rte": "1/s"}}}}),
    ("number-text", {"limits": {"retries": "many"}}),
    ("number-quoted", {"limits": {"retries": "3"}}),
    ("number-fraction", {"limits": {"retries": 2.5}}),
    ("number-true", {"limits": {"retries": True}}),
    ("negative", {"limits": {"retries": -1}}),
    ("too-many", {"limits": {"max_redirects": 51}}),
    ("not-null", {"limits": {"retries": None}}),
    ("duration-unit", {"limits": {"timeout": "5 weeks"}}),
    ("duration-word", {"limits": {"timeout": "soon"}}),
    ("duration-clock", {"limits": {"max_time": "12:30"}}),
    ("duration-bounds", {"limits": {"timeout": 0}}),
    ("size-unit", {"limits": {"max_bytes": "20XB"}}),
    ("size-bounds", {"limits": {"max_bytes": 10}}),
    ("rate-word", {"politeness": {"per_host": {"rate": "fast"}}}),
    ("rate-zero", {"politeness": {"per_host": {"rate": 0}}}),
    ("flag-text", {"network": {"verify_tls": "yes"}}),
    ("flag-number", {"network": {"verify_tls": 1}}),
    ("mode", {"scope": {"mode": "hosts"}}),
    ("robots", {"politeness": {"robots": "maybe"}}),
    ("sitemaps", {"sitemaps": False}),
    ("sink", {"output": {"sinks": ["json"]}}),
    ("sinks-none", {"output": {"sinks": []}}),
    ("ratio", {"politeness": {"breaker": {"ratio": 2}}}),
    ("list-text", {"scope": {"deny": "/login"}}),
    ("regex-number", {"scope": {"deny": [5]}}),
    ("regex-empty", {"scope": {"deny": [""]}}),
    ("header-number", {"headers": {"X-Version": 5}}),
    ("login-both", {"auth": {"a.example": {"basic": "u:p", "bearer": "t"}}}),
    ("login-none", {"auth": {"a.example": {}}}),
    ("rule-idle", {"extract": [{"match": "a"}]}),
    ("rule-text", {"extract": ["h1"]}),
    ("fields-list", rule(fields=["h1"])),
    ("field-key", one(selector="h1")),
    ("field-type", one(css="p", type="number")),
    ("field-css-list", one(css=["h1", "h2"])),
    ("field-flag", one(css="p", many="yes")),
    ("field-links", one(links="some")),
    ("field-empty", rule(fields={"a": ""})),
    ("step", one(css="p", transform=[{"replace": "a"}])),
    ("step-word", one(css="p", transform="trim")),
    ("nested-key", one(each="li", fields={"b": {"cs": "c"}})),
    ("each-both", rule(each={"css": "li", "json": "a"})),
    ("each-key", rule(each={"regex": "a"})),
    ("follow-key", rule(follow={"selector": "a"})),
    ("follow-text", rule(follow=[5])),
    ("next-two", rule(next={"css": "a", "page": "p"})),
    ("next-none", rule(next={"last": 5})),
    ("when-key", rule(when={"selector": "h1"})),
    ("when-two", rule(when={"css": "h1", "xpath": "//h1"})),
    ("store", {"output": {"store": "all"}}),
    ("durability", {"durability": "forever"}),
]  # fmt: skip


@pytest.mark.parametrize("values", [c[1] for c in RIGHT], ids=[c[0] for c in RIGHT])
def test_what_is_right_is_not_marked(values: dict[str, Any]) -> None:
    """Units and shorthands included."""
    assert loads({**SEEDS, **values})
    EDITOR.validate({**SEEDS, **values})


@pytest.mark.parametrize("values", [c[1] for c in WRONG], ids=[c[0] for c in WRONG])
def test_what_is_wrong_is_marked(values: dict[str, Any]) -> None:
    """Kinds, words, units, bounds, unknown keys, keys that exclude each other."""
    assert not loads({**SEEDS, **values})
    assert not EDITOR.is_valid({**SEEDS, **values})


BEYOND = [
    ("selector", one(css="h1["), "selectors are known to the HTML parser alone"),
    ("xpath", one(xpath="//["), "XPath is known to lxml alone"),
    ("json", one(json="a["), "JMESPath is known to its library alone"),
    ("regex", {"scope": {"deny": ["("]}}, "Python's regular expressions are not JavaScript's"),
    ("file", {"seeds": [{"file": "nowhere.txt"}]}, "a schema sees no disk"),
    ("variable", {"headers": {"X-A": "${NOT_SET}"}}, "a schema sees no environment"),
    ("host", {"scope": {"hosts": ["a b"]}}, "what a host may be is the URL standard's matter, punycode included"),
    ("bounds", {"limits": {"timeout": "90h"}}, "units are not counted by a pattern"),
    ("unit-twice", {"limits": {"timeout": "1s1s"}}, "nor told apart"),
    ("keys", {"politeness": {"breaker": {"open": "2h", "max_open": "1h"}}}, "two values are not compared"),
    ("twice", {"headers": {"Accept": "a", "accept": "b"}}, "spellings of a name are not compared"),
    ("ours", {"headers": {"User-Agent": "me/1.0"}}, "nor is a name looked up"),
    ("label", rule(label="product"), "a label must be given elsewhere"),
    ("sources", one(css="h1", xpath="//h1"), "which keys of a field go together depends on three others"),
    ("sinks", {"output": {"sinks": ["csv", "csv"]}}, "said once, by the loader"),
]  # fmt: skip


@pytest.mark.parametrize("values", [c[1] for c in BEYOND], ids=[c[0] for c in BEYOND])
def test_what_a_schema_cannot_say_is_refused_by_the_loader(values: dict[str, Any]) -> None:
    """The list of what `scrape validate` knows beyond an editor, with the reason for each."""
    assert not loads({**SEEDS, **values})
    assert EDITOR.is_valid({**SEEDS, **values})


def test_a_key_that_is_written_counts_as_given() -> None:
    """The one thing an editor marks that loads: a null where one of several keys is asked for."""
    idle = rule(when={"regex": "a", "css": None})
    assert loads({**SEEDS, **idle})
    assert not EDITOR.is_valid({**SEEDS, **idle})


KEYS = [key for key in walk_keys() if key.path not in ("seeds", "extract")]
# What a key's section needs beside it.
AROUND: dict[str, dict[str, Any]] = {
    "ExtractRule": {"fields": {"a": "h1"}},
    "FieldRule": {"css": "h1"},
    "ConditionSection": {"css": "h1"},
}
ODD: list[Any] = [
    None, True, False, 0, 1, 3, 1.5, 20_000.0, -1, 10**13, "", " ", "h1", "a", "//h1", "1", "0.5", "30s",
    " 1H 30M ", "500MS", "1d2h", "20MB", "1 kib", "5 B", "1000.5", "2/s", "1 / 10 S", "7/d", "unlimited",
    " Unlimited ", "obey", "off", "auto", "allow", "slow", "all", "process", "strip", "product", "a.example",
    "*.A.example:8080", "Bücher.example", "x-a", "utm_*", ";sid", "https://a.example/", " HTTPS://A.example ",
    "http:a.example", "ada:open", "m.n:O", "img@src", "out/é", "${PRESS_USER}:${PRESS_PASS}", "Über 2", "rows",
    "in_scope", "markdown", "text", "url", "jsonl", "pages", "any", "page", "respect", [], ["h1"], ["1/s"],
    ["jsonl", "csv"], ["https://a.example/"], {}, {"css": "h1"}, {"json": "a"}, {"a": "h1"},
    {"a.example": {"rate": "1/s"}}, {"a.example": {"bearer": "t"}}, {"replace": ["a",
    ""]}, {"default": 5}, {"split": ","}, {"page": "p"}, {"field": "a", "equals": [1, True, "x"]},
    {"Accept": "*/*"},
]  # fmt: skip


def nest_at_key(key: ConfigKey, value: Any) -> dict[str, Any]:
    """A config in which `key` has `value`, and the sections around it what they need."""
    *steps, last = key.path.split(".")
    inner: Any = {**AROUND.get(key.section.__name__, {}), last: value}
    if key.section.__name__ in ("FieldRule", "ConditionSection") and last in (
        "xpath",
        "regex",
        "json",
        "structured",
        "field",
    ):
        inner.pop("css")
    for step in reversed(steps):
        name = step.removesuffix("[]")
        inner = [inner] if step.endswith("[]") else inner
        inner = {"a.example" if name == "*" else name: inner}
        if name in ("fields", "each", "follow", "next", "when", "unless") and step != "*":
            inner = {"fields": {"a": "h1"}, **inner}
    return {**SEEDS, **inner}


@cache
def accepted_configs() -> list[dict[str, Any]]:
    """Configs that load: every key with every odd value, alone and in a list, of which the loader takes some."""
    found = [nest_at_key(key, value) for key in KEYS for odd in ODD for value in (odd, [odd])]
    return [values for values in found if loads(values)]


def test_an_editor_marks_no_value_that_loads() -> None:
    """Any key with any odd value: what the loader takes is valid."""
    assert len(accepted_configs()) > 1_500
    assert [values for values in accepted_configs() if not EDITOR.is_valid(values)] == []


def merge(left: Any, right: Any) -> Any:
    """Both mappings in one, the right one's values where they differ."""
    if not (isinstance(left, dict) and isinstance(right, dict)):
        return right
    return {
        key: merge(left[key], right[key]) if key in left and key in right else {**left, **right}[key]
        for key in {**left, **right}
    }


@given(st.lists(st.integers(0, 10**9), min_size=2, max_size=5))
def test_an_editor_marks_no_combination_that_loads(places: list[int]) -> None:
    """Several such values in one config."""
    values: Any = {}
    for place in places:
        values = merge(values, accepted_configs()[place % len(accepted_configs())])
    assume(loads(values))
    EDITOR.validate(values)
