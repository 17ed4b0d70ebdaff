"""What hostile servers do to a connection; each case with the error kind of its record."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import Awaitable, Callable

from scraper.testing.local_server import (
    RawHandler,
    ReceivedRequest,
    Reply,
    Route,
    never_respond,
    reset_connection,
    send_raw,
)
from tests.hostile.bombs import GB, bomb

OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
PAGE = b"<title>x</title><p>hello"
COMPLETE_RESPONSE = OK + b"Content-Length: %d\r\n\r\n" % len(PAGE) + PAGE
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"

Act = Callable[[ReceivedRequest, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def repeat_forever(first: bytes, more: bytes, pause: float = 0.0) -> RawHandler:
    """Send `first`, then `more` until the client closes."""

    async def act(_: ReceivedRequest, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(first)
        while True:
            writer.write(more)
            await writer.drain()
            await asyncio.sleep(pause)

    return RawHandler(act)


def half_closed(said: bytes) -> RawHandler:
    """Send `said`, close the sending side only, and wait until the client closes."""

    async def act(_: ReceivedRequest, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        writer.write_eof()
        await reader.read(1)

    return RawHandler(act)


def encoded_response(codings: str, body: bytes, **also: str) -> Reply:
    """A page with these Content-Encodings."""
    return Reply(200, body, {"Content-Encoding": codings, "Content-Type": "text/html", **also})


_GZIP = gzip.compress(PAGE * 1000)
_RESET_MID_BODY = send_raw(OK + b"Content-Length: 100000\r\n\r\n" + PAGE, then=reset_connection)

CONNECTION_CASES: dict[str, tuple[Route, str]] = {
    "reset": (reset_connection, "network"),
    "reset-mid-body": (_RESET_MID_BODY, "network"),
    "reset-mid-head": (send_raw(OK, then=reset_connection), "network"),
    "silent": (never_respond, "timeout"),
    "silent-mid-head": (send_raw(OK, then=never_respond), "timeout"),
    "silent-mid-body": (send_raw(OK + b"Content-Length: 99\r\n\r\nx", then=never_respond), "timeout"),
    "dripping-head": (repeat_forever(OK, b"A", 0.05), "timeout"),
    "dripping-fields": (repeat_forever(OK, b"A: b\r\n", 0.05), "timeout"),
    "dripping-body": (repeat_forever(OK + b"Content-Length: 100000\r\n\r\n", b"x", 0.05), "timeout"),
    "dripping-chunks": (repeat_forever(CHUNKED, b"1\r\nx\r\n", 0.05), "timeout"),
    "half-closed-unsaid": (half_closed(b""), "network"),
    "half-closed-mid-head": (half_closed(OK), "truncated"),
    "half-closed-mid-body": (half_closed(OK + b"Content-Length: 99\r\n\r\nx"), "truncated"),
    "half-closed-mid-chunk": (half_closed(CHUNKED + b"5\r\nhel"), "truncated"),
    "half-closed-before-last-chunk": (half_closed(CHUNKED + b"5\r\nhello\r\n"), "truncated"),
    "closed-unsaid": (send_raw(b""), "network"),
}

FRAMING_CASES: dict[str, tuple[Route, str]] = {
    "length-and-chunked": (
        send_raw(OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
        "protocol",
    ),
    "two-lengths": (send_raw(OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!"), "protocol"),
    "length-list": (send_raw(OK + b"Content-Length: 5, 6\r\n\r\nhello!"), "protocol"),
    "length-negative": (send_raw(OK + b"Content-Length: -1\r\n\r\n"), "protocol"),
    "length-of-25-digits": (send_raw(OK + b"Content-Length: 1" + b"0" * 24 + b"\r\n\r\n"), "protocol"),
    "length-of-18-digits": (send_raw(OK + b"Content-Length: 9" + b"0" * 17 + b"\r\n\r\n"), "too_large"),
    "length-too-long": (send_raw(OK + b"Content-Length: 99\r\n\r\n" + PAGE), "truncated"),
    "chunk-size-bad": (send_raw(CHUNKED + b"xyz\r\nhello\r\n0\r\n\r\n"), "protocol"),
    "chunk-size-negative": (send_raw(CHUNKED + b"-5\r\nhello\r\n0\r\n\r\n"), "protocol"),
    "chunk-size-huge": (send_raw(CHUNKED + b"FFFFFFFFFFFFFFFFF\r\nhello"), "protocol"),
    "chunk-too-long": (send_raw(CHUNKED + b"5\r\nhello!\r\n0\r\n\r\n"), "protocol"),
    "chunk-extension-endless": (repeat_forever(CHUNKED + b"5;", b"a" * 4096), "protocol"),
    "trailers-endless": (repeat_forever(CHUNKED + b"0\r\n", b"A: b\r\n" * 500), "protocol"),
    "chunked-twice": (send_raw(OK + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"), "protocol"),
    "coding-unasked": (send_raw(OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"), "protocol"),
    "http-0.9": (send_raw(b"<html>hello</html>"), "protocol"),
    "http-2": (send_raw(b"HTTP/2 200\r\n\r\n"), "protocol"),
    "smtp": (send_raw(b"220 mail.example ESMTP\r\n"), "protocol"),
    "ssh": (send_raw(b"SSH-2.0-OpenSSH_9.2\r\n"), "protocol"),
    "tls-alert": (send_raw(b"\x15\x03\x01\x00\x02\x02\x46"), "protocol"),
    "noise": (send_raw(bytes(range(256)) * 40), "protocol"),
    "status-short": (send_raw(b"HTTP/1.1 20 OK\r\n\r\n"), "protocol"),
    "status-below-100": (send_raw(b"HTTP/1.1 042 OK\r\n\r\n"), "protocol"),
    "switching": (send_raw(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"), "protocol"),
    "interim-storm": (repeat_forever(b"", b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 10), "protocol"),
    "interim-huge": (repeat_forever(b"HTTP/1.1 102 P\r\n", b"A: " + b"b" * 8000 + b"\r\n"), "protocol"),
    "head-endless-line": (repeat_forever(b"HTTP/1.1 200 ", b"A" * 8192), "protocol"),
    "head-endless-field": (repeat_forever(OK + b"A: ", b"b" * 8192), "protocol"),
    "head-endless-fields": (repeat_forever(OK, b"A: b\r\n" * 1000), "protocol"),
    "fields-300": (send_raw(OK + b"A: b\r\n" * 300 + b"Content-Length: 0\r\n\r\n"), "protocol"),
    "part-unasked": (
        send_raw(b"HTTP/1.1 206 P\r\nContent-Range: bytes 0-4/9\r\nContent-Length: 5\r\n\r\nhello"),
        "protocol",
    ),
}

BODY_CASES: dict[str, tuple[Route, str]] = {
    "body-endless": (repeat_forever(OK + b"\r\n", b"x" * 65536), "too_large"),
    "chunks-endless": (repeat_forever(CHUNKED, b"10000\r\n" + b"x" * 65536 + b"\r\n"), "too_large"),
    "gzip-bomb": (encoded_response("gzip", bomb("gzip", 10 * GB)), "too_large"),
    "gzip-gzip-bomb": (encoded_response("gzip, gzip", bomb("gzip, gzip", 10 * GB)), "too_large"),
    "deflate-bomb": (encoded_response("deflate", bomb("deflate", 10 * GB)), "too_large"),
    "br-bomb": (encoded_response("br", bomb("br", GB)), "too_large"),
    "br-br-bomb": (encoded_response("br, br", bomb("br, br", GB)), "too_large"),
    "zstd-bomb": (encoded_response("zstd", bomb("zstd", 10 * GB)), "too_large"),
    "zstd-zstd-bomb": (encoded_response("zstd, zstd", bomb("zstd, zstd", 10 * GB)), "too_large"),
    "gzip-br-zstd-bomb": (encoded_response("gzip, br, zstd", bomb("gzip, br, zstd", 10 * GB)), "too_large"),
    "four-codings": (encoded_response("gzip, gzip, gzip, gzip", b"x"), "decode"),
    "coding-not-undone": (encoded_response("compress", b"x"), "decode"),
    "gzip-cut": (encoded_response("gzip", _GZIP[:-9]), "decode"),
    "gzip-without-checksum": (encoded_response("gzip", _GZIP[:-8]), "decode"),
    "gzip-is-none": (encoded_response("gzip", PAGE), "decode"),
    "gzip-second-member-cut": (encoded_response("gzip", _GZIP + _GZIP[:40]), "decode"),
    "deflate-cut": (encoded_response("deflate", zlib.compress(PAGE * 1000)[:-4]), "decode"),
    "deflate-raw-cut": (encoded_response("deflate", zlib.compress(PAGE * 1000)[2:-9]), "decode"),
    "br-cut": (encoded_response("br", bomb("br", 10_000_000)[:-3]), "decode"),
    "zstd-cut": (encoded_response("zstd", bomb("gzip, zstd", 1_000_000)[:-3]), "decode"),
}

GOOD_CASES: dict[str, Route] = {
    "field-with-nul": send_raw(OK + b"A: b\0c\r\nContent-Length: %d\r\n\r\n" % len(PAGE) + PAGE),
    "field-with-lone-cr": send_raw(OK + b"A: b\rContent-Length: 9\r\n\r\n" + PAGE),
    "space-before-colon": send_raw(OK + b"Content-Length : %d\r\n\r\n" % len(PAGE) + PAGE),
    "coding-unknown": encoded_response("snappy", PAGE),
    "gzip-members": encoded_response("gzip", _GZIP + gzip.compress(b"<p>more")),
    "gzip-trailing-zeros": encoded_response("gzip", _GZIP + bytes(512)),
    "gzip-trailing-garbage": encoded_response("gzip", _GZIP + b"garbage at the end"),
    "deflate-zlib": encoded_response("deflate", zlib.compress(PAGE)),
    "deflate-raw": encoded_response("deflate", zlib.compress(PAGE)[2:-4]),
    "interim": send_raw(
        b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + COMPLETE_RESPONSE
    ),
    "length-twice": send_raw(OK + b"Content-Length: 24\r\nContent-Length: 24\r\n\r\n" + PAGE),
    "lone-lf": send_raw(COMPLETE_RESPONSE.replace(b"\r\n", b"\n")),
    "folded": send_raw(OK + b"A: b\r\n c\r\nContent-Length: 24\r\n\r\n" + PAGE),
    "no-framing": send_raw(OK + b"\r\n" + PAGE),
    "trailing-answer": send_raw(COMPLETE_RESPONSE + COMPLETE_RESPONSE),
    "trailing-byte": send_raw(COMPLETE_RESPONSE + b"x"),
}
FAILING_CASES = {**CONNECTION_CASES, **FRAMING_CASES, **BODY_CASES}
