"""The codes under which outcomes are counted are an interface."""

from __future__ import annotations

import pytest

from scraper.engine.outcomes import counts_as_page, outcome_code, settled_code
from scraper.model import Denied, ErrorKind, Failure, NotModified, Outcome, RequestKind, Result
from scraper.testing.fakes import make_headers, make_request, make_response

REQUEST = make_request("http://a.example/")


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (make_response(REQUEST), "ok"),
        (make_response(REQUEST, status=204), "ok"),
        (make_response(REQUEST, status=300), "not_followed"),
        (make_response(REQUEST, status=404), "http_404"),
        (make_response(REQUEST, status=503), "http_503"),
        (NotModified(REQUEST, make_headers({})), "ok"),
        (Failure(REQUEST, ErrorKind.DNS, ""), "dns"),
        (Failure(REQUEST, ErrorKind.REDIRECT, ""), "redirect"),
        (Denied(REQUEST, ErrorKind.ROBOTS, "line 2"), "robots"),
    ],
    ids=["200", "204", "300", "404", "503", "304", "dns", "redirect loop", "denied"],
)
def test_an_outcome_has_a_code(outcome: Outcome, code: str) -> None:
    """Errors are counted under their kind, responses under their status."""
    assert outcome_code(outcome) == code


@pytest.mark.parametrize(
    ("kind", "status", "duplicate_of", "code", "is_page"),
    [
        ("page", 200, None, "ok", True),
        ("page", 404, None, "http_404", True),
        ("page", 301, "http://a.example/x", "duplicate", True),
        ("file", 200, None, "file_ok", False),
        ("sitemap", 200, None, "sitemap_ok", False),
        ("sitemap", 404, None, "sitemap_none", False),
        ("sitemap", 410, None, "sitemap_none", False),
        ("sitemap", 500, None, "sitemap_http_500", False),
    ],
)
def test_files_and_sitemaps_are_no_pages(
    kind: RequestKind, status: int, duplicate_of: str | None, code: str, is_page: bool
) -> None:
    """Their codes say so, and they do not count against `max_pages`; nor is a sitemap that nobody promised an error."""
    request = make_request("http://a.example/", kind=kind)
    result = Result(request, make_response(request, status=status), duplicate_of=duplicate_of)
    assert settled_code(result) == code
    assert counts_as_page(code) is is_page
