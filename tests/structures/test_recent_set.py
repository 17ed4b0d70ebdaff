"""A set with a bound."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from scraper.structures.recent_set import RecentSet


@given(st.lists(st.text(max_size=3), max_size=60), st.integers(1, 10))
def test_the_latest_are_remembered_and_never_more_than_twice_as_many(texts: list[str], generation: int) -> None:
    """Whatever is added, the last generation is known and what was never added is not."""
    recent = RecentSet(generation)
    for text in texts:
        recent.add(text)
        assert text in recent
        assert len(recent) <= 2 * generation
    latest = list(dict.fromkeys(reversed(texts)))[:generation]
    assert all(text in recent for text in latest)
    assert "never" not in recent
