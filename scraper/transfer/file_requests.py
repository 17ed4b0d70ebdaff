"""How files are asked for: the headers of every request, and what is done with answers that bring no file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from scraper.model import Request, Url
from scraper.transfer.entry_state import EntryState
from scraper.transport.cookies import CookieJar
from scraper.transport.request_headers import RawHeaders, RequestHeaders, add_cookie
from scraper.transport.settings import SegmentSettings, Timeouts

_ACCEPT_ANY = {"Accept": "*/*"}


@dataclass(frozen=True, slots=True)
class DownloadSettings:
    """How to ask for files. `headers` are the user's; `max_bytes` (None: no cap) bounds one file."""

    user_agent: str = "scraper"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    max_bytes: int | None = None
    timeouts: Timeouts = field(default_factory=lambda: Timeouts(pool=120.0))
    segments: SegmentSettings = field(default_factory=SegmentSettings)


class DownloadHeaders:
    """The headers for every request of a list, with the cookies of the run: servers that count visitors, or that show
    a page of terms first, hand out files only to who brings back what they set.

    Raises `FetchError` for what no header can carry.
    """

    def __init__(self, settings: DownloadSettings) -> None:
        self._settings = settings
        self._cookies = CookieJar()
        self._listed_host_headers = self._request_headers({**_ACCEPT_ANY, **settings.headers})
        self._other_host_headers = self._request_headers(_ACCEPT_ANY)

    def request_fields(self, request: Request, order: EntryState, listed: bool) -> RawHeaders:
        """What to send with `request`; the user's headers and the entry's only to a host that the list names."""
        if not listed:
            return self._other_host_headers.headers_for(request)
        if not order.headers:
            return self._listed_host_headers.headers_for(request)
        own = dict(order.headers)
        names = {name.lower() for name in own}
        others = {n: v for n, v in {**_ACCEPT_ANY, **self._settings.headers}.items() if n.lower() not in names}
        return self._request_headers({**others, **own}).headers_for(request)

    def with_cookies(self, fields: RawHeaders, url: Url, now: float) -> RawHeaders:
        """`fields` with the cookies that servers have set for `url`, behind those that the user has."""
        cookie = self._cookies.cookie_header(url, now)
        return fields if cookie is None else add_cookie(fields, cookie)

    def store_cookies(self, url: Url, headers: RawHeaders, now: float) -> None:
        """Keep the cookies that an answer from `url` sets."""
        self._cookies.store(url, headers, now)

    def _request_headers(self, headers: Mapping[str, str]) -> RequestHeaders:
        return RequestHeaders(self._settings.user_agent, "identity", headers, lambda _: True, {})


def is_listed_origin(request: Request) -> bool:
    """Whether the request stays at the host, and in the scheme, that the list names."""
    return request.url.href == request.requested or request.requested.startswith(request.url.origin + "/")


def conditional_headers(order: EntryState) -> Sequence[tuple[bytes, bytes]]:
    """The header fields that ask for the file only if it is another than the one that is there."""
    fields = []
    if order.etag:
        fields.append((b"If-None-Match", order.etag.encode("latin-1", "replace")))
    if order.modified:
        fields.append((b"If-Modified-Since", order.modified.encode("latin-1", "replace")))
    return fields
