# ruff: noqa: E501  each message stands whole on one line, so that it can be found and compared
"""--set options over a config."""

from __future__ import annotations

from pathlib import Path

import pytest

from scraper.config.reading.load import parse_config
from scraper.config.schema.crawl import CrawlConfig
from scraper.errors import ConfigError

SEEDS = "seeds: [https://a.example/]\n"


def load_with_overrides(*options: str) -> CrawlConfig:
    text = SEEDS + "limits: {retries: 2}\nextract:\n  - {match: a, fields: {t: h1}}\npoliteness: {robots: obey}\n"
    return parse_config(text, "c.yaml", options)


@pytest.mark.parametrize(
    ("option", "path", "value"),
    [
        ("limits.retries=7", "limits.retries", 7),
        ("limits.max_time=2h", "limits.max_time", 7200.0),
        ("sitemaps=off", "sitemaps", "off"),
        ("scope.deny=[/login, '\\.zip$']", "scope.deny", ("/login", "\\.zip$")),
        ("scope.allow=[a=b]", "scope.allow", ("a=b",)),
        ("scope={mode: any}", "scope.mode", "any"),
        ("extract[0].match=b", "extract.0.match", "b"),
        ("extract.0.match=b", "extract.0.match", "b"),
        ("extract[0].match=", "extract.0.match", None),
        ("seeds[0]=https://b.example/", "seeds.0.url", "https://b.example/"),
        ("seeds[1]=https://b.example/", "seeds.1.url", "https://b.example/"),
        ("name='5'", "name", "5"),
        ("output.folder=x", "output.folder", Path("x")),
    ],
)
def test_an_option_overrides_the_file(option: str, path: str, value: object) -> None:
    """--set overrides with a YAML value, at keys that the file has or not, and in lists."""
    found: object = load_with_overrides(option)
    for part in path.split("."):
        found = found[int(part)] if isinstance(found, tuple) else getattr(found, part)
    assert found == value


def test_an_option_can_name_a_host() -> None:
    """A part of the path with dots in it is quoted."""
    config = load_with_overrides(
        'politeness.hosts."api.a.example".rate=10/s', "politeness.hosts.'b.example'.concurrency=1"
    )
    assert config.politeness.hosts["api.a.example"].rate == 10
    assert config.politeness.hosts["b.example"].concurrency == 1


def test_a_later_option_wins() -> None:
    """Options are applied in their order."""
    assert load_with_overrides("limits.retries=7", "limits={retries: 8}", "limits.retries=9").limits.retries == 9


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("limits.retries=x", "--set limits.retries: limits.retries: expected a whole number from 0 to 100, got 'x'"),
        ("limits.retrys=1", "--set limits.retrys: limits.retrys: unknown key (did you mean retries?)"),
        ("limts.retries=1", "--set limts.retries: limts: unknown key (did you mean limits?)"),
        ("scope={deny: ['(']}", "--set scope: scope.deny[0]: bad regular expression at character 1: missing ), unterminated subpattern"),
        ("scope=[", "--set scope: not valid YAML: did not find expected node content (a [list] or {mapping} is not closed)"),
        ("scope=*a", "--set scope: aliases are not read; write the value out (quote a text with *)"),
        ("seeds[5]=x", "--set seeds[5]: seeds is a list of 1; its members are [0], [1] ..."),
        ("seeds.x=y", "--set seeds.x: seeds is a list of 1; its members are [0], [1] ..."),
        ("seeds[0].url=y", "--set seeds[0].url: seeds[0] is 'https://a.example/' here (set it whole)"),
        ("politeness.robots.policy=obey", "--set politeness.robots.policy: politeness.robots is 'obey' here (set it whole)"),
        ("limits[0]=1", "--set limits[0]: limits is a mapping here (set it whole)"),
        ("limits.retries", "--set: expected KEY.PATH=VALUE (for example --set limits.max_pages=10)"),
        ("=5", "--set: expected KEY.PATH=VALUE (for example --set limits.max_pages=10)"),
        ("a..b=5", "--set: expected KEY.PATH=VALUE (for example --set limits.max_pages=10)"),
        ("", "--set: expected KEY.PATH=VALUE (for example --set limits.max_pages=10)"),
    ],
)  # fmt: skip
def test_a_wrong_option_is_named(option: str, message: str) -> None:
    """A problem with --set names the option instead of a line."""
    with pytest.raises(ConfigError) as caught:
        load_with_overrides(option)
    assert [str(p) for p in caught.value.problems] == [message]


def test_an_option_replaces_what_is_wrong_in_the_file() -> None:
    """What an option replaces is not checked any more."""
    assert parse_config("seeds: [nonsense]", "c", ["seeds=[https://a.example/]"]).seeds[0].url == "https://a.example/"
