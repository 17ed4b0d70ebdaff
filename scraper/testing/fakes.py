"""Fakes of the public interfaces: a scripted fetcher, an extractor with fixed results, a sink in memory.

They keep the contracts of the interfaces (a fetch returns errors instead of raising them; a sink drops what was not
settled), so what works with them works with the real classes. Latencies use the event loop's clock: with
`testing.virtual_loop` they take no real time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, TypeAlias
from urllib.parse import urlsplit

import xxhash

from scraper.errors import SinkError
from scraper.model import (
    Body,
    ErrorKind,
    Extraction,
    Failure,
    Headers,
    Item,
    Link,
    Outcome,
    Request,
    Response,
    Result,
    Url,
)

DEFAULT_PORTS = {"http": 80, "https": 443}


def make_url(href: str) -> Url:
    """A `Url` from an href that is already canonical."""
    parts = urlsplit(href)
    port = "" if parts.port in (None, DEFAULT_PORTS.get(parts.scheme)) else f":{parts.port}"
    host = f"{parts.hostname}{port}"
    origin = f"{parts.scheme}://{host}"
    return Url(href if parts.path else f"{origin}/", href, host, origin)


def make_request(href: str, **changes: Any) -> Request:
    """A `Request` for an href that is already canonical; `changes` sets its other fields."""
    return Request(make_url(href), **changes)


def make_headers(headers: Mapping[str, str]) -> Headers:
    """`Headers` from a plain mapping."""
    return Headers([(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()])


def make_body(content: bytes | str) -> Body:
    """A `Body` in memory, as an uncompressed response would give it."""
    raw = content.encode() if isinstance(content, str) else content
    return Body(len(raw), len(raw), f"xxh3:{xxhash.xxh3_128_hexdigest(raw)}", raw)


def make_response(
    request: Request | str, content: bytes | str = "", status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """A complete response to `request` (or its URL), as HTML unless `headers` say otherwise."""
    sent = make_request(request) if isinstance(request, str) else request
    fields = {"Content-Type": "text/html; charset=utf-8", **(headers or {})}
    return Response(sent, status, make_headers(fields), make_body(content))


def make_result(href: str, content: bytes | str = "", status: int = 200, *items: Mapping[str, Any]) -> Result:
    """The result of a fetched page with items, for tests of sinks."""
    page = make_response(href, content, status)
    return Result(page.request, page, Extraction(items=tuple(Item(fields) for fields in items)))


# One scripted outcome: HTML, an outcome (its request is replaced by the real one), an exception to raise, or a
# function.
ScriptedOutcome: TypeAlias = "str | Outcome | BaseException | Callable[[Request], Outcome]"


def with_status(code: int, content: str = "", **headers: str) -> Callable[[Request], Response]:
    """A scripted response with this status. Underscores in header names become hyphens: `Retry_After="5"`."""
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda request: make_response(request, content, code, fields)


def redirect_to(location: str, code: int = 301) -> Callable[[Request], Response]:
    """A scripted redirect to `location`."""
    return with_status(code, Location=location)


def fail_with(
    error: ErrorKind, detail: str = "as the script says", permanent: bool = False
) -> Callable[[Request], Failure]:
    """A scripted `Failure`."""
    return lambda request: Failure(request, error, detail, permanent=permanent)


class FetchCall(NamedTuple):
    """One call of a `FakeFetcher`: `started` and `ended` are the event loop's time, `ended` None while it runs."""

    request: Request
    started: float
    ended: float | None


