"""Asks for one URL over HTTP and makes an outcome of whatever comes.

What is done with a body depends on what it belongs to. A page that succeeded is read to its end, decoded, hashed and
capped, and any flaw fails the fetch: half a page is worse than none. Of a redirect only the head matters; its body is
read as far as that saves the connection, and dropped. Of an error page the beginning is kept for the curious, and bad
encoding is forgiven, for its status has already told the story. Of a robots.txt the beginning is all that counts
(RFC 9309 section 2.5), but as far as it is read it must be sound.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from typing import cast

import httpx
import xxhash

from scraper.clock import Clock
from scraper.errors import SinkError
from scraper.events import BytesReceived, Event
from scraper.fetch.body_writer import MIB, BodyLimitExceeded, BodyWriter, Spool, SpoolSettings
from scraper.fetch.error_mapping import classify_error
from scraper.model import Body, Denied, ErrorKind, Failure, Headers, NotModified, Outcome, Request, Response, Url
from scraper.transport.adapter import RawResponse, RawTransport, as_raw_transport
from scraper.transport.content_decoding import DecodeError, Decoder, make_decoder, needs_large_window, parse_codings
from scraper.transport.cookies import CookieJar
from scraper.transport.errors import TruncatedResponse
from scraper.transport.request_headers import BasicAuth, BearerAuth, RequestHeaders, add_cookie
from scraper.transport.settings import Timeouts

# Bytes read of a redirect's body, and kept of an error page and a robots.txt, as sent or as decoded.
#
# Of a robots.txt 512 KiB count; the rest shows its reader that there was more, so that a last line may be cut in two.
MAX_REDIRECT_BODY_BYTES = 64 * 1024
MAX_ERROR_BODY_BYTES = 256 * 1024
MAX_ROBOTS_BODY_BYTES = 516 * 1024

# Bodies larger than the spool's memory limit that are decoded at once from codings which take megabytes each.
MAX_LARGE_DECODERS = 3

_EMPTY_DIGEST = f"xxh3:{xxhash.xxh3_128_hexdigest(b'')}"
# Files that are themselves in a coding, by suffix and type: undoing it would change the file under its name.
_COMPRESSED_FILES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "gzip": ((".gz", ".tgz", ".svgz"), ("application/gzip", "application/x-gzip")),
    "zstd": ((".zst", ".tzst"), ("application/zstd",)),
    "br": ((".br",), ()),
}


@dataclass(frozen=True, slots=True)
class FetchSettings:
    """How to ask. Sizes are bytes.

    `headers` go only to URLs for which `in_scope` is true, in place of our own where names agree; `auth` goes only to
    the host (`Url.host`) it is given for. With `cookies` what servers set is sent back to them, as long as the fetcher
    lives. `max_bytes` (None: no cap) bounds a body as sent and as decoded, for
    requests of kind `file` `max_file_bytes` does.
    """

    spool: SpoolSettings
    user_agent: str = "scraper"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    in_scope: Callable[[Url], bool] = lambda _: False
    auth: Mapping[str, BasicAuth | BearerAuth] = field(default_factory=dict)
    cookies: bool = False
    accept_encoding: str = "gzip, deflate, br, zstd"
    max_bytes: int | None = 20_000_000
    max_file_bytes: int | None = None
    timeouts: Timeouts = field(default_factory=lambda: Timeouts(pool=30.0, deadline=120.0))


class HttpFetcher:
    """A `Fetcher` over HTTP. It owns `transport` and closes it.

    `transport` is a `RawTransport` or any httpx transport. `emit` hears of the progress of bodies above 1 MiB.
    Raises `FetchError` for headers and credentials that cannot be sent.
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
        self._timeouts = s.timeouts
        self._max_bytes, self._max_file_bytes = s.max_bytes, s.max_file_bytes
        self._transport = as_raw_transport(transport)
        self._spool = Spool(s.spool)
        self._large_decoders = asyncio.Semaphore(MAX_LARGE_DECODERS)
        self._now = clock.now
        self._emit = emit

    async def fetch(self, request: Request) -> Outcome:
        """Ask for `request.url.href` once; see `Fetcher.fetch`."""
        url, content, started_at = request.url, request.content, self._now()
        headers = self._headers.headers_for(request)
        if self._cookie_jar is not None and (cookie := self._cookie_jar.cookie_header(url, started_at)) is not None:
            headers = add_cookie(headers, cookie)
        try:
            if content is None:
                answer = await self._transport.request("GET", url.origin, url.target, headers, timeouts=self._timeouts)
            else:
                answer = await self._transport.request(
                    "POST", url.origin, url.target, headers, timeouts=self._timeouts, content=content.data
                )
        except Exception as error:  # noqa: BLE001  the one door: whatever a transport raises becomes an outcome
            return self._failure(error, request, started_at)
        if self._cookie_jar is not None:
            self._cookie_jar.store(url, answer.headers, self._now())
        is_file = request.kind == "file"
        writer = BodyWriter(self._spool, sha256=is_file, max_bytes=self._max_file_bytes if is_file else self._max_bytes)
        try:
            return await self._read_outcome(request, answer, writer, started_at)
        except BaseException as error:
            await writer.discard()
            if isinstance(error, SinkError) or not isinstance(error, Exception):
                raise
            # The answer keeps its error, whose frames keep the answer, the decoder with its window and what was
            # gathered: megabytes in a cycle that would wait for the garbage collector.
            error.__traceback__ = None
            return self._failure(error, request, started_at, answer, writer.wire_bytes)
        finally:
            if (closing := answer.close()) is not None:
                with suppress(httpx.HTTPError, OSError):  # the outcome is known; how the goodbye goes is not part of it
                    await closing

    async def aclose(self) -> None:
        """Close connections and delete what is spooled."""
        try:
            await self._transport.aclose()
        finally:
            await self._spool.aclose()

    async def _read_outcome(
        self, request: Request, answer: RawResponse, writer: BodyWriter, started_at: float
    ) -> Outcome:
        status, headers = answer.status, Headers(answer.headers)
        if status == 304:
            return NotModified(request, headers, started_at, self._now() - started_at)
        if status == 206:
            raise httpx.RemoteProtocolError("a part of the content (206) came where all of it was asked for")
        if status >= 400:
            with suppress(DecodeError):
                await _decode_prefix_into(answer, headers, writer, MAX_ERROR_BODY_BYTES)
            body = await writer.finish()
        elif status >= 300:
            body = await _discard_body(answer)
        elif request.kind == "robots":
            await _decode_prefix_into(answer, headers, writer, MAX_ROBOTS_BODY_BYTES)
            body = await writer.finish()
        else:
            body = await self._read_body(request, answer, headers, writer)
        ttfb, elapsed = answer.head_at - answer.sent_at, self._now() - started_at
        version = answer.http_version.decode("ascii", "replace")
        return Response(request, status, headers, body, started_at, ttfb, elapsed, version)

    async def _read_body(self, request: Request, answer: RawResponse, headers: Headers, writer: BodyWriter) -> Body:
        """All of a body. Raises `BodyLimitExceeded`, `DecodeError`, `SinkError` and what the transport raises."""
        length = answer.content_length
        if length is not None and writer.max_bytes is not None and length > writer.max_bytes:
            raise BodyLimitExceeded(writer.max_bytes, decoded=False)
        codings = _codings_to_undo(request, headers)
        decoder = make_decoder(codings)
        with _DecoderPermit(self._large_decoders if needs_large_window(codings) else None) as turn:
            if answer.complete:
                await _decode_into(await answer.read(), decoder, writer, turn)
            else:
                progress = ProgressReporter(request.url, length, self._emit, self._now)
                async with aclosing(_raw_pieces(answer)) as pieces:
                    async for piece in pieces:
                        await _decode_into(piece, decoder, writer, turn)
                        progress.update(writer.wire_bytes)
                progress.update(writer.wire_bytes, last=True)
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
        answer: RawResponse | None = None,
        received: int = 0,
    ) -> Failure | Denied:
        kind, detail, permanent = classify_error(error)
        if kind is ErrorKind.ADDRESS:
            return Denied(request, kind, detail)
        return Failure(
            request,
            kind,
            detail,
            status=None if answer is None else answer.status,
            headers=Headers() if answer is None else Headers(answer.headers),
            started_at=started_at,
            elapsed=self._now() - started_at,
            received=received,
            permanent=permanent,
        )


