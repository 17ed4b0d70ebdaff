"""How many lines a list has, before it is read."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.downloads.lists import line_source as source
from scraper.downloads.lists.count import count_lines
from scraper.downloads.lists.read import read_list
from tests.downloads.lists.reading import A, B

LINES = st.sampled_from(["http://a.example/a", "# no", "", "http://b.example/\thttp://c.example/", "nonsense", "#"])


@given(lines=st.lists(LINES, max_size=60), size=st.integers(4, 50), end=st.sampled_from(["", "\n"]))
def test_lines_are_counted_before_they_are_read(
    lines: list[str], size: int, end: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """`count_lines` knows how many entries and bad lines will come, wherever the pieces end that are read."""
    path = tmp_path_factory.mktemp("lists") / "list.txt"
    path.write_text("\n".join(lines) + end)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(source._ListInput.next, "__defaults__", (size,))
        assert count_lines(path) == len(list(read_list(path)))


@pytest.mark.parametrize("place", ["-", "no such file", "."])
def test_what_cannot_be_counted_is_not(place: str) -> None:
    """Stdin can be read once; what cannot be opened is told when it is read."""
    assert count_lines(place) is None


def test_packed_lists_are_counted(tmp_path: Path) -> None:
    """As they are read: unpacked."""
    path = tmp_path / "list.txt.gz"
    path.write_bytes(gzip.compress(f"# two\n{A}\n  out=x\n{B}\n".encode()))
    assert count_lines(f"@{path}") == 2
