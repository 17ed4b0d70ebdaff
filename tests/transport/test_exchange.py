"""The state of one request and its response."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from scraper.transport.errors import BodyTooLarge
from scraper.transport.exchange import MIN_PIECE_BYTES, Exchange
from scraper.transport.http1_framing import parse_head

HEAD = parse_head(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", 10)


def new_exchange(buffer_limit: int = 1000, max_body: int | None = None, *, stream: bool = False) -> Exchange:
    return Exchange("GET", asyncio.get_running_loop(), buffer_limit=buffer_limit, max_body=max_body, stream=stream)


@pytest.mark.parametrize(
    ("buffer_limit", "length", "stream", "expected"),
    [(10, 10, False, False), (9, 10, False, True), (10, None, False, False), (10, None, True, True)],
    ids=["fits", "too large", "unknown", "unknown, to be streamed"],
)
async def test_a_body_is_streamed_if_it_cannot_be_collected(
    buffer_limit: int, length: int | None, stream: bool, expected: bool
) -> None:
    """A body of unknown size is collected until it proves too large, unless the caller wants it at once."""
    exchange = new_exchange(buffer_limit, stream=stream)
    exchange.on_head(HEAD, length)
    assert exchange.streaming is expected
    exchange.on_body(b"x" * buffer_limit)
    assert exchange.streaming is exchange.is_full is True or length == buffer_limit


@pytest.mark.parametrize("announced", [10, None], ids=["announced", "received"])
async def test_a_body_above_its_limit_is_refused(announced: int | None) -> None:
    """By its Content-Length, or by the byte that is one too many."""
    exchange = new_exchange(max_body=9)
    if announced is None:
        exchange.on_head(HEAD, None)
    with pytest.raises(BodyTooLarge) as caught:
        exchange.on_body(b"x" * 10) if announced is None else exchange.on_head(HEAD, announced)
    assert caught.value.limit == 9


async def test_small_pieces_are_joined() -> None:
    """A server that sends single bytes costs no object for each."""
    exchange = new_exchange(buffer_limit=1 << 20)
    exchange.on_head(HEAD, None)
    for _ in range(2 * MIN_PIECE_BYTES):
        exchange.on_body(b"x")
    exchange.on_end()
    assert len(exchange._pieces) == 2
    assert await exchange.read() == b"x" * 2 * MIN_PIECE_BYTES


async def test_what_came_before_an_error_is_delivered_first() -> None:
    """A streamed body ends with its error, not without its beginning."""
    exchange = new_exchange(buffer_limit=5)
    exchange.on_head(HEAD, 10)
    exchange.on_body(b"hello")
    exchange.on_error(httpx.ReadError("reset"))
    await exchange.wait_for_head()
    pieces = exchange.aiter_raw()
    assert await anext(pieces) == b"hello"
    with pytest.raises(httpx.ReadError):
        await anext(pieces)


async def test_its_representation_tells_its_state() -> None:
    """For logs and debuggers: method, status, state, bytes."""
    exchange = new_exchange()
    assert repr(exchange) == "<Exchange GET - waiting for the head, 0 bytes received>"
    exchange.on_head(HEAD, 10)
    exchange.on_body(b"hello")
    assert repr(exchange) == "<Exchange GET 200 collecting, 5 of 10 bytes received>"
    exchange.on_error(httpx.ReadError("reset"))
    assert repr(exchange) == "<Exchange GET 200 failed with ReadError, 5 of 10 bytes received>"
