"""The schema as a tree of keys."""

from __future__ import annotations

import pytest

from scraper.config.docs.key_tree import (
    choices_of,
    container_of,
    field_at_path,
    paths_by_key,
    section_at_path,
    walk_keys,
)
from scraper.config.schema.crawl import CrawlConfig, ScopeSection
from scraper.config.schema.extraction import FieldRule
from scraper.config.schema.politeness import HostOverrideSection


def test_every_key_is_walked_once_with_its_path() -> None:
    """Members of lists are `[]`, of mappings `*`; a section inside itself is not walked again."""
    paths = [key.path for key in walk_keys()]
    assert len(paths) == len(set(paths))
    assert {"seeds", "scope.traps.max_length", "politeness.hosts.*.rate", "extract[].fields.*.css"} <= set(paths)
    assert "extract[].fields.*.fields.*.css" not in paths


def test_a_key_is_found_at_all_of_its_paths() -> None:
    """`rate` is one key of two sections."""
    assert paths_by_key()["rate"] == ("politeness.per_host.rate", "politeness.hosts.*.rate")


SECTIONS = [
    ((), CrawlConfig),
    (("scope",), ScopeSection),
    (("politeness", "hosts", "a.example"), HostOverrideSection),
    (("extract", 0, "fields", "title"), FieldRule),
    (("extract", 0, "fields"), None),
    (("headers",), None),
    (("nonsense",), None),
]


@pytest.mark.parametrize(("path", "section"), SECTIONS, ids=[str(row[0]) for row in SECTIONS])
def test_the_section_at_a_path(path: tuple[str | int, ...], section: type | None) -> None:
    """None where the keys are free, and where there is no such key."""
    assert section_at_path(path) is section


def test_the_field_at_a_path_is_that_of_the_key_or_of_the_list_around_it() -> None:
    """A member of a list has the field of the list."""
    deny = field_at_path(("scope", "deny"))
    assert deny is field_at_path(("scope", "deny", 3)) is ScopeSection.model_fields["deny"]
    assert container_of(ScopeSection.model_fields["deny"]) == "[]"
    assert choices_of(ScopeSection.model_fields["links"]) == ("all", "rules")
