"""A Bloom filter of hosts with one hash: false positives, no false negatives, in constant memory."""

from __future__ import annotations

from zlib import crc32

# 64 KiB of bits.
BIT_COUNT = 1 << 19


class HostBloom:
    """Remembers hosts: one that is not in it was never added. May be used from any thread, as bits are only set."""

    __slots__ = ("_bits",)

    def __init__(self) -> None:
        self._bits = bytearray(BIT_COUNT // 8)

    def add_all(self) -> None:
        """Add every host there is: from now on, none is known to be absent."""
        self._bits[:] = b"\xff" * len(self._bits)

    def add(self, host: str) -> None:
        """Add `host`."""
        bit = crc32(host.encode("utf-8", "surrogatepass")) % BIT_COUNT
        self._bits[bit >> 3] |= 1 << (bit & 7)

    def __contains__(self, host: str) -> bool:
        bit = crc32(host.encode("utf-8", "surrogatepass")) % BIT_COUNT
        return bool(self._bits[bit >> 3] >> (bit & 7) & 1)
