"""Content-codings: any split of the input, bounded output, errors for incomplete data."""

from __future__ import annotations

import gc
import gzip
import random
import tracemalloc
import weakref
import zlib
from collections.abc import Callable
from itertools import islice, pairwise

import brotli  # type: ignore[import-untyped]  # ships no types
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from scraper.transport.content_decoding import (
    MAX_CODINGS,
    MAX_PIECE_BYTES,
    ZSTD_MAX_BLOCK_BYTES,
    DecodeError,
    make_decoder,
    parse_codings,
    unknown_codings,
)


def raw_deflate(content: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return stream.compress(content) + stream.flush()


def checked_zstd(content: bytes) -> bytes:
    return zstandard.ZstdCompressor(write_checksum=True).compress(content)


def streamed_zstd(content: bytes) -> bytes:
    stream = zstandard.ZstdCompressor(write_content_size=False).compressobj()
    half = len(content) // 2
    return (
        stream.compress(content[:half])
        + stream.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
        + stream.compress(content[half:])
        + stream.flush()
    )


ENCODERS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "gzip-stored": ("gzip", lambda content: gzip.compress(content, 0)),
    "zlib": ("deflate", zlib.compress),
    "raw-deflate": ("deflate", raw_deflate),
    "br": ("br", brotli.compress),
    "zstd": ("zstd", zstandard.compress),
    "zstd-checked": ("zstd", checked_zstd),
    "zstd-streamed": ("zstd", streamed_zstd),
}
CASES = pytest.mark.parametrize(("coding", "encode"), ENCODERS.values(), ids=ENCODERS)
LARGE = random.Random(7).randbytes(100_000) * 3 + b"\0" * 700_000


def decode(codings: tuple[str, ...], *chunks: bytes) -> bytes:
    decoder = make_decoder(codings)
    assert decoder is not None
    output = b"".join(piece for chunk in chunks for piece in decoder.feed(chunk))
    decoder.finish()
    return output


def attempt(coding: str, *chunks: bytes) -> bytes | DecodeError:
    try:
        return decode((coding,), *chunks)
    except DecodeError as error:
        return error


def split_at(encoded: bytes, positions: list[int]) -> list[bytes]:
    marks = [0, *sorted(place % (len(encoded) + 1) for place in positions), len(encoded)]
    return [encoded[a:b] for a, b in pairwise(marks)]


@CASES
@given(content=st.binary(max_size=300), places=st.lists(st.integers(0, 10_000), max_size=8))
def test_any_split_of_the_input_gives_the_same_output(
    coding: str, encode: Callable[[bytes], bytes], content: bytes, places: list[int]
) -> None:
    """However the network splits the bytes, decoding gives what was encoded."""
    assert decode((coding,), *split_at(encode(content), places)) == content


@CASES
@pytest.mark.parametrize("step", [1 << 30, 1000, 7], ids=["whole", "packets", "drips"])
def test_large_bodies_come_out_whole(coding: str, encode: Callable[[bytes], bytes], step: int) -> None:
    """A megabyte of noise and zeros survives every coding, at once and in packets."""
    encoded = encode(LARGE)
    assert decode((coding,), *(encoded[at : at + step] for at in range(0, len(encoded), step))) == LARGE


@CASES
def test_every_missing_end_is_an_error(coding: str, encode: Callable[[bytes], bytes]) -> None:
    """A body cut short anywhere after its first byte is an error, never a short page."""
    encoded = encode(b"the quick brown fox " * 20)
    for size in range(1, len(encoded)):
        with pytest.raises(DecodeError, match="ends before"):
            decode((coding,), encoded[:size])


