"""HTTP/1.1 as bytes: heads, chunks, requests."""

from __future__ import annotations

import re
from contextlib import suppress
from itertools import pairwise

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.transport.http1_framing import (
    MAX_CHUNK_OVERHEAD_BYTES,
    ChunkedDecoder,
    encode_request_head,
    find_head_end,
    frame_content,
    parse_head,
)

OK_LINE = b"HTTP/1.1 200 OK\r\n"


def summarize_head(raw: bytes) -> tuple[int, int | None, bool, bool]:
    found = parse_head(raw, 100)
    return found.status, found.content_length, found.chunked, found.persistent


READABLE_HEADS = {
    "length": (OK_LINE + b"Content-Length: 5\r\n\r\n", (200, 5, False, True)),
    "padded length": (OK_LINE + b"Content-Length: \t5 \t\r\n\r\n", (200, 5, False, True)),
    "name in any case": (OK_LINE + b"cOnTeNt-LeNgTh:5\r\n\r\n", (200, 5, False, True)),
    "length behind thousands of zeros": (
        OK_LINE + b"Content-Length: " + b"0" * 5000 + b"5\r\n\r\n",
        (200, 5, False, True),
    ),
    "no length, in thousands of zeros": (
        OK_LINE + b"Content-Length: " + b"0" * 5000 + b"\r\n\r\n",
        (200, 0, False, True),
    ),
    "chunked": (OK_LINE + b"Transfer-Encoding: Chunked\r\n\r\n", (200, None, True, True)),
    "identity": (OK_LINE + b"Transfer-Encoding: identity\r\n\r\n", (200, None, False, True)),
    "no framing": (OK_LINE + b"\r\n", (200, None, False, True)),
    "close": (OK_LINE + b"Connection: close\r\nContent-Length: 0\r\n\r\n", (200, 0, False, False)),
    "close among others": (OK_LINE + b"Connection: Keep-Alive,\tClose\r\n\r\n", (200, None, False, False)),
    "close in a second field": (OK_LINE + b"Connection: x\r\nConnection: close\r\n\r\n", (200, None, False, False)),
    "1.0 closes": (b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n", (200, 1, False, False)),
    "1.0 kept": (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n", (200, None, False, True)),
    "1.0 chunked is not kept": (
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n",
        (200, None, True, False),
    ),
    "no reason": (b"HTTP/1.1 404\r\n\r\n", (404, None, False, True)),
    "empty reason": (b"HTTP/1.1 404 \r\n\r\n", (404, None, False, True)),
    "reason in utf-8": ("HTTP/1.1 404 nö\r\n\r\n".encode(), (404, None, False, True)),
    "unusual status": (b"HTTP/1.1 999 Denied\r\n\r\n", (999, None, False, True)),
    "value in utf-8": (OK_LINE + "Location: /ü\r\n\r\n".encode(), (200, None, False, True)),
    "upgrade offered, not taken": (
        OK_LINE + b"Upgrade: h2c\r\nConnection: upgrade\r\nContent-Length: 2\r\n\r\n",
        (200, 2, False, True),
    ),
    "lone LF": (b"HTTP/1.1 200 OK\nContent-Length: 5\n\n", (200, 5, False, False)),
    "some lone LF": (OK_LINE + b"A: b\nContent-Length: 5\r\n\n", (200, 5, False, False)),
    "folded": (OK_LINE + b"A: b\r\n  c\r\nContent-Length: 5\r\n\r\n", (200, 5, False, False)),
    "same length twice": (OK_LINE + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\n", (200, 5, False, False)),
    "space before colon": (OK_LINE + b"Content-Length : 5\r\n\r\n", (200, 5, False, False)),
    "same length as a list": (OK_LINE + b"Content-Length: 5, 5\r\n\r\n", (200, 5, False, False)),
}

REFUSED_HEADS = {
    "HTTP/0.9": b"<html>\r\n\r\n",
    "HTTP/0.9 by name": b"HTTP/0.9 200 OK\r\n\r\n",
    "HTTP/2.0": b"HTTP/2.0 200 OK\r\n\r\n",
    "HTTP/1.2": b"HTTP/1.2 200 OK\r\n\r\n",
    "HTTP/1.10": b"HTTP/1.10 200 OK\r\n\r\n",
    "RTSP": b"RTSP/1.0 200 OK\r\n\r\n",
    "ICY": b"ICY 200 OK\r\n\r\n",
    "lower case": b"http/1.1 200 OK\r\n\r\n",
    "empty line first": b"\r\nHTTP/1.1 200 OK\r\n\r\n",
    "two digits": b"HTTP/1.1 20 OK\r\n\r\n",
    "four digits": b"HTTP/1.1 2000 OK\r\n\r\n",
    "status below 100": b"HTTP/1.1 099 OK\r\n\r\n",
    "two spaces": b"HTTP/1.1  200 OK\r\n\r\n",
    "switching protocols": b"HTTP/1.1 101 S\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    "length and chunked": OK_LINE + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
    "chunked and length": OK_LINE + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
    "length and identity": OK_LINE + b"Transfer-Encoding: identity\r\nContent-Length: 5\r\n\r\n",
    "lengths that differ": OK_LINE + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n",
    "list of lengths that differ": OK_LINE + b"Content-Length: 5, 6\r\n\r\n",
    "length with a sign": OK_LINE + b"Content-Length: +5\r\n\r\n",
    "negative length": OK_LINE + b"Content-Length: -5\r\n\r\n",
    "length in hex": OK_LINE + b"Content-Length: 0x5\r\n\r\n",
    "no length": OK_LINE + b"Content-Length:\r\n\r\n",
    "length beyond 64 bits": OK_LINE + b"Content-Length: 99999999999999999999\r\n\r\n",
    "folded length": OK_LINE + b"Content-Length: 5\r\n 6\r\n\r\n",
    "unknown coding": OK_LINE + b"Transfer-Encoding: gzip, chunked\r\n\r\n",
    "chunked not last": OK_LINE + b"Transfer-Encoding: chunked, gzip\r\n\r\n",
    "chunked twice": OK_LINE + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
    "nearly chunked": OK_LINE + b"Transfer-Encoding: xchunked\r\n\r\n",
    "chunked with vertical tab": OK_LINE + b"Transfer-Encoding: \x0bchunked\r\n\r\n",
    "control in length": OK_LINE + b"Content-Length: 5\0\r\n\r\n",
    "lengths that differ, one spaced": OK_LINE + b"Content-Length : 5\r\nContent-Length: 6\r\n\r\n",
    "nearly a status line": b"HTTP/1.1 200\0OK\r\n\r\n",
    "too many fields": OK_LINE + b"A: b\r\n" * 101 + b"\r\n",
}


@pytest.mark.parametrize(("raw", "expected"), READABLE_HEADS.values(), ids=READABLE_HEADS.keys())
def test_a_head_is_read_as_rfc_9112_says(raw: bytes, expected: tuple[int, int | None, bool, bool]) -> None:
    """Status, length, chunked and persistence come out as the standard reads them; the connection of a repaired head is
    not reused.
    """
    assert summarize_head(raw) == expected


@pytest.mark.parametrize("raw", REFUSED_HEADS.values(), ids=REFUSED_HEADS.keys())
def test_a_head_with_two_readings_or_none_is_refused(raw: bytes) -> None:
    """What two parsers could understand differently is a protocol error."""
    with pytest.raises(httpx.RemoteProtocolError):
        parse_head(raw, 100)


@pytest.mark.parametrize(
    "line",
    [
        b"PHP Notice in line 12",
        b"X-T\xc3\xaft: caf\xc3\xa9",
        b"A b: c",
        b": a",
        b"A(b): c",
        b"<b>Notice</b>: undefined",
        b"\0: a",
        b"\r",
    ],
)
def test_a_line_that_is_no_field_is_left_out(line: bytes) -> None:
    """The others are read; the connection is not used again."""
    head = parse_head(OK_LINE + b"A: b\r\n" + line + b"\r\nContent-Length: 5\r\n\r\n", 10)
    assert dict(head.headers) == {b"A": b"b", b"Content-Length": b"5"}
    assert (head.content_length, head.persistent) == (5, False)


def test_white_space_behind_the_status_line_begins_no_field() -> None:
    """RFC 9112 2.2: each line that begins with white space there is consumed."""
    head = parse_head(OK_LINE + b" A: b\r\n\tC: d\r\nE: f\r\n\r\n", 10)
    assert head.headers == [(b"E", b"f")]


@pytest.mark.parametrize("control", [b"\0", b"\x01", b"\x0b", b"\x1b", b"\x7f", b"\r"])
def test_a_control_character_in_a_value_reads_as_a_space(control: bytes) -> None:
    """RFC 9110 5.5, for NUL and CR; the value is kept, and a bare CR begins no line."""
    head = parse_head(OK_LINE + b"A: b" + control + b"Content-Length: 5\r\nC: d" + control + b"\r\n\r\n", 10)
    assert head.headers == [(b"A", b"b Content-Length: 5"), (b"C", b"d")]
    assert head.content_length is None


def test_a_control_character_in_the_reason_is_no_loss() -> None:
    """Nobody reads the reason."""
    assert parse_head(b"HTTP/1.1 404 Not\x01Found\r\nA: b\r\n\r\n", 10).status == 404


def test_a_folded_value_is_one_value() -> None:
    """RFC 9112 5.2: a fold reads as a space."""
    assert (b"A", b"b c") in parse_head(OK_LINE + b"A: b\r\n \t c\r\n\r\n", 10).headers


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("timeout=5", 5), ("timeout=5, max=100", 5), ("max=100,Timeout = 7", 7), ("max=1", None), ("timeout=x", None)],
)
def test_the_keepalive_timeout_of_the_server_is_read(value: str, seconds: float | None) -> None:
    """`Keep-Alive: timeout=N` is seconds; anything else is ignored."""
    assert parse_head(OK_LINE + f"Keep-Alive: {value}\r\n\r\n".encode(), 10).keepalive_timeout == seconds


# Fields that frame a message, and others.
FRAMING = [
    (b"Connection", [b"close", b"Keep-Alive", b"x, close", b"upgrade", b""]),
    (b"keep-alive", [b"timeout=5", b"max=3", b"timeout=9, max=1", b""]),
    (b"CONTENT-LENGTH", [b"0", b"17", b"0017"]),
    (b"Transfer-Encoding", [b"chunked", b"identity", b"CHUNKED", b"gzip", b""]),
    (b"X", [b"close", b"a\tb", b"\xff", b""]),
    (b"Set-Cookie", [b"a=1", b"b=2"]),
]
FIELDS = st.lists(st.sampled_from([(name, value) for name, values in FRAMING for value in values]), max_size=7)


@given(st.sampled_from([b"1", b"0"]), FIELDS)
def test_fields_frame_a_message_however_often_they_come(minor: bytes, fields: list[tuple[bytes, bytes]]) -> None:
    """Connection and Transfer-Encoding are lists, of Keep-Alive the last one counts; all fields are kept in order."""
    raw = b"HTTP/1." + minor + b" 200 OK\r\n" + b"".join(b"%b: %b\r\n" % pair for pair in fields) + b"\r\n"
    said = {name.lower(): [v.lower() for n, v in fields if n == name] for name, _ in FRAMING}
    tokens = {token.strip() for value in said[b"connection"] for token in value.split(b",")}
    lengths, codings = said[b"content-length"], said[b"transfer-encoding"]
    try:
        found = parse_head(raw, 10)
    except httpx.RemoteProtocolError:
        assert codings not in ([], [b"chunked"], [b"identity"]) or (lengths and codings) or len(set(lengths)) > 1
        return
    timeout = re.search(rb"timeout=([0-9])", said[b"keep-alive"][-1]) if said[b"keep-alive"] else None
    once = len(lengths) < 2
    assert found.content_length == (int(lengths[0]) if lengths else None)
    assert found.chunked == (codings == [b"chunked"])
    assert found.keepalive_timeout == (float(timeout[1]) if timeout else None)
    kept = minor == b"1" or (b"keep-alive" in tokens and not codings)
    assert found.persistent == (kept and b"close" not in tokens and once)
    if once:
        assert found.headers == fields
        assert dict(found.headers.by_name) == {name.lower(): value for name, value in reversed(fields)}


@given(st.lists(st.sampled_from([b"\n", b"\r\n", b"\r", b"a", b"b: c"])).map(b"".join), st.integers(0, 8))
def test_a_head_ends_with_its_first_empty_line(data: bytes, start: int) -> None:
    """Its last line break may be CRLF or LF, and so may the one before; what is before `start` does not count."""
    ends = [
        at + len(empty)
        for at in range(start, len(data))
        for empty in (b"\n\r\n", b"\n\n")
        if data.startswith(empty, at) and not (empty == b"\n\n" and data.startswith(b"\r\n", at + 2))
    ]
    assert find_head_end(data, start) == find_head_end(bytearray(data), start) == (ends[0] if ends else -1)


@given(st.binary(max_size=300))
def test_any_bytes_after_a_status_line_are_a_head_or_a_protocol_error(noise: bytes) -> None:
    """Nothing but `httpx.RemoteProtocolError` comes out of hostile headers."""
    raw = OK_LINE + noise + b"\r\n\r\n"
    raw = raw[: find_head_end(raw)]
    with suppress(httpx.RemoteProtocolError):
        assert parse_head(raw, 100).raw == raw


@pytest.mark.parametrize("filler", [b" ", b"\t", b"\r\n ", b"a", b"5,", b"\r"], ids=repr)
def test_a_long_odd_head_costs_no_more_than_its_length(filler: bytes) -> None:
    """64 KiB of anything are refused or read at once: no pattern backtracks over them."""
    raw = OK_LINE + b"Content-Length:" + filler * (65536 // len(filler)) + b"x\r\n\r\n"
    with pytest.raises(httpx.RemoteProtocolError):
        parse_head(raw, 100)


CHUNKED_BODY = b"5;a=b\r\nhello\r\n00006\r\n world\r\n0\r\nX-Sum: 1\r\n\r\n"

MALFORMED_CHUNKS = {
    "no size": b"\r\nhello",
    "minus": b"-5\r\n",
    "prefix": b"0x5\r\n",
    "space after size": b"5 \r\nhello\r\n",
    "lone LF after size": b"5\nhello\r\n",
    "lone LF after extension": b"5;a\nhello\r\n",
    "lone LF after data": b"5\r\nhello\n0\r\n\r\n",
    "data longer than size": b"5\r\nhello!\r\n",
    "size beyond 64 bits": b"FFFFFFFFFFFFFFFFF\r\n",
    "NUL in extension": b"5;\0\r\nhello\r\n",
    "empty line between chunks": b"5\r\nhello\r\n\r\n0\r\n\r\n",
    "length in trailers": b"0\r\nContent-Length: 5\r\n\r\n",
    "bad trailer": b"0\r\nA b: c\r\n\r\n",
}


@pytest.mark.parametrize("coded", MALFORMED_CHUNKS.values(), ids=MALFORMED_CHUNKS.keys())
def test_malformed_chunks_are_a_protocol_error(coded: bytes) -> None:
    """A chunk is what RFC 9112 7.1 says, to the letter."""
    with pytest.raises(httpx.RemoteProtocolError):
        ChunkedDecoder().feed(coded)


@given(st.lists(st.integers(0, len(CHUNKED_BODY)), max_size=6))
def test_chunks_do_not_depend_on_how_they_are_split(cuts: list[int]) -> None:
    """However the bytes arrive, body and trailers are the same and there is no surplus."""
    chunks = ChunkedDecoder()
    edges = sorted({0, len(CHUNKED_BODY), *cuts})
    body = b"".join(chunks.feed(CHUNKED_BODY[a:b]) for a, b in pairwise(edges))
    assert (body, chunks.done, chunks.has_surplus) == (b"hello world", True, False)
    assert chunks.trailers == [(b"X-Sum", b"1")]


@pytest.mark.parametrize("surplus", [b"x", b"\r\n", b"\n", b"\r", OK_LINE, b"\0"], ids=repr)
@pytest.mark.parametrize("cut", range(9))
def test_bytes_behind_the_last_chunk_are_noticed(surplus: bytes, cut: int) -> None:
    """Even a line break behind the end counts, wherever the bytes are split."""
    coded = b"0\r\n\r\n" + surplus
    chunks = ChunkedDecoder()
    chunks.feed(coded[:cut])
    if not chunks.done and cut < len(coded):
        chunks.feed(coded[cut:])
        assert chunks.done
        assert chunks.has_surplus == (cut != 5)


def test_a_body_cut_within_its_chunks_is_truncated() -> None:
    """Without the last chunk the body is not complete."""
    chunks = ChunkedDecoder()
    chunks.feed(b"5\r\nhello\r\n")
    assert not chunks.done


@pytest.mark.parametrize(
    "endless", [b"5;" + b"a" * 4096, b"0\r\n" + b"A: " + b"b" * 4096], ids=["extension", "trailer"]
)
def test_what_is_not_body_is_bounded(endless: bytes) -> None:
    """An endless extension or trailer ends in a protocol error, not in memory."""
    chunks = ChunkedDecoder()
    chunks.feed(endless)
    while chunks.overhead <= MAX_CHUNK_OVERHEAD_BYTES:
        chunks.feed(b"a" * 4096)
    with pytest.raises(httpx.RemoteProtocolError, match="not body"):
        chunks.feed(b"a" * 4096)


@pytest.mark.parametrize(
    ("method", "target", "field"),
    [
        ("GET", "/a b", (b"A", b"b")),
        ("GET", "/a\r\nX: y", (b"A", b"b")),
        ("GET", "/ü", (b"A", b"b")),
        ("GET", "", (b"A", b"b")),
        ("GET", "http://a/", (b"A", b"b")),
        ("GET /x", "/", (b"A", b"b")),
        ("", "/", (b"A", b"b")),
        ("GÉT", "/", (b"A", b"b")),
        ("GET", "/", (b"A", b"b\r\nX: y")),
        ("GET", "/", (b"A", b"b\n")),
        ("GET", "/", (b"A", b"b\r")),
        ("GET", "/", (b"A", b"b\0")),
        ("GET", "/", (b"A: x\r\nB", b"b")),
        ("GET", "/", (b"A b", b"b")),
        ("GET", "/", (b"A:", b"b")),
        ("GET", "/", (b"", b"b")),
    ],
)
def test_what_cannot_be_sent_in_a_request_is_refused(method: str, target: str, field: tuple[bytes, bytes]) -> None:
    """No value can smuggle a line into a request."""
    with pytest.raises(httpx.LocalProtocolError):
        encode_request_head(method, target, [field], "a.example")


def test_a_request_names_its_host_once() -> None:
    """Host is added when the headers lack it, and only then."""
    assert (
        encode_request_head("GET", "/x?y", [(b"A", b"b")], "h:1") == b"GET /x?y HTTP/1.1\r\nHost: h:1\r\nA: b\r\n\r\n"
    )
    assert encode_request_head("GET", "/", [(b"HOST", b"o")], "h") == b"GET / HTTP/1.1\r\nHOST: o\r\n\r\n"
    assert encode_request_head("OPTIONS", "*", [], "h") == b"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n"


@given(st.lists(st.tuples(st.binary(max_size=8), st.binary(max_size=12)), max_size=4))
def test_a_request_has_as_many_lines_as_it_has_fields(fields: list[tuple[bytes, bytes]]) -> None:
    """Whatever is put into headers, either it is refused or each field is one line."""
    try:
        raw = encode_request_head("GET", "/", fields, "h")
    except httpx.LocalProtocolError:
        return
    has_host = any(name.lower() == b"host" for name, _ in fields)
    assert raw.count(b"\n") == len(fields) + (2 if has_host else 3)
    assert raw.count(b"\r\n\r\n") == 1


@pytest.mark.parametrize(
    ("fields", "length", "expected"),
    [
        ([], 5, ([(b"Content-Length", b"5")], 5)),
        ([], None, ([(b"Transfer-Encoding", b"chunked")], None)),
        ([(b"content-length", b"7")], None, ([(b"content-length", b"7")], 7)),
        ([(b"Transfer-Encoding", b"chunked")], 5, ([(b"Transfer-Encoding", b"chunked")], None)),
    ],
)
def test_content_is_framed_as_its_headers_say(
    fields: list[tuple[bytes, bytes]], length: int | None, expected: tuple[list[tuple[bytes, bytes]], int | None]
) -> None:
    """Existing framing is kept; missing framing is added."""
    assert frame_content(fields, length) == expected


@pytest.mark.parametrize(
    ("fields", "length"),
    [
        ([(b"Content-Length", b"4")], 5),
        ([(b"Content-Length", b"x")], None),
        ([(b"Content-Length", b"4"), (b"Content-Length", b"4")], None),
        ([(b"Content-Length", b"4"), (b"Transfer-Encoding", b"chunked")], None),
        ([(b"Transfer-Encoding", b"gzip")], None),
    ],
)
def test_contradictory_framing_of_content_is_refused(fields: list[tuple[bytes, bytes]], length: int | None) -> None:
    """Or the server could read it as two requests."""
    with pytest.raises(httpx.LocalProtocolError):
        frame_content(fields, length)
