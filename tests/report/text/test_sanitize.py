from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scraper.report.text.sanitize import DEFAULT_MAX_CHARS, clean


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("", ""),
        ("naïve 日本", "naïve 日本"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x9b2Jcleared", "cleared"),
        ("\x1b]0;title\x07after", "after"),
        ("\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1bPdevice\x1b\\after", "after"),
        ("\x1b]unfinished", ""),
        ("\x1bcreset", "reset"),
        ("a\r\nb\tc\x85d\u2028e", "a b c d e"),
        ("invoice\u202efdp.exe", "invoicefdp.exe"),
        ("\u2066isolate\u2069\u200e\u200b\ufeff", "isolate"),
        ("nul\0 bell\x07 del\x7f", "nul bell del"),
        ("lone \ud800 private \ue000 none \uffff", "lone private none "),
        ("[bold]markup[/bold]", "[bold]markup[/bold]"),
    ],
    ids=lambda text: ascii(text)[:20],
)
def test_only_visible_text_is_left(text: str, expected: str) -> None:
    """Escape sequences go whole, breaks become a space, what cannot be seen is dropped, letters stay."""
    assert " ".join(clean(text).split()) == " ".join(expected.split())


@pytest.mark.parametrize("limit", [1, 2, 10, DEFAULT_MAX_CHARS])
def test_a_long_text_is_cut_with_an_ellipsis(limit: int) -> None:
    """What is too long ends in an ellipsis at the limit; what just fits is whole."""
    assert clean("x" * limit, limit) == "x" * limit
    assert clean("x" * (limit + 1), limit) == "x" * (limit - 1) + "…"


def test_a_huge_text_of_escapes_costs_little() -> None:
    """Only a multiple of the limit is inspected, however long the text; that something was cut is shown."""
    assert clean("\x1b[31m" * 1_000_000) == "…"


HOSTILE = st.text(st.sampled_from("a \x1b[]0;m\x07\\\x9b\x9c\u202e\u2066\n\r\0\ud800Pé"), max_size=60)


@settings(deadline=None)
@given(HOSTILE | st.text(st.characters()), st.integers(1, 300))
def test_nothing_invisible_survives(text: str, limit: int) -> None:
    """No control, format (bidi), surrogate or line-breaking character is left, and the limit holds."""
    seen = clean(text, limit)
    assert len(seen) <= limit
    assert not {unicodedata.category(c) for c in seen} & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    assert clean(seen, limit) == seen
