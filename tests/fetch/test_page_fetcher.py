"""The fetcher turns whatever a server does into one outcome, and leaks no file and no connection."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import ssl
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import brotli  # type: ignore[import-untyped]  # ships no types
import httpx
import pytest
import respx
import trustme
import xxhash
import zstandard

from scraper.clock import Clock
from scraper.errors import SinkError
from scraper.events import BytesReceived, Event
from scraper.fetch.body_writer import MIB, SpoolSettings
from scraper.fetch.interface import Fetcher
from scraper.fetch.page_fetcher import (
    MAX_ERROR_BODY_BYTES,
    MAX_ROBOTS_BODY_BYTES,
    FetchSettings,
    HttpFetcher,
)
from scraper.fetch.response_body import MAX_DISCARD_BYTES
from scraper.model import Denied, ErrorKind, Failure, NotModified, Outcome, RequestKind, Response
from scraper.testing.fakes import make_request
from scraper.testing.local_server import (
    LocalServer,
    RawHandler,
    ReceivedRequest,
    Reply,
    Route,
    never_respond,
    reset_connection,
    send_raw,
)
from scraper.transport.errors import AddressRefused, ResolveError, TlsError
from scraper.transport.fast_transport import FastTransport
from scraper.transport.request_headers import BasicAuth, BearerAuth
from scraper.transport.settings import Timeouts

URL = "http://books.example/shelf?page=2"
HEAD_OF_9 = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"
HTML = b"<title>Books</title>" + b"<p>The quick brown fox jumps over the lazy dog." * 50

Transport = Callable[[], httpx.AsyncBaseTransport]
REAL_TRANSPORTS: dict[str, Transport] = {
    "own": FastTransport,
    "httpx": lambda: httpx.AsyncHTTPTransport(http1=True, trust_env=False),
}
over_real_sockets = pytest.mark.parametrize("transport", REAL_TRANSPORTS.values(), ids=REAL_TRANSPORTS)


@pytest.fixture
def router() -> Iterator[respx.MockRouter]:
    router = respx.MockRouter(assert_all_called=False)
    yield router
    router.reset()


class FetcherHarness:
    """Makes fetchers, and records their events and spooled files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.events: list[Event] = []

    def settings(self, memory_limit: int = 100_000, **changes: object) -> FetchSettings:
        return FetchSettings(SpoolSettings(self.folder, memory_limit), **changes)  # type: ignore[arg-type]  # a test names fields

    @asynccontextmanager
    async def fetcher(self, transport: httpx.AsyncBaseTransport, **changes: object) -> AsyncIterator[HttpFetcher]:
        fetcher = HttpFetcher(
            self.settings(**changes),  # type: ignore[arg-type]  # as above
            transport,
            clock=Clock(epoch=1_700_000_000.0),
            emit=self.events.append,
        )
        try:
            yield fetcher
        finally:
            await fetcher.aclose()

    async def fetch(
        self, router: respx.MockRouter, url: str = URL, kind: RequestKind = "page", **changes: object
    ) -> Outcome:
        async with self.fetcher(httpx.MockTransport(router.async_handler), **changes) as fetcher:
            return await fetcher.fetch(make_request(url, kind=kind))

    def files(self) -> list[Path]:
        return [path for path in self.folder.rglob("*") if path.is_file()]


@pytest.fixture
def harness(tmp_path: Path) -> FetcherHarness:
    return FetcherHarness(tmp_path / "spool")


class Stream(httpx.AsyncByteStream):
    """A response body in pieces, which httpx does not decode; raises `error` at its end."""

    def __init__(self, *pieces: bytes, error: Exception | None = None) -> None:
        self.pieces, self.error, self.closed, self.read = pieces, error, False, 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            self.read += len(piece)
            yield piece
        if self.error is not None:
            raise self.error

    async def aclose(self) -> None:
        self.closed = True


def page_of(outcome: Outcome) -> Response:
    assert isinstance(outcome, Response), outcome
    return outcome


def failure_in(outcome: Outcome) -> Failure:
    assert isinstance(outcome, Failure), outcome
    return outcome


# -- outcomes of responses


