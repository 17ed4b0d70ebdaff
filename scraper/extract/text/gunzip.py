"""Decompresses gzip in pieces, with a bound on what comes out."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

# Bytes that are held decompressed at a time.
OUTPUT_CHUNK_BYTES = 1024 * 1024
# Gzip members in one stream; each costs a copy of what follows it.
MAX_GZIP_MEMBERS = 1000


class Gunzip:
    """A stream of gzip members. `problem` says what was wrong with it; nothing is read after that."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(wbits=31)
        self._members = 1
        self._member_is_empty = True  # nothing has come out of this member yet
        self._finished = False
        self.problem: str | None = None

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The bytes that `data` continues to, in pieces of at most `PIECE`. Stop asking when there are too many."""
        while data and self.problem is None and not self._finished:
            if self._member.eof:
                if self._members == MAX_GZIP_MEMBERS:
                    self.problem = f"more than {MAX_GZIP_MEMBERS} gzip members"
                    return
                self._members += 1
                self._member = zlib.decompressobj(wbits=31)
                self._member_is_empty = True
            try:
                piece = self._member.decompress(data, OUTPUT_CHUNK_BYTES)
            except zlib.error as error:
                # What follows a whole member and is none itself is padding, or junk that gzip(1) ignores too.
                self._finished = self._members > 1 and self._member_is_empty
                self.problem = None if self._finished else f"broken gzip: {error}"
                return
            data = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
            if piece:
                self._member_is_empty = False
                yield piece

    def close(self) -> None:
        """Say that nothing follows."""
        whole = self._finished or self._member.eof or (self._members > 1 and self._member_is_empty)
        if self.problem is None and not whole:
            self.problem = "gzip ends in the middle"
