"""table: a dict of hashes in flat arrays."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from scraper.lists.table import FIRST_SLOTS, KEY_BITS, SHARDS, Table, key_of

KEYS = st.integers(1, 2**KEY_BITS - 1) | st.integers(1, 99).map(lambda n: n * FIRST_SLOTS * SHARDS)


@given(st.lists(st.tuples(KEYS, st.integers(0, 2**32 - 1))))
def test_a_table_is_a_dict(pairs: list[tuple[int, int]]) -> None:
    """Whatever is put in comes out, also when keys want the same slot."""
    table, model = Table(), dict[int, int]()
    for key, value in pairs:
        assert table.get(key) == model.get(key)
        table.put(key, value)
        model[key] = value
    assert len(table) == len(model)
    assert all(table.get(key) == value for key, value in model.items())


def test_a_table_grows() -> None:
    """Keys survive every doubling."""
    table = Table()
    keys = [key_of(str(number)) for number in range(5 * FIRST_SLOTS * SHARDS)]
    for number, key in enumerate(keys):
        table.put(key, number)
    assert [table.get(key) for key in keys] == list(range(len(keys)))
    assert table.get(key_of("other")) is None


def test_a_key_is_the_same_everywhere() -> None:
    """Keys depend on the text alone, so names are the same in every run."""
    assert key_of("data.bin") == 0x1BCE0E556B310036
    assert 0 < key_of("\ud800") < 2**KEY_BITS
