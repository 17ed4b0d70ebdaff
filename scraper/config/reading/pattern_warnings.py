"""Warnings about patterns that can never match: a config with one is valid, and does not do what it says."""

from __future__ import annotations

from collections.abc import Iterator

from scraper.config.schema.crawl import CrawlConfig
from scraper.config.types.value_format import describe_value
from scraper.urls.url_regex import never_matches


def pattern_warnings(config: CrawlConfig) -> Iterator[str]:
    """A sentence for each pattern for URLs that cannot be found in any URL, with its key."""
    for key, pattern in _url_patterns(config):
        if (reason := never_matches(pattern)) is not None:
            yield f"{key}: {describe_value(pattern)} can never match: {reason}"


def _url_patterns(config: CrawlConfig) -> Iterator[tuple[str, str]]:
    lists = {
        "scope.allow": config.scope.allow,
        "scope.deny": config.scope.deny,
        "scope.traps.allow": config.scope.traps.allow,
        "files.match": config.files.match,
    }
    for key, patterns in lists.items():
        yield from ((f"{key}[{number}]", pattern) for number, pattern in enumerate(patterns))
    for index, rule in enumerate(config.extract):
        if rule.match is not None:
            yield f"extract[{index}].match", rule.match
        for number, follow in enumerate(rule.follow):
            if follow.match is not None:
                yield f"extract[{index}].follow[{number}].match", follow.match
