"""Decoders of content-codings, bounded in memory (RFC 9110 8.4; gzip RFC 1952, deflate RFC 1950 and 1951, br RFC 7932,
zstd RFC 8878).

A kilobyte of gzip can expand to a megabyte, of brotli or zstd to a gigabyte. So a decoder never returns all of its
output: `feed` is an iterator whose pieces have at most `MAX_PIECE_BYTES` (for br and zstd plus one internal block), and
nothing more is decoded until the next piece is requested. The reader counts and stops; a decompression bomb costs one
piece.

zlib and brotli accept an output limit. The zstandard library does not: it returns all that its input contains. But a
zstd frame is a sequence of blocks of at most 128 KiB each when decoded, with readable headers. So `_ZstdDecoder` splits
the input at block borders and passes on one block at a time.

Input is fed in slices, too: zlib copies the unused input after every call, and a long piece made of tiny gzip members
would be copied once for each of them.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

import brotli  # type: ignore[import-untyped]  # ships no types
import zstandard

MAX_PIECE_BYTES = 64 * 1024
INPUT_SLICE_BYTES = 16 * 1024
MAX_CODINGS = 3
# Codings of the IANA registry that are not undone here, and that we never ask for.
_REGISTERED_CODINGS = frozenset({"compress", "exi", "pack200-gzip", "aes128gcm", "dcb", "dcz"})
# Codings with windows of up to 16 MB, which the decoder keeps in memory; gzip and deflate need 32 KiB.
LARGE_WINDOW_CODINGS = frozenset({"br", "zstd"})
ZSTD_MAX_BLOCK_BYTES = 128 * 1024
# RFC 9659: a zstd content-coding uses a window of at most 8 MB.
ZSTD_MAX_WINDOW_BYTES = 8 * 1024 * 1024


class DecodeError(Exception):
    """A body is not what its Content-Encoding says; `str()` is a sentence without text from the server."""


class Decoder(Protocol):
    """Decodes one content-coding, or several in sequence."""

    def feed(self, encoded: bytes) -> Iterator[bytes]:
        """Iterate over what `encoded` adds to the output, in bounded pieces. Exhaust the iterator before the next call,
        or drop the decoder.

        Raises `DecodeError` when the data are not of this coding.
        """
        ...

    def finish(self) -> None:
        """The input is complete. Raises `DecodeError` when its end is missing. No input at all is an empty body."""
        ...


def parse_codings(values: Iterable[str]) -> tuple[str, ...]:
    """The codings that Content-Encoding `values` name, in the order they were applied.

    Names that are none (`identity`, a charset's, a proxy's invention) are left out: as in browsers (Fetch, "handle
    content codings"), a body of an unknown coding is passed on as it is. `unknown_codings` tells of them.
    """
    return tuple(name for name in _named_codings(values) if name in _DECODERS or name in _REGISTERED_CODINGS)


def unknown_codings(values: Iterable[str]) -> tuple[str, ...]:
    """The names in Content-Encoding `values` of which nothing is undone, without `identity`."""
    return tuple(name for name in _named_codings(values) if name not in ("identity", *_DECODERS))


def _named_codings(values: Iterable[str]) -> Iterator[str]:
    for value in values:
        for name in value.split(","):
            if stripped := name.strip(" \t\"'").lower():
                yield stripped.removeprefix("x-")


def make_decoder(codings: tuple[str, ...]) -> Decoder | None:
    """A decoder for `codings` (from `parse_codings`), None when there is nothing to decode.

    Raises `DecodeError` for an unknown coding, and for more than `MAX_CODINGS` of them.
    """
    if not codings:
        return None
    if len(codings) > MAX_CODINGS:
        raise DecodeError(f"the body has {len(codings)} content-codings; at most {MAX_CODINGS} are decoded")
    unknown = [name for name in codings if name not in _DECODERS]
    if unknown:
        raise DecodeError(f"the content-coding is none of {', '.join(sorted(_DECODERS))}")
    decoder = _DECODERS[codings[-1]]()
    for name in reversed(codings[:-1]):
        decoder = _ChainedDecoder(decoder, _DECODERS[name]())
    return decoder


def needs_large_window(codings: Iterable[str]) -> bool:
    """Whether decoding needs megabytes of memory per body, so that few should be decoded at once."""
    return not LARGE_WINDOW_CODINGS.isdisjoint(codings)


class _ChainedDecoder:
    """Two decoders in sequence, the outer coding first."""

    def __init__(self, outer: Decoder, inner: Decoder) -> None:
        self._outer, self._inner = outer, inner

    def feed(self, encoded: bytes) -> Iterator[bytes]:
        for piece in self._outer.feed(encoded):
            yield from self._inner.feed(piece)

    def finish(self) -> None:
        self._outer.finish()
        self._inner.finish()


class _GzipDecoder:
    """Decodes gzip members in sequence; zeros or garbage behind a complete member are ignored, as gunzip does."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(zlib.MAX_WBITS | 16)
        self._started = False
        # None within a member. Behind one: the first bytes of what may be the next; two of them decide.
        self._next_magic: bytes | None = None
        self._ignore_rest = False

    def feed(self, encoded: bytes) -> Iterator[bytes]:
        for start in range(0, len(encoded), INPUT_SLICE_BYTES):
            rest = encoded[start : start + INPUT_SLICE_BYTES]
            while rest and not self._ignore_rest:
                if self._next_magic is not None:
                    rest = self._next_member(self._next_magic + rest)
                    continue
                self._started = True
                yield from _inflate(self._member, rest)
                rest = self._member.unused_data
                if self._member.eof:
                    self._next_magic = b""

    def _next_member(self, found: bytes) -> bytes:
        """Examine what follows a member; return the start of the next one, empty while undecided."""
        found = found.lstrip(b"\0")
        self._next_magic = found[:2]
        if len(found) < 2:
            return b""
        if found[:2] != b"\x1f\x8b":
            self._ignore_rest = True
            return b""
        self._next_magic = None
        self._member = zlib.decompressobj(zlib.MAX_WBITS | 16)
        return found

    def finish(self) -> None:
        if self._started and self._next_magic is None:
            raise DecodeError("the gzip body ends before its last member does")


class _DeflateDecoder:
    """ "deflate" in HTTP is the zlib format; some servers send raw deflate data, so both are accepted."""

    def __init__(self) -> None:
        self._pending = b""
        self._stream: zlib._Decompress | None = None

    def feed(self, encoded: bytes) -> Iterator[bytes]:
        if self._stream is None:
            encoded = self._pending + encoded
            if len(encoded) < 2:
                self._pending = encoded
                return
            # A zlib header has method 8 in its low bits and is a multiple of 31; deflate data begin like that only
            # with a stored block whose padding is not zero, which no encoder writes.
            is_zlib = encoded[0] & 0x0F == 8 and (encoded[0] << 8 | encoded[1]) % 31 == 0
            self._stream = zlib.decompressobj(zlib.MAX_WBITS if is_zlib else -zlib.MAX_WBITS)
        for start in range(0, len(encoded), INPUT_SLICE_BYTES):
            if self._stream.eof:
                return
            yield from _inflate(self._stream, encoded[start : start + INPUT_SLICE_BYTES])

    def finish(self) -> None:
        if self._pending if self._stream is None else not self._stream.eof:
            raise DecodeError("the deflate body ends before its data do")


def _inflate(stream: zlib._Decompress, encoded: bytes) -> Iterator[bytes]:
    try:
        piece = stream.decompress(encoded, MAX_PIECE_BYTES)
        while piece:
            yield piece
            # After a full piece there may be more output, even if all input was consumed.
            if stream.eof or not (stream.unconsumed_tail or len(piece) == MAX_PIECE_BYTES):
                return
            piece = stream.decompress(stream.unconsumed_tail, MAX_PIECE_BYTES)
    except zlib.error:
        raise DecodeError("the body is not the gzip or deflate data that its Content-Encoding says") from None


class _BrotliDecoder:
    def __init__(self) -> None:
        self._stream = brotli.Decompressor()
        self._started = False

    def feed(self, encoded: bytes) -> Iterator[bytes]:
        self._started = self._started or bool(encoded)
        try:
            piece = self._stream.process(encoded, output_buffer_limit=MAX_PIECE_BYTES)
            while piece or not self._stream.can_accept_more_data():
                yield piece
                piece = self._stream.process(b"", output_buffer_limit=MAX_PIECE_BYTES)
        except brotli.error:
            raise DecodeError("the body is not the br data that its Content-Encoding says") from None

    def finish(self) -> None:
        if self._started and not self._stream.is_finished():
            raise DecodeError("the br body ends before its data do")


_ZSTD_DICTIONARY_ID_SIZES = (0, 1, 2, 4)
_ZSTD_CONTENT_SIZE_SIZES = (0, 2, 4, 8)


class _ZstdDecoder:
    """Decodes zstd frames in sequence; skippable frames and garbage behind a complete frame are ignored (RFC 8878 3.1).

    `_find_element_end` is the method that finds the end of the next element (frame header, block, checksum, skippable
    frame) in the buffer; it returns None while the element is incomplete. It is stored unbound: a bound method would be
    a reference cycle, and the window memory would wait for the garbage collector.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._find_element_end: Callable[[_ZstdDecoder, int], int | None] = _ZstdDecoder._frame_header_end
        self._stream: zstandard.ZstdDecompressionObj | None = None
        self._has_checksum = False
        self._skippable_left = 0
        self._frame_complete = True  # no frame has begun without having ended
        self._seen_frame = False

    def feed(self, encoded: bytes) -> Iterator[bytes]:
        self._buffer += encoded
        start = 0
        while (end := self._find_element_end(self, start)) is not None:
            if self._stream is not None and (piece := self._decompress(self._buffer[start:end])):
                yield piece
            start = end
        del self._buffer[:start]

    def finish(self) -> None:
        if not self._frame_complete or (self._buffer and not self._seen_frame):
            raise DecodeError("the zstd body ends before its data do")

    def _decompress(self, element: bytearray) -> bytes:
        assert self._stream is not None
        try:
            return self._stream.decompress(element)
        except zstandard.ZstdError:
            raise DecodeError("the body is not the zstd data that its Content-Encoding says") from None

    def _frame_header_end(self, start: int) -> int | None:
        head = self._buffer[start : start + 8]
        if len(head) < 5:
            return None
        magic = int.from_bytes(head[:4], "little")
        if magic & 0xFFFFFFF0 == 0x184D2A50:
            return self._begin_skippable_frame(start, head)
        if magic != 0xFD2FB528:
            return self._begin_garbage(start)
        descriptor = head[4]
        single = descriptor >> 5 & 1
        content = _ZSTD_CONTENT_SIZE_SIZES[descriptor >> 6] or single
        end = start + 5 + (1 - single) + _ZSTD_DICTIONARY_ID_SIZES[descriptor & 3] + content
        if end > len(self._buffer):
            return None
        self._has_checksum = bool(descriptor & 4)
        self._stream = zstandard.ZstdDecompressor(max_window_size=ZSTD_MAX_WINDOW_BYTES).decompressobj()
        self._frame_complete, self._seen_frame, self._find_element_end = False, True, _ZstdDecoder._block_end
        return end

    def _block_end(self, start: int) -> int | None:
        if start + 3 > len(self._buffer):
            return None
        header = int.from_bytes(self._buffer[start : start + 3], "little")
        is_last, kind, size = header & 1, header >> 1 & 3, header >> 3
        if size > ZSTD_MAX_BLOCK_BYTES:
            raise DecodeError("the zstd body has a block larger than the format allows")
        end = start + 3 + (1 if kind == 1 else size)  # kind 1 is one byte, repeated
        if end > len(self._buffer):
            return None
        if is_last:
            self._find_element_end = (
                _ZstdDecoder._checksum_end if self._has_checksum else _ZstdDecoder._frame_header_end
            )
            self._frame_complete = not self._has_checksum
        return end

    def _checksum_end(self, start: int) -> int | None:
        if start + 4 > len(self._buffer):
            return None
        self._frame_complete, self._find_element_end = True, _ZstdDecoder._frame_header_end
        return start + 4

    def _begin_skippable_frame(self, start: int, head: bytearray) -> int | None:
        if len(head) < 8:
            return None
        self._skippable_left = int.from_bytes(head[4:8], "little")
        self._stream, self._seen_frame, self._frame_complete = None, True, not self._skippable_left
        self._find_element_end = (
            _ZstdDecoder._skippable_frame_end if self._skippable_left else _ZstdDecoder._frame_header_end
        )
        return start + 8

    def _skippable_frame_end(self, start: int) -> int | None:
        size = min(self._skippable_left, len(self._buffer) - start)
        self._skippable_left -= size
        if not self._skippable_left:
            self._frame_complete, self._find_element_end = True, _ZstdDecoder._frame_header_end
        return start + size if size else None

    def _begin_garbage(self, start: int) -> int | None:
        if not self._seen_frame:
            raise DecodeError("the body is not the zstd data that its Content-Encoding says")
        self._stream, self._find_element_end = None, _ZstdDecoder._garbage_end
        return self._garbage_end(start)

    def _garbage_end(self, start: int) -> int | None:
        return len(self._buffer) if start < len(self._buffer) else None


_DECODERS: dict[str, Callable[[], Decoder]] = {
    "gzip": _GzipDecoder,
    "deflate": _DeflateDecoder,
    "br": _BrotliDecoder,
    "zstd": _ZstdDecoder,
}
