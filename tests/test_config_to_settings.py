"""A config translated into the settings of each room."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scraper.config.reading.load import config_from_mapping, parse_config
from scraper.config_to_settings import (
    column_kinds,
    engine_settings,
    politeness_settings,
    read_seeds,
    robots_settings,
    seed_requests,
)
from scraper.errors import ConfigError
from scraper.urls.canonicalize import DEFAULT_KEY_RULES


def load(**values: Any) -> Any:
    return config_from_mapping({"seeds": ["https://a.example/"], **values})


def test_seeds_keep_their_order_kind_and_label(tmp_path: Path) -> None:
    """A label holds for one URL, and for every line of a file; sitemaps go before pages."""
    (tmp_path / "list.txt").write_text("https://a.example/1\n# no\nhttps://a.example/2\n")
    text = """
seeds:
  - https://a.example/
  - {url: "https://a.example/l", label: x}
  - {file: list.txt, label: y}
  - {sitemap: "https://a.example/s.xml"}
  - {url: "https://a.example/", method: POST, json: {a: 1}, label: x}
extract:
  - {label: x, fields: {a: b}}
  - {label: y, fields: {a: b}}
"""
    config = parse_config(text, base=tmp_path)
    found = list(seed_requests(config, DEFAULT_KEY_RULES))
    assert [(r.url.target, r.kind, r.label, r.method) for r in found] == [
        ("/", "page", None, "GET"),
        ("/l", "page", "x", "GET"),
        ("/1", "page", "y", "GET"),
        ("/2", "page", "y", "GET"),
        ("/s.xml", "sitemap", None, "GET"),
        ("/", "page", "x", "POST"),
    ]
    assert found[4].priority < 0 == found[0].priority
    assert read_seeds(config, DEFAULT_KEY_RULES) == [request.url for request in found]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"https://a.example/\nnonsense\n", "list.txt:2: seeds: 'nonsense'"),
        (b"https://a.example/\xff\n", "is not UTF-8 text"),
    ],
    ids=["no URL", "no text"],
)
def test_what_is_wrong_in_a_file_of_seeds_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    """With the file, and the line where there is one."""
    (tmp_path / "list.txt").write_bytes(content)
    config = parse_config("seeds: [{file: list.txt}]", base=tmp_path)
    with pytest.raises(ConfigError, match=message):
        read_seeds(config, DEFAULT_KEY_RULES)


FIELDS = [
    ("text", {"css": "a"}, "text"),
    ("texts", {"css": "a", "many": True}, "texts"),
    ("int", {"css": "a", "type": "int"}, "int"),
    ("floats", {"css": "a", "type": "float", "many": True}, "floats"),
    ("bool", {"css": "a", "type": "bool"}, "bool"),
    ("date", {"css": "a", "type": "date"}, "text"),
    ("links", {"links": "all"}, "texts"),
    ("table", {"css": "table", "table": "rows"}, "json"),
    ("split", {"css": "a", "transform": [{"split": ","}]}, "json"),
    ("object", {"css": "a", "fields": {"b": "c"}}, "json"),
]


@pytest.mark.parametrize(("field", "kind"), [row[1:] for row in FIELDS], ids=[row[0] for row in FIELDS])
def test_the_kind_of_a_column_follows_from_its_field(field: dict[str, Any], kind: str) -> None:
    """Values whose shape may change from item to item are JSON."""
    assert column_kinds(load(extract=[{"fields": {"x": field}}])) == {"x": kind}


def test_a_field_that_two_rules_read_differently_is_json() -> None:
    """One column must hold the values of both."""
    rules = [{"match": "1", "fields": {"x": "a"}}, {"match": "2", "fields": {"x": {"css": "a", "type": "int"}}}]
    assert column_kinds(load(extract=rules)) == {"x": "json"}


def test_overrides_of_hosts_change_only_what_they_give() -> None:
    """`null` is no limit; a key that is left out keeps the value of all hosts."""
    config = load(
        limits={"max_pages_per_host": 9},
        politeness={"per_host": {"rate": "1/s", "concurrency": 3}, "hosts": {"b.example": {"rate": None}}},
    )
    settings = politeness_settings(config)
    assert (settings.for_host("a.example").rate, settings.for_host("a.example").max_pages) == (1.0, 9)
    changed = settings.for_host("b.example")
    assert (changed.rate, changed.concurrency, changed.max_pages) == (None, 3, 9)


def test_robots_txt_is_read_for_the_configured_user_agent() -> None:
    """Policy, 401 and 403, and the product token of the User-Agent."""
    robots = robots_settings(load(politeness={"user_agent": "FooBot/2 (+https://f.example)", "robots": "ignore"}))
    assert (robots.product_token, robots.policy, robots.forbidden) == ("foobot", "ignore", "allow")


@pytest.mark.parametrize(
    ("values", "read"),
    [({}, True), ({"sitemaps": "off"}, False), ({"scope": {"mode": "page"}}, False)],
    ids=["auto", "off", "only the seeds"],
)
def test_sitemaps_are_read_unless_off_or_useless(values: dict[str, Any], read: bool) -> None:
    """With scope.mode page no URL of a sitemap would be in scope."""
    assert engine_settings(load(**values)).sitemaps is read
