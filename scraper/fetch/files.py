"""Fetches the files of a list straight to their places: a `Fetcher` whose bodies never pass through anything else.

A body that is whole when its head is read (`TransportSettings.window`) is one job of a disk thread: written, hashed,
named. A larger one is written in batches of 1 MiB while the next one arrives, so memory holds two batches of a file.

One call may ask more than once for the same URL, always for the same reason: the answer to a resumption was no proof
that the rest belongs to the part (see resume.py). Everything else, redirects and retries and mirrors, goes back
to the frontier.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar, cast

import httpx

from scraper.clock import Clock
from scraper.errors import FetchError, SinkError
from scraper.events import BytesReceived, Event
from scraper.fetch.body import TooLarge
from scraper.fetch.disk import DiskThreads, finished
from scraper.fetch.failures import failure_of
from scraper.fetch.faults import Truncated
from scraper.fetch.folder import AGAIN, Folder, ends_the_run
from scraper.fetch.headers import HeaderBook
from scraper.fetch.lean import LeanAnswer, LeanTransport, RawHeaders
from scraper.fetch.limits import Timeouts
from scraper.fetch.pace import Pace
from scraper.fetch.part import Notes, Part, Stored, examine, store_whole, tail
from scraper.fetch.resume import WHOLE, Again, Ask, Complete, Continue, Partial, Restart, judge, plan, version_of
from scraper.lists.checksum import Checksum, expected_from_headers
from scraper.lists.order import Order, order_of
from scraper.model import Body, ErrorKind, Failure, Headers, NotModified, Outcome, Page, Request
from scraper.politeness.http_date import parse_http_date

T = TypeVar("T")

BATCH = 1024 * 1024
"""Bytes that are written at once."""
SMALL = 64 * 1024
"""Bytes up to which a file is a small job (see `DiskThreads.run_small`)."""
MOST_ASKS = 4
"""Requests one call may make: a resumption, what it proves, a probe, the whole."""
PROGRESS = 1024 * 1024
"""Bytes of progress that make a failed attempt not count against the retries."""
DROPPED_BODY = 64 * 1024
"""Bytes of an error's or redirect's body that are read to keep the connection."""
ADOPT = "adopt"
"""The note of an order whose file may be there already, from a run that died before it could record it."""

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_NO_BODY = "sha256:"
_STATING = frozenset(
    [b"repr-digest", b"digest", b"content-md5", b"x-goog-hash"]
    + [b"x-amz-checksum-" + name for name in (b"sha512", b"sha256", b"sha1", b"md5")]
)
"""Headers in which a server may state checksums: a look at the names is cheaper than a search for each."""


@dataclass(frozen=True, slots=True)
class DownloadSettings:
    """How to ask for files. `headers` are the user's; `max_bytes` (None: no cap) bounds one file."""

    user_agent: str = "scraper"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    max_bytes: int | None = None
    timeouts: Timeouts = field(default_factory=lambda: Timeouts(pool=120.0))


class _FileTrouble(Exception):  # noqa: N818  names what the file has
    """This file cannot be written, whatever the server does."""


class _OverlapDiffers(Exception):  # noqa: N818  names what was found
    """What came again is not what the part holds."""


