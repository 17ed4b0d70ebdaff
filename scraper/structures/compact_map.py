"""A map from hashes of text to small numbers, at 14 bytes an entry: 14 MB a million, where a dict takes 100 MB.

An entry is twelve bytes, key and number, in one of `BUCKET_COUNT` byte strings, and is found by searching that string:
1.5 kB in a map of a million. Growing copies one string at a time, never the whole map. Text is not kept, so two
different texts are taken for one with a probability of n**2 / 2**65: for a million entries, one in 37 million.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import blake2b

KEY_BYTES = 8
ENTRY_BYTES = KEY_BYTES + 4
BUCKET_COUNT = 1 << 13


def hash_key(text: str) -> bytes:
    """`KEY_BYTES` for `text`, the same on every machine; BLAKE2b, so that no list can be made to collide."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=KEY_BYTES).digest()


def pack_entries(entries: Iterable[tuple[bytes, int]]) -> bytes:
    """Keys and numbers, as `CompactMap.load_packed` takes them."""
    return b"".join([key + number.to_bytes(4, "little") for key, number in entries])


def _unpack_entries(entries: bytes) -> Iterator[tuple[bytes, int]]:
    for at in range(0, len(entries), ENTRY_BYTES):
        yield entries[at : at + KEY_BYTES], int.from_bytes(entries[at + KEY_BYTES : at + ENTRY_BYTES], "little")


class CompactMap:
    """Maps keys (of `hash_key`) to numbers from 0 to 2**32 - 1. Keys are never removed. 14 bytes a key."""

    __slots__ = ("_buckets", "_count")

    def __init__(self) -> None:
        # Not bytearrays: those allocate an eighth more than they hold, and took a third more memory in all.
        self._buckets = [b""] * BUCKET_COUNT
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def get(self, key: bytes) -> int | None:
        """The number of `key`, or None."""
        bucket = self._buckets[(key[0] | key[1] << 8) & (BUCKET_COUNT - 1)]
        at = bucket.find(key)
        if at < 0:
            return None
        # The bytes of the key may also stand across two other entries.
        if at % ENTRY_BYTES and (at := _find_aligned(bucket, key, at)) < 0:
            return None
        return int.from_bytes(bucket[at + KEY_BYTES : at + ENTRY_BYTES], "little")

    def put(self, key: bytes, value: int) -> None:
        """Set the number of `key`."""
        index = (key[0] | key[1] << 8) & (BUCKET_COUNT - 1)
        bucket = self._buckets[index]
        at = bucket.find(key)
        if at % ENTRY_BYTES and at > 0:
            at = _find_aligned(bucket, key, at)
        if at < 0:
            self._count += 1
            self._buckets[index] = bucket + (key + value.to_bytes(4, "little"))
        else:
            entry = key + value.to_bytes(4, "little")
            self._buckets[index] = bucket[:at] + entry + bucket[at + ENTRY_BYTES :]

    def load_packed(self, entries: bytes) -> int:
        """Put what `pack_entries` made; return the highest number in it, 0 if it is empty."""
        highest = 0
        for key, value in _unpack_entries(entries):
            self.put(key, value)
            highest = max(highest, value)
        return highest


def _find_aligned(bucket: bytes, key: bytes, at: int) -> int:
    """Where an entry with `key` begins, if its bytes were first found at `at`, across two entries; -1 if nowhere."""
    while at % ENTRY_BYTES and at >= 0:
        at = bucket.find(key, at + 1)
    return at
