"""A file or stdin as numbered lines of text: unpacked, decoded, and never more than one line in memory.

Lists come from everywhere: packed by gzip or zstd (recognised by their first bytes, for stdin has no extension), in
UTF-8 with or without a byte order mark, in UTF-16 with one (what a Windows shell's `>` writes), with CRLF. They can be
hostile, too: a kilobyte of zstd that unpacks to a line of a gigabyte. So everything is read in bounded pieces, and what
is left of a line that is too long is dropped as it comes.
"""

from __future__ import annotations

import codecs
import gzip
import os
import sys
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, BinaryIO, NamedTuple, cast

import zstandard

from scraper.downloads.lists.pipe_source import NoData, PipeReader, pipe_descriptor
from scraper.errors import ConfigError, Problem

# Bytes read, and unpacked from gzip, at a time.
CHUNK_BYTES = 64 * 1024
# Bytes given to zstd at a time: each four of them can hold a block of 128 KiB, so 4 MiB come out at most.
ZSTD_INPUT_BYTES = 128
# Memory in bytes that a zstd file may demand: what `zstd -19 --long=25` needs.
ZSTD_MAX_WINDOW_BYTES = 32 * 1024 * 1024
# Characters of a line; longer ones are bad lines.
MAX_LINE_CHARS = 65_536
# Bytes of a whole list, unpacked.
MAX_LIST_BYTES = 64 * 1024**3

# How the problem of a last line begins after which nothing can be read.
CUT_OFF_PREFIX = "the list ends here"

_GZIP_MAGIC, _ZSTD_MAGIC = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_HEAD_BYTES = 4


class Line(NamedTuple):
    """A line without its end, counted from 1. `problem`, when not empty, says why its text cannot be used."""

    number: int
    text: str
    problem: str = ""


class _ListInput:
    """A binary file whose first bytes were looked at. `read` gives at least one byte before the end.

    With `halted` it is waited for knowingly if it comes through a pipe (see `Incoming`), and `next` gives lulls too.
    """

    def __init__(self, file: BinaryIO, halted: Callable[[], bool] | None) -> None:
        live = pipe_descriptor(file) if halted is not None else None
        if live is None or halted is None:
            self._next: Callable[[int], bytes | NoData] = getattr(file, "read1", file.read)
        else:
            self._next = PipeReader(live, halted).read1
        self.head = b""
        while len(self.head) < _HEAD_BYTES and (more := self._bytes(_HEAD_BYTES - len(self.head))):
            self.head += more
        self._first = self.head

    def next(self, size: int = CHUNK_BYTES) -> bytes | NoData:
        first, self._first = self._first, b""
        more = self._next(size - len(first))
        if not first:
            return more
        return first if isinstance(more, NoData) else first + more

    def read(self, size: int = CHUNK_BYTES) -> bytes:
        first, self._first = self._first[:size], self._first[size:]
        return first + self._bytes(size - len(first)) if len(first) < size else first

    def _bytes(self, size: int) -> bytes:
        while isinstance(found := self._next(size), NoData):
            pass
        return found


def read_lines(source: str | Path, stdin: BinaryIO | None = None) -> Generator[Line, None, None]:
    """The lines of a file, or of stdin for `-`. What breaks in the middle ends with a line that has a problem.

    Raises `ConfigError` at the first step when the file cannot be opened or does not begin as text.
    """
    # Without `halted` there are no lulls.
    return cast("Generator[Line, None, None]", read_live_lines(source, stdin))


def read_live_lines(
    source: str | Path, stdin: BinaryIO | None = None, is_stopped: Callable[[], bool] | None = None
) -> Generator[Line | NoData, None, None]:
    """As `read_lines`; with `halted` the lulls of a list that comes through a pipe are given out, too.

    Raises `ReadStopped` when `halted()` says so while nothing comes.
    """
    if str(source) == "-":
        yield from _split_lines(stdin or sys.stdin.buffer, is_stopped)
        return
    path = Path(source)
    try:
        if path.is_dir():
            raise ConfigError([Problem("is a folder, not a file", file=str(path))])
        file = path.open("rb")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigError([Problem(f"cannot be read: {reason}", file=str(path))]) from None
    with file:
        yield from _split_lines(file, is_stopped)


def read_text_chunks(path: str | Path) -> Iterator[str]:
    """The text of a file in pieces, as its lines are made of; ends where it cannot be read on.

    Raises `OSError` and `ConfigError` at the first step, as `read_lines`.
    """
    with Path(path).open("rb") as file, suppress(_UnreadableError):
        for piece in _decode_chunks(_ListInput(file, None)):
            if not isinstance(piece, NoData):
                yield piece


