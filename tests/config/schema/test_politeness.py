"""The section `politeness`."""

from __future__ import annotations

from typing import Any

import pytest

from scraper.config.reading.load import config_from_mapping
from scraper.config.schema.politeness import PolitenessSection
from scraper.errors import ConfigError


def load(**keys: Any) -> PolitenessSection:
    return config_from_mapping({"seeds": ["https://a.example/"], "politeness": keys}).politeness


def test_obey_and_ignore_are_the_policy_alone() -> None:
    """The other keys of robots keep their defaults."""
    robots = load(robots="ignore").robots
    assert (robots.policy, robots.forbidden, robots.max_crawl_delay) == ("ignore", "allow", 30.0)


def test_the_overrides_of_a_host_are_the_keys_that_were_given() -> None:
    """A given null is no limit; a key that was not given is not there."""
    overrides = load(hosts={"A.example": {"rate": None, "max_pages": 5}}).hosts
    assert overrides["a.example"].given_keys() == {"rate": None, "max_pages": 5}


MISFITS: list[tuple[dict[str, Any], str]] = [
    ({"hosts": {"a.example": {"adaptive": None}}}, "expected true or false"),
    ({"hosts": {"A.example": {}, "a.example": {}}}, "the same host is given twice"),
    ({"breaker": {"open": "2h", "max_open": "1h"}}, "longer than max_open"),
    ({"per_host": {"rate": 0}}, "would never send a request"),
]


@pytest.mark.parametrize(("keys", "message"), MISFITS, ids=[str(row[0]) for row in MISFITS])
def test_values_that_make_no_sense_are_errors(keys: dict[str, Any], message: str) -> None:
    """Alone or together."""
    with pytest.raises(ConfigError, match=message):
        load(**keys)
