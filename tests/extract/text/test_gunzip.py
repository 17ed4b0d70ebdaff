"""Gzip streams: members, padding, and what is broken (RFC 1952)."""

from __future__ import annotations

import gzip

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scraper.extract.text import gunzip
from scraper.extract.text.gunzip import MAX_GZIP_MEMBERS, Gunzip

ONE = gzip.compress(b"one")


def unpack(data: bytes, size: int = 7) -> tuple[bytes, str | None]:
    stream = Gunzip()
    found = b"".join(chunk for start in range(0, len(data), size) for chunk in stream.feed(data[start : start + size]))
    stream.close()
    return found, stream.problem


@pytest.mark.parametrize(
    ("data", "found", "problem"),
    [
        pytest.param(ONE, b"one", None, id="one member"),
        pytest.param(ONE + gzip.compress(b" two"), b"one two", None, id="two members"),
        pytest.param(ONE + b"\0" * 512, b"one", None, id="padding"),
        pytest.param(ONE + b"junk", b"one", None, id="junk behind"),
        pytest.param(ONE[:-1], b"one", "gzip ends in the middle", id="cut"),
        pytest.param(b"", b"", "gzip ends in the middle", id="empty"),
        pytest.param(gzip.compress(b"") * (MAX_GZIP_MEMBERS + 1), b"", "more than 1000 gzip members", id="members"),
    ],
)
def test_a_stream_gives_its_content_and_what_is_wrong(data: bytes, found: bytes, problem: str | None) -> None:
    """What comes before an error is kept; bytes behind the last member are ignored, as gzip(1) does."""
    assert unpack(data) == (found, problem)


def test_a_broken_member_is_a_problem() -> None:
    """Nothing is read after it."""
    stream = Gunzip()
    assert list(stream.feed(b"\x1f\x8b\x07" + b"x" * 20)) == []
    assert (stream.problem or "").startswith("broken gzip")
    assert list(stream.feed(ONE)) == []


def test_chunks_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A little gzip never becomes much memory at once."""
    monkeypatch.setattr(gunzip, "OUTPUT_CHUNK_BYTES", 100)
    assert {len(chunk) for chunk in Gunzip().feed(gzip.compress(b"x" * 1000))} == {100}


@settings(deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=50), min_size=1, max_size=4), st.integers(1, 60))
def test_members_are_read_however_they_are_cut(contents: list[bytes], size: int) -> None:
    """The content does not depend on how the stream arrives."""
    assert unpack(b"".join(map(gzip.compress, contents)), size) == (b"".join(contents), None)
