"""Which hosts something is known of: a bit for each, in constant memory.

Two hosts may share a bit. So a host that has its bit may yet be unknown, one that has not is unknown for certain.
"""

from __future__ import annotations

from zlib import crc32

BIT_COUNT = 1 << 19
"""64 KiB of them."""


class HostBloom:
    """Remembers hosts. May be used from any thread: a bit that is set stays."""

    __slots__ = ("_bits",)

    def __init__(self) -> None:
        self._bits = bytearray(BIT_COUNT // 8)

    def add_all(self) -> None:
        """Mark every host: nothing is known to be unknown."""
        self._bits[:] = b"\xff" * len(self._bits)

    def add(self, host: str) -> None:
        """Mark `host`."""
        bit = crc32(host.encode("utf-8", "surrogatepass")) % BIT_COUNT
        self._bits[bit >> 3] |= 1 << (bit & 7)

    def __contains__(self, host: str) -> bool:
        bit = crc32(host.encode("utf-8", "surrogatepass")) % BIT_COUNT
        return bool(self._bits[bit >> 3] >> (bit & 7) & 1)