async def test_a_complete_response_is_a_page(harness: FetcherHarness, router: respx.MockRouter) -> None:
    """Status, headers with repetition, body, sizes, digest and times are on the page."""
    router.get(URL).respond(200, headers=[("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")], content=HTML)
    page = page_of(await harness.fetch(router))
    assert (page.status, page.body.data, page.body.size, page.body.wire_size) == (200, HTML, len(HTML), len(HTML))
    assert page.body.digest == f"xxh3:{xxhash.xxh3_128_hexdigest(HTML)}"
    assert page.headers.get_all("set-cookie") == ["a=1", "b=2"]
    assert page.started_at == pytest.approx(1_700_000_000, abs=10)
    assert 0 <= page.ttfb <= page.elapsed


@pytest.mark.parametrize("status", [200, 201, 204, 301, 404, 410, 429, 500, 503, 599])
async def test_every_status_is_a_page(harness: FetcherHarness, router: respx.MockRouter, status: int) -> None:
    """The fetcher does not judge the status."""
    router.get(URL).respond(status, headers={"Retry-After": "7"})
    page = page_of(await harness.fetch(router))
    assert (page.status, page.headers.get("retry-after")) == (status, "7")


async def test_304_is_not_modified(harness: FetcherHarness, router: respx.MockRouter) -> None:
    """The stored copy is current; there is no body."""
    router.get(URL).respond(304, headers={"ETag": '"x"'})
    outcome = await harness.fetch(router)
    assert isinstance(outcome, NotModified)
    assert outcome.headers.get("etag") == '"x"'


async def test_a_part_that_was_not_requested_is_a_failure(harness: FetcherHarness, router: respx.MockRouter) -> None:
    """206 without a Range is never stored as if it were the whole."""
    router.get(URL).respond(206, content=b"part")
    failure = failure_in(await harness.fetch(router))
    assert (failure.error, failure.status) == (ErrorKind.PROTOCOL, 206)


@pytest.mark.parametrize("size", [10, MAX_DISCARD_BYTES + 1], ids=["small", "large"])
async def test_a_redirects_body_is_dropped(harness: FetcherHarness, router: respx.MockRouter, size: int) -> None:
    """A short body is read to reuse the connection; nothing is kept."""
    stream = Stream(*[bytes(size)] * 5)
    router.get(URL).mock(httpx.Response(302, headers={"Location": "/x", "Content-Encoding": "br"}, stream=stream))
    page = page_of(await harness.fetch(router))
    assert (page.body.data, page.headers.get("location"), stream.closed) == (b"", "/x", True)
    assert stream.read == page.body.wire_size <= MAX_DISCARD_BYTES + size


async def test_a_redirect_with_a_broken_body_still_leads_on(harness: FetcherHarness, router: respx.MockRouter) -> None:
    """An error in a body that is dropped is no failure."""
    stream = Stream(b"x", error=httpx.ReadError("reset"))
    router.get(URL).mock(httpx.Response(301, headers={"Location": "/x"}, stream=stream))
    assert page_of(await harness.fetch(router)).status == 301


@pytest.mark.parametrize("coding", [None, "gzip"], ids=["plain", "gzip"])
async def test_the_beginning_of_an_error_page_is_kept(
    harness: FetcherHarness, router: respx.MockRouter, coding: str | None
) -> None:
    """An endless error page costs a bounded amount."""
    body = b"sorry " * MAX_ERROR_BODY_BYTES
    sent = gzip.compress(body) if coding else body
    stream = Stream(*(sent[at : at + 50_000] for at in range(0, len(sent), 50_000)))
    headers = {"Content-Encoding": coding} if coding else {}
    router.get(URL).mock(httpx.Response(500, headers=headers, stream=stream))
    page = page_of(await harness.fetch(router, max_bytes=1000, memory_limit=10 * MIB))
    assert (page.status, page.body.data, stream.closed) == (500, body[:MAX_ERROR_BODY_BYTES], True)


