"""What is wrong with a line, and what is said about it."""

from __future__ import annotations

import pytest

from scraper.downloads.lists.entry import MAX_HEADERS, MAX_MIRRORS, MAX_NAME_CHARS, MAX_SHOWN_CHARS, BadLine, Entry
from tests.downloads.lists.reading import A, read


@pytest.mark.parametrize(
    ("content", "line", "reason"),
    [
        pytest.param(f"{A}\n checksum=md5=x\n", 1, "no checksum of a known form", id="checksum"),
        pytest.param(f"{A}\n header=x\n", 1, "a header is a name", id="header"),
        pytest.param(f"{A}\n header=Range: bytes=0-\n", 1, "cannot be set", id="our header"),
        pytest.param(f"{A}\n" + " header=A: b\n" * (MAX_HEADERS + 1), 1, "more than 50 headers", id="headers"),
        pytest.param(f"{A}\n out={'x' * (MAX_NAME_CHARS + 1)}\n", 1, "name is longer", id="name"),
        pytest.param(" out=x\n", 1, "indented", id="option without a URL"),
        pytest.param(f"{A}\n no option\n", 2, "indented", id="no option"),
        pytest.param("x y\n out=x\n", 1, "not an absolute URL", id="options of a bad URL"),
        pytest.param("http://u:secret@a.example/\n", 1, "Authorization", id="password"),
        pytest.param("magnet:?xt=x\n", 1, "magnet: is neither http nor https", id="scheme"),
    ],
)
def test_a_bad_entry_is_reported_once(content: str, line: int, reason: str) -> None:
    """The reason says what to do, and the line is the one to look at; passwords are not repeated."""
    bad = [one for one in read(content) if isinstance(one, BadLine)]
    assert [one.line for one in bad] == [line]
    assert reason in bad[0].reason
    assert "secret" not in bad[0].text
    assert len(bad[0].text) <= MAX_SHOWN_CHARS


def test_mirrors_are_bounded() -> None:
    """More addresses than the limit are left out, and the user is told."""
    notices: list[str] = [""]
    (entry,) = read("\t".join(f"{A}{number}" for number in range(MAX_MIRRORS + 1)), notices=notices)
    assert isinstance(entry, Entry)
    assert len(entry.urls) == MAX_MIRRORS
    assert "mirrors" in notices[1]
