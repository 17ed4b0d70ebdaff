"""A table from hashes of text to small numbers, for a million entries in the memory of a photo.

A dict of a million integers takes 100 MB. Two flat arrays with open addressing take 12 bytes a slot, at most two thirds
of them used: 25 MB for a million keys, 38 MB while it grows. Keys are 63-bit hashes and text is not kept, so two
different texts are taken for one with a chance of n**2 / 2**64: for a million, one in eighteen million.
"""

from __future__ import annotations

from array import array
from hashlib import blake2b

KEY_BITS = 63
FIRST_SLOTS = 1 << 10


def key_of(text: str) -> int:
    """A number from 1 to 2**63 - 1 for `text`, the same on every machine; BLAKE2b, so no list can aim for clashes."""
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> (64 - KEY_BITS) or 1


class Table:
    """Maps keys (of `key_of`) to numbers from 0 to 2**32 - 1. Keys are never removed. 18 to 36 bytes a key."""

    __slots__ = ("_count", "_keys", "_mask", "_values")

    def __init__(self) -> None:
        self._resize(FIRST_SLOTS)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def get(self, key: int) -> int | None:
        """The number of `key`, or None."""
        slot = self._slot(key)
        return self._values[slot] if self._keys[slot] else None

    def put(self, key: int, value: int) -> None:
        """Set the number of `key`."""
        slot = self._slot(key)
        if not self._keys[slot]:
            self._count += 1
            if self._count * 3 > (self._mask + 1) * 2:
                self._grow()
                slot = self._slot(key)
            self._keys[slot] = key
        self._values[slot] = value

    def _slot(self, key: int) -> int:
        """Where `key` is, or the empty slot where it would be."""
        keys, mask = self._keys, self._mask
        slot = key & mask
        while (found := keys[slot]) and found != key:
            slot = (slot + 1) & mask
        return slot

    def _resize(self, slots: int) -> None:
        self._keys = array("Q", bytes(8 * slots))
        self._values = array("I", bytes(4 * slots))
        self._mask = slots - 1

    def _grow(self) -> None:
        keys, values = self._keys, self._values
        self._resize(2 * len(keys))
        for at, key in enumerate(keys):
            if key:
                slot = self._slot(key)
                self._keys[slot] = key
                self._values[slot] = values[at]
