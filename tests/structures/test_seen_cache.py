"""The cache of known keys: a hit is certain, and a miss too while it is complete."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from scraper.structures.seen_cache import RecentSet


@given(st.integers(1, 5), st.lists(st.integers(0, 12), max_size=60))
def test_recent_keys_never_err(limit: int, keys: list[int]) -> None:
    """A key that is called known was admitted before; while complete, every one that was admitted is known."""
    recent, admitted = RecentSet(limit), set[int]()
    for key in keys:
        known = not recent.add_if_new(key)
        if known:
            assert key in admitted
        elif recent.is_complete:
            assert key not in admitted
        admitted.add(key)
        assert key in recent
    assert len(recent._young) <= limit
    assert len(recent._old) <= limit


def test_recent_keys_start_with_what_is_known() -> None:
    """Given all keys it is complete; given none because they are too many, it never is."""
    assert not RecentSet(3, {1, 2}).add_if_new(2)
    assert RecentSet(3, {1, 2}).is_complete
    assert not RecentSet(3, None).is_complete