@CASES
def test_no_input_at_all_is_an_empty_body(coding: str, encode: Callable[[bytes], bytes]) -> None:
    """Servers name a coding on empty bodies too; an encoded empty body is also empty."""
    assert decode((coding,), b"") == b""
    assert decode((coding,), encode(b"")) == b""


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
@given(noise=st.binary(min_size=1, max_size=200))
def test_garbage_never_raises_anything_else(coding: str, noise: bytes) -> None:
    """Invalid data end in bytes or in `DecodeError`, nothing else."""
    assert isinstance(attempt(coding, noise[: len(noise) // 2], noise[len(noise) // 2 :]), (bytes, DecodeError))


@CASES
@given(place=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_a_flipped_bit_never_raises_anything_else(
    coding: str, encode: Callable[[bytes], bytes], place: int, bit: int
) -> None:
    """A damaged body ends in bytes or in `DecodeError`."""
    damaged = bytearray(encode(b"the quick brown fox " * 20))
    damaged[place % len(damaged)] ^= 1 << bit
    assert isinstance(attempt(coding, bytes(damaged)), (bytes, DecodeError))


def bombs() -> dict[str, tuple[tuple[str, ...], bytes]]:
    zeros = bytes(64 << 20)
    thin = gzip.compress(zeros)
    return {
        "gzip": (("gzip",), thin),
        "br": (("br",), brotli.compress(zeros, quality=1)),
        "zstd": (("zstd",), zstandard.compress(zeros)),
        "gzip-in-gzip": (("gzip", "gzip"), gzip.compress(thin * 100)),
        "zstd-in-br": (("zstd", "br"), brotli.compress(zstandard.compress(zeros) * 200, quality=1)),
    }


@pytest.mark.parametrize(("codings", "bomb"), bombs().values(), ids=bombs())
def test_a_bomb_costs_one_piece(codings: tuple[str, ...], bomb: bytes) -> None:
    """Pieces are bounded and nothing is decoded before it is asked for, so a reader that counts can stop in time."""
    decoder = make_decoder(codings)
    assert decoder is not None
    tracemalloc.start()
    sizes = [len(piece) for piece in islice(decoder.feed(bomb), 50)]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert max(sizes) <= max(2 * MAX_PIECE_BYTES, ZSTD_MAX_BLOCK_BYTES)
    assert sum(sizes) >= 10 * MAX_PIECE_BYTES
    assert peak < 4 << 20


@pytest.mark.parametrize(
    ("tail", "more"),
    [
        (b"", b""),
        (gzip.compress(b" second"), b" second"),
        (b"\0" * 700, b""),
        (b"\0" * 700 + gzip.compress(b" second"), b" second"),
        (b"\0\x1f", b""),
        (b"<!-- cached -->", b""),
        (b"\x1fgarbage", b""),
        (b"garbage" + gzip.compress(b" third"), b""),
    ],
    ids=["nothing", "member", "zeros", "zeros-member", "half-magic", "garbage", "near-magic", "garbage-member"],
)
@pytest.mark.parametrize("step", [1 << 30, 1], ids=["whole", "bytes"])
def test_what_may_follow_a_gzip_member(tail: bytes, more: bytes, step: int) -> None:
    """Further members are read; zero padding and trailing garbage are ignored, as gunzip does."""
    encoded = gzip.compress(b"first") + tail
    chunks = [encoded[at : at + step] for at in range(0, len(encoded), step)]
    assert decode(("gzip",), *chunks) == b"first" + more


def test_a_second_gzip_member_cut_short_is_an_error() -> None:
    """A member that began must end."""
    with pytest.raises(DecodeError, match="last member"):
        decode(("gzip",), gzip.compress(b"first") + gzip.compress(b"second")[:-3])


SKIPPABLE = b"\x50\x2a\x4d\x18\x05\x00\x00\x00notes"


@pytest.mark.parametrize("step", [1 << 30, 1], ids=["whole", "bytes"])
def test_zstd_frames_follow_each_other(step: int) -> None:
    """Frames are joined, skippable frames (also empty ones) left out, garbage after a whole frame ignored."""
    empty_skip = b"\x5f\x2a\x4d\x18\x00\x00\x00\x00"
    frames = SKIPPABLE + zstandard.compress(b"first") + empty_skip + SKIPPABLE + checked_zstd(b" second") + b"garbage"
    assert decode(("zstd",), *(frames[at : at + step] for at in range(0, len(frames), step))) == b"first second"


@pytest.mark.parametrize(
    "encoded",
    [
        SKIPPABLE[:-1],
        zstandard.compress(b"first") + SKIPPABLE[:-1],
        zstandard.compress(b"x" * 100) + zstandard.compress(b"y" * 100)[:-1],
    ],
    ids=["skippable", "second-skippable", "second-frame"],
)
def test_a_zstd_frame_cut_short_is_an_error(encoded: bytes) -> None:
    """A frame that began must end, a skippable one too."""
    with pytest.raises(DecodeError, match="ends before"):
        decode(("zstd",), encoded)


@pytest.mark.parametrize(
    "block",
    [b"\xff\xff\xff", b"\x06\x00\x00", (((1 << 17) + 1) << 3 | 3).to_bytes(3, "little") + b"x"],
    ids=["huge", "reserved", "repeats-too-often"],
)
def test_a_zstd_block_against_the_format_is_an_error(block: bytes) -> None:
    """Block sizes above 128 KiB and reserved block types are refused, whatever follows."""
    header = b"\x28\xb5\x2f\xfd\x00\x58"
    with pytest.raises(DecodeError):
        decode(("zstd",), header + block + bytes(200))


def test_a_zstd_window_above_8_mib_is_refused() -> None:
    """RFC 9659 bounds the window, so that a header alone cannot demand memory."""
    parameters = zstandard.ZstdCompressionParameters(window_log=27, write_content_size=False)
    stream = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    with pytest.raises(DecodeError):
        decode(("zstd",), stream.compress(b"x" * 1000) + stream.flush())


@pytest.mark.parametrize(
    ("values", "codings"),
    [
        ([], ()),
        (["identity"], ()),
        (["GZip"], ("gzip",)),
        (["x-gzip"], ("gzip",)),
        (["gzip, br"], ("gzip", "br")),
        (["gzip", " br ,, identity"], ("gzip", "br")),
        (["UTF-8"], ()),
        (["utf-8, gzip"], ("gzip",)),
        (["gzip, none"], ("gzip",)),
        (['"gzip"'], ("gzip",)),
        (["snappy"], ()),
        (["x-compress"], ("compress",)),
    ],
)
def test_codings_are_read_from_every_header_field(values: list[str], codings: tuple[str, ...]) -> None:
    """Names match without case, in the order applied, over all fields; what is no known coding means nothing."""
    assert parse_codings(values) == codings


def test_unknown_codings_can_be_told() -> None:
    """All that is not undone, apart from `identity`, which is nothing."""
    assert unknown_codings(["gzip, UTF-8", "identity, X-Snappy"]) == ("utf-8", "snappy")


@given(content=st.binary(max_size=2000), places=st.lists(st.integers(0, 10_000), max_size=5))
def test_codings_are_decoded_in_reverse(content: bytes, places: list[int]) -> None:
    """`gzip, br, zstd` was encoded in that order and is decoded in the other."""
    encoded = zstandard.compress(brotli.compress(gzip.compress(content)))
    assert decode(("gzip", "br", "zstd"), *split_at(encoded, places)) == content


@pytest.mark.parametrize(
    "codings", [("compress",), ("gzip", "\x1b[31m"), ("gzip",) * (MAX_CODINGS + 1)], ids=["unknown", "hostile", "deep"]
)
def test_unknown_and_deep_codings_are_refused(codings: tuple[str, ...]) -> None:
    """What cannot be decoded is an error whose message has no text from the server."""
    with pytest.raises(DecodeError) as caught:
        make_decoder(codings)
    assert str(caught.value).isprintable()


def test_nothing_to_decode_needs_no_decoder() -> None:
    """Without a coding there is no decoder and no copy."""
    assert make_decoder(()) is None


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_a_decoder_is_freed_without_the_garbage_collector(coding: str) -> None:
    """It is in no reference cycle: its window may be megabytes."""
    decoder = make_decoder((coding,))
    assert decoder is not None
    remembered = weakref.ref(decoder)
    gc.disable()
    try:
        del decoder
        assert remembered() is None
    finally:
        gc.enable()