class FileFetcher:
    """A `Fetcher` for requests with an `Order` as their label. It owns its transports and closes them, not `folder`.

    `listed` carries requests to hosts that the list names, `elsewhere` those that redirects lead to: the list is the
    permission to connect to an address, a redirect is none. The user's headers and the entry's go with the first only.
    `rename` names a file anew when its first answer has come, or returns None. Raises `FetchError` for headers that
    cannot be sent.
    """

    def __init__(
        self,
        settings: DownloadSettings,
        listed: LeanTransport,
        elsewhere: LeanTransport,
        folder: Folder,
        notes: Notes,
        *,
        clock: Clock,
        emit: Callable[[Event], None],
        pace: Pace,
        rename: Callable[[Order, Headers], str | None] = lambda *_: None,
    ) -> None:
        self._settings = settings
        self._listed, self._elsewhere = listed, elsewhere
        self._folder, self._notes = folder, notes
        self._disk = DiskThreads()
        self._pace = pace
        self._rename = rename
        self._now, self._emit = clock.now, emit
        self._headers = self._book({**_ACCEPT_ALL, **settings.headers})
        self._bare = self._book(_ACCEPT_ALL)

    async def fetch(self, request: Request) -> Outcome:
        """Ask for the file and store it; see `Fetcher.fetch`. A `Page` with status 200 says that it is in its place."""
        transfer = _Transfer(request, order_of(request), self._now())
        try:
            return await self._serve(transfer)
        except SinkError:
            raise
        except Exception as error:  # noqa: BLE001  the one door: whatever a transport raises becomes an outcome
            return self._failed(transfer, error)

    async def aclose(self) -> None:
        """Close connections and end the disk threads."""
        try:
            await self._listed.aclose()
            await self._elsewhere.aclose()
        finally:
            await self._disk.aclose()

    # -- asking

    async def _serve(self, transfer: _Transfer) -> Outcome:
        request, order = transfer.request, transfer.order
        url, listed = request.url, request.url.href == request.requested or _same_host(request)
        transport = self._listed if listed else self._elsewhere
        fields = self._fields(request, order, listed)
        partial = await self._partial(request, order)
        ask = plan(partial, url.origin)
        for _ in range(MOST_ASKS):
            conditional = not ask.ranged and not transfer.unconditional
            headers = [*fields, *ask.headers(), *(_conditions(order) if conditional else ())]
            answer = await transport.exchange("GET", url.origin, url.target, headers, timeouts=self._settings.timeouts)
            transfer.head(answer)
            try:
                outcome = await self._take(transfer, answer, ask, partial)
            except _OverlapDiffers:
                outcome = Again(WHOLE, True, "changed: its bytes are others now")
            finally:
                if (closing := answer.close()) is not None:
                    with suppress(
                        httpx.HTTPError, OSError
                    ):  # the outcome is known; how the goodbye goes is not part of it
                        await closing
            if not isinstance(outcome, Again):
                return outcome
            ask = outcome.ask
            if outcome.drop:
                transfer.note(f"restarted: {outcome.why}")
                await self._drop(order.path)
                partial = None
        raise httpx.RemoteProtocolError("the server answers every way of resuming in another way")

    async def _take(
        self, transfer: _Transfer, answer: LeanAnswer, ask: Ask, partial: Partial | None
    ) -> Outcome | Again:
        """What one answer means for the file."""
        status, headers = answer.status, transfer.headers
        if status == 304:
            return await self._unchanged(transfer)
        if status not in (200, 203, 206, 416) or (status == 416 and not ask.ranged):
            return await self._no_file(transfer, answer)
        if status == 206 and not ask.ranged:
            raise httpx.RemoteProtocolError("a part of the content (206) came where all of it was asked for")
        match judge(ask, partial, 200 if status == 203 else status, headers, answer.length):
            case Again() as again:
                return again
            case Restart(why):
                if why:
                    transfer.note(f"restarted: {why}")
                return await self._from_start(transfer, answer, partial is not None)
            case Complete():
                assert partial is not None, "only a part can be complete"
                part = await self._resume(transfer, partial)
                return await self._finish(transfer, part)
            case Continue():
                assert partial is not None, "only a part can be continued"
                return await self._rest(transfer, answer, ask, partial)

    async def _partial(self, request: Request, order: Order) -> Partial | None:
        """What an earlier attempt has left. A first attempt at a new entry has nothing to look for."""
        if not (order.replace or order.tries or request.attempt or request.slowdowns):
            return None
        return await self._disk.run(self._notes.read, self._folder, order.path)

    def _fields(self, request: Request, order: Order, listed: bool) -> RawHeaders:
        if not listed:
            return self._bare.of(request)
        if not order.headers:
            return self._headers.of(request)
        own = dict(order.headers)
        names = {name.lower() for name in own}
        others = {n: v for n, v in {**_ACCEPT_ALL, **self._settings.headers}.items() if n.lower() not in names}
        return self._book({**others, **own}).of(request)

    def _book(self, headers: Mapping[str, str]) -> HeaderBook:
        return HeaderBook(self._settings.user_agent, "identity", headers, lambda _: True, {})

    # -- taking

    async def _from_start(self, transfer: _Transfer, answer: LeanAnswer, had_part: bool) -> Outcome:
        length = answer.length
        self._check_size(length)
        if not transfer.order.replace and (path := self._rename(transfer.order, transfer.headers)) is not None:
            transfer.call(path)
        order = transfer.order
        expected = transfer.expected(partial=False)
        if answer.complete:
            content = await answer.read()
            self._check_size(len(content))
            if not self._pace.free:
                await self._pace.keep(transfer.request.url.host, len(content))
            transfer.received = len(content)
            if had_part:
                await self._drop(order.path)
            run = self._disk.run_small if len(content) <= SMALL else self._disk.run
            job = run(
                store_whole, self._folder, order.path, content, expected, transfer.modified(self._now()), order.replace
            )
            return await self._stored(transfer, await self._translated(job, order.path))
        await self._make_room(length)
        version = version_of(transfer.headers, length, self._now())
        part = await self._write(Part.begin, self._folder, order.path, expected)
        try:
            await self._write(self._notes.write, order.path, transfer.request.url.origin, version)
            await self._pour(transfer, answer, part, b"")
        except BaseException:
            part.close()
            raise
        return await self._finish(transfer, part)

    async def _rest(self, transfer: _Transfer, answer: LeanAnswer, ask: Ask, partial: Partial) -> Outcome:
        """Continue a part with what a 206 brings."""
        total = partial.version.total
        if total is not None:
            self._check_size(total)
        await self._make_room(answer.length)
        seen = b""
        if ask.overlap:
            found = await self._write(tail, self._folder, transfer.order.path, partial.size, ask.overlap)
            if found is None or len(found) != ask.overlap:
                raise _OverlapDiffers
            seen = found
        part = await self._resume(transfer, partial)
        transfer.note(f"resumed at {partial.size}")
        transfer.resumed = True
        try:
            await self._pour(transfer, answer, part, seen)
        except BaseException:
            part.close()
            raise
        if total is not None and part.size != total:
            part.close()
            raise Truncated(f"{part.size} bytes are here of {total}")
        return await self._finish(transfer, part)

    async def _resume(self, transfer: _Transfer, partial: Partial) -> Part:
        job = (Part.go_on, self._folder, transfer.order.path, partial.size, transfer.expected(partial=True))
        try:
            return await self._write(*job)
        except _FileTrouble:
            raise _OverlapDiffers from None

    async def _pour(self, transfer: _Transfer, answer: LeanAnswer, part: Part, seen: bytes) -> None:
        """Write the body behind the part, its first bytes compared with `seen`. What came is kept, however it ends."""
        batch: list[bytes] = []
        size = 0
        writing: asyncio.Future[None] | None = None
        progress = _Progress(transfer.request, part.size, answer.length, self._emit, self._now)
        try:
            async with aclosing(cast("AsyncGenerator[bytes, None]", answer.pieces())) as pieces:
                async for piece in pieces:
                    if seen:
                        piece, seen = _compare(piece, seen)
                    transfer.received += len(piece)
                    self._check_size(part.size + size + len(piece))
                    batch.append(piece)
                    size += len(piece)
                    if not self._pace.free:
                        await self._pace.keep(transfer.request.url.host, len(piece))
                    if size >= BATCH:
                        if writing is not None:
                            await self._translated(writing, part.path)
                        writing, batch, size = self._disk.run(part.append, batch), [], 0
                        progress.tell(transfer.received)
            if seen:
                raise Truncated("the answer ended within what is here already")
        finally:
            if writing is not None:
                await self._translated(writing, part.path)
            if batch:
                await self._translated(self._disk.run(part.append, batch), part.path)
            progress.tell(transfer.received, last=True)

    # -- ending

    async def _finish(self, transfer: _Transfer, part: Part) -> Outcome:
        job = self._disk.run(part.finish, transfer.modified(self._now()), transfer.order.replace)
        stored = await self._translated(job, part.path)
        await self._write(self._notes.drop, part.path)
        return await self._stored(transfer, stored)

    async def _stored(self, transfer: _Transfer, stored: Stored) -> Outcome:
        if stored.wrong is not None:
            detail = f"{stored.wrong} was expected; what came is kept as {transfer.order.path}.bad"
            return transfer.failure(ErrorKind.CHECKSUM, detail, self._now(), permanent=True)
        if stored.taken:
            detail = f"a file called {transfer.order.path} has appeared meanwhile"
            return transfer.failure(ErrorKind.IO, detail, self._now(), permanent=True)
        return transfer.page(200, self._now(), Body(stored.size, transfer.received, f"sha256:{stored.sha256}", b""))

    async def _unchanged(self, transfer: _Transfer) -> Outcome | Again:
        order = transfer.order
        if transfer.unconditional or not (order.etag or order.modified):
            raise httpx.RemoteProtocolError("304 came where nothing was asked conditionally")
        if ADOPT not in order.notes:
            return NotModified(
                transfer.request, transfer.headers, transfer.started_at, self._now() - transfer.started_at
            )
        try:
            stored = await self._write(examine, self._folder, order.path, transfer.expected(partial=True))
        except _FileTrouble:
            stored = None
        if stored is None or stored.wrong is not None:
            transfer.unconditional = True
            return Again(WHOLE, False, "")
        return await self._stored(transfer, stored)

    async def _no_file(self, transfer: _Transfer, answer: LeanAnswer) -> Outcome:
        """An answer that brings no file: a redirect, an error, something odd."""
        status = answer.status
        size = await _read_and_drop(answer)
        if status >= 400 or (status in _REDIRECTS and transfer.headers.get("location") is not None):
            return transfer.page(status, self._now(), Body(0, size, _NO_BODY, b""))
        detail = f"the server answered {status}, which brings no file"
        return transfer.failure(ErrorKind.HTTP, detail, self._now(), permanent=True)

    def _failed(self, transfer: _Transfer, error: Exception) -> Failure:
        now = self._now()
        if isinstance(error, _FileTrouble):
            return transfer.failure(ErrorKind.IO, str(error), now, permanent=True)
        if isinstance(error, FetchError):
            return transfer.failure(ErrorKind.OTHER, str(error), now, permanent=True)
        kind, detail, permanent = failure_of(error)
        return transfer.failure(kind, detail, now, permanent=permanent or kind is ErrorKind.ADDRESS)

    # -- the disk

    def _check_size(self, size: int | None) -> None:
        limit = self._settings.max_bytes
        if size is not None and limit is not None and size > limit:
            raise TooLarge(limit, decoded=False)

    async def _make_room(self, length: int | None) -> None:
        """Stop the run before the transfer when what is to come does not fit on the disk."""
        if length is not None and length > (free := await self._write(self._folder.free)):
            raise SinkError(
                f"{self._folder.root}: {length:,} bytes are to come and {free:,} are free; make room and {AGAIN}"
            )

    async def _drop(self, path: str) -> None:
        await self._write(self._folder.drop_part, path)
        await self._write(self._notes.drop, path)

    async def _write(self, job: Callable[..., T], *args: Any) -> T:
        path = next((arg for arg in args if isinstance(arg, str)), str(self._folder.root))
        return await self._translated(self._disk.run(job, *args), path)

    async def _translated(self, job: asyncio.Future[T], path: str) -> T:
        try:
            return await finished(job)
        except OSError as error:
            if (ending := ends_the_run(str(self._folder.root / path), error)) is not None:
                raise ending from error
            raise _FileTrouble(f"{path} cannot be written: {error.strerror or error}") from error


