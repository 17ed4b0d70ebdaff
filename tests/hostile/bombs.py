"""Decompression bombs: small bodies that decode to large ones."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from functools import cache

import brotli  # type: ignore[import-untyped]  # ships no types
import zstandard

GB = 1_000_000_000


@cache
def deflated(size: int, wbits: int) -> bytes:
    """`size` zeros: a deflate stream of one repeated piece. Its checksum, if any, is wrong."""
    coder = zlib.compressobj(9, zlib.DEFLATED, wbits)
    head = coder.compress(b"") + coder.flush(zlib.Z_FULL_FLUSH)
    step = 1 << 20
    piece = coder.compress(bytes(step)) + coder.flush(zlib.Z_FULL_FLUSH)
    return head + piece * (size // step) + coder.flush()


@cache
def bomb(codings: str, size: int) -> bytes:
    """About `size` zeros in these Content-Encodings, the first of them innermost."""
    names = codings.split(", ")
    body = _first(names[0], size)
    for name in names[1:]:
        body = _ENCODERS[name](body)
    return body


def _first(name: str, size: int) -> bytes:
    match name:
        case "gzip":
            return deflated(size, 31)
        case "deflate":
            return deflated(size, 15)
        case "zstd":
            frame = zstandard.ZstdCompressor(level=1).compress(bytes(100_000_000))
            return frame * (size // 100_000_000)
        case _:
            return _brotli(size)


@cache
def _brotli(size: int) -> bytes:
    coder = brotli.Compressor(quality=1, lgwin=24)
    zeros = bytes(10_000_000)
    parts: list[bytes] = [coder.process(zeros) for _ in range(size // len(zeros))]
    parts.append(coder.finish())
    return b"".join(parts)


_ENCODERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda body: zlib.compress(body, 1, 31),
    "deflate": lambda body: zlib.compress(body, 1),
    "br": lambda body: brotli.compress(body, quality=1),
    "zstd": lambda body: zstandard.ZstdCompressor(level=1).compress(body),
}
