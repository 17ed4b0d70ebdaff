"""How files are asked for: the headers of every request, and what is done with answers that bring no file."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from typing import cast

import httpx

from scraper.model import Request, Url
from scraper.transfer.entry_label import Order
from scraper.transport.adapter import LeanAnswer, RawHeaders
from scraper.transport.cookies import CookieJar
from scraper.transport.request_headers import HeaderBook, with_cookie
from scraper.transport.settings import SegmentSettings, Timeouts

DROPPED_BODY = 64 * 1024
"""Bytes of an error's or redirect's body that are read to keep the connection."""

_ACCEPT_ALL = {"Accept": "*/*"}


@dataclass(frozen=True, slots=True)
class DownloadSettings:
    """How to ask for files. `headers` are the user's; `max_bytes` (None: no cap) bounds one file."""

    user_agent: str = "scraper"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    max_bytes: int | None = None
    timeouts: Timeouts = field(default_factory=lambda: Timeouts(pool=120.0))
    segments: SegmentSettings = field(default_factory=SegmentSettings)


class FileHeaders:
    """The headers for every request of a list, with the cookies of the run: servers that count visitors, or that show
    a page of terms first, hand out files only to who brings back what they set.

    Raises `FetchError` for what no header can carry.
    """

    def __init__(self, settings: DownloadSettings) -> None:
        self._settings = settings
        self._jar = CookieJar()
        self._listed = self._book({**_ACCEPT_ALL, **settings.headers})
        self._bare = self._book(_ACCEPT_ALL)

    def of(self, request: Request, order: Order, listed: bool) -> RawHeaders:
        """What to send with `request`; the user's headers and the entry's only to a host that the list names."""
        if not listed:
            return self._bare.of(request)
        if not order.headers:
            return self._listed.of(request)
        own = dict(order.headers)
        names = {name.lower() for name in own}
        others = {n: v for n, v in {**_ACCEPT_ALL, **self._settings.headers}.items() if n.lower() not in names}
        return self._book({**others, **own}).of(request)

    def with_cookies(self, fields: RawHeaders, url: Url, now: float) -> RawHeaders:
        """`fields` with the cookies that servers have set for `url`, behind those that the user has."""
        cookie = self._jar.header(url, now)
        return fields if cookie is None else with_cookie(fields, cookie)

    def heard(self, url: Url, headers: RawHeaders, now: float) -> None:
        """Keep the cookies that an answer from `url` sets."""
        self._jar.store(url, headers, now)

    def _book(self, headers: Mapping[str, str]) -> HeaderBook:
        return HeaderBook(self._settings.user_agent, "identity", headers, lambda _: True, {})


def is_listed(request: Request) -> bool:
    """Whether the request stays at the host, and in the scheme, that the list names."""
    return request.url.href == request.requested or request.requested.startswith(request.url.origin + "/")


def conditions(order: Order) -> Sequence[tuple[bytes, bytes]]:
    """The header fields that ask for the file only if it is another than the one that is there."""
    fields = []
    if order.etag:
        fields.append((b"If-None-Match", order.etag.encode("latin-1", "replace")))
    if order.modified:
        fields.append((b"If-Modified-Since", order.modified.encode("latin-1", "replace")))
    return fields


async def let_go(closing: Awaitable[None]) -> None:
    """Await the end of an answer whose outcome is known: how the goodbye goes is not part of it."""
    with suppress(httpx.HTTPError, OSError):
        await closing


async def read_and_drop(answer: LeanAnswer) -> int:
    """The body of an answer that brings no file, read to its end if that is near, to keep the connection."""
    size = 0
    with suppress(httpx.HTTPError, OSError):  # the status is known; how its body fares is nobody's concern
        async with aclosing(cast("AsyncGenerator[bytes, None]", answer.pieces())) as pieces:
            async for piece in pieces:
                size += len(piece)
                if size > DROPPED_BODY:
                    break
    return size
