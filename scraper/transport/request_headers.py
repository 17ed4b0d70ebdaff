"""What is said to whom: our own request headers, the configured ones, and credentials.

Configured headers may hold cookies and keys, so they go only where the scope says; credentials go only to the exact
host they were given for. A redirect is a fetch of its own and is judged anew, so nothing follows it elsewhere.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from scraper.errors import FetchError
from scraper.model import Request, Url

RawHeaders = list[tuple[bytes, bytes]]

ACCEPT_PAGES = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"

# RFC 9110 5.1 and 5.5; what frames a message or holds the connection is the transport's to say.
_FIELD_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_FIELD_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_TRANSPORT_FIELDS = {
    "host",
    "connection",
    "content-length",
    "expect",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
}


@dataclass(frozen=True, slots=True)
class BasicAuth:
    """User and password (RFC 7617)."""

    user: str
    password: str = field(repr=False)

    def header_value(self) -> str:
        """What the Authorization header says."""
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode("ascii")


@dataclass(frozen=True, slots=True)
class BearerAuth:
    """A token (RFC 6750)."""

    token: str = field(repr=False)

    def header_value(self) -> str:
        """What the Authorization header says."""
        return f"Bearer {self.token}"


class RequestHeaders:
    """Knows the headers for every request. The lists it gives are shared: they must not be changed.

    `configured` headers go to URLs for which `in_scope` is true, in place of ours where names agree; `auth` is by
    `Url.host`. Files are asked for without content-coding, so that what is stored is what the server has. Raises
    `FetchError` for what no header can carry; the message names the header and never its value.
    """

    def __init__(
        self,
        user_agent: str,
        accept_encoding: str,
        configured: Mapping[str, str],
        in_scope: Callable[[Url], bool],
        auth: Mapping[str, BasicAuth | BearerAuth],
    ) -> None:
        ours = {"User-Agent": user_agent, "Accept": ACCEPT_PAGES, "Accept-Encoding": accept_encoding}
        refused = sorted(name for name in configured if name.lower() in _TRANSPORT_FIELDS)
        if refused:
            raise FetchError(f"headers: {refused[0]} is set by the connection itself and cannot be configured")
        self._default_headers = _page_and_file_headers(ours, {})
        self._configured_headers = _page_and_file_headers(ours, configured)
        self._is_in_scope = in_scope if configured else lambda _: False
        self._auth = {
            host: _encode_field("Authorization", credentials.header_value()) for host, credentials in auth.items()
        }

    def headers_for(self, request: Request) -> RawHeaders:
        """The headers to send with `request`, without Host."""
        url = request.url
        page, file = self._configured_headers if self._is_in_scope(url) else self._default_headers
        headers = file if request.kind == "file" else page
        if request.content is not None and request.content.type:
            named = request.content.type.encode("latin-1", "replace")
            headers = [*(pair for pair in headers if pair[0].lower() != b"content-type"), (b"Content-Type", named)]
        if self._auth and (authorization := self._auth.get(url.host)) is not None:
            return [*(pair for pair in headers if pair[0].lower() != b"authorization"), authorization]
        return headers


def add_cookie(headers: RawHeaders, cookie: bytes) -> RawHeaders:
    """`headers` with the jar's `cookie` in its one place, behind what is configured as Cookie."""
    configured = [value for name, value in headers if name.lower() == b"cookie"]
    others = [pair for pair in headers if pair[0].lower() != b"cookie"] if configured else headers
    return [*others, (b"Cookie", b"; ".join([*configured, cookie]))]


def _page_and_file_headers(ours: Mapping[str, str], configured: Mapping[str, str]) -> tuple[RawHeaders, RawHeaders]:
    """The headers for pages, and those for files."""
    replaced = {name.lower() for name in configured}
    merged = {**{name: value for name, value in ours.items() if name.lower() not in replaced}, **configured}
    plain = {name: value for name, value in merged.items() if name.lower() != "accept-encoding"}
    plain["Accept-Encoding"] = "identity"
    return [_encode_field(*pair) for pair in merged.items()], [_encode_field(*pair) for pair in plain.items()]


def _encode_field(name: str, value: str) -> tuple[bytes, bytes]:
    if not _FIELD_NAME.fullmatch(name):
        raise FetchError(f"headers: {name!r} is not the name of a header")
    if not _FIELD_VALUE.fullmatch(value):
        raise FetchError(f"headers: the value of {name} holds characters that no header can carry")
    return name.encode("ascii"), value.strip().encode("latin-1")
