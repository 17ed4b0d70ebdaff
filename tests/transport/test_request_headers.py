"""Request headers: only what can be sent is accepted, and refusals never repeat a secret."""

from __future__ import annotations

import pytest

from scraper.errors import FetchError
from scraper.testing.fakes import make_request
from scraper.transport.request_headers import BasicAuth, BearerAuth, RequestHeaders


def request_headers(
    headers: dict[str, str] | None = None, auth: dict[str, BasicAuth | BearerAuth] | None = None
) -> RequestHeaders:
    return RequestHeaders("scraper", "gzip", headers or {}, lambda _: True, auth or {})


@pytest.mark.parametrize(
    "headers",
    [
        {"X-A": "secret\r\nX-B: injected"},
        {"X-A": "secret\nfolded"},
        {"X-A": "secret\0"},
        {"X-A": "secret☃"},
        {"X A": "secret"},
        {"": "secret"},
        {"X-A:": "secret"},
        {"Content-Length": "secret"},
        {"transfer-encoding": "secret"},
        {"Host": "secret"},
    ],
)
def test_headers_that_cannot_be_sent_are_refused(headers: dict[str, str]) -> None:
    """Line breaks, odd names and what frames a message are configuration errors, found before the first request."""
    with pytest.raises(FetchError, match="header") as caught:
        request_headers(headers)
    assert "secret" not in str(caught.value)


def test_a_token_that_cannot_be_sent_is_refused() -> None:
    """A token with a line break would inject headers."""
    with pytest.raises(FetchError) as caught:
        request_headers(auth={"a.example": BearerAuth("secret\r\nX: y")})
    assert "secret" not in str(caught.value)


def test_credentials_hide_from_logs() -> None:
    """Printing credentials shows no secret."""
    assert "secret" not in repr([BasicAuth("user", "secret"), BearerAuth("secret")])


def test_basic_credentials_are_utf8() -> None:
    """RFC 7617 with UTF-8, its own example."""
    assert BasicAuth("test", "123£").header_value() == "Basic dGVzdDoxMjPCow=="


def test_names_are_replaced_without_regard_to_case() -> None:
    """A configured header takes the place of ours; order and the rest stay."""
    headers = dict(request_headers({"user-agent": "mine", "X-A": " é "}).headers_for(make_request("http://a.example/")))
    assert (headers[b"user-agent"], headers[b"X-A"], b"User-Agent" in headers) == (
        b"mine",
        "é".encode("latin-1"),
        False,
    )
