"""A file or stdin as numbered lines of text: decompressed, decoded, with one line in memory at a time.

Lists may be compressed by gzip or zstd (recognized by their first bytes, as stdin has no extension), in UTF-8 with or
without a byte order mark, in UTF-16 with one (written by `>` in a Windows shell), with CRLF. They may be hostile: a
kilobyte of zstd can decompress to one line of a gigabyte. So everything is read in bounded chunks, and the rest of a
line that is too long is dropped while it is read.
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

# Bytes read at a time, and bytes decompressed from gzip at a time.
CHUNK_BYTES = 64 * 1024
# Bytes given to zstd at a time. Four of them can be a block of 128 KiB, so at most 4 MiB come out.
ZSTD_INPUT_BYTES = 128
# Memory that a zstd file may need: that of `zstd -19 --long=25`.
ZSTD_MAX_WINDOW_BYTES = 32 * 1024 * 1024
# Characters of a line; longer ones are bad lines.
MAX_LINE_CHARS = 65_536
# Bytes of a whole list, decompressed.
MAX_LIST_BYTES = 64 * 1024**3

# The problem of the last line begins with this when the rest of the list cannot be read.
CUT_OFF_PREFIX = "the list ends here"

_GZIP_MAGIC, _ZSTD_MAGIC = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_HEAD_BYTES = 4


class Line(NamedTuple):
    """A line without its line break; `number` counts from 1. `problem`: why the text cannot be used, or empty."""

    number: int
    text: str
    problem: str = ""


class _ListInput:
    """A binary file with `head`, its first bytes. `read` returns at least one byte before the end.

    With `is_stopped`, a pipe is read by `PipeReader`, and `next` may return `NoData`.
    """

    def __init__(self, file: BinaryIO, is_stopped: Callable[[], bool] | None) -> None:
        live = pipe_descriptor(file) if is_stopped is not None else None
        if live is None or is_stopped is None:
            self._next: Callable[[int], bytes | NoData] = getattr(file, "read1", file.read)
        else:
            self._next = PipeReader(live, is_stopped).read1
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
    """The lines of a file, or of stdin for `-`. If the rest cannot be read, the last line has a problem that says so.

    Raises `ConfigError` at the first step when the file cannot be opened or does not begin as text.
    """
    # Without `is_stopped` there is no `NoData`.
    return cast("Generator[Line, None, None]", read_live_lines(source, stdin))


def read_live_lines(
    source: str | Path, stdin: BinaryIO | None = None, is_stopped: Callable[[], bool] | None = None
) -> Generator[Line | NoData, None, None]:
    """As `read_lines`; with `is_stopped`, `NoData` is yielded for a pipe that has no data at the moment.

    Raises `ReadStopped` when `is_stopped()` becomes true while there is no data.
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
    """The decoded text of a file in chunks; ends where the rest cannot be read.

    Raises `OSError` and `ConfigError` at the first step, as `read_lines`.
    """
    with Path(path).open("rb") as file, suppress(_UnreadableError):
        for chunk in _decode_chunks(_ListInput(file, None)):
            if not isinstance(chunk, NoData):
                yield chunk


def _split_lines(file: BinaryIO, is_stopped: Callable[[], bool] | None) -> Iterator[Line | NoData]:
    number, rest, skipping = 1, "", False
    try:
        for text in _decode_chunks(_ListInput(file, is_stopped)):
            if isinstance(text, NoData):
                # Half an option belongs to the entry above: with `STALLED` its reader would take that as complete.
                if not (text.is_stalled and rest.startswith((" ", "\t"))):
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
        # The last line is cut off somewhere: its URL may be half a URL.
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
    """The rest of the input cannot be read; `str()` says why."""


def _decode_chunks(source: _ListInput) -> Iterator[str | NoData]:
    decoder: codecs.IncrementalDecoder | None = None
    head, total = b"", 0
    for chunk in _decompress_chunks(source):
        if isinstance(chunk, NoData):
            yield chunk
            continue
        total += len(chunk)
        if total > MAX_LIST_BYTES:
            raise _UnreadableError(f"it is larger than {MAX_LIST_BYTES:,} bytes")
        if decoder is None:
            head += chunk
            if len(head) < _HEAD_BYTES:
                continue
            decoder, chunk = _make_decoder(head), head
        yield decoder.decode(chunk)
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
            while chunk := source.next():
                yield chunk
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
        while chunk := unpacked.read1(CHUNK_BYTES):
            yield chunk


def _unzstd(source: _ListInput) -> Iterator[bytes]:
    decompressor = zstandard.ZstdDecompressor(max_window_size=ZSTD_MAX_WINDOW_BYTES)
    frame = decompressor.decompressobj()
    while packed := source.read():
        for start in range(0, len(packed), ZSTD_INPUT_BYTES):
            rest = packed[start : start + ZSTD_INPUT_BYTES]
            while rest:
                if frame.eof:
                    frame = decompressor.decompressobj()
                chunk = frame.decompress(rest)
                rest = frame.unused_data if frame.eof else b""
                if chunk:
                    yield chunk
    if not frame.eof:
        raise _UnreadableError("its zstd data end in the middle")