class _DecoderPermit:
    """One body's turn among those whose decoders need much memory, taken once it turns out to be large."""

    __slots__ = ("_acquired", "_permits")

    def __init__(self, turns: asyncio.Semaphore | None) -> None:
        self._permits = turns
        self._acquired = False

    async def acquire(self) -> None:
        """Wait for it; None to wait for costs nothing."""
        if self._permits is not None and not self._acquired:
            await self._permits.acquire()
            self._acquired = True

    def __enter__(self) -> _DecoderPermit:
        return self

    def __exit__(self, *_: object) -> None:
        if self._permits is not None and self._acquired:
            self._permits.release()


async def _decode_into(piece: bytes, decoder: Decoder | None, writer: BodyWriter, turn: _DecoderPermit) -> None:
    """Bring one piece of the wire to the writer."""
    writer.count_received(len(piece))
    for content in (piece,) if decoder is None else decoder.feed(piece):
        if writer.write(content):
            await turn.acquire()
            await writer.flush()


async def _discard_body(answer: RawResponse) -> Body:
    """A redirect's body: read to its end if that is near, so that the connection can be used again."""
    size = 0
    with suppress(httpx.HTTPError, OSError):  # where it leads is known; how its body fares is nobody's concern
        async with aclosing(_raw_pieces(answer)) as pieces:
            async for piece in pieces:
                size += len(piece)
                if size > MAX_REDIRECT_BODY_BYTES:
                    break
    return Body(0, size, _EMPTY_DIGEST, b"")


async def _decode_prefix_into(answer: RawResponse, headers: Headers, writer: BodyWriter, max_bytes: int) -> None:
    """Bring at most `most` bytes to the writer. A larger body is cut and not refused, so the writer's cap is lifted.

    Raises `DecodeError`, `SinkError` and what the transport raises.
    """
    writer.max_bytes = None
    decoder = make_decoder(parse_codings(headers.get_all("content-encoding")))
    async with aclosing(_raw_pieces(answer)) as pieces:
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


def _raw_pieces(answer: RawResponse) -> AsyncGenerator[bytes, None]:
    # Every transport makes these with an async generator, whose early end must be awaited.
    return cast(AsyncGenerator[bytes, None], answer.aiter_raw())


def _codings_to_undo(request: Request, headers: Headers) -> tuple[str, ...]:
    """The content-codings to undo. A file whose name or type says that it is itself in the first one keeps that."""
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


class ProgressReporter:
    """Tells of every further MiB of a large body."""

    __slots__ = ("_emit", "_now", "_reported", "_total", "_url")

    def __init__(self, url: Url, total: int | None, emit: Callable[[Event], None], now: Callable[[], float]) -> None:
        self._url, self._total, self._emit, self._now = url, total, emit, now
        self._reported = 0

    def update(self, received: int, last: bool = False) -> None:
        new = received - self._reported
        if new >= MIB or (last and self._reported and new):
            self._reported = received
            self._emit(BytesReceived(self._now(), self._url.href, self._url.host, new, self._total))
