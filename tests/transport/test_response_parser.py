"""Parsing responses: split anywhere, with other connections in the same buffer."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import pairwise

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scraper.transport.errors import StaleConnection, TruncatedResponse
from scraper.transport.exchange import Exchange
from scraper.transport.receive_buffer import RECEIVE_BUFFER_BYTES, SharedReceiveBuffer
from scraper.transport.response_parser import FIRST_HEAD_SCAN_BYTES, ResponseParser
from scraper.transport.settings import TransportSettings
from tests.transport.servers import chunked_response, ok_response

OK_LINE = b"HTTP/1.1 200 OK\r\n"
LONG_HEAD = b"".join(b"X-%d: %s\r\n" % (n, b"v" * 50) for n in range(100))
SETTINGS = TransportSettings(buffer_limit=1 << 30)


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


class ParserHarness:
    """The parser of one connection that receives through a shared buffer."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, receive_buffer: SharedReceiveBuffer, method: str = "GET"
    ) -> None:
        self.receive_buffer = receive_buffer
        self.exchange = Exchange(method, loop, buffer_limit=SETTINGS.buffer_limit, max_body=None)
        self.parser = ResponseParser(SETTINGS)
        self.parser.start_response(self.exchange)
        self.complete = False

    def receive(self, data: bytes) -> None:
        """As an event loop does it. Then the buffer is overwritten, so that a view of it that was kept would be
        noticed.
        """
        room = self.receive_buffer.acquire(self)
        room[: len(data)] = data
        taken = self.receive_buffer.consume(self, len(data))
        self.complete = self.parser.feed(taken)
        self.receive_buffer.acquire(None)[: len(data)] = b"\xff" * len(data)

    def receive_all(self, pieces: list[bytes]) -> None:
        for piece in pieces:
            self.receive(piece)

    @property
    def body(self) -> bytes:
        return b"".join(self.exchange._pieces)


