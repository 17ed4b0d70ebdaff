"""A set of entry numbers."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from scraper.downloads.seen_entries import SeenEntries

NUMBER = st.integers(0, 20_000)


@settings(deadline=None)
@given(NUMBER, st.lists(NUMBER), st.lists(NUMBER))
def test_it_is_a_set_of_numbers(expected: int, added: list[int], asked: list[int]) -> None:
    """Whatever the highest number was expected to be."""
    seen = SeenEntries(expected)
    for number in added:
        seen.add(number)
    assert [number in seen for number in (*asked, *added)] == [number in set(added) for number in (*asked, *added)]
