"""What is wrong with a line, and what is said about it."""

from __future__ import annotations

import pytest

from scraper.downloads.lists.entry import MAX_HEADERS, MAX_MIRRORS, MAX_NAME_CHARS, MAX_SHOWN_CHARS, BadLine, Entry
from tests.downloads.lists.reading import SHA, A, read


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


@pytest.mark.parametrize(
    ("content", "checksum"),
    [
        pytest.param(f"{A}#sha256={SHA}", f"sha256:{SHA}", id="PEP 503"),
        pytest.param(f"{A}#egg=x&SHA-256={SHA.upper()}&subdirectory=y", f"sha256:{SHA}", id="among others"),
        pytest.param(f"{A}#md5={'b' * 32}&sha256={SHA}", f"sha256:{SHA}", id="the strongest"),
        pytest.param(f"{A}\thttp://b.example/b#sha256={SHA}", f"sha256:{SHA}", id="a mirror's"),
        pytest.param(f"url\n{A}#sha256={SHA}\n", f"sha256:{SHA}", id="CSV"),
        pytest.param(f'{{"url": "{A}#sha256={SHA}"}}\n', f"sha256:{SHA}", id="JSON"),
        pytest.param(f"{A}#sha256={SHA}\n checksum=sha256={SHA}\n", f"sha256:{SHA}", id="stated twice"),
        pytest.param(f"{A}#section", "None", id="an anchor"),
        pytest.param(f"{A}#egg=sha256", "None", id="a name that is no algorithm"),
    ],
)
def test_a_fragment_may_state_the_checksum(content: str, checksum: str) -> None:
    """`#sha256=<hex>`, as indexes of Python packages write it (PEP 503), in every format; the URL has no fragment."""
    (entry,) = read(content)
    assert isinstance(entry, Entry)
    assert (str(entry.checksum), entry.urls[0]) == (checksum, A)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param(f"{A}#sha256=12", "in the URL's fragment is no checksum", id="too short"),
        pytest.param(f"{A}#sha256={SHA}\thttp://b.example/#sha256={'b' * 64}", "two different sha256", id="mirrors"),
        pytest.param(f"{A}#sha256={SHA}\n checksum=sha256={'b' * 64}\n", "two different sha256", id="option"),
    ],
)
def test_a_fragment_whose_checksum_cannot_be_used_fails_its_line(content: str, reason: str) -> None:
    """The user named a checksum: downloading without verifying it, or against one of two, would be a guess."""
    (bad,) = read(content)
    assert isinstance(bad, BadLine)
    assert reason in bad.reason