# (bytes of a response, its body, whether the connection may be used again)
RESPONSES = [
    (ok_response(b"hello"), b"hello", True),
    (ok_response(b""), b"", True),
    (ok_response(b"z" * 5000), b"z" * 5000, True),
    (chunked_response(b"he", b"llo"), b"hello", True),
    (chunked_response(b"y" * 3000, b"w", trailers=b"A: b\r\n"), b"y" * 3000 + b"w", True),
    (OK_LINE + LONG_HEAD + b"Content-Length: 3\r\n\r\nabc", b"abc", True),
    (OK_LINE + LONG_HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", b"abc", True),
    (b"HTTP/1.1 103 E\r\n\r\n" * 3 + ok_response(b"after"), b"after", True),
    (b"HTTP/1.1 103 E\r\n" + LONG_HEAD + b"\r\n" + ok_response(b"after"), b"after", True),
    (b"HTTP/1.1 200 OK\nContent-Length: 2\n\nhi", b"hi", False),
    (b"HTTP/1.1 204 N\r\n\r\n", b"", True),
]


def split(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({cut % (len(data) + 1) for cut in cuts} | {0, len(data)})
    return [data[a:b] for a, b in pairwise(places) if b > a]


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_connections_that_share_a_buffer_never_see_each_others_bytes(
    loop: asyncio.AbstractEventLoop, data: st.DataObject
) -> None:
    """Responses split anywhere, received in any order of connections: each body is exact."""
    cases = data.draw(st.lists(st.sampled_from(RESPONSES), min_size=2, max_size=4))
    cuts = st.lists(st.integers(0, 10_000), max_size=12)
    queues = [split(raw, data.draw(cuts)) for raw, _, _ in cases]
    receive_buffer = SharedReceiveBuffer()
    readers = [ParserHarness(loop, receive_buffer) for _ in cases]
    while left := [n for n, queue in enumerate(queues) if queue]:
        n = data.draw(st.sampled_from(left))
        readers[n].receive(queues[n].pop(0))
    for reader, (_, body, kept) in zip(readers, cases, strict=True):
        assert (reader.complete, reader.body, reader.parser.persistent) == (True, body, kept)


@pytest.mark.parametrize("at", [FIRST_HEAD_SCAN_BYTES - 1, FIRST_HEAD_SCAN_BYTES, FIRST_HEAD_SCAN_BYTES + 1])
def test_a_head_of_any_length_is_found(loop: asyncio.AbstractEventLoop, at: int) -> None:
    """Also where it ends at the number of bytes that is searched first."""
    rest = b"Content-Length: 4\r\n\r\n"
    raw = OK_LINE + b"X: " + b"v" * (at - len(OK_LINE) - len(rest) - 5) + b"\r\n" + rest
    assert len(raw) == at
    reader = ParserHarness(loop, SharedReceiveBuffer())
    reader.receive(raw + b"body")
    assert (reader.complete, reader.body) == (True, b"body")


@pytest.mark.parametrize("size", [RECEIVE_BUFFER_BYTES // 2, SETTINGS.max_head + 1])
def test_a_head_above_the_bound_is_refused(loop: asyncio.AbstractEventLoop, size: int) -> None:
    """Whether it comes at once or in pieces."""
    raw = OK_LINE + b"X: " + b"v" * size + b"\r\n\r\n"
    with pytest.raises(httpx.RemoteProtocolError, match="response head of more than"):
        ParserHarness(loop, SharedReceiveBuffer()).receive(raw)
    with pytest.raises(httpx.RemoteProtocolError, match="response head of more than"):
        ParserHarness(loop, SharedReceiveBuffer()).receive_all(split(raw, list(range(0, len(raw), 1000))))


@pytest.mark.parametrize(
    ("came", "exc", "served", "kind", "says"),
    [
        (b"", None, 0, httpx.RemoteProtocolError, "without a response"),
        (b"", None, 3, StaleConnection, "kept-alive"),
        (b"", OSError("reset"), 3, StaleConnection, "kept-alive"),
        (b"", OSError("reset"), 0, httpx.ReadError, "before a response"),
        (b"HTT", None, 3, TruncatedResponse, "head"),
        (b"HTTP/1.1 100 C\r\n\r\n", None, 3, TruncatedResponse, "head"),
        (OK_LINE + b"Content-Length: 9\r\n\r\n1234", None, 3, TruncatedResponse, "5 bytes"),
        (OK_LINE + b"Transfer-Encoding: chunked\r\n\r\n", None, 0, TruncatedResponse, "chunked"),
        (OK_LINE + b"\r\nhalf", OSError("reset"), 0, httpx.ReadError, "within"),
        (OK_LINE + b"Content-Length: 9\r\n\r\n", OSError("reset"), 0, httpx.ReadError, "within"),
    ],
    ids=lambda value: None if isinstance(value, int) else str(value)[:20],
)
def test_an_end_of_the_connection_is_named_for_what_it_cuts(
    loop: asyncio.AbstractEventLoop, came: bytes, exc: Exception | None, served: int, kind: type, says: str
) -> None:
    """Only a connection that was idle is worth a second try, and nothing cut short passes for a response."""
    reader = ParserHarness(loop, SharedReceiveBuffer())
    if came:
        reader.receive(came)
    error = reader.parser.on_connection_lost(exc, responses_completed=served)
    assert type(error) is kind
    assert says in str(error)


def test_a_body_without_framing_is_complete_when_the_connection_ends(loop: asyncio.AbstractEventLoop) -> None:
    """RFC 9112 6.3, item 8."""
    reader = ParserHarness(loop, SharedReceiveBuffer())
    reader.receive(OK_LINE + b"\r\nall of it")
    assert reader.parser.on_connection_lost(None, responses_completed=0) is None
    assert (reader.body, reader.parser.persistent) == (b"all of it", False)


def test_its_representation_says_where_it_is(loop: asyncio.AbstractEventLoop) -> None:
    """For logs and debuggers."""
    harness = ParserHarness(loop, SharedReceiveBuffer())
    assert repr(harness.parser) == "<ResponseParser in a head, 0 bytes pending>"
    harness.receive(OK_LINE + b"Content-Length: 9\r\n\r\n1234")
    assert repr(harness.parser) == "<ResponseParser in a body, 5 bytes left>"
    harness.parser.end_response()
    assert repr(harness.parser) == "<ResponseParser between responses>"
