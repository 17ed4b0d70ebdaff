"""The site that the recorded runs were made of, and what a complete run of it holds. The standard library alone.

It must not import `scraper`: the same file served the version that wrote the recordings and serves today's.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import NamedTuple, Self

SHELVES = 4
BOOKS = 8
# Two addresses of this machine, so that a run has two hosts. The second answers its first request with a Retry-After.
FIRST_HOST, SECOND_HOST = "127.0.0.1", "127.0.0.2"

SMALL_FILES = {f"/small{n}": f"content of small file {n}\n".encode() * 200 for n in range(10)}
BLOCK_BYTES = 32 * 1024
STREAM_PIECE_BYTES = 64 * 1024


class SeenRequest(NamedTuple):
    """One request as the server got it; `range` is its Range field or an empty text."""

    host: str
    method: str
    path: str
    range: str


class Response(NamedTuple):
    """What the site sends: `headers` beside Content-Length and Content-Type."""

    status: int
    body: bytes
    content_type: str = "text/html"
    headers: tuple[tuple[str, str], ...] = ()


def large_file(mebibytes: int) -> bytes:
    """Every block of it differs from every other, and it compresses well: recordings hold a part of it."""
    blocks = (f"block {n:07d} of a large file. ".encode() * 2000 for n in range(mebibytes * 1024 * 1024 // BLOCK_BYTES))
    return b"".join(block[:BLOCK_BYTES] for block in blocks)


LARGE_FILES = {"/large": large_file(4), "/segmented": large_file(24)}


def book_paths() -> list[str]:
    """The pages that hold an item each."""
    return [f"/book/{shelf}-{n}" for shelf in range(SHELVES) for n in range(BOOKS)]


def cover_paths() -> list[str]:
    """The files that a crawl fetches along the way."""
    return [f"/cover/{shelf}-0.bin" for shelf in range(SHELVES)]


def crawled_paths() -> set[str]:
    """Every path of the first host that a complete crawl has a record of, by what was requested first."""
    pages = {"/", "/missing", "/failing", "/api", *(f"/moved/{n}" for n in range(SHELVES))}
    return pages | {f"/shelf/{n}" for n in range(SHELVES)} | {*book_paths(), *cover_paths()}


def respond(host: str, method: str, path: str, seen_before: int) -> Response:
    """The site's response; `seen_before` is how often the path was requested already."""
    if path == "/robots.txt":
        return Response(200, b"User-agent: *\nDisallow: /private\n", "text/plain")
    if host == SECOND_HOST:
        return Response(503, b"later", headers=(("Retry-After", "60"),)) if seen_before < 1 else _page("second", [])
    match path.strip("/").split("/"):
        case [""]:
            links = [f"/shelf/{n}" for n in range(SHELVES)]
            return _page("start", [*links, "/missing", "/failing", "/private/x", "http://elsewhere.example/"])
        case ["shelf", number]:
            books = [f"/book/{number}-{n}" for n in range(BOOKS)]
            return _page(f"shelf {number}", [*books, f"/moved/{number}", f"/cover/{number}-0.bin"])
        case ["book", name]:
            return _page(f"book {name}", ["/"])
        case ["moved", number]:
            return Response(302, b"", headers=(("Location", f"/target/{number}"),))
        case ["target", number]:
            return _page(f"target {number}", [])
        case ["cover", name]:
            return Response(200, f"cover {name}".encode() * 500, "application/octet-stream")
        case ["failing"] if seen_before < 1:
            return Response(500, b"once")
        case ["failing"]:
            return _page("failing", [])
        case ["api"] if method == "POST":
            return Response(200, b'{"results": [{"title": "posted"}]}', "application/json")
        case _:
            return Response(404, b"not found")


def _page(title: str, links: list[str]) -> Response:
    parts = ["<html><body>", f"<h1>{title}</h1>", *(f'<a href="{link}">x</a>' for link in links), "</body></html>"]
    return Response(200, "".join(parts).encode())


class RecordedSite:
    """Serves the site on all loopback addresses while it is entered.

    `stall_after` requests it answers none any more, until it is left: so a run can be killed with requests under way.
    Large files come with `bytes_per_second` a connection (0: at once). `requests` are those of an earlier session: they
    count for what is sent the first time alone.
    """

    def __init__(
        self,
        *,
        requests: Iterable[SeenRequest] = (),
        stall_after: int = 1_000_000,
        bytes_per_second: int = 0,
        address: str = "127.0.0.1",
    ) -> None:
        self.requests = list(requests)
        self.stall_after = stall_after
        self.bytes_per_second = bytes_per_second
        self.end = threading.Event()
        site = self

        class Handler(_Handler):
            recorded_site = site

        self._server = ThreadingHTTPServer((address, 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self._lock = threading.Lock()

    def count(self, request: SeenRequest) -> tuple[int, bool]:
        """Remember a request; return how often its path was requested before, and whether to answer it."""
        with self._lock:
            before = sum(seen[:3] == request[:3] for seen in self.requests)
            self.requests.append(request)
            return before, len(self.requests) <= self.stall_after

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end.set()
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    recorded_site: RecordedSite
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._respond()

    def do_HEAD(self) -> None:
        self._respond()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._respond()

    def _respond(self) -> None:
        site = self.recorded_site
        host = (self.headers.get("Host") or "").partition(":")[0]
        request = SeenRequest(host, self.command, self.path, self.headers.get("Range") or "")
        before, answers = site.count(request)
        if not answers:
            site.end.wait()
            self.close_connection = True
            return
        with suppress(OSError):  # the client was killed
            body = {**SMALL_FILES, **LARGE_FILES}.get(self.path)
            if body is not None:
                self._send_file(body, request.range)
                return
            response = respond(host, self.command, self.path, before)
            self.send_response(response.status)
            for name, value in (("Content-Type", response.content_type), *response.headers):
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(response.body)))
            self.end_headers()
            self.wfile.write(response.body)

    def _send_file(self, body: bytes, wanted: str) -> None:
        """A file with validators and ranges; large ones in pieces, slowly."""
        site = self.recorded_site
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", wanted)
        start = int(match[1]) if match else 0
        stop = int(match[2]) + 1 if match and match[2] else len(body)
        self.send_response(206 if match else 200)
        if match:
            self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{len(body)}")
        self.send_header("ETag", '"v1"')
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(stop - start))
        self.end_headers()
        slow = site.bytes_per_second and len(body) > BLOCK_BYTES
        for at in range(start, stop, STREAM_PIECE_BYTES):
            self.wfile.write(body[at : min(stop, at + STREAM_PIECE_BYTES)])
            if slow and site.end.wait(STREAM_PIECE_BYTES / site.bytes_per_second):
                return

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""
