"""The page store: what was stored is read back, and damage is an error."""

from __future__ import annotations

from pathlib import Path

import pytest

from scraper.errors import SinkError
from scraper.model import Body, Content, Headers, Hop, Request, Response, Result, Url
from scraper.rundir.layout import PAGE_STORE
from scraper.sinks.interface import Sink
from scraper.sinks.page_store import PageStore, read_pages
from scraper.testing.sink_contract import SinkContract
from scraper.urls.post_identity import with_post_key

URL = Url("http://a.example/x?b=1", "http://a.example/x", "a.example", "http://a.example")
REQUEST = Request(
    URL, 3, "http://a.example/", redirects=(Hop("http://a.example/o", 301),), label="l", inherited_fields={"p": "1"}
)
HEADERS = Headers([(b"Content-Type", b"text/html"), (b"Link", b"</\xe9>; rel=next"), (b"Link", b"</2>")])


class TestPageStore(SinkContract):
    def make(self, folder: Path) -> Sink:
        return PageStore(folder)

    def stored(self, folder: Path) -> list[str]:
        path = folder / PAGE_STORE
        return [page.request.url.href for page in read_pages(folder, str(path.stat().st_size))]


async def kept(folder: Path, *results: Result) -> str:
    sink = PageStore(folder)
    await sink.open(None)
    for result in results:
        sink.write(result)
    checkpoint = await sink.flush()
    await sink.aclose()
    return checkpoint


async def test_a_page_comes_back_as_it_was(tmp_path: Path) -> None:
    """Request, headers and body, also of a page that was spooled to a file."""
    spooled = tmp_path / "spooled"
    spooled.write_bytes(b"<p>large</p>" * 1000)
    small = Response(REQUEST, 200, HEADERS, Body(3, 3, "xxh3:1", b"abc"), 1.5, elapsed=0.5)
    large = Response(REQUEST, 203, HEADERS, Body(12_000, 900, "xxh3:2", path=spooled), 2.5)
    checkpoint = await kept(tmp_path, Result(REQUEST, small), Result(REQUEST, large))
    first, second = read_pages(tmp_path, checkpoint)
    assert first.request == REQUEST
    assert first.headers.raw == HEADERS.raw
    assert (first.status, first.body, first.started_at, first.elapsed) == (200, small.body, 1.5, 0.5)
    assert second.body.read() == spooled.read_bytes()


async def test_what_was_posted_comes_back(tmp_path: Path) -> None:
    """Two answers of one URL are two pages, each with its own question, whatever its bytes."""
    posts = [
        Request(with_post_key(URL, content), content=content)
        for content in (Content(bytes(range(256)), "application/x"), Content(b"", ""))
    ]
    pages = [Response(request, 200, HEADERS, Body(1, 1, "xxh3:1", b"x")) for request in posts]
    checkpoint = await kept(tmp_path, *(Result(page.request, page) for page in pages))
    assert [page.request for page in read_pages(tmp_path, checkpoint)] == posts


async def test_only_pages_that_succeeded_are_kept(tmp_path: Path) -> None:
    """Errors, files and sitemaps are not for extraction."""
    body = Body(1, 1, "", b"x")
    files = Request(URL, kind="file")
    checkpoint = await kept(
        tmp_path,
        Result(REQUEST, Response(REQUEST, 404, HEADERS, body)),
        Result(files, Response(files, 200, HEADERS, body)),
    )
    assert list(read_pages(tmp_path, checkpoint)) == []


@pytest.mark.parametrize("damage", ["cut", "gone", "changed", "head"])
async def test_damage_is_told(tmp_path: Path, damage: str) -> None:
    """What is not what was committed is an error with the path, not a wrong page."""
    checkpoint = await kept(tmp_path, Result(REQUEST, Response(REQUEST, 200, HEADERS, Body(3, 3, "", b"abc"))))
    path = tmp_path / PAGE_STORE
    data = path.read_bytes()
    match damage:
        case "cut":
            path.write_bytes(data[:6])
        case "gone":
            path.unlink()
        case "changed":
            path.write_bytes(data[:-4] + b"\0\0\0\0")
        case _:
            path.write_bytes(b"\xff" * len(data))
    with pytest.raises(SinkError, match=r"pages\.store"):
        list(read_pages(tmp_path, checkpoint))