@pytest.mark.parametrize(
    ("coding", "sent", "kept"),
    [("gzip", b"not gzip", b""), ("snappy", b"?", b"?"), ("gzip", gzip.compress(HTML)[:-4], HTML)],
    ids=["garbage", "unknown", "cut"],
)
async def test_decoding_errors_of_an_error_page_are_ignored(
    harness: FetcherHarness, router: respx.MockRouter, coding: str, sent: bytes, kept: bytes
) -> None:
    """A 404 is a 404 even if its page cannot be read."""
    router.get(URL).mock(httpx.Response(404, headers={"Content-Encoding": coding}, stream=Stream(sent)))
    page = page_of(await harness.fetch(router))
    assert (page.status, page.body.data) == (404, kept)


@pytest.mark.parametrize("is_cut", [False, True], ids=["announced", "endless"])
async def test_the_beginning_of_a_robots_txt_is_kept(
    harness: FetcherHarness, router: respx.MockRouter, is_cut: bool
) -> None:
    """A robots.txt larger than any cap is read as far as RFC 9309 requires, and a little further."""
    content = b"Disallow: /x\n" * 100_000
    headers = {} if is_cut else {"Content-Length": str(len(content))}
    router.get(URL).mock(httpx.Response(200, headers=headers, stream=Stream(content[:300_000], content[300_000:])))
    page = page_of(await harness.fetch(router, kind="robots", max_bytes=1000, memory_limit=10 * MIB))
    assert page.body.data == content[:MAX_ROBOTS_BODY_BYTES]
    assert len(page.body.data) > 512 * 1024


async def test_a_robots_txt_that_cannot_be_decoded_is_a_failure(
    harness: FetcherHarness, router: respx.MockRouter
) -> None:
    """Half the rules would allow what the other half forbids."""
    stream = Stream(gzip.compress(b"User-agent: *\nDisallow: /\n")[:-9])
    router.get(URL).mock(httpx.Response(200, headers={"Content-Encoding": "gzip"}, stream=stream))
    assert failure_in(await harness.fetch(router, kind="robots")).error is ErrorKind.DECODE


# -- content-codings


