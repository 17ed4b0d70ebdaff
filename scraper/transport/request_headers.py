"""Request headers: our own, the configured ones, and credentials.

Configured headers may contain cookies and keys, so they are sent only to URLs in scope; credentials only to the exact
host they are configured for. A redirect is a new request and is decided again, so no secret follows it to another host.
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

# Syntax of field names and values: RFC 9110 5.1 and 5.5.
_FIELD_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_FIELD_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
# Fields that frame the message or control the connection: set by the transport alone.
_TRANSPORT_FIELDS = {
    "host",
    "connection",
    "content-length",
    "expect",
    "keep-alive",
    "proxy-authorization",
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
        """The value of the Authorization header."""
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode("ascii")


@dataclass(frozen=True, slots=True)
class BearerAuth:
    """A token (RFC 6750)."""

    token: str = field(repr=False)

    def header_value(self) -> str:
        """The value of the Authorization header."""
        return f"Bearer {self.token}"


class RequestHeaders:
    """Composes the headers of every request. The lists it returns are shared: they must not be modified.

    `configured` headers are sent to URLs for which `in_scope` is true and replace ours of the same name; `auth` is
    keyed by `Url.host`. Files are requested without content-coding, so that the server's bytes are stored. Raises
    `FetchError` for values that no header can carry; the message names the header and never contains the value.
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
            raise FetchError(f"headers: {refused[0]} is set by the transport and cannot be configured")
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
    """`headers` with the cookies of the jar, in one Cookie field after the configured cookies."""
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
