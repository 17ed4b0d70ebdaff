"""Decompresses gzip in pieces, with a bound on what comes out."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

OUTPUT_CHUNK_BYTES = 1024 * 1024
"""Bytes that are held decompressed at a time."""
MAX_GZIP_MEMBERS = 1000
"""Gzip members in one stream; each costs a copy of what follows it."""


class Gunzip:
    """A stream of gzip members. `problem` says what was wrong with it; nothing is read after that."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(wbits=31)
        self._members = 1
        self._fresh = True  # nothing has come out of this member yet
        self._over = False
        self.problem: str | None = None

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The bytes that `data` continues to, in pieces of at most `PIECE`. Stop asking when there are too many."""
        while data and self.problem is None and not self._over:
            if self._member.eof:
                if self._members == MAX_GZIP_MEMBERS:
                    self.problem = f"more than {MAX_GZIP_MEMBERS} gzip members"
                    return
                self._members += 1
                self._member = zlib.decompressobj(wbits=31)
                self._fresh = True
            try:
                piece = self._member.decompress(data, OUTPUT_CHUNK_BYTES)
            except zlib.error as error:
                # What follows a whole member and is none itself is padding, or junk that gzip(1) ignores too.
                self._over = self._members > 1 and self._fresh
                self.problem = None if self._over else f"broken gzip: {error}"
                return
            data = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
            if piece:
                self._fresh = False
                yield piece

    def close(self) -> None:
        """Say that nothing follows."""
        whole = self._over or self._member.eof or (self._members > 1 and self._fresh)
        if self.problem is None and not whole:
            self.problem = "gzip ends in the middle"
