"""A table from hashes of text to small numbers, for a million entries in the memory of a photo.

A dict of a million integers takes 100 MB. Flat arrays with open addressing take 12 bytes a slot, at most two thirds of
them used: 25 MB for a million keys. There are `SHARDS` pairs of them, each of which grows alone: while one large pair
doubled, the old and the new one would stand beside each other. Keys are 63-bit hashes and text is not kept, so two
different texts are taken for one with a chance of n**2 / 2**64: for a million, one in eighteen million.
"""

from __future__ import annotations

from array import array
from hashlib import blake2b

KEY_BITS = 63
SHARD_BITS = 6
SHARDS = 1 << SHARD_BITS
FIRST_SLOTS = 1 << 5


def key_of(text: str) -> int:
    """A number from 1 to 2**63 - 1 for `text`, the same on every machine; BLAKE2b, so no list can aim for clashes."""
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> (64 - KEY_BITS) or 1


class Table:
    """Maps keys (of `key_of`) to numbers from 0 to 2**32 - 1. Keys are never removed. 18 to 36 bytes a key."""

    __slots__ = ("_count", "_shards")

    def __init__(self) -> None:
        self._shards = [_Shard() for _ in range(SHARDS)]
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def get(self, key: int) -> int | None:
        """The number of `key`, or None."""
        shard = self._shards[key & SHARDS - 1]
        slot = shard.slot(key)
        return shard.values[slot] if shard.keys[slot] else None

    def put(self, key: int, value: int) -> None:
        """Set the number of `key`."""
        self._count += self._shards[key & SHARDS - 1].put(key, value)


class _Shard:
    """The keys that end in the same bits."""

    __slots__ = ("_count", "_mask", "keys", "values")

    def __init__(self) -> None:
        self._resize(FIRST_SLOTS)
        self._count = 0

    def put(self, key: int, value: int) -> bool:
        """Set the number of `key`; answer whether it is new."""
        slot = self.slot(key)
        is_new = not self.keys[slot]
        if is_new:
            self._count += 1
            if self._count * 3 > (self._mask + 1) * 2:
                self._grow()
                slot = self.slot(key)
            self.keys[slot] = key
        self.values[slot] = value
        return is_new

    def slot(self, key: int) -> int:
        """Where `key` is, or the empty slot where it would be."""
        keys, mask = self.keys, self._mask
        slot = key >> SHARD_BITS & mask
        while (found := keys[slot]) and found != key:
            slot = (slot + 1) & mask
        return slot

    def _resize(self, slots: int) -> None:
        # Not from bytes: those would stand beside the array for a moment, as large as it.
        self.keys = array("Q", (0,)) * slots
        self.values = array("I", (0,)) * slots
        self._mask = slots - 1

    def _grow(self) -> None:
        keys, values = self.keys, self.values
        self._resize(2 * len(keys))
        for at, key in enumerate(keys):
            if key:
                slot = self.slot(key)
                self.keys[slot] = key
                self.values[slot] = values[at]
