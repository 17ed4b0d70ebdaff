"""table: a dict of hashes in byte strings."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from scraper.structures.compact_map import BUCKET_COUNT, KEY_BYTES, CompactMap, hash_key, pack_entries

# Of few letters, so that the bytes of one key stand across two others, and most share a bucket.
KEYS = st.binary(min_size=KEY_BYTES, max_size=KEY_BYTES) | st.text("\0\1", min_size=KEY_BYTES, max_size=KEY_BYTES).map(
    str.encode
)
VALUES = st.integers(0, 2**32 - 1) | st.sampled_from([0, 1, 0x01010101, 0x00010001])


@given(st.lists(st.tuples(KEYS, VALUES)))
def test_a_table_is_a_dict(pairs: list[tuple[bytes, int]]) -> None:
    """Whatever is put in comes out, also when keys want the same place."""
    table, model = CompactMap(), dict[bytes, int]()
    for key, value in pairs:
        assert table.get(key) == model.get(key)
        table.put(key, value)
        model[key] = value
    assert len(table) == len(model)
    assert all(table.get(key) == value for key, value in model.items())


def test_the_bytes_of_a_key_across_two_entries_are_no_entry() -> None:
    """A key that stands across the borders of others, once or twice, is not there until it is put in."""
    key = b"\0" * KEY_BYTES
    table = CompactMap()
    table.put(b"\0\0" + b"\1" * (KEY_BYTES - 2), 0)
    table.put(b"\0\0\0\0" + b"\1" * (KEY_BYTES - 4), 0)
    table.put(b"\0\0\0\0" + b"\2" * (KEY_BYTES - 4), 0)
    assert table.get(key) is None
    table.put(key, 7)
    assert (table.get(key), len(table)) == (7, 4)


def test_a_table_grows() -> None:
    """Keys are found again, whatever their number."""
    table = CompactMap()
    keys = [hash_key(str(number)) for number in range(10 * BUCKET_COUNT)]
    for number, key in enumerate(keys):
        table.put(key, number)
    assert [table.get(key) for key in keys] == list(range(len(keys)))
    assert table.get(hash_key("other")) is None


@given(st.dictionaries(KEYS, VALUES))
def test_what_was_packed_is_loaded(entries: dict[bytes, int]) -> None:
    """A table that was loaded has every entry, and says which number is the highest."""
    table = CompactMap()
    assert table.load_packed(pack_entries(entries.items())) == max(entries.values(), default=0)
    assert {key: table.get(key) for key in entries} == entries


def test_a_key_is_the_same_everywhere() -> None:
    """Keys depend on the text alone, so names are the same in every run."""
    assert hash_key("data.bin").hex() == "6c0062d6aa1c9c37"
    assert len(hash_key("\ud800")) == KEY_BYTES
