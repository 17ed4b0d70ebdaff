"""Why a regular expression finds nothing: the longest beginning of it that does, and what stands there instead."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Sequence

from scraper.report.text.sanitize import clean

# How far into each text beginnings are looked for. A beginning that fails costs no more than the whole pattern did,
# which had to try it at every place.
MAX_TEXT_CHARS = 50_000
MAX_TEXTS = 20
MAX_PREFIXES = 200
CONTEXT_CHARS = 40
# Characters that a beginning must find to say anything.
MIN_MATCH_CHARS = 2


def regex_misses(texts: Sequence[str], pattern: str) -> list[str]:
    """Why `pattern`, which is right, is not found in any of `texts`."""
    texts = [text[:MAX_TEXT_CHARS] for text in texts[:MAX_TEXTS]]
    if not any(texts):
        return ["there is no text to look in"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # part of a pattern may look odd where the whole does not
        return [_explain_longest_prefix(texts, pattern), *_ignoring_case(texts, pattern)]


def _explain_longest_prefix(texts: Sequence[str], pattern: str) -> str:
    for beginning, compiled in _valid_prefixes(pattern):
        for text in texts:
            found = compiled.search(text)
            if found is not None and len(found[0]) >= MIN_MATCH_CHARS:
                rest, seen = pattern[len(beginning) :], clean(found[0], CONTEXT_CHARS)
                then = clean(text[found.end() : found.end() + CONTEXT_CHARS], CONTEXT_CHARS)
                return f"'{beginning}' finds {seen!r}, but then '{rest}' does not fit what follows: {then!r}"
    begins = clean(next(text for text in texts if text)[:CONTEXT_CHARS], CONTEXT_CHARS)
    return f"nothing of it is found; the text begins: {begins!r}"


def _valid_prefixes(pattern: str) -> Iterator[tuple[str, re.Pattern[str]]]:
    """Beginnings of a pattern that are patterns themselves, the longest first."""
    ends = range(len(pattern) - 1, 0, -max(1, len(pattern) // MAX_PREFIXES))
    for end in ends:
        if pattern[end] in "*+?{":  # what it repeats would be asked for once
            continue
        try:
            yield pattern[:end], re.compile(pattern[:end])
        except (re.error, OverflowError, RecursionError):
            continue


def _ignoring_case(texts: Sequence[str], pattern: str) -> Iterator[str]:
    if not pattern.startswith("(?"):
        for text in texts:
            if (found := re.search(pattern, text, re.IGNORECASE)) is not None and found[0]:
                yield f"in other letters it is there: {clean(found[0], CONTEXT_CHARS)!r}; (?i) before it takes both"
                return
