"""Why a regular expression finds nothing."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scraper.config.reading.load import parse_config
from scraper.errors import ConfigError
from scraper.explain.pages.regex_misses import regex_misses

REGEXES = {
    "how far it gets": (r"price: (\d+) EUR", "finds 'price: 12 ', but then 'EUR' does not fit what follows: 'USD"),
    "its first letters": (r"prize\((\d+)\)", "'pri' finds 'pri', but then 'ze\\((\\d+)\\)' does not fit"),
    "other letters": (r"PRICE", "it matches when case is ignored: 'price'"),
    "nothing": (r"\d{9}", "no prefix of it matches; the text begins: 'var price"),
}  # fmt: skip


@pytest.mark.parametrize("case", REGEXES)
def test_a_regex_that_is_not_found(case: str) -> None:
    """Its longest beginning that is there, and what stands behind it."""
    pattern, says = REGEXES[case]
    hints = regex_misses(["var price: 12 USD;"], pattern)
    assert any(says in hint for hint in hints), hints


@pytest.mark.filterwarnings("ignore::FutureWarning")
@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="ab(.*+?)[]{}1,^$|\\", max_size=12), st.text(alphabet="abc1,", max_size=30))
def test_any_regex_gets_an_answer(pattern: str, text: str) -> None:
    """Near misses of whatever compiles: at most a sentence or two."""
    config = f"seeds: ['http://h.example/']\nextract: [{{fields: {{a: {{regex: {json.dumps(pattern)}}}}}}}]"
    try:
        parse_config(config)
    except ConfigError:
        return
    assert len(regex_misses([text], pattern)) <= 2