class _Transfer:
    """One call of `fetch`: what was asked, what has come of it so far."""

    __slots__ = (
        "_head_at",
        "_notes",
        "_path",
        "_sent_at",
        "_status",
        "headers",
        "order",
        "received",
        "request",
        "resumed",
        "started_at",
        "unconditional",
    )

    def __init__(self, request: Request, order: Order, started_at: float) -> None:
        self.request, self.order, self.started_at = request, order, started_at
        self.headers = Headers()
        self.received = 0
        self.unconditional = self.resumed = False
        self._path = order.path
        self._notes: list[str] = []
        self._status: int | None = None
        self._sent_at = self._head_at = 0.0

    def head(self, answer: LeanAnswer) -> None:
        """An answer has begun."""
        self.headers, self._status = Headers(answer.headers), answer.status
        self._sent_at, self._head_at = answer.sent_at, answer.head_at

    def call(self, path: str) -> None:
        """The file gets another path; from now on it is ours."""
        self.order = self.order._replace(path=path, replace=True)

    def note(self, text: str) -> None:
        """Remember something for the manifest."""
        self._notes.append(text)

    def expected(self, *, partial: bool) -> list[Checksum]:
        """What the file must hash to: by the list, and by the strongest statement of the server."""
        expected = [listed] if (listed := self.order.expected) is not None else []
        if _STATING.isdisjoint(name.lower() for name, _ in self.headers.raw):
            return expected
        return expected + expected_from_headers(self.headers, partial=partial)[:1]

    def modified(self, now: float) -> float | None:
        """When the file was changed last, says the server (epoch seconds)."""
        text = self.headers.get("last-modified")
        return parse_http_date(text, now) if text else None

    def page(self, status: int, now: float, body: Body) -> Page:
        """The outcome for a complete answer."""
        ttfb = self._head_at - self._sent_at
        return Page(self._told(0), status, self.headers, body, self.started_at, ttfb, now - self.started_at)

    def failure(self, kind: ErrorKind, detail: str, now: float, *, permanent: bool) -> Failure:
        """The outcome for anything else. An attempt that has brought a part on is not counted."""
        forgiven = self.request.attempt if self.resumed and self.received >= PROGRESS and not permanent else 0
        return Failure(
            self._told(forgiven),
            kind,
            detail,
            status=self._status,
            headers=self.headers,
            started_at=self.started_at,
            elapsed=now - self.started_at,
            received=self.received,
            permanent=permanent,
        )

    def _told(self, forgiven: int) -> Request:
        """The request with what was found out on the way."""
        if not self._notes and not forgiven and self.order.path == self._path:
            return self.request
        notes = (*self.order.notes, *self._notes)[-MOST_NOTES:]
        order = self.order._replace(notes=notes, tries=self.order.tries + forgiven)
        attempt = 0 if forgiven else self.request.attempt
        return replace(self.request, label=order.label(), attempt=attempt)


