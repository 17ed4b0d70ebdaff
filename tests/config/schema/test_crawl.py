"""The sections of a config: defaults, converted values, and keys that must fit together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scraper.config.reading.load import config_from_mapping, parse_config
from scraper.errors import ConfigError

SEEDS = "seeds: [https://a.example/]\n"


def test_values_are_ready_to_use() -> None:
    """Units become seconds, bytes and requests per second; shorthands become models."""
    config = parse_config(
        SEEDS + "limits: {timeout: 1m, max_bytes: 1MiB, max_time: 90}\n"
        "politeness:\n  robots: ignore\n  per_host: {rate: 30/m}\n"
        "  hosts: {A.example: {rate: unlimited, max_pages: 3}}\n"
        "extract: [{fields: {a: h1, b: {css: p, many: true, default: []}}}]\nhooks: mine.hooks:Prices\n"
        "scope: {hosts: ['Bücher.example', 'cdn.example:443', '*.B.example', '127.0.0.1:*', '[::1]:8080']}\n"
    )
    assert (config.limits.timeout, config.limits.max_bytes, config.limits.max_time) == (60.0, 1_048_576, 90.0)
    assert config.politeness.robots.policy == "ignore"
    assert config.politeness.per_host.rate == 0.5
    assert config.politeness.hosts["a.example"].given_keys() == {"max_pages": 3, "rate": None}
    assert config.extract[0].fields["a"].css == "h1"
    assert config.extract[0].fields["b"].default == []
    assert config.hooks == ("mine.hooks:Prices",)
    assert config.scope.hosts == (
        "xn--bcher-kva.example",
        "cdn.example",
        "*.b.example",
        "127.0.0.1:*",
        "[::1]:8080",
    )


def test_the_defaults_are_the_documented_ones() -> None:
    """A config of seeds alone has the defaults of the interface."""
    config = config_from_mapping({"seeds": ["https://a.example/"]})
    assert config.scope.mode == "host"
    assert (config.limits.max_redirects, config.limits.concurrency, config.limits.retries) == (10, 64, 3)
    assert (config.limits.max_bytes, config.limits.timeout, config.limits.deadline) == (20_000_000, 30.0, 120.0)
    assert (config.politeness.per_host.rate, config.politeness.per_host.concurrency) == (2.0, 4)
    assert (config.politeness.nofollow, config.politeness.max_retry_after) == ("respect", 3600.0)
    assert config.politeness.breaker.model_dump() == {
        "failures": 6, "ratio": 0.8, "window": 20, "open": 60.0, "max_open": 3600.0, "refusals": 10, "give_up": 5,
        "last_chances": 100,
    }  # fmt: skip
    assert (config.sitemaps, config.output.sinks, config.durability) == ("auto", ("jsonl",), "process")
    assert config.files.max_bytes == 200_000_000
    assert (config.network.allow_private, config.network.verify_tls, config.network.http2) == (False, True, False)


def test_off_is_the_word_off() -> None:
    """`sitemaps: off` is the word, not YAML 1.1's boolean."""
    assert parse_config(SEEDS + "sitemaps: off").sitemaps == "off"


@pytest.mark.parametrize("text", ["unlimited", "null", "~"])
def test_a_host_may_be_asked_without_limit(text: str) -> None:
    """An unlimited rate is None, also in an overlay, where a key left out means something else."""
    config = parse_config(
        SEEDS + f"politeness: {{per_host: {{rate: {text}}}, hosts: {{a: {{rate: {text}}}, b: {{}}}}}}"
    )
    assert config.politeness.per_host.rate is None
    assert config.politeness.hosts["a"].given_keys() == {"rate": None}
    assert config.politeness.hosts["b"].given_keys() == {}


def test_a_config_cannot_be_changed() -> None:
    """Models are frozen."""
    config = config_from_mapping({"seeds": ["https://a.example/"]})
    with pytest.raises(ValueError, match="frozen"):
        config.limits.retries = 5


@pytest.mark.parametrize(
    ("values", "folder"),
    [
        ({}, "out/crawl"),
        ({"name": "books"}, "out/books"),
        ({"name": "books", "output": {"folder": "there"}}, "there"),
        ({"name": "books", "output": {"sinks": ["csv"]}}, "out/books"),
    ],
    ids=["default", "named", "given", "other keys"],
)
def test_the_output_folder_is_named_after_the_crawl(values: dict[str, Any], folder: str) -> None:
    """Unless the config gives one."""
    assert config_from_mapping({"seeds": ["https://a.example/"], **values}).output.folder == Path(folder)


MISFITS = [
    ("sinks twice", {"output": {"sinks": ["csv", "jsonl", "csv"]}}, "csv is listed twice"),
    ("links without rules", {"scope": {"links": "rules"}}, "links: rules follows nothing"),
    (
        "label that nothing reads",
        {"extract": [{"fields": {"a": "b"}, "follow": [{"css": "a", "label": "x"}]}]},
        "no rule has the label 'x' that a follow gives",
    ),
    ("label that nothing gives", {"extract": [{"label": "x", "fields": {"a": "b"}}]}, "leads to the label 'x'"),
    ("two credentials", {"auth": {"a.example": {"basic": "u:p", "bearer": "t"}}}, "expected one of basic: and bearer:"),
]


@pytest.mark.parametrize(("values", "message"), [row[1:] for row in MISFITS], ids=[row[0] for row in MISFITS])
def test_keys_that_do_not_fit_together_are_an_error(values: dict[str, Any], message: str) -> None:
    """What no single value shows."""
    with pytest.raises(ConfigError, match=message):
        config_from_mapping({"seeds": ["https://a.example/"], **values})