class FakeFetcher:
    """A `Fetcher` that answers from `script`: URL -> outcome, or a list of outcomes for the first, second ... fetch.

    The last outcome of a list is repeated. A URL that is not in the script gets `default` (404). Each fetch takes
    `latency` seconds of the loop's clock, or what `latency(request)` says. `calls` holds every call by its start;
    `peak` is the largest number of fetches at one time, `peaks` the same for each host.
    """

    def __init__(
        self,
        script: Mapping[str, ScriptedOutcome | Sequence[ScriptedOutcome]] | None = None,
        latency: float | Callable[[Request], float] = 0.0,
        default: ScriptedOutcome | None = None,
    ) -> None:
        self.script = dict(script or {})
        self.latency = latency
        self.default: ScriptedOutcome = with_status(404) if default is None else default
        self.calls: list[FetchCall] = []
        self.max_concurrent = 0
        self.max_concurrent_by_host: dict[str, int] = {}
        self.closed = False
        self._active: dict[str, int] = {}
        self._times_fetched: dict[str, int] = {}

    def urls(self) -> list[str]:
        """The URLs that were fetched, in order."""
        return [call.request.url.href for call in self.calls]

    def start_times(self, host: str | None = None) -> list[float]:
        """The loop times at which fetches started, of one host or of all."""
        return [call.started for call in self.calls if host in (None, call.request.url.host)]

    async def fetch(self, request: Request) -> Outcome:
        """Return the next scripted outcome after the latency."""
        loop, index = asyncio.get_running_loop(), len(self.calls)
        self.calls.append(FetchCall(request, loop.time(), None))
        scripted, began = self._next_scripted(request.url.href), loop.time()
        self._count(request.url.host, 1)
        try:
            await asyncio.sleep(self.latency(request) if callable(self.latency) else self.latency)
        finally:
            self._count(request.url.host, -1)
            self.calls[index] = FetchCall(request, began, loop.time())
        return _to_outcome(scripted, request)

    async def aclose(self) -> None:
        """Set `closed`."""
        self.closed = True

    def _next_scripted(self, href: str) -> ScriptedOutcome:
        answers = self.script.get(href, self.default)
        if isinstance(answers, str) or not isinstance(answers, Sequence):
            return answers
        turn = self._times_fetched.get(href, 0)
        self._times_fetched[href] = turn + 1
        return answers[min(turn, len(answers) - 1)]

    def _count(self, host: str, step: int) -> None:
        active = self._active
        active[host] = active.get(host, 0) + step
        self.max_concurrent = max(self.max_concurrent, sum(active.values()))
        self.max_concurrent_by_host[host] = max(self.max_concurrent_by_host.get(host, 0), active[host])
        if not active[host]:
            del active[host]


def _to_outcome(scripted: ScriptedOutcome, request: Request) -> Outcome:
    if isinstance(scripted, BaseException):
        raise scripted
    if isinstance(scripted, str):
        return make_response(request, scripted)
    if callable(scripted):
        return scripted(request)
    return replace(scripted, request=request)


class FakeExtractor:
    """An `Extractor` with fixed results: URL -> hrefs, which become links, and mappings, which become items."""

    def __init__(self, content_by_url: Mapping[str, Sequence[str | Mapping[str, Any] | Link]]) -> None:
        self.content_by_url = content_by_url

    def extract(self, page: Response) -> Extraction:
        """Return what the mapping has for the page's URL."""
        things = self.content_by_url.get(page.request.url.href, ())
        links = [Link(make_url(thing)) if isinstance(thing, str) else thing for thing in things]
        return Extraction(
            links=tuple(link for link in links if isinstance(link, Link)),
            items=tuple(Item(thing) for thing in things if isinstance(thing, Mapping)),
        )


class FakeSink:
    """A `Sink` in memory. Its checkpoint is the number of flushed results; `open` drops those after it.

    `flushed` is what would be on the disk, `buffer` what a crash would lose. With `fail_after` the flush that would
    pass
    this many results raises `SinkError`, as a full disk does. Give the same object to a second run to resume it.
    """

    def __init__(self, name: str = "fake", fail_after: int | None = None) -> None:
        self.name = name
        self.fail_after = fail_after
        self.flushed: list[Result] = []
        self.buffer: list[Result] = []
        self.flushes = 0
        self.is_open = False

    def urls(self) -> list[str]:
        """The URLs of the flushed results, in order."""
        return [result.url for result in self.flushed]

    async def open(self, checkpoint: str | None) -> None:
        """Start over (None), or keep the first `checkpoint` results."""
        del self.flushed[int(checkpoint or 0) :]
        self.buffer.clear()
        self.is_open = True

    def write(self, result: Result) -> None:
        """Buffer one result."""
        self.buffer.append(result)

    async def flush(self) -> str:
        """Flush the buffer; the checkpoint is the number of flushed results."""
        await asyncio.sleep(0)  # real sinks yield to the event loop here, which may hide or show races
        if self.fail_after is not None and len(self.flushed) + len(self.buffer) > self.fail_after:
            raise SinkError(f"{self.name}: no space left on the device; free some and run the same command again")
        self.flushed += self.buffer
        self.buffer.clear()
        self.flushes += 1
        return str(len(self.flushed))

    async def aclose(self) -> None:
        """Flush once, and close."""
        if self.is_open:
            self.is_open = False
            await self.flush()