MOST_NOTES = 8
"""Notes of one entry that the manifest tells, the latest ones."""
_ACCEPT_ALL = {"Accept": "*/*"}


class _Progress:
    """Tells of every further MiB of a large file."""

    __slots__ = ("_emit", "_now", "_told", "_total", "_url")

    def __init__(
        self, request: Request, have: int, length: int | None, emit: Callable[[Event], None], now: Callable[[], float]
    ) -> None:
        self._url, self._emit, self._now = request.url, emit, now
        self._total = None if length is None else have + length
        self._told = 0

    def tell(self, received: int, last: bool = False) -> None:
        """`received` bytes have come in this answer so far."""
        new = received - self._told
        if new >= BATCH or (last and self._told and new):
            self._told = received
            self._emit(BytesReceived(self._now(), self._url.href, self._url.host, new, self._total))


def _compare(piece: bytes, seen: bytes) -> tuple[bytes, bytes]:
    """What of `piece` is new, and what of `seen` is still to come. Raises `_OverlapDiffers`."""
    common = min(len(piece), len(seen))
    if piece[:common] != seen[:common]:
        raise _OverlapDiffers
    return piece[common:], seen[common:]


def _same_host(request: Request) -> bool:
    """Whether the request stays at the host, and in the scheme, that the list names."""
    return request.requested.startswith(request.url.origin + "/")


def _conditions(order: Order) -> Sequence[tuple[bytes, bytes]]:
    fields = []
    if order.etag:
        fields.append((b"If-None-Match", order.etag.encode("latin-1", "replace")))
    if order.modified:
        fields.append((b"If-Modified-Since", order.modified.encode("latin-1", "replace")))
    return fields


async def _read_and_drop(answer: LeanAnswer) -> int:
    """The body of an answer that brings no file, read to its end if that is near, to keep the connection."""
    size = 0
    with suppress(httpx.HTTPError, OSError):  # the status is known; how its body fares is nobody's concern
        async with aclosing(cast("AsyncGenerator[bytes, None]", answer.pieces())) as pieces:
            async for piece in pieces:
                size += len(piece)
                if size > DROPPED_BODY:
                    break
    return size
