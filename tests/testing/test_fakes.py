"""The fakes keep the contracts of the ports they stand for."""

from __future__ import annotations

import asyncio
import pickle

import pytest

from scraper.errors import SinkError
from scraper.extract.interface import Extractor
from scraper.fetch.interface import Fetcher
from scraper.model import ErrorKind, Failure, Request, Response
from scraper.sinks.interface import Sink
from scraper.testing.fakes import (
    FakeExtractor,
    FakeFetcher,
    FakeSink,
    fail_with,
    make_request,
    make_response,
    make_result,
    make_url,
    redirect_to,
    with_status,
)
from scraper.testing.virtual_loop import virtual_run


@pytest.mark.parametrize(
    ("href", "host", "origin", "target"),
    [
        ("http://a.example/x?y=1", "a.example", "http://a.example", "/x?y=1"),
        ("https://a.example:8443/", "a.example:8443", "https://a.example:8443", "/"),
        ("http://a.example", "a.example", "http://a.example", "/"),
    ],
    ids=["path", "port", "bare"],
)
def test_urls_are_taken_apart(href: str, host: str, origin: str, target: str) -> None:
    """`make_url` finds host and origin of a canonical address."""
    url = make_url(href)
    assert (url.host, url.origin, url.target) == (host, origin, target)


@virtual_run
async def test_the_script_answers_turn_by_turn() -> None:
    """Each time a URL is asked it gets its next answer, with the request filled in; the last one stays."""
    url = "http://a.example/"
    fetcher: Fetcher = FakeFetcher({url: [fail_with(ErrorKind.TIMEOUT), with_status(503, Retry_After="5"), "<p>hi"]})
    request = make_request(url, depth=3)
    first, second, third, fourth = [await fetcher.fetch(request) for _ in range(4)]
    assert isinstance(first, Failure)
    assert (first.error, first.request) == (ErrorKind.TIMEOUT, request)
    assert isinstance(second, Response)
    assert (second.status, second.headers.get("retry-after")) == (503, "5")
    assert isinstance(third, Response)
    assert third.body.read() == b"<p>hi"
    assert fourth == third or isinstance(fourth, Response)


@virtual_run
async def test_unknown_urls_are_404_and_exceptions_are_raised() -> None:
    """What the script does not know is a 404 page; an exception in it is a bug to be raised."""
    fetcher = FakeFetcher({"http://a.example/bug": ZeroDivisionError("bug")})
    answer = await fetcher.fetch(make_request("http://a.example/none"))
    assert isinstance(answer, Response)
    assert answer.status == 404
    with pytest.raises(ZeroDivisionError):
        await fetcher.fetch(make_request("http://a.example/bug"))


@virtual_run
async def test_latency_passes_on_the_loops_clock_and_overlap_is_counted() -> None:
    """Starts, ends and the largest number of fetches at a time are recorded, for all and for each host."""
    fetcher = FakeFetcher(latency=lambda request: 2.0 if request.url.host == "a.example" else 1.0)
    async with asyncio.TaskGroup() as group:
        for href in ("http://a.example/1", "http://a.example/2", "http://b.example/"):
            group.create_task(fetcher.fetch(make_request(href)))
    await fetcher.fetch(make_request("http://b.example/2"))
    assert [(call.started, call.ended) for call in fetcher.calls] == [(0, 2), (0, 2), (0, 1), (2, 3)]
    assert fetcher.start_times("b.example") == [0, 2]
    assert (fetcher.max_concurrent, fetcher.max_concurrent_by_host) == (3, {"a.example": 2, "b.example": 1})


@virtual_run
async def test_a_cancelled_fetch_is_over() -> None:
    """A cancelled fetch no longer counts as active and has its end recorded."""
    fetcher = FakeFetcher(latency=10)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await fetcher.fetch(make_request("http://a.example/"))
    await fetcher.fetch(make_request("http://a.example/"))
    assert (fetcher.calls[0].ended, fetcher.max_concurrent) == (1.0, 1)


@virtual_run
async def test_scripts_may_compute() -> None:
    """A function in the script sees the request."""

    def answer(request: Request) -> Response:
        return make_response(request, request.label or "")

    fetcher = FakeFetcher({"http://a.example/": answer, "http://a.example/old": redirect_to("/new", 308)})
    page = await fetcher.fetch(make_request("http://a.example/", label="seen"))
    moved = await fetcher.fetch(make_request("http://a.example/old"))
    assert isinstance(page, Response)
    assert page.body.data == b"seen"
    assert isinstance(moved, Response)
    assert (moved.status, moved.headers.get("location")) == (308, "/new")


def test_the_extractor_finds_what_its_map_says() -> None:
    """Addresses become links, mappings items; it can be sent to another process as the port demands."""
    extractor: Extractor = FakeExtractor({"http://a.example/": ["http://a.example/x", {"title": "A"}]})
    harvest = pickle.loads(pickle.dumps(extractor)).extract(make_response("http://a.example/"))
    assert [link.url.href for link in harvest.links] == ["http://a.example/x"]
    assert [item.fields for item in harvest.items] == [{"title": "A"}]


@virtual_run
async def test_the_sink_forgets_what_was_not_settled() -> None:
    """On resume the sink goes back to the mark it gave, so nothing is lost or doubled."""
    sink = FakeSink()
    port: Sink = sink
    await port.open(None)
    port.write(make_result("http://a.example/1"))
    mark = await port.flush()
    port.write(make_result("http://a.example/2"))
    await port.flush()
    port.write(make_result("http://a.example/3"))
    await port.open(mark)
    assert (sink.urls(), sink.buffer) == (["http://a.example/1"], [])
    await port.aclose()
    await port.aclose()
    assert (sink.is_open, sink.flushes) == (False, 3)


@virtual_run
async def test_the_sink_can_run_out_of_space() -> None:
    """`fail_after` makes a flush fail as a full disk does."""
    sink = FakeSink(fail_after=1)
    await sink.open(None)
    for n in range(2):
        sink.write(make_result(f"http://a.example/{n}"))
    with pytest.raises(SinkError, match="no space"):
        await sink.flush()
    assert sink.urls() == []
