"""A list entry as JSON."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from scraper.model import EntryState

TEXT = st.text(st.characters(codec="utf-8"))


@given(
    st.builds(
        EntryState,
        st.integers(0, 2**40),
        st.integers(1, 2**40),
        TEXT,
        TEXT,
        name=st.none() | TEXT,
        mirrors=st.lists(TEXT).map(tuple),
        headers=st.lists(st.tuples(TEXT, TEXT)).map(tuple),
        may_replace=st.booleans(),
        uncounted_attempts=st.integers(0, 99),
        mirror_index=st.integers(0, 32),
        history=st.lists(TEXT).map(tuple),
        failed_mirrors=st.lists(st.integers(0, 32)).map(tuple),
    )
)
def test_an_entry_survives_json(entry: EntryState) -> None:
    """What is written is read back, whatever fields have their defaults."""
    assert EntryState.from_json(entry.to_json()) == entry
