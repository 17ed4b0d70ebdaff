"""HTTP/1.1 messages as bytes, without I/O (RFC 9112): writes request heads, parses response heads, decodes chunks.

llhttp decides, strictly, what a header field or a chunk is. Some malformed heads a user agent must still accept: folded
fields (RFC 9112 5.2), lone LF (2.2), the same length sent twice (RFC 9110 8.6), control characters in a value (5.5), a
line that is no field, which is left out. Such a head is repaired and parsed once more; its connection is not used a
second time. Fields that frame the message are never guessed at.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

import httptools
import httpx

from scraper.model import FieldList
from scraper.transport.request_headers import RawHeaders

# Most bytes allowed between two body bytes of a chunked body: chunk sizes, extensions, trailer fields.
MAX_CHUNK_OVERHEAD_BYTES = 16 * 1024

# Requests mostly have the same fields: cache this many encoded blocks of them.
FIELD_BLOCK_CACHE_SIZE = 64
# Cache this many parsed values of Connection and of Transfer-Encoding.
FIELD_VALUE_CACHE_SIZE = 64

_FIELD_LINES = re.compile(rb"(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+: [^\r\n\0]*\r\n)*")
# No part may contain a space, so that there is only one way to split the line.
_REQUEST_LINE = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+ (?:/[\x21-\x7e]*|\*) HTTP/1\.1\r\n")
_HEAD_END = re.compile(rb"\n(?:\r\n|\n(?!\r\n))")
_LINE_FOLD = re.compile(rb"\r?\n[ \t]+")
_LINES_WITHOUT_FIELD = re.compile(rb"\A(?:[ \t][^\n]*\n)+")
_STATUS_LINE = re.compile(rb"HTTP/1\.[01] [0-9]{3}(?: |\r?\Z)")
_FIELD_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
# Characters that no value may have.
_CONTROLS = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
# Their values decide where the message ends: what is wrong with them is refused.
_FRAMING_FIELDS = frozenset((b"content-length", b"transfer-encoding"))
_CONTENT_LENGTH_LINE = re.compile(rb"(?im)^content-length:([^\r\n]*)\r?\n")
_DIGITS = re.compile(rb"[0-9]{1,18}")
_KEEP_ALIVE_TIMEOUT = re.compile(rb"(?i)(?:^|[,;\s])timeout\s*=\s*\"?(\d{1,9})")
# Repeated fields of these names form one list (RFC 9110 5.3); of other framing fields the last one counts.
_LIST_FIELDS = frozenset((b"connection", b"transfer-encoding"))
BODILESS_STATUSES = frozenset((204, 304))


class ResponseHead(NamedTuple):
    """The head of a response. `content_length` is the size of the body in bytes, None when unknown.

    `persistent` says whether the server accepts another request on the connection, `keepalive_timeout` for how many
    seconds it promised to (`Keep-Alive: timeout=`).
    """

    status: int
    reason: bytes
    version: bytes
    headers: FieldList
    content_length: int | None
    chunked: bool
    persistent: bool
    keepalive_timeout: float | None
    raw: bytes


class _HeadEvents(FieldList):
    """llhttp callbacks: collects the fields of one head."""

    __slots__ = ("reason",)

    def on_status(self, reason: bytes) -> None:
        self.reason = reason

    def on_header(self, name: bytes, value: bytes) -> None:
        self.append((name, value.strip(b" \t")))


def find_head_end(data: bytes | bytearray, start: int = 0) -> int:
    """Where the body begins: behind the first empty line at or after `start`; -1 while there is none."""
    found = _HEAD_END.search(data, start)
    return found.end() if found is not None else -1


def parse_head(raw: bytes, max_headers: int) -> ResponseHead:
    """Parse a response head that ends with its empty line.

    Raises `httpx.RemoteProtocolError` for anything but HTTP/1.0 or 1.1, and for framing that two parsers could
    understand differently (RFC 9112 6.3, request smuggling): a length beside a transfer coding, lengths that differ.
    """
    if not raw.startswith((b"HTTP/1.1 ", b"HTTP/1.0 ")):
        raise httpx.RemoteProtocolError(f"not an HTTP/1.1 response: it begins with {raw[:24]!r}")
    repaired = False
    try:
        found, status = _parse(raw, lenient=False)
    except httptools.HttpParserError as strict:
        repaired = True
        try:
            found, status = _parse(_repair(raw), lenient=True)
        except httptools.HttpParserError:
            raise httpx.RemoteProtocolError(f"malformed response head: {strict}") from None
    if len(found) > max_headers:
        raise httpx.RemoteProtocolError(f"more than {max_headers} header fields in a response")
    if status < 100:
        raise httpx.RemoteProtocolError(f"no valid status code: {status}")
    return _interpret_head(raw, found, status, repaired)


def _parse(raw: bytes, *, lenient: bool) -> tuple[_HeadEvents, int]:
    found = _HeadEvents()
    found.reason = b""
    parser = httptools.HttpResponseParser(found)
    if lenient:
        parser.set_dangerous_leniencies(lenient_optional_cr_before_lf=True)
    try:
        parser.feed_data(raw)
    except httptools.HttpParserUpgrade:
        raise httpx.RemoteProtocolError("the server switched protocols without a request") from None
    return found, parser.get_status_code()


def _repair(raw: bytes) -> bytes:
    first, rest = raw.split(b"\n", 1)
    rest = _LINES_WITHOUT_FIELD.sub(b"", rest)  # RFC 9112 2.2: white space behind the status line
    rest = _LINE_FOLD.sub(b" ", rest)
    if _STATUS_LINE.match(first) is not None:
        first = _CONTROLS.sub(b" ", first.removesuffix(b"\r")) + b"\r"
    rest = b"".join(mended for line in rest.split(b"\n") if (mended := _repair_line(line)) is not None)
    values = {v.strip(b" \t") for line in _CONTENT_LENGTH_LINE.findall(rest) for v in line.split(b",")}
    if len(values) == 1 and _DIGITS.fullmatch(value := values.pop()):
        rest = b"Content-Length: " + value + b"\r\n" + _CONTENT_LENGTH_LINE.sub(b"", rest)
    return first + b"\n" + rest + b"\r\n"


def _repair_line(line: bytes) -> bytes | None:
    """A header line with its end; None if it is empty or no field, to be left out."""
    name, colon, value = line.removesuffix(b"\r").partition(b":")
    name = name.rstrip(b" \t")  # RFC 9112 5.1: white space before the colon is removed
    if not colon or _FIELD_NAME.fullmatch(name) is None:
        return None
    if name.lower() not in _FRAMING_FIELDS:
        value = _CONTROLS.sub(b" ", value)
    return b"%b:%b\r\n" % (name, value)


def _interpret_head(raw: bytes, fields: _HeadEvents, status: int, repaired: bool) -> ResponseHead:
    # Fast path: without repeated names the index is all that is needed.
    by_name = fields.index_by_name()
    if len(by_name) < len(fields):
        by_name = _merge_repeated(fields)
    is_http_1_1 = raw[7] == 0x31  # the digit after "HTTP/1."
    persistent = is_http_1_1
    if (connection := by_name.get(b"connection")) is not None:
        tokens = _connection_tokens(connection)
        persistent = b"close" not in tokens and (is_http_1_1 or b"keep-alive" in tokens)
    chunked = False
    if (coding := by_name.get(b"transfer-encoding")) is not None:
        chunked = _is_chunked(coding)
        persistent = persistent and is_http_1_1  # RFC 9112 6.1: a transfer coding in HTTP/1.0 is faulty framing
    idle = None
    if (kept := by_name.get(b"keep-alive")) and (found := _KEEP_ALIVE_TIMEOUT.search(kept)):
        idle = float(found[1])
    length = by_name.get(b"content-length")
    return ResponseHead(
        status,
        fields.reason,
        raw[5:8],
        fields,
        int(length.lstrip(b"0") or b"0") if length else None,  # int() rejects strings of thousands of digits
        chunked,
        persistent and not repaired,
        idle,
        raw,
    )


def _merge_repeated(fields: RawHeaders) -> dict[bytes, bytes]:
    """The fields of a head by name, when names are repeated."""
    merged: dict[bytes, bytes] = {}
    for name, value in fields:
        name = name.lower()
        before = merged.get(name) if name in _LIST_FIELDS else None
        merged[name] = value if before is None else before + b"," + value
    return merged


@lru_cache(maxsize=FIELD_VALUE_CACHE_SIZE)
def _connection_tokens(connection: bytes) -> frozenset[bytes]:
    return frozenset(token.strip() for token in connection.lower().split(b","))


@lru_cache(maxsize=FIELD_VALUE_CACHE_SIZE)
def _is_chunked(coding: bytes) -> bool:
    """Whether a Transfer-Encoding is chunked. Raises `httpx.RemoteProtocolError` unless it is chunked or identity."""
    coding = coding.lower()
    codings = [c.strip() for c in coding.split(b",") if c.strip()]
    if codings not in ([b"chunked"], [b"identity"]):
        raise httpx.RemoteProtocolError(f"a transfer coding that was not requested: {coding!r}")
    return codings == [b"chunked"]


class _ChunkedEvents:
    """llhttp callbacks: collects a chunked body and its trailers; a message behind it is only noticed."""

    __slots__ = ("done", "has_surplus", "overhead", "pieces", "trailers")

    def __init__(self) -> None:
        self.done = self.has_surplus = False
        self.overhead = 0
        self.pieces: list[bytes] = []
        self.trailers: RawHeaders = []

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.done:
            self.trailers.append((name, value.strip(b" \t")))

    def on_body(self, piece: bytes) -> None:
        if not self.done:
            self.pieces.append(piece)
            self.overhead = 0

    def on_message_begin(self) -> None:
        self.has_surplus = self.done

    def on_message_complete(self) -> None:
        self.done = True


class ChunkedDecoder:
    """Decodes the chunked transfer coding (RFC 9112 7.1). Feed it what follows the head until `done`."""

    __slots__ = ("_events", "_parser")

    _PREAMBLE = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

    def __init__(self) -> None:
        self._events = _ChunkedEvents()
        self._parser = httptools.HttpResponseParser(self._events)
        self._parser.feed_data(self._PREAMBLE)
        self._events.trailers.clear()

    @property
    def done(self) -> bool:
        """Whether the body and its trailers are complete."""
        return self._events.done

    @property
    def has_surplus(self) -> bool:
        """Whether, once done, bytes came behind the end of the message."""
        return self._events.has_surplus

    @property
    def trailers(self) -> RawHeaders:
        """The trailer fields, behind the last chunk."""
        return self._events.trailers

    @property
    def overhead(self) -> int:
        """Bytes fed since the last body byte."""
        return self._events.overhead

    def feed(self, data: bytes | memoryview) -> bytes:
        """Take bytes from the wire; return the body bytes among them, in one piece, since chunks may be tiny.

        Raises `httpx.RemoteProtocolError` for malformed chunks, and when more than `MAX_CHUNK_OVERHEAD_BYTES` come in a
        row that are not body.
        """
        found = self._events
        found.overhead += len(data)
        try:
            # A message ends in LF. Feed that last byte apart: if the message is complete before it, the LF is surplus.
            if data[-1:] == b"\n":
                self._parser.feed_data(memoryview(data)[:-1])
                if found.done:
                    found.has_surplus = True
                else:
                    self._parser.feed_data(b"\n")
            else:
                self._parser.feed_data(data)
                found.has_surplus = found.done
        except httptools.HttpParserError as exc:
            if not found.done:
                raise httpx.RemoteProtocolError(f"malformed chunked body: {exc}") from None
            found.has_surplus = True
        if not found.done and found.overhead > MAX_CHUNK_OVERHEAD_BYTES + len(data):
            raise httpx.RemoteProtocolError("too many bytes of a chunked body are not body")
        pieces = found.pieces
        if not pieces:
            return b""
        body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        return body


def frame_content(headers: RawHeaders, length: int | None) -> tuple[RawHeaders, int | None]:
    """Add to `headers` how the content of the request ends; return them and the length that must be kept to.

    Framing that `headers` have already stays (RFC 9112 6.2); else `length` (bytes) is added, or the chunked coding if
    it is None. A returned length of None means chunks. Raises `httpx.LocalProtocolError` for contradictions.
    """
    lengths = [value for name, value in headers if name.lower() == b"content-length"]
    codings = [value for name, value in headers if name.lower() == b"transfer-encoding"]
    if codings:
        if lengths or [c.lower() for c in codings] != [b"chunked"]:
            raise httpx.LocalProtocolError("the request's headers frame its body in two ways")
        return headers, None
    if lengths:
        declared = int(lengths[0]) if len(lengths) == 1 and _DIGITS.fullmatch(lengths[0]) else -1
        if declared < 0 or (length is not None and length != declared):
            raise httpx.LocalProtocolError(f"the request's Content-Length is wrong: {lengths[0]!r}")
        return headers, declared
    if length is None:
        return [*headers, (b"Transfer-Encoding", b"chunked")], None
    return [*headers, (b"Content-Length", b"%d" % length)], length


@lru_cache(maxsize=FIELD_BLOCK_CACHE_SIZE)
def _encode_fields(fields: tuple[tuple[bytes, bytes], ...]) -> tuple[bytes, bool]:
    """The field lines of a request, and whether they include Host.

    Raises `httpx.LocalProtocolError` if they cannot be sent.
    """
    block = b"".join([b"%b: %b\r\n" % pair for pair in fields])
    if not _FIELD_LINES.fullmatch(block) or block.count(b"\n") != len(fields):
        raise httpx.LocalProtocolError("a request header holds characters that cannot be sent")
    return block + b"\r\n", b"\nhost:" in b"\n" + block.lower()


def encode_request_head(method: str, target: str, headers: RawHeaders, host: str) -> bytes:
    """A request head, ready to send; `Host: host` is added unless `headers` have their own.

    Raises `httpx.LocalProtocolError` for what must not be in a request head: line breaks, NUL, spaces in the target, a
    name that is not a token (RFC 9110 5.6.2).
    """
    block, has_host = _encode_fields(tuple(headers))
    if not _REQUEST_LINE.fullmatch(line := f"{method} {target} HTTP/1.1\r\n"):
        raise httpx.LocalProtocolError(f"not a request line: {method!r} {target[:100]!r}")
    if has_host:
        return line.encode("ascii") + block
    return f"{line}Host: {host}\r\n".encode("ascii") + block