@pytest.mark.parametrize(
    ("coding", "encode"),
    [
        ("gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("br", brotli.compress),
        ("zstd", zstandard.compress),
        ("gzip, br", lambda content: brotli.compress(gzip.compress(content))),
        ("identity", bytes),
    ],
)
async def test_content_codings_are_undone(
    harness: FetcherHarness, router: respx.MockRouter, coding: str, encode: Callable[[bytes], bytes]
) -> None:
    """The page holds the content; its wire size is what came over the network."""
    sent = encode(HTML)
    headers = {"Content-Encoding": coding, "Content-Length": str(len(sent))}
    router.get(URL).mock(httpx.Response(200, headers=headers, stream=Stream(sent[:9], sent[9:])))
    page = page_of(await harness.fetch(router))
    assert (page.body.data, page.body.size, page.body.wire_size) == (HTML, len(HTML), len(sent))


@pytest.mark.parametrize("coding", ["UTF-8", "none", "lzma", "utf-8, identity", ""])
async def test_a_body_of_an_unknown_coding_is_passed_on(
    harness: FetcherHarness, router: respx.MockRouter, coding: str
) -> None:
    """As it is, like browsers do: mostly it is not encoded at all."""
    router.get(URL).mock(httpx.Response(200, headers={"Content-Encoding": coding}, stream=Stream(HTML)))
    assert page_of(await harness.fetch(router)).body.data == HTML


@pytest.mark.parametrize(
    ("headers", "sent", "error"),
    [
        ({"Content-Encoding": "gzip"}, gzip.compress(HTML)[:-9], ErrorKind.DECODE),
        ({"Content-Encoding": "gzip"}, HTML, ErrorKind.DECODE),
        ({"Content-Encoding": ", ".join(["gzip"] * 9)}, HTML, ErrorKind.DECODE),
        ({"Content-Length": str(len(HTML) + 1)}, HTML, ErrorKind.TRUNCATED),
    ],
    ids=["cut", "garbage", "deep", "short"],
)
async def test_half_a_page_is_a_failure(
    harness: FetcherHarness, router: respx.MockRouter, headers: dict[str, str], sent: bytes, error: ErrorKind
) -> None:
    """What cannot be read to its end is never passed on as a page; status and headers are on the failure."""
    stream = Stream(sent)
    router.get(URL).mock(httpx.Response(200, headers=headers, stream=stream))
    failure = failure_in(await harness.fetch(router))
    assert (failure.error, failure.status, failure.permanent) == (error, 200, False)
    assert len(failure.headers) >= 1
    assert (stream.closed, harness.files()) == (True, [])


@pytest.mark.parametrize(
    ("path", "media_type", "is_kept"),
    [
        ("/a.tar.gz", "application/octet-stream", True),
        ("/A.TGZ?v=1", "", True),
        ("/download", "application/x-gzip", True),
        ("/a.csv", "text/csv", False),
        ("/a.csv?x=.gz", "text/csv", False),
    ],
)
async def test_a_file_that_is_itself_compressed_stays_so(
    harness: FetcherHarness, router: respx.MockRouter, path: str, media_type: str, is_kept: bool
) -> None:
    """`a.tar.gz` sent as `Content-Encoding: gzip` is stored as it is; other files are stored decoded."""
    sent = gzip.compress(HTML)
    headers = {"Content-Encoding": "gzip", "Content-Type": media_type}
    router.get(url__startswith="http://books.example").mock(httpx.Response(200, headers=headers, stream=Stream(sent)))
    page = page_of(await harness.fetch(router, f"http://books.example{path}", kind="file"))
    content = sent if is_kept else HTML
    assert (page.body.data, page.body.digest) == (content, f"sha256:{hashlib.sha256(content).hexdigest()}")


# -- size


async def test_an_announced_size_above_the_cap_is_refused_unread(
    harness: FetcherHarness, router: respx.MockRouter
) -> None:
    """Content-Length above the cap ends the fetch before the body, for good."""
    stream = Stream(bytes(2000))
    router.get(URL).mock(httpx.Response(200, headers={"Content-Length": "2000"}, stream=stream))
    failure = failure_in(await harness.fetch(router, max_bytes=1999))
    assert (failure.error, failure.permanent, stream.read, stream.closed) == (ErrorKind.TOO_LARGE, True, 0, True)


async def test_files_have_a_cap_of_their_own(harness: FetcherHarness, router: respx.MockRouter) -> None:
    """A download may be larger than a page, or smaller."""
    router.get(URL).respond(200, content=bytes(2000))
    assert page_of(await harness.fetch(router, kind="file", max_bytes=10, max_file_bytes=2000)).body.size == 2000
    failure = failure_in(await harness.fetch(router, kind="file", max_bytes=3000, max_file_bytes=1999))
    assert failure.error is ErrorKind.TOO_LARGE


@pytest.mark.parametrize(
    ("headers", "pieces"),
    [({}, [bytes(600)] * 3), ({"Content-Encoding": "gzip"}, [gzip.compress(bytes(50_000_000))])],
    ids=["as-sent", "bomb"],
)
async def test_both_sizes_are_capped(
    harness: FetcherHarness, router: respx.MockRouter, headers: dict[str, str], pieces: list[bytes]
) -> None:
    """A body that grows above the cap, on the wire or by decoding, is given up."""
    stream = Stream(*pieces)
    router.get(URL).mock(httpx.Response(200, headers=headers, stream=stream))
    failure = failure_in(await harness.fetch(router, max_bytes=1000, memory_limit=100))
    assert (failure.error, failure.permanent, failure.received > 0) == (ErrorKind.TOO_LARGE, True, True)
    assert (stream.closed, harness.files()) == (True, [])


async def test_a_large_body_is_spooled_and_its_progress_reported(
    harness: FetcherHarness, router: respx.MockRouter
) -> None:
    """Beyond the memory limit the body is in a file; every further MiB is reported, and the rest."""
    content = bytes(range(256)) * 4096 * 3 + b"end"
    pieces = [content[at : at + 65_536] for at in range(0, len(content), 65_536)]
    router.get(URL).mock(httpx.Response(200, headers={"Content-Length": str(len(content))}, stream=Stream(*pieces)))
    async with harness.fetcher(httpx.MockTransport(router.async_handler)) as fetcher:
        page = page_of(await fetcher.fetch(make_request(URL)))
        assert page.body.data is None
        assert page.body.read() == content
    told = [event for event in harness.events if isinstance(event, BytesReceived)]
    assert [event.size for event in told] == [MIB, MIB, MIB, 3]
    assert {(event.url, event.host, event.total) for event in told} == {(URL, "books.example", len(content))}
    assert harness.files() == []  # closing the fetcher deletes what was not moved away


async def test_a_small_body_is_not_reported(harness: FetcherHarness, router: respx.MockRouter) -> None:
    """A page of usual size makes no progress events."""
    router.get(URL).mock(httpx.Response(200, stream=Stream(HTML)))
    page_of(await harness.fetch(router))
    assert harness.events == []


async def test_a_spool_that_cannot_be_written_ends_the_run(harness: FetcherHarness, router: respx.MockRouter) -> None:
    """`SinkError` is the one error a fetch raises: it is not this URL's fault."""
    harness.folder.touch()
    stream = Stream(bytes(200))
    router.get(URL).mock(httpx.Response(200, stream=stream))
    with pytest.raises(SinkError, match="cannot be written"):
        await harness.fetch(router, memory_limit=100)
    assert stream.closed


# -- requests


async def sent_headers(
    harness: FetcherHarness, router: respx.MockRouter, url: str = URL, kind: RequestKind = "page", **changes: object
) -> httpx.Headers:
    route = router.get(url__startswith="http").respond(200)
    page_of(await harness.fetch(router, url, kind, **changes))
    headers: httpx.Headers = route.calls.last.request.headers
    return headers


async def test_a_request_has_our_headers(harness: FetcherHarness, router: respx.MockRouter) -> None:
    """A GET of exactly the canonical target, with our user agent and the codings we can decode."""
    headers = await sent_headers(harness, router, user_agent="scraper/1.0 (+https://example.org/bot)")
    assert headers["user-agent"] == "scraper/1.0 (+https://example.org/bot)"
    assert (headers["host"], headers["accept-encoding"]) == ("books.example", "gzip, deflate, br, zstd")
    request = router.calls.last.request
    assert (request.method, str(request.url), request.url.raw_path) == ("GET", URL, b"/shelf?page=2")


async def test_files_are_requested_without_coding(harness: FetcherHarness, router: respx.MockRouter) -> None:
    """No coding is accepted for a file, whatever the configured headers say."""
    configured = {"accept-encoding": "gzip"}
    headers = await sent_headers(harness, router, kind="file", headers=configured, in_scope=lambda _: True)
    assert headers.get_list("accept-encoding") == ["identity"]


async def test_phase_timeouts_reach_httpx(harness: FetcherHarness, router: respx.MockRouter) -> None:
    """Each phase has its own timeout."""
    await sent_headers(harness, router, timeouts=Timeouts(connect=1, read=2, write=3, pool=4))
    timeout = router.calls.last.request.extensions["timeout"]
    assert timeout == {"connect": 1, "read": 2, "write": 3, "pool": 4}


@pytest.mark.parametrize(
    ("url", "cookie", "authorization"),
    [
        ("http://books.example/", "k=v", "Basic dTpw"),
        ("http://books.example:8080/", None, None),
        ("http://cdn.books.example/", None, "Bearer t0ken"),
        ("http://other.example/", None, None),
    ],
)
async def test_secrets_go_only_where_they_belong(
    harness: FetcherHarness, router: respx.MockRouter, url: str, cookie: str | None, authorization: str | None
) -> None:
    """Configured headers go to URLs in scope, credentials to their exact host and port."""
    headers = await sent_headers(
        harness,
        router,
        url,
        headers={"Cookie": "k=v", "User-Agent": "mine", "Authorization": "Custom x"} if cookie else {"Cookie": "k=v"},
        in_scope=lambda asked: asked.host == "books.example",
        auth={"books.example": BasicAuth("u", "p"), "cdn.books.example": BearerAuth("t0ken")},
    )
    assert (headers.get("cookie"), headers.get_list("authorization")) == (
        cookie,
        [authorization] if authorization else [],
    )
    assert headers.get_list("user-agent") == ["mine" if cookie else "scraper"]


# -- failures without a response


@pytest.mark.parametrize(
    ("error", "kind", "permanent"),
    [
        (ResolveError("no such host", permanent=True), ErrorKind.DNS, True),
        (TlsError("handshake failed"), ErrorKind.TLS, False),
        (httpx.ConnectTimeout(""), ErrorKind.TIMEOUT, False),
        (RuntimeError("a bug"), ErrorKind.OTHER, False),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_an_exception_becomes_a_failure(
    harness: FetcherHarness, router: respx.MockRouter, error: Exception, kind: ErrorKind, permanent: bool
) -> None:
    """Whatever a transport raises, the URL gets a record and the crawl goes on."""
    router.get(URL).mock(side_effect=error)
    failure = failure_in(await harness.fetch(router))
    assert (failure.error, failure.permanent, failure.status) == (kind, permanent, None)
    assert failure.detail
    assert failure.started_at == pytest.approx(1_700_000_000, abs=10)


async def test_a_refused_address_is_denied(harness: FetcherHarness, router: respx.MockRouter) -> None:
    """The guard's decision is a rule, not a failure."""
    router.get(URL).mock(side_effect=AddressRefused("it is at 127.0.0.1", rule="loopback"))
    outcome = await harness.fetch(router)
    assert isinstance(outcome, Denied)
    assert (outcome.reason, outcome.rule) == (ErrorKind.ADDRESS, "loopback")


# -- over real sockets


@asynccontextmanager
async def visit(
    harness: FetcherHarness, transport: Transport, routes: dict[str, Route], **changes: object
) -> AsyncIterator[tuple[LocalServer, HttpFetcher]]:
    async with LocalServer(routes) as site, harness.fetcher(transport(), **changes) as fetcher:
        yield site, fetcher


@over_real_sockets
async def test_a_page_over_a_real_connection(harness: FetcherHarness, transport: Transport) -> None:
    """The same outcome by either transport; the connection is used again, also after redirects and errors."""
    coded = {"Content-Encoding": "gzip"}
    routes: dict[str, Route] = {
        "/": Reply(body=HTML),
        "/gzip": Reply(body=gzip.compress(HTML), headers=coded),
        "/chunked": Reply(body=[HTML[:100], HTML[100:]], chunked=True),
        "/moved": Reply(301, b"moved", {"Location": "/"}),
    }
    async with visit(harness, transport, routes) as (site, fetcher):
        port: Fetcher = fetcher
        for path in ("/", "/moved", "/gzip", "/missing", "/chunked"):
            page = page_of(await port.fetch(make_request(site.url(path))))
            if page.status == 200:
                assert (page.body.data, page.http_version) == (HTML, "1.1")
    assert (len(site.requests), site.connections) == (5, 1)


@over_real_sockets
async def test_the_target_is_sent_as_given(harness: FetcherHarness, transport: Transport) -> None:
    """Nothing between frontier and network changes a URL."""
    target = "/a|b/%7Ex/[1]?q={a}&r='%20'&&s=%zz"
    async with visit(harness, transport, {"*": Reply()}) as (site, fetcher):
        page_of(await fetcher.fetch(make_request(site.url(target))))
    assert [asked.target for asked in site.requests] == [target]


@over_real_sockets
@pytest.mark.parametrize(
    ("route", "kind"),
    [
        (reset_connection, {ErrorKind.NETWORK}),
        (send_raw(b""), {ErrorKind.NETWORK}),
        (never_respond, {ErrorKind.TIMEOUT}),
        (send_raw(HEAD_OF_9, b"half"), {ErrorKind.TRUNCATED}),
        (send_raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"), {ErrorKind.TRUNCATED}),
        (send_raw(HEAD_OF_9, b"half", then=never_respond), {ErrorKind.TIMEOUT}),
        (send_raw(HEAD_OF_9, b"half", pause=0.01, then=reset_connection), {ErrorKind.NETWORK, ErrorKind.TRUNCATED}),
        (send_raw(b"\x1b[31m hello \x00\r\n\r\n"), {ErrorKind.PROTOCOL}),
    ],
    ids=["reset", "hang-up", "stall", "cut", "cut-chunks", "stalled-body", "reset-body", "garbage"],
)
async def test_misbehaving_servers_make_failures(
    harness: FetcherHarness, transport: Transport, route: RawHandler, kind: set[ErrorKind]
) -> None:
    """Every error of a connection has a kind, and a message that is safe to print."""
    timeouts = Timeouts(connect=5, read=0.2, write=5, pool=5, deadline=10)
    async with visit(harness, transport, {"/": route}, timeouts=timeouts) as (site, fetcher):
        failure = failure_in(await fetcher.fetch(make_request(site.url())))
    assert failure.error in kind, failure
    assert failure.detail.isprintable()
    assert len(failure.detail) > 10


@over_real_sockets
async def test_a_dripping_server_meets_the_deadline(harness: FetcherHarness, transport: Transport) -> None:
    """A server that sends often enough for the read timeout is stopped by the deadline."""
    drip = Reply(body=[b"x"] * 1000, chunked=True, pause=0.02)
    timeouts = Timeouts(connect=5, read=5, write=5, pool=5, deadline=0.2)
    async with visit(harness, transport, {"/": drip}, timeouts=timeouts) as (site, fetcher):
        failure = failure_in(await fetcher.fetch(make_request(site.url())))
    assert failure.error is ErrorKind.TIMEOUT
    assert failure.elapsed < 3


@over_real_sockets
async def test_a_closed_port_is_a_failure_to_connect(harness: FetcherHarness, transport: Transport) -> None:
    """Nobody listens: `connect`."""
    async with LocalServer({}) as site:
        pass
    async with harness.fetcher(transport()) as fetcher:
        failure = failure_in(await fetcher.fetch(make_request(site.url())))
    assert (failure.error, failure.permanent) == (ErrorKind.CONNECT, False)


@over_real_sockets
async def test_an_untrusted_certificate_is_a_tls_failure(harness: FetcherHarness, transport: Transport) -> None:
    """An untrusted certificate is a permanent failure."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    async with LocalServer({}, tls=context) as site, harness.fetcher(transport()) as fetcher:
        failure = failure_in(await fetcher.fetch(make_request(site.url())))
    assert (failure.error, failure.permanent, site.requests) == (ErrorKind.TLS, True, [])
    assert "certificate" in failure.detail


@over_real_sockets
async def test_a_cancelled_fetch_leaves_nothing(harness: FetcherHarness, transport: Transport) -> None:
    """Cancelled in the middle of a spooled body, it leaves no file and no connection."""
    gone = asyncio.Event()

    async def endless(_: ReceivedRequest, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n" + bytes(3 * MIB))
        await asyncio.gather(reader.read(), return_exceptions=True)
        gone.set()

    async with visit(harness, transport, {"/": RawHandler(endless)}, memory_limit=1000, max_bytes=None) as (
        site,
        fetcher,
    ):
        fetching = asyncio.create_task(fetcher.fetch(make_request(site.url())))
        async with asyncio.timeout(10):
            while not harness.events:
                await asyncio.wait([fetching], timeout=0.005)
            assert harness.files()
            fetching.cancel()
            with pytest.raises(asyncio.CancelledError):
                await fetching
            assert harness.files() == []
            await gone.wait()


@over_real_sockets
async def test_a_cap_ends_the_connection(harness: FetcherHarness, transport: Transport) -> None:
    """A body above its cap is not read on in the background."""
    gone = asyncio.Event()

    async def endless(_: ReceivedRequest, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n" + bytes(3 * MIB))
        await asyncio.gather(reader.read(), return_exceptions=True)
        gone.set()

    async with visit(harness, transport, {"/": RawHandler(endless)}, max_bytes=MIB) as (site, fetcher):
        failure = failure_in(await fetcher.fetch(make_request(site.url())))
        async with asyncio.timeout(10):
            await gone.wait()
    assert (failure.error, failure.permanent) == (ErrorKind.TOO_LARGE, True)
    assert harness.files() == []
