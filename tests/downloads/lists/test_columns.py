"""The meaning of named columns."""

from __future__ import annotations

import pytest

from scraper.downloads.lists.columns import draft_from_row, find_url_column, normalize_column


@pytest.mark.parametrize(
    ("names", "column"),
    [
        (["name", "url"], "url"),
        (["link", "href"], "link"),
        (["Download URL"], "download_url"),
        (["name", "size"], None),
    ],
    ids=["url", "the best known", "written with a space", "none"],
)
def test_the_column_of_the_url_is_found(names: list[str], column: str | None) -> None:
    """Case and spaces do not matter."""
    assert find_url_column(map(normalize_column, names)) == column


def test_values_of_another_type_are_problems() -> None:
    """A JSON row may hold anything; the first problem is kept."""
    draft = draft_from_row(3, "{...}", {"url": "http://a.example/a", "name": {}, "dir": []})
    assert draft.problem == "expected text, not {}"


def test_headers_come_in_three_forms() -> None:
    """An object, a list, or the lines of a text."""
    for value in ({"X-A": "1", "X-B": "2"}, ["X-A: 1", "X-B: 2"], "X-A: 1\nX-B: 2"):
        assert draft_from_row(1, "", {"headers": value}).headers == [("X-A", "1"), ("X-B", "2")]
