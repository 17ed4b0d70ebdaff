"""header: request headers as users write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.downloads.lists.request_header import MAX_VALUE_CHARS, BadHeader, parse_header


@pytest.mark.parametrize(
    ("text", "header"),
    [
        ("Accept: text/html", ("Accept", "text/html")),
        ("X-Empty:", ("X-Empty", "")),
        ("  Authorization :  Bearer a:b  ", ("Authorization", "Bearer a:b")),
        ("Cookie: a=\u00e9", ("Cookie", "a=\u00e9")),
    ],
)
def test_a_header_is_a_name_and_a_value(text: str, header: tuple[str, str]) -> None:
    """The first colon separates them, blanks around both do not count."""
    assert parse_header(text) == header


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("no colon", "a name, a colon"),
        (": x", "a name, a colon"),
        ("a b: x", "a name, a colon"),
        ("N" * 101 + ": x", "a name, a colon"),
        ("X: a\r\nY: b", "cannot carry"),
        ("X: \u20ac", "cannot carry"),
        ("X: a\0", "cannot carry"),
        ("X: " + "x" * (MAX_VALUE_CHARS + 1), "longer than"),
        ("Range: bytes=0-", "Range cannot be set"),
        ("accept-encoding: gzip", "cannot be set"),
        ("IF-UNMODIFIED-SINCE: x", "cannot be set"),
    ],
)
def test_what_is_no_header_is_refused(text: str, reason: str) -> None:
    """Also what would make a second header, or what a resumed download must set itself."""
    refused = parse_header(text)
    assert isinstance(refused, BadHeader)
    assert reason in refused.reason


@given(st.text(st.characters()), st.text(st.characters()))
def test_no_text_makes_two_headers(name: str, value: str) -> None:
    """What is accepted stays on one line and can be sent as latin-1; secrets are not repeated in refusals."""
    header = parse_header(f"{name}:{value}")
    if isinstance(header, BadHeader):
        assert len(value) < 20 or value not in header.reason
    else:
        assert not set(": ".join(header)) & set("\r\n\0")
        assert ": ".join(header).encode("latin-1")
