"""Decompresses a gzip stream (RFC 1952) in chunks of bounded size."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

# Decompressed bytes held at a time. It bounds memory: 1 MB of gzip can hold 1 GB.
OUTPUT_CHUNK_BYTES = 1024 * 1024
# Members in one stream. Each costs a copy of the input behind it, so many tiny ones would take long.
MAX_GZIP_MEMBERS = 1000


class Gunzip:
    """A stream of gzip members. `problem` says what is wrong with it, else None; nothing is read after a problem."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(wbits=31)
        self._members = 1
        self._member_is_empty = True  # no output of this member yet
        self._finished = False  # padding follows the last member, which is ignored
        self.problem: str | None = None

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Decompress `data`, the next bytes, in chunks of at most `OUTPUT_CHUNK_BYTES`.

        To limit the total size, stop the iteration.
        """
        while data and self.problem is None and not self._finished:
            if self._member.eof:
                if self._members == MAX_GZIP_MEMBERS:
                    self.problem = f"more than {MAX_GZIP_MEMBERS} gzip members"
                    return
                self._members += 1
                self._member = zlib.decompressobj(wbits=31)
                self._member_is_empty = True
            try:
                chunk = self._member.decompress(data, OUTPUT_CHUNK_BYTES)
            except zlib.error as error:
                # Bytes behind a complete member that begin no other are padding; gzip(1) ignores them, too.
                self._finished = self._members > 1 and self._member_is_empty
                self.problem = None if self._finished else f"broken gzip: {error}"
                return
            data = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
            if chunk:
                self._member_is_empty = False
                yield chunk

    def close(self) -> None:
        """End the stream: sets `problem` if it is incomplete."""
        complete = self._finished or self._member.eof or (self._members > 1 and self._member_is_empty)
        if self.problem is None and not complete:
            self.problem = "gzip ends in the middle"
