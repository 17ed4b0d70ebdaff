"""What servers can do to a connection: each case with the error that its record must hold."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import Awaitable, Callable

from scraper.testing.local_server import Asked, Raw, Reply, Route, reset, says, stall
from tests.hostile.bombs import GB, bomb

OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
PAGE = b"<title>x</title><p>hello"
WHOLE = OK + b"Content-Length: %d\r\n\r\n" % len(PAGE) + PAGE
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"

Act = Callable[[Asked, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def endlessly(first: bytes, more: bytes, pause: float = 0.0) -> Raw:
    """`first`, and then `more` until the client has had enough."""

    async def act(_: Asked, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(first)
        while True:
            writer.write(more)
            await writer.drain()
            await asyncio.sleep(pause)

    return Raw(act)


def half_closed(said: bytes) -> Raw:
    """`said`, and then no more, with the connection half open: the client's goodbye is waited for."""

    async def act(_: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        writer.write_eof()
        await reader.read(1)

    return Raw(act)


def coded(codings: str, body: bytes, **also: str) -> Reply:
    """A page that says it is in these codings."""
    return Reply(200, body, {"Content-Encoding": codings, "Content-Type": "text/html", **also})


_GZIP = gzip.compress(PAGE * 1000)
_RESET_MID_BODY = says(OK + b"Content-Length: 100000\r\n\r\n" + PAGE, then=reset)

CONNECTIONS: dict[str, tuple[Route, str]] = {
    "reset": (reset, "network"),
    "reset-mid-body": (_RESET_MID_BODY, "network"),
    "reset-mid-head": (says(OK, then=reset), "network"),
    "silent": (stall, "timeout"),
    "silent-mid-head": (says(OK, then=stall), "timeout"),
    "silent-mid-body": (says(OK + b"Content-Length: 99\r\n\r\nx", then=stall), "timeout"),
    "dripping-head": (endlessly(OK, b"A", 0.05), "timeout"),
    "dripping-fields": (endlessly(OK, b"A: b\r\n", 0.05), "timeout"),
    "dripping-body": (endlessly(OK + b"Content-Length: 100000\r\n\r\n", b"x", 0.05), "timeout"),
    "dripping-chunks": (endlessly(CHUNKED, b"1\r\nx\r\n", 0.05), "timeout"),
    "half-closed-unsaid": (half_closed(b""), "network"),
    "half-closed-mid-head": (half_closed(OK), "truncated"),
    "half-closed-mid-body": (half_closed(OK + b"Content-Length: 99\r\n\r\nx"), "truncated"),
    "half-closed-mid-chunk": (half_closed(CHUNKED + b"5\r\nhel"), "truncated"),
    "half-closed-before-last-chunk": (half_closed(CHUNKED + b"5\r\nhello\r\n"), "truncated"),
    "closed-unsaid": (says(b""), "network"),
}

FRAMING: dict[str, tuple[Route, str]] = {
    "length-and-chunked": (
        says(OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
        "protocol",
    ),
    "two-lengths": (says(OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!"), "protocol"),
    "length-list": (says(OK + b"Content-Length: 5, 6\r\n\r\nhello!"), "protocol"),
    "length-negative": (says(OK + b"Content-Length: -1\r\n\r\n"), "protocol"),
    "length-of-25-digits": (says(OK + b"Content-Length: 1" + b"0" * 24 + b"\r\n\r\n"), "protocol"),
    "length-of-18-digits": (says(OK + b"Content-Length: 9" + b"0" * 17 + b"\r\n\r\n"), "too_large"),
    "length-too-long": (says(OK + b"Content-Length: 99\r\n\r\n" + PAGE), "truncated"),
    "chunk-size-bad": (says(CHUNKED + b"xyz\r\nhello\r\n0\r\n\r\n"), "protocol"),
    "chunk-size-negative": (says(CHUNKED + b"-5\r\nhello\r\n0\r\n\r\n"), "protocol"),
    "chunk-size-huge": (says(CHUNKED + b"FFFFFFFFFFFFFFFFF\r\nhello"), "protocol"),
    "chunk-too-long": (says(CHUNKED + b"5\r\nhello!\r\n0\r\n\r\n"), "protocol"),
    "chunk-extension-endless": (endlessly(CHUNKED + b"5;", b"a" * 4096), "protocol"),
    "trailers-endless": (endlessly(CHUNKED + b"0\r\n", b"A: b\r\n" * 500), "protocol"),
    "chunked-twice": (says(OK + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"), "protocol"),
    "coding-unasked": (says(OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"), "protocol"),
    "http-0.9": (says(b"<html>hello</html>"), "protocol"),
    "http-2": (says(b"HTTP/2 200\r\n\r\n"), "protocol"),
    "smtp": (says(b"220 mail.example ESMTP\r\n"), "protocol"),
    "ssh": (says(b"SSH-2.0-OpenSSH_9.2\r\n"), "protocol"),
    "tls-alert": (says(b"\x15\x03\x01\x00\x02\x02\x46"), "protocol"),
    "noise": (says(bytes(range(256)) * 40), "protocol"),
    "status-short": (says(b"HTTP/1.1 20 OK\r\n\r\n"), "protocol"),
    "status-below-100": (says(b"HTTP/1.1 042 OK\r\n\r\n"), "protocol"),
    "switching": (says(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"), "protocol"),
    "interim-storm": (endlessly(b"", b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 10), "protocol"),
    "interim-huge": (endlessly(b"HTTP/1.1 102 P\r\n", b"A: " + b"b" * 8000 + b"\r\n"), "protocol"),
    "head-endless-line": (endlessly(b"HTTP/1.1 200 ", b"A" * 8192), "protocol"),
    "head-endless-field": (endlessly(OK + b"A: ", b"b" * 8192), "protocol"),
    "head-endless-fields": (endlessly(OK, b"A: b\r\n" * 1000), "protocol"),
    "fields-300": (says(OK + b"A: b\r\n" * 300 + b"Content-Length: 0\r\n\r\n"), "protocol"),
    "field-with-nul": (says(OK + b"A: b\0c\r\nContent-Length: 0\r\n\r\n"), "protocol"),
    "field-with-lone-cr": (says(OK + b"A: b\rContent-Length: 9\r\n\r\n"), "protocol"),
    "space-before-colon": (says(OK + b"Content-Length : 5\r\n\r\nhello"), "protocol"),
    "part-unasked": (
        says(b"HTTP/1.1 206 P\r\nContent-Range: bytes 0-4/9\r\nContent-Length: 5\r\n\r\nhello"),
        "protocol",
    ),
}

BODIES: dict[str, tuple[Route, str]] = {
    "body-endless": (endlessly(OK + b"\r\n", b"x" * 65536), "too_large"),
    "chunks-endless": (endlessly(CHUNKED, b"10000\r\n" + b"x" * 65536 + b"\r\n"), "too_large"),
    "gzip-bomb": (coded("gzip", bomb("gzip", 10 * GB)), "too_large"),
    "gzip-gzip-bomb": (coded("gzip, gzip", bomb("gzip, gzip", 10 * GB)), "too_large"),
    "deflate-bomb": (coded("deflate", bomb("deflate", 10 * GB)), "too_large"),
    "br-bomb": (coded("br", bomb("br", GB)), "too_large"),
    "br-br-bomb": (coded("br, br", bomb("br, br", GB)), "too_large"),
    "zstd-bomb": (coded("zstd", bomb("zstd", 10 * GB)), "too_large"),
    "zstd-zstd-bomb": (coded("zstd, zstd", bomb("zstd, zstd", 10 * GB)), "too_large"),
    "gzip-br-zstd-bomb": (coded("gzip, br, zstd", bomb("gzip, br, zstd", 10 * GB)), "too_large"),
    "four-codings": (coded("gzip, gzip, gzip, gzip", b"x"), "decode"),
    "coding-unknown": (coded("compress", b"x"), "decode"),
    "gzip-cut": (coded("gzip", _GZIP[:-9]), "decode"),
    "gzip-without-checksum": (coded("gzip", _GZIP[:-8]), "decode"),
    "gzip-is-none": (coded("gzip", PAGE), "decode"),
    "gzip-second-member-cut": (coded("gzip", _GZIP + _GZIP[:40]), "decode"),
    "deflate-cut": (coded("deflate", zlib.compress(PAGE * 1000)[:-4]), "decode"),
    "deflate-raw-cut": (coded("deflate", zlib.compress(PAGE * 1000)[2:-9]), "decode"),
    "br-cut": (coded("br", bomb("br", 10_000_000)[:-3]), "decode"),
    "zstd-cut": (coded("zstd", bomb("gzip, zstd", 1_000_000)[:-3]), "decode"),
}

GOOD: dict[str, Route] = {
    "gzip-members": coded("gzip", _GZIP + gzip.compress(b"<p>more")),
    "gzip-trailing-zeros": coded("gzip", _GZIP + bytes(512)),
    "gzip-trailing-garbage": coded("gzip", _GZIP + b"garbage at the end"),
    "deflate-zlib": coded("deflate", zlib.compress(PAGE)),
    "deflate-raw": coded("deflate", zlib.compress(PAGE)[2:-4]),
    "interim": says(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + WHOLE),
    "length-twice": says(OK + b"Content-Length: 24\r\nContent-Length: 24\r\n\r\n" + PAGE),
    "lone-lf": says(WHOLE.replace(b"\r\n", b"\n")),
    "folded": says(OK + b"A: b\r\n c\r\nContent-Length: 24\r\n\r\n" + PAGE),
    "no-framing": says(OK + b"\r\n" + PAGE),
    "trailing-answer": says(WHOLE + WHOLE),
    "trailing-byte": says(WHOLE + b"x"),
}
FAILING = {**CONNECTIONS, **FRAMING, **BODIES}
