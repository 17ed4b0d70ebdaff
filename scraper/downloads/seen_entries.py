"""Which entries of the journal this list has named already: one bit for each, 125 KB for a million."""

from __future__ import annotations

# Bytes added at a time when a number is beyond the end.
GROWTH_BYTES = 1024


class SeenEntries:
    """A set of entry numbers, which are small and dense. `last_number` is the highest that is expected at first."""

    __slots__ = ("_bits",)

    def __init__(self, last_number: int = 0) -> None:
        self._bits = bytearray((last_number >> 3) + 1)

    def __contains__(self, number: int) -> bool:
        return number >> 3 < len(self._bits) and bool(self._bits[number >> 3] >> (number & 7) & 1)

    def add(self, number: int) -> None:
        """Add an entry number, from 0."""
        if number >> 3 >= len(self._bits):
            self._bits.extend(bytes((number >> 3) + GROWTH_BYTES - len(self._bits)))
        self._bits[number >> 3] |= 1 << (number & 7)
