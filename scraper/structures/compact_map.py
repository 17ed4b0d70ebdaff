"""A table from hashes of text to small numbers, for a million entries in the memory of a photo.

A dict of a million integers takes 100 MB. Here an entry is twelve bytes, key and number, at the end of one of
`BUCKET_COUNT`
byte strings, and is found by searching that string: a few hundred bytes of a table of a million, and no table stands
beside a larger copy of itself while it grows. Text is not kept, so two different texts are taken for one with a chance
of n**2 / 2**65: for a million, one in thirty-seven million.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import blake2b

KEY_BYTES = 8
ENTRY_BYTES = KEY_BYTES + 4
BUCKET_COUNT = 1 << 13


def hash_key(text: str) -> bytes:
    """`KEY_BYTES` for `text`, the same on every machine; BLAKE2b, so no list can aim for clashes."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=KEY_BYTES).digest()


def pack_entries(entries: Iterable[tuple[bytes, int]]) -> bytes:
    """Keys and numbers as `Table.load` takes them."""
    return b"".join([key + number.to_bytes(4, "little") for key, number in entries])


def _unpack_entries(entries: bytes) -> Iterator[tuple[bytes, int]]:
    for at in range(0, len(entries), ENTRY_BYTES):
        yield entries[at : at + KEY_BYTES], int.from_bytes(entries[at + KEY_BYTES : at + ENTRY_BYTES], "little")


class CompactMap:
    """Maps keys (of `hash_key`) to numbers from 0 to 2**32 - 1. Keys are never removed. 14 bytes a key."""

    __slots__ = ("_buckets", "_count")

    def __init__(self) -> None:
        # Not of bytearrays: those keep an eighth of their length for more, and cost a third of the memory again.
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
        if at % ENTRY_BYTES and (at := _find_aligned(bucket, key, at)) < 0:
            return None
        return int.from_bytes(bucket[at + KEY_BYTES : at + ENTRY_BYTES], "little")

    def put(self, key: bytes, value: int) -> None:
        """Set the number of `key`."""
        place = (key[0] | key[1] << 8) & (BUCKET_COUNT - 1)
        bucket = self._buckets[place]
        at = bucket.find(key)
        if at % ENTRY_BYTES and at > 0:
            at = _find_aligned(bucket, key, at)
        if at < 0:
            self._count += 1
            self._buckets[place] = bucket + (key + value.to_bytes(4, "little"))
        else:
            entry = key + value.to_bytes(4, "little")
            self._buckets[place] = bucket[:at] + entry + bucket[at + ENTRY_BYTES :]

    def load_packed(self, entries: bytes) -> int:
        """Put what `packed` made; return the highest number in it, 0 when there is none."""
        highest = 0
        for key, value in _unpack_entries(entries):
            self.put(key, value)
            highest = max(highest, value)
        return highest


def _find_aligned(bucket: bytes, key: bytes, at: int) -> int:
    """Where an entry with `key` begins, when its bytes were found first at `at`, across two entries; -1 if nowhere."""
    while at % ENTRY_BYTES and at >= 0:
        at = bucket.find(key, at + 1)
    return at
