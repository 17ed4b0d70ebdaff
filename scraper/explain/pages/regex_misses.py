"""Why a regular expression finds nothing: its longest prefix that matches, and the text that follows that match."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Sequence

from scraper.report.text.sanitize import clean

# Prefixes are searched in this much of each text. A failing prefix costs no more time than the whole pattern did,
# which had to try that prefix at every position.
MAX_TEXT_CHARS = 50_000
MAX_TEXTS = 20
MAX_PREFIXES = 200
CONTEXT_CHARS = 40
# A prefix that matches fewer characters explains nothing.
MIN_MATCH_CHARS = 2


def regex_misses(texts: Sequence[str], pattern: str) -> list[str]:
    """Sentences that say why `pattern`, a valid expression, is not found in any of `texts`."""
    texts = [text[:MAX_TEXT_CHARS] for text in texts[:MAX_TEXTS]]
    if not any(texts):
        return ["there is no text to look in"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a prefix may cause warnings that the whole pattern does not
        return [_explain_longest_prefix(texts, pattern), *_ignoring_case(texts, pattern)]


def _explain_longest_prefix(texts: Sequence[str], pattern: str) -> str:
    for prefix, compiled in _valid_prefixes(pattern):
        for text in texts:
            found = compiled.search(text)
            if found is not None and len(found[0]) >= MIN_MATCH_CHARS:
                rest, seen = pattern[len(prefix) :], clean(found[0], CONTEXT_CHARS)
                then = clean(text[found.end() : found.end() + CONTEXT_CHARS], CONTEXT_CHARS)
                return f"'{prefix}' finds {seen!r}, but then '{rest}' does not fit what follows: {then!r}"
    begins = clean(next(text for text in texts if text)[:CONTEXT_CHARS], CONTEXT_CHARS)
    return f"no prefix of it matches; the text begins: {begins!r}"


def _valid_prefixes(pattern: str) -> Iterator[tuple[str, re.Pattern[str]]]:
    """Prefixes of a pattern that are valid patterns themselves, the longest first, about `MAX_PREFIXES` of them."""
    ends = range(len(pattern) - 1, 0, -max(1, len(pattern) // MAX_PREFIXES))
    for end in ends:
        # Cut before a quantifier, the last element would be required exactly once: that is another pattern.
        if pattern[end] in "*+?{":
            continue
        try:
            yield pattern[:end], re.compile(pattern[:end])
        except (re.error, OverflowError, RecursionError):
            continue


def _ignoring_case(texts: Sequence[str], pattern: str) -> Iterator[str]:
    if not pattern.startswith("(?"):
        for text in texts:
            if (found := re.search(pattern, text, re.IGNORECASE)) is not None and found[0]:
                matched = clean(found[0], CONTEXT_CHARS)
                yield f"it matches when case is ignored: {matched!r}; put (?i) before the pattern"
                return
