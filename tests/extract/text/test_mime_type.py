"""mime_type: what a Content-Type says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.extract.text.mime_type import MAX_VALUE_CHARS, MimeType, extract_mime_type

HTML = MimeType("text/html")
UTF_8 = MimeType("text/html", "utf-8")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        # One type (MIME Sniffing 4.4).
        ("text/html", HTML),
        (" TEXT/HTML\t;", HTML),
        ("text/html;charset=utf-8", UTF_8),
        ("text/html ; Charset=utf-8 ; x=y", UTF_8),
        ('text/html; x="a;charset=gbk"; charset="utf-8"', UTF_8),
        ('text/html; x="a, b/c"; charset="utf\\-8"', UTF_8),
        ('text/html; charset="utf-8" junk; charset=gbk', UTF_8),
        ('text/html; charset="utf-8', UTF_8),
        ("text/html; charset=utf-8; charset=gbk", UTF_8),
        ("text/html; charset=; charset=utf-8", UTF_8),
        ("text/html; charset; charset=utf-8", UTF_8),
        ("text/html; charset='utf-8'", UTF_8),
        ("text/html; charset = utf-8", UTF_8),
        ("text/html;;;charset=utf-8", UTF_8),
        ("text/html; xcharset=utf-8", HTML),
        ("text/html; charset", HTML),
        # No type.
        ("", None),
        (None, None),
        ("html", None),
        ("/html", None),
        ("text/", None),
        ("text/ht ml", None),
        ('"text/html"', None),
        ("text/html charset=utf-8", None),
        ("text/html/x", None),
        # Lists (Fetch, "extract a MIME type").
        ("text/html, text/html", HTML),
        ("text/html,text/html; charset=utf-8", UTF_8),
        ("text/html; charset=utf-8, text/html", UTF_8),
        ("text/html; charset=gbk, text/html; charset=utf-8", UTF_8),
        ("text/html; charset=gbk, text/plain", MimeType("text/plain")),
        ("text/plain; charset=gbk, text/html, text/html; charset=utf-8", UTF_8),
        ("text/html, html", HTML),
        ("html, text/html", HTML),
        ("text/html, */*", HTML),
        ("*/*", None),
        ("text/html, ", HTML),
        (",,text/html", HTML),
        ("text/html; charset=utf-8, charset=gbk", UTF_8),
        ('text/html; x=", text/plain"', HTML),
    ],
)
def test_a_content_type_is_read_as_the_standards_say(value: str | None, expected: MimeType | None) -> None:
    """The last member of the list that is a MIME type, with the first charset that it gives."""
    assert extract_mime_type(value) == expected


@given(st.text(alphabet="ab/;,=\" \\'*", max_size=60))
def test_any_value_is_read(value: str) -> None:
    """Nothing raises, and an essence has one slash."""
    found = extract_mime_type(value)
    assert found is None or found.essence.count("/") == 1


@pytest.mark.parametrize("piece", ['"', "a=\\", ";", ",", "a/b;", 'a/b;x="', "a ="])
def test_long_values_take_no_long_time(piece: str) -> None:
    """Only so many characters are read."""
    extract_mime_type(piece * 200_000)
    assert extract_mime_type("a/b" + ";" * MAX_VALUE_CHARS + "charset=x") == MimeType("a/b")
