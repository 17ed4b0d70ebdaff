"""Outcomes in one line each, for the tables of the tests beside this file."""

from __future__ import annotations

from collections.abc import Mapping

from scraper.model import Body, Denied, ErrorKind, Failure, Headers, NotModified, Request, RequestKind, Response, Url

# A Tuesday: 2023-11-14 22:13:20 UTC.
NOW = 1_700_000_000.0


def request(path: str = "/", *, attempt: int = 0, slowdowns: int = 0, kind: RequestKind = "page") -> Request:
    origin = "https://h.example"
    return Request(
        Url(origin + path, origin + path, "h.example", origin), attempt=attempt, slowdowns=slowdowns, kind=kind
    )


def headers(fields: Mapping[str, str] | None = None) -> Headers:
    return Headers([(name.encode(), value.encode("latin-1")) for name, value in (fields or {}).items()])


def page(
    status: int = 200,
    fields: Mapping[str, str] | None = None,
    *,
    content: bytes = b"",
    ttfb: float = 0.05,
    of: Request | None = None,
) -> Response:
    body = Body(len(content), len(content), "xxh3:0", content)
    return Response(of or request(), status, headers(fields), body, NOW, ttfb, ttfb)


def failure(
    error: ErrorKind = ErrorKind.CONNECT,
    fields: Mapping[str, str] | None = None,
    *,
    status: int | None = None,
    elapsed: float = 0.05,
    permanent: bool = False,
    received: int = 0,
    of: Request | None = None,
) -> Failure:
    return Failure(of or request(), error, "no luck", status, headers(fields), NOW, elapsed, received, permanent)


def not_modified(fields: Mapping[str, str] | None = None, *, elapsed: float = 0.05) -> NotModified:
    return NotModified(request(), headers(fields), NOW, elapsed)


def denied(reason: ErrorKind = ErrorKind.ADDRESS) -> Denied:
    return Denied(request(), reason, "private address")
