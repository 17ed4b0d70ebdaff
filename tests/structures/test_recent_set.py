"""A set with a bound."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from scraper.structures.recent_set import RecentSet


@settings(deadline=None)
@given(st.lists(st.integers(0, 30), max_size=80), st.integers(1, 10))
def test_the_latest_are_remembered_and_never_more_than_twice_as_many(keys: list[int], limit: int) -> None:
    """Whatever is added, the last `limit` are known, and what was never added is not."""
    recent = RecentSet(limit)
    for key in keys:
        was_known = key in recent
        assert recent.add_if_new(key) is not was_known
        assert key in recent
        assert len(recent) <= 2 * limit
    latest = list(dict.fromkeys(reversed(keys)))[:limit]
    assert all(key in recent for key in latest)
    assert 99 not in recent


@settings(deadline=None)
@given(st.lists(st.integers(0, 30), max_size=80), st.integers(1, 10), st.sets(st.integers(0, 30)))
def test_while_it_is_complete_a_miss_is_certain(keys: list[int], limit: int, known: set[int]) -> None:
    """`is_complete` holds only as long as nothing was forgotten; unknown numbers from the start rule it out."""
    recent = RecentSet(limit, known if len(known) <= limit else None)
    assert recent.is_complete is (len(known) <= limit)
    added = set(known)
    for key in keys:
        recent.add_if_new(key)
        added.add(key)
        if recent.is_complete:
            assert all(one in recent for one in added)


def test_what_comes_often_stays() -> None:
    """A number of the old generation that is added again moves to the young one."""
    recent = RecentSet(2)
    for key in (1, 2, 3, 1, 4):
        recent.add_if_new(key)
    assert (1 in recent, 2 in recent, recent.evictions) == (True, False, 2)