def _split_lines(file: BinaryIO, halted: Callable[[], bool] | None) -> Iterator[Line | NoData]:
    number, rest, skipping = 1, "", False
    try:
        for text in _decode_chunks(_ListInput(file, halted)):
            if isinstance(text, NoData):
                if not (text.silent and rest.startswith((" ", "\t"))):  # half an option belongs to what came before
                    yield text
                continue
            if "\n" not in text and (skipping or len(rest) + len(text) > MAX_LINE_CHARS):
                if not skipping:
                    yield Line(number, (rest + text)[:MAX_LINE_CHARS], _TOO_LONG_PROBLEM)
                rest, skipping = "", True
                continue
            parts = (rest + text).split("\n")
            rest = parts.pop()
            for part in parts:
                if not skipping:
                    yield _make_line(number, part)
                skipping = False
                number += 1
    except _UnreadableError as broken:
        # What came just before is cut off at an unknown place: asking for it would be a mistake.
        yield Line(number, rest, f"{CUT_OFF_PREFIX}: {broken}")
        return
    if rest:
        yield _make_line(number, rest)


_TOO_LONG_PROBLEM = f"longer than {MAX_LINE_CHARS:,} characters"


def _make_line(number: int, text: str) -> Line:
    if len(text) > MAX_LINE_CHARS:
        return Line(number, text[:MAX_LINE_CHARS], _TOO_LONG_PROBLEM)
    text = text.removesuffix("\r")
    if not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text):
        return Line(number, text.encode("utf-8", "replace").decode(), "not UTF-8 text")
    return Line(number, text)


class _UnreadableError(Exception):
    """The input cannot be read on; `str()` says why."""


def _decode_chunks(source: _ListInput) -> Iterator[str | NoData]:
    decoder: codecs.IncrementalDecoder | None = None
    head, total = b"", 0
    for piece in _decompress_chunks(source):
        if isinstance(piece, NoData):
            yield piece
            continue
        total += len(piece)
        if total > MAX_LIST_BYTES:
            raise _UnreadableError(f"it is larger than {MAX_LIST_BYTES:,} bytes")
        if decoder is None:
            head += piece
            if len(head) < _HEAD_BYTES:
                continue
            decoder, piece = _make_decoder(head), head
        yield decoder.decode(piece)
    if decoder is None:
        yield _make_decoder(head).decode(head, True)
    else:
        yield decoder.decode(b"", True)


def _make_decoder(head: bytes) -> codecs.IncrementalDecoder:
    is_utf16 = head[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    if b"\0" in head and not is_utf16:
        raise ConfigError([Problem("is not a text file")])
    return codecs.getincrementaldecoder("utf-16" if is_utf16 else "utf-8-sig")(
        "replace" if is_utf16 else "surrogateescape"
    )


def _decompress_chunks(source: _ListInput) -> Iterator[bytes | NoData]:
    try:
        if source.head.startswith(_GZIP_MAGIC):
            yield from _gunzip(source)
        elif source.head.startswith(_ZSTD_MAGIC):
            yield from _unzstd(source)
        else:
            while piece := source.next():
                yield piece
    except EOFError:
        raise _UnreadableError("its gzip data end in the middle") from None
    except (gzip.BadGzipFile, zlib.error):
        raise _UnreadableError("its gzip data are damaged") from None
    except zstandard.ZstdError as error:
        raise _UnreadableError(f"its zstd data cannot be unpacked: {error}") from None
    except OSError as error:
        raise _UnreadableError(os.strerror(error.errno) if error.errno else str(error)) from None


def _gunzip(source: _ListInput) -> Iterator[bytes]:
    with gzip.GzipFile(fileobj=cast(IO[bytes], source), mode="rb") as unpacked:
        while piece := unpacked.read1(CHUNK_BYTES):
            yield piece


def _unzstd(source: _ListInput) -> Iterator[bytes]:
    decompressor = zstandard.ZstdDecompressor(max_window_size=ZSTD_MAX_WINDOW_BYTES)
    frame = decompressor.decompressobj()
    while packed := source.read():
        for start in range(0, len(packed), ZSTD_INPUT_BYTES):
            rest = packed[start : start + ZSTD_INPUT_BYTES]
            while rest:
                if frame.eof:
                    frame = decompressor.decompressobj()
                piece = frame.decompress(rest)
                rest = frame.unused_data if frame.eof else b""
                if piece:
                    yield piece
    if not frame.eof:
        raise _UnreadableError("its zstd data end in the middle")
