"""The test server sends exactly what it is told to, records requests and leaves nothing open."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from scraper.testing.local_server import (
    LocalServer,
    RawHandler,
    ReceivedRequest,
    Reply,
    never_respond,
    reset_connection,
    send_raw,
)


def client() -> httpx.AsyncClient:
    return httpx.AsyncClient(trust_env=False, timeout=5)


async def test_replies_are_sent_as_written() -> None:
    """Status, headers and body of a reply reach the client; unknown paths are 404."""
    async with LocalServer({"/": Reply(418, b"tea", {"X-Kind": "green"})}) as site, client() as http:
        answer = await http.get(site.url("/"))
        assert (answer.status_code, answer.content, answer.headers["x-kind"]) == (418, b"tea", "green")
        assert (await http.get(site.url("/nowhere"))).status_code == 404


async def test_requests_are_recorded_in_order_with_time_and_connection() -> None:
    """One kept-alive connection carries all requests; each is recorded with its instant, method and target."""
    async with LocalServer({"*": Reply(body=b"x")}) as site, client() as http:
        await http.get(site.url("/a?q=1"), headers={"X-Who": "me"})
        await http.post(site.url("/b"), content=b"posted")
    assert [(r.method, r.target, r.connection) for r in site.requests] == [("GET", "/a?q=1", 1), ("POST", "/b", 1)]
    assert site.requests[0].at <= site.requests[1].at
    assert (site.requests[0].headers.get("x-who"), site.requests[1].body) == ("me", b"posted")
    assert [r.target for r in site.requests_for("/a")] == ["/a?q=1"]


async def test_a_list_of_routes_answers_turn_by_turn() -> None:
    """The first, second ... request gets the first, second ... reply, and the last one stays."""
    async with LocalServer({"/": [Reply(503), Reply(500), Reply(200)]}) as site, client() as http:
        assert [(await http.get(site.url())).status_code for _ in range(4)] == [503, 500, 200, 200]


async def test_a_function_sees_the_request() -> None:
    """A route may be computed from what was asked."""

    async def echo(asked: ReceivedRequest) -> Reply:
        return Reply(body=asked.target.encode())

    async with LocalServer({"*": echo}) as site, client() as http:
        assert (await http.get(site.url("/me?x"))).content == b"/me?x"


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
async def test_pieces_of_a_body_arrive_whole(chunked: bool) -> None:
    """A body in pieces is the same body, with a length or in chunks."""
    async with LocalServer({"/": Reply(body=[b"ab", b"cd"], chunked=chunked, pause=0.001)}) as site, client() as http:
        assert (await http.get(site.url())).content == b"abcd"


async def test_a_reply_may_close_the_connection() -> None:
    """After `close` the next request comes on a new connection."""
    async with LocalServer({"/": Reply(close=True)}) as site, client() as http:
        await http.get(site.url())
        await http.get(site.url())
    assert [r.connection for r in site.requests] == [1, 2]


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (reset_connection, httpx.ReadError),
        (never_respond, httpx.ReadTimeout),
        (send_raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"), httpx.RemoteProtocolError),
        (send_raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", b"half", then=reset_connection), httpx.ReadError),
        (send_raw(b"\x00garbage\r\n\r\n"), httpx.RemoteProtocolError),
    ],
    ids=["reset", "stall", "truncated", "reset-in-body", "garbage"],
)
async def test_a_server_may_misbehave(raw: RawHandler, error: type[Exception]) -> None:
    """Raw routes reset, stall, lie and babble, and the site closes cleanly after them."""
    async with LocalServer({"/": raw}) as site, httpx.AsyncClient(trust_env=False, timeout=0.2) as http:
        with pytest.raises(error):
            await http.get(site.url())


async def test_closing_does_not_wait_for_idle_or_stalled_clients() -> None:
    """Open connections, idle and stalled, are dropped when the site closes."""
    asked = asyncio.Event()

    async def note(_: ReceivedRequest) -> RawHandler:
        asked.set()
        return never_respond

    async with asyncio.timeout(5):
        async with LocalServer({"/": note}) as site:
            _, idle = await asyncio.open_connection("127.0.0.1", site.port)
            _, stalled = await asyncio.open_connection("127.0.0.1", site.port)
            stalled.write(b"GET / HTTP/1.1\r\n\r\n")
            await asked.wait()
        for writer in (idle, stalled):
            writer.close()
            await asyncio.gather(writer.wait_closed(), return_exceptions=True)
    assert len(site.requests) == 1


async def test_a_failing_route_fails_the_test() -> None:
    """An exception in a route's function is not swallowed: it leaves the `async with` block."""

    async def broken(asked: ReceivedRequest) -> Reply:
        raise AssertionError(f"{asked.target} was asked")

    async def visit() -> None:
        async with LocalServer({"/": broken}) as site, client() as http:
            await http.get(site.url())

    with pytest.raises(ExceptionGroup) as caught:
        await visit()
    assert caught.group_contains(AssertionError, match="/ was asked")
