"""Fetches one URL over HTTP and turns whatever comes into an outcome.

How much of the body is read depends on the response:

1. Success: the whole body, decoded, hashed and bounded. Any error in it fails the fetch: half a page is worse than
none. 2. Redirect: only the head matters. A short body is read to reuse the connection, and dropped. 3. Error page (4xx,
5xx): the first 256 KiB; decoding errors are ignored, since the status says enough. 4. robots.txt: the first 512 KiB
count (RFC 9309 2.5); what is read must decode.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import xxhash

from scraper.clock import Clock
from scraper.errors import SinkError
from scraper.events import Event, Warned
from scraper.fetch.body_writer import BodyLimitExceeded, BodyWriter, Spool, SpoolSettings
from scraper.fetch.error_mapping import classify_error
from scraper.fetch.response_body import ProgressReporter, close_quietly, discard_body
from scraper.model import Body, Denied, ErrorKind, Failure, Headers, NotModified, Outcome, Request, Response, Url
from scraper.transport.adapter import RawResponse, RawTransport, as_raw_transport
from scraper.transport.content_decoding import DecodeError, Decoder, make_decoder, needs_large_window, parse_codings
from scraper.transport.cookie_file import CookieFile
from scraper.transport.cookies import CookieJar
from scraper.transport.errors import TruncatedResponse
from scraper.transport.request_headers import BasicAuth, BearerAuth, RequestHeaders, add_cookie
from scraper.transport.settings import Timeouts

# Bytes kept of the body of an error page, and of a robots.txt, as sent or as decoded. RFC 9309 requires 512 KiB of a
# robots.txt; the 4 KiB more show the parser that it was cut, so that it ignores the last, incomplete line.
MAX_ERROR_BODY_BYTES = 256 * 1024
MAX_ROBOTS_BODY_BYTES = 516 * 1024

# At most so many large bodies are decoded at once from codings that need megabytes of memory each.
MAX_LARGE_DECODERS = 3

_EMPTY_DIGEST = f"xxh3:{xxhash.xxh3_128_hexdigest(b'')}"
# Files that are compressed themselves, by suffix and media type. Servers often send their format as Content-Encoding;
# decoding it would store something else than the name says.
_COMPRESSED_FILES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "gzip": ((".gz", ".tgz", ".svgz"), ("application/gzip", "application/x-gzip")),
    "zstd": ((".zst", ".tzst"), ("application/zstd",)),
    "br": ((".br",), ()),
}


@dataclass(frozen=True, slots=True)
class FetchSettings:
    """How to send requests. Sizes are bytes.

    `headers` are sent only to URLs for which `in_scope` is true, and replace ours of the same name; `auth` is sent only
    to the host (`Url.host`) it is keyed by. With `cookies` the cookies that servers set are sent back; `cookie_file`
    keeps them for the next session of the run. `max_bytes` (None: no limit) bounds a body as received and as decoded;
    for requests of kind `file` `max_file_bytes` does.
    """

    spool: SpoolSettings
    user_agent: str = "scraper"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    in_scope: Callable[[Url], bool] = lambda _: False
    auth: Mapping[str, BasicAuth | BearerAuth] = field(default_factory=dict)
    cookies: bool = False
    cookie_file: Path | None = None
    accept_encoding: str = "gzip, deflate, br, zstd"
    max_bytes: int | None = 20_000_000
    max_file_bytes: int | None = None
    timeouts: Timeouts = field(default_factory=lambda: Timeouts(pool=30.0, deadline=120.0))


class HttpFetcher:
    """A `Fetcher` over HTTP. It owns `transport` and closes it.

    `transport` is a `RawTransport` or any httpx transport. `emit` gets progress events of bodies above 1 MiB. Raises
    `FetchError` for headers and credentials that cannot be sent.
    """

    def __init__(
        self,
        settings: FetchSettings,
        transport: httpx.AsyncBaseTransport | RawTransport,
        *,
        clock: Clock,
        emit: Callable[[Event], None],
    ) -> None:
        s = settings
        self._headers = RequestHeaders(s.user_agent, s.accept_encoding, s.headers, s.in_scope, s.auth)
        self._cookie_jar = CookieJar() if s.cookies else None
        self._cookie_file: CookieFile | None = None
        self._timeouts = s.timeouts
        self._max_bytes, self._max_file_bytes = s.max_bytes, s.max_file_bytes
        self._transport = as_raw_transport(transport)
        self._spool = Spool(s.spool)
        self._large_decoders = asyncio.Semaphore(MAX_LARGE_DECODERS)
        self._now = clock.now
        self._emit = emit
        if self._cookie_jar is not None and s.cookie_file is not None:
            self._cookie_file = CookieFile(s.cookie_file, self._cookie_jar)
            if problem := self._cookie_file.load(clock.now()):
                emit(Warned(clock.now(), problem))

    async def fetch(self, request: Request) -> Outcome:
        """Fetch `request.url.href` once; see `Fetcher.fetch`."""
        url, content, started_at = request.url, request.content, self._now()
        headers = self._headers.headers_for(request)
        if self._cookie_jar is not None and (cookie := self._cookie_jar.cookie_header(url, started_at)) is not None:
            headers = add_cookie(headers, cookie)
        try:
            if content is None:
                response = await self._transport.request(
                    "GET", url.origin, url.target, headers, timeouts=self._timeouts
                )
            else:
                response = await self._transport.request(
                    "POST", url.origin, url.target, headers, timeouts=self._timeouts, content=content.data
                )
        except Exception as error:  # noqa: BLE001  whatever a transport raises becomes an outcome
            return self._failure(error, request, started_at)
        if self._cookie_jar is not None:
            self._cookie_jar.store(url, response.headers, self._now())
            if self._cookie_file is not None and self._cookie_file.is_due(self._now()):
                await self._save_cookies(self._cookie_file)
        is_file = request.kind == "file"
        writer = BodyWriter(self._spool, sha256=is_file, max_bytes=self._max_file_bytes if is_file else self._max_bytes)
        try:
            return await self._read_outcome(request, response, writer, started_at)
        except BaseException as error:
            await writer.discard()
            if isinstance(error, SinkError) or not isinstance(error, Exception):
                raise
            # The response keeps its error, whose traceback keeps the response, the decoder and the body so far:
            # megabytes in a reference cycle that would wait for the garbage collector.
            error.__traceback__ = None
            return self._failure(error, request, started_at, response, writer.wire_bytes)
        finally:
            if (closing := response.close()) is not None:
                await close_quietly(closing)

    async def aclose(self) -> None:
        """Close connections, delete spooled bodies, and keep the cookies."""
        try:
            await self._transport.aclose()
        finally:
            await self._spool.aclose()
            if self._cookie_file is not None:
                await self._save_cookies(self._cookie_file)

    async def _save_cookies(self, file: CookieFile) -> None:
        try:
            await file.save(self._now())
        except OSError as error:
            reason = error.strerror or type(error).__name__
            self._emit(Warned(self._now(), f"the cookies cannot be kept for the next session: {reason}"))

    async def _read_outcome(
        self, request: Request, response: RawResponse, writer: BodyWriter, started_at: float
    ) -> Outcome:
        status, headers = response.status, Headers(response.headers)
        if status == 304:
            return NotModified(request, headers, started_at, self._now() - started_at)
        if status == 206:
            raise httpx.RemoteProtocolError("a part of the content (206) came where all of it was requested")
        if status >= 400:
            with suppress(DecodeError):
                await _decode_prefix_into(response, headers, writer, MAX_ERROR_BODY_BYTES)
            body = await writer.finish()
        elif status >= 300:
            body = Body(0, await discard_body(response), _EMPTY_DIGEST, b"")
        elif request.kind == "robots":
            await _decode_prefix_into(response, headers, writer, MAX_ROBOTS_BODY_BYTES)
            body = await writer.finish()
        else:
            body = await self._read_body(request, response, headers, writer)
        ttfb, elapsed = response.head_at - response.sent_at, self._now() - started_at
        version = response.http_version.decode("ascii", "replace")
        return Response(request, status, headers, body, started_at, ttfb, elapsed, version)

    async def _read_body(self, request: Request, response: RawResponse, headers: Headers, writer: BodyWriter) -> Body:
        """The whole body. Raises `BodyLimitExceeded`, `DecodeError`, `SinkError` and what the transport raises."""
        length = response.content_length
        if length is not None and writer.max_bytes is not None and length > writer.max_bytes:
            raise BodyLimitExceeded(writer.max_bytes, decoded=False)
        codings = _codings_to_undo(request, headers)
        decoder = make_decoder(codings)
        with _DecoderPermit(self._large_decoders if needs_large_window(codings) else None) as permit:
            if response.complete:
                await _decode_into(await response.read(), decoder, writer, permit)
            else:
                progress = ProgressReporter(request.url, length, self._emit, self._now)
                async with aclosing(response.aiter_raw()) as pieces:
                    async for piece in pieces:
                        await _decode_into(piece, decoder, writer, permit)
                        progress.report(writer.wire_bytes)
                progress.report(writer.wire_bytes, last=True)
        if length is not None and writer.wire_bytes != length:
            raise TruncatedResponse(f"{writer.wire_bytes} bytes came of {length} announced")
        if decoder is not None:
            decoder.finish()
        return await writer.finish()

    def _failure(
        self,
        error: Exception,
        request: Request,
        started_at: float,
        response: RawResponse | None = None,
        received: int = 0,
    ) -> Failure | Denied:
        kind, detail, permanent = classify_error(error)
        if kind is ErrorKind.ADDRESS:
            return Denied(request, kind, detail)
        return Failure(
            request,
            kind,
            detail,
            status=None if response is None else response.status,
            headers=Headers() if response is None else Headers(response.headers),
            started_at=started_at,
            elapsed=self._now() - started_at,
            received=received,
            permanent=permanent,
        )


class _DecoderPermit:
    """Permission to decode a large body with a large window, acquired only once the body proves to be large."""

    __slots__ = ("_acquired", "_permits")

    def __init__(self, permits: asyncio.Semaphore | None) -> None:
        self._permits = permits
        self._acquired = False

    async def acquire(self) -> None:
        """Wait for the permit; returns at once if none is needed."""
        if self._permits is not None and not self._acquired:
            await self._permits.acquire()
            self._acquired = True

    def __enter__(self) -> _DecoderPermit:
        return self

    def __exit__(self, *_: object) -> None:
        if self._permits is not None and self._acquired:
            self._permits.release()


async def _decode_into(piece: bytes, decoder: Decoder | None, writer: BodyWriter, permit: _DecoderPermit) -> None:
    """Decode one piece of the body and write the result."""
    writer.count_received(len(piece))
    for content in (piece,) if decoder is None else decoder.feed(piece):
        if writer.write(content):
            await permit.acquire()
            await writer.flush()


async def _decode_prefix_into(response: RawResponse, headers: Headers, writer: BodyWriter, max_bytes: int) -> None:
    """Decode and write at most `max_bytes` of the body. A longer body is cut, not refused, so the limit of the writer
    is lifted.

    Raises `DecodeError`, `SinkError` and what the transport raises.
    """
    writer.max_bytes = None
    decoder = make_decoder(parse_codings(headers.get_all("content-encoding")))
    async with aclosing(response.aiter_raw()) as pieces:
        async for piece in pieces:
            writer.count_received(len(piece))
            for content in (piece,) if decoder is None else decoder.feed(piece):
                if writer.write(content[: max_bytes - writer.size]):
                    await writer.flush()
                if writer.size >= max_bytes:
                    return
            if writer.wire_bytes >= max_bytes:
                return
    if decoder is not None:
        decoder.finish()


def _codings_to_undo(request: Request, headers: Headers) -> tuple[str, ...]:
    """The content-codings to decode. The first one of a file that is compressed itself is kept: see
    `_COMPRESSED_FILES`.
    """
    values = headers.get_all("content-encoding")
    if not values:
        return ()
    codings = parse_codings(values)
    if request.kind == "file" and codings and codings[0] in _COMPRESSED_FILES:
        suffixes, types = _COMPRESSED_FILES[codings[0]]
        path = request.url.target.partition("?")[0].lower()
        media_type = (headers.get("content-type") or "").partition(";")[0].strip().lower()
        if path.endswith(suffixes) or media_type in types:
            return codings[1:]
    return codings
