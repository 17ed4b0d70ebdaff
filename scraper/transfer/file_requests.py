"""The requests for files: their header fields, and what is done with responses that contain no file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from scraper.model import EntryState, Request, Url
from scraper.transport.cookies import CookieJar
from scraper.transport.request_headers import RawHeaders, RequestHeaders, add_cookie
from scraper.transport.settings import SegmentSettings, Timeouts

_ACCEPT_ANY = {"Accept": "*/*"}


@dataclass(frozen=True, slots=True)
class DownloadSettings:
    """How files are requested. `headers` are the user's; `max_bytes` bounds one file, None is no limit."""

    user_agent: str = "scraper"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    max_bytes: int | None = None
    timeouts: Timeouts = field(default_factory=lambda: Timeouts(pool=120.0))
    segments: SegmentSettings = field(default_factory=SegmentSettings)


class DownloadHeaders:
    """The header fields of all requests of a run, with its cookies.

    Cookies are needed: some servers give files only to clients that return what a page of terms has set. Raises
    `FetchError` for header fields that cannot be sent.
    """

    def __init__(self, settings: DownloadSettings) -> None:
        self._settings = settings
        self._cookies = CookieJar()
        self._listed_host_headers = self._request_headers({**_ACCEPT_ANY, **settings.headers})
        self._other_host_headers = self._request_headers(_ACCEPT_ANY)

    def request_fields(self, request: Request, entry: EntryState, listed: bool) -> RawHeaders:
        """The fields of `request`, without cookies.

        Those of the user and of the entry go to hosts that the list names (`listed`) only: they may be secrets.
        """
        if not listed:
            return self._other_host_headers.headers_for(request)
        if not entry.headers:
            return self._listed_host_headers.headers_for(request)
        own = dict(entry.headers)
        names = {name.lower() for name in own}
        others = {n: v for n, v in {**_ACCEPT_ANY, **self._settings.headers}.items() if n.lower() not in names}
        return self._request_headers({**others, **own}).headers_for(request)

    def with_cookies(self, fields: RawHeaders, url: Url, now: float) -> RawHeaders:
        """`fields` with the cookies that servers have set for `url`, behind those of the user."""
        cookie = self._cookies.cookie_header(url, now)
        return fields if cookie is None else add_cookie(fields, cookie)

    def store_cookies(self, url: Url, headers: RawHeaders, now: float) -> None:
        """Store the cookies that a response from `url` sets."""
        self._cookies.store(url, headers, now)

    def _request_headers(self, headers: Mapping[str, str]) -> RequestHeaders:
        # `identity`: ranges, lengths and checksums are those of the file as stored, not of a compressed copy.
        return RequestHeaders(self._settings.user_agent, "identity", headers, lambda _: True, {})


def is_listed_origin(request: Request) -> bool:
    """Whether the request is still at the origin that the list names, after any redirects."""
    return request.url.href == request.requested or request.requested.startswith(request.url.origin + "/")


def conditional_headers(entry: EntryState) -> Sequence[tuple[bytes, bytes]]:
    """Fields that make the server answer 304 when the file that is there is still the current one."""
    fields = []
    if entry.etag:
        fields.append((b"If-None-Match", entry.etag.encode("latin-1", "replace")))
    if entry.last_modified:
        fields.append((b"If-Modified-Since", entry.last_modified.encode("latin-1", "replace")))
    return fields
