"""Hints for misspelled keys and words."""

from __future__ import annotations

import pytest

from scraper.config.docs.key_tree import paths_by_key
from scraper.config.reading.suggest import MAX_TYPO_CHARS, closest_match, key_hint
from scraper.config.schema.crawl import CrawlConfig, LimitsSection

WORDS = ("obey", "ignore", "max_depth")
MATCHES = [
    ("obay", "obey"),
    ("OBEY", "obey"),
    ("max-depth", "max_depth"),
    ("Max Depth", "max_depth"),
    ("something", None),
    ("o" * (MAX_TYPO_CHARS + 1), None),
]


@pytest.mark.parametrize(("text", "word"), MATCHES, ids=[row[0][:10] for row in MATCHES])
def test_a_similar_word_is_found(text: str, word: str | None) -> None:
    """Case, hyphens and blanks do not matter; a long text is no typing slip."""
    assert closest_match(text, WORDS) == word


HINTS = [
    ("a similar key of the mapping", LimitsSection, "retrys", "did you mean retries?"),
    ("a key of another mapping", LimitsSection, "seeds", "it belongs under the top level"),
    ("another crawler's word", CrawlConfig, "start_urls", "did you mean seeds?"),
    ("a similar key elsewhere", CrawlConfig, "user_agnt", "did you mean politeness.user_agent?"),
]


@pytest.mark.parametrize(("section", "text", "hint"), [row[1:] for row in HINTS], ids=[row[0] for row in HINTS])
def test_an_unknown_key_gets_the_first_hint_that_applies(section: type[CrawlConfig], text: str, hint: str) -> None:
    """From the nearest mapping to the whole config."""
    assert key_hint(text, section.model_fields, paths_by_key()) == hint


def test_without_a_similar_key_all_keys_are_named() -> None:
    """So that nobody has to look them up."""
    assert key_hint("qqqqqq", ("a", "b"), paths_by_key()) == "known keys: a, b"
