"""Every exception of a transport has a kind, and a message that is safe to print."""

from __future__ import annotations

import errno
import os
import socket
import ssl

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.fetch.body_writer import BodyLimitExceeded
from scraper.fetch.error_mapping import MAX_DETAIL_CHARACTERS, classify_error, sanitize_detail
from scraper.model import ErrorKind
from scraper.transport.content_decoding import DecodeError
from scraper.transport.errors import (
    AddressRefused,
    BodyTooLarge,
    DeadlineExceeded,
    ResolveError,
    StaleConnection,
    TlsError,
    TruncatedResponse,
)


def because(error: Exception, *causes: BaseException) -> Exception:
    outer: BaseException = error
    for cause in causes:
        outer.__cause__ = cause
        outer = cause
    return error


def untrusted() -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_message = "self-signed certificate"
    return error


UNKNOWN_NAME = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
BUSY_NAMES = socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
BOTH_FAILED = ExceptionGroup("all attempts failed", [OSError(errno.EHOSTUNREACH, "no route"), UNKNOWN_NAME])

TABLE: dict[str, tuple[Exception, ErrorKind, bool]] = {
    "refused-address": (AddressRefused("it is at 10.0.0.1", rule="private"), ErrorKind.ADDRESS, True),
    "no-such-name": (ResolveError("no such host", permanent=True), ErrorKind.DNS, True),
    "names-busy": (ResolveError("try again", permanent=False), ErrorKind.DNS, False),
    "handshake": (TlsError("handshake failed"), ErrorKind.TLS, False),
    "untrusted": (because(TlsError("verify failed"), untrusted()), ErrorKind.TLS, True),
    "truncated": (TruncatedResponse(""), ErrorKind.TRUNCATED, False),
    "too-large": (BodyTooLarge("too large", limit=1), ErrorKind.TOO_LARGE, True),
    "too-large-decoded": (BodyLimitExceeded(1, decoded=True), ErrorKind.TOO_LARGE, True),
    "stale": (StaleConnection(""), ErrorKind.NETWORK, False),
    "deadline": (DeadlineExceeded(""), ErrorKind.TIMEOUT, False),
    "decode": (DecodeError("not gzip"), ErrorKind.DECODE, False),
    "connect-timeout": (httpx.ConnectTimeout(""), ErrorKind.TIMEOUT, False),
    "read-timeout": (httpx.ReadTimeout(""), ErrorKind.TIMEOUT, False),
    "write-timeout": (httpx.WriteTimeout(""), ErrorKind.TIMEOUT, False),
    "pool-timeout": (httpx.PoolTimeout(""), ErrorKind.TIMEOUT, False),
    "refused": (because(httpx.ConnectError(""), ConnectionRefusedError()), ErrorKind.CONNECT, False),
    "httpx-no-such-name": (because(httpx.ConnectError("x"), OSError(), UNKNOWN_NAME), ErrorKind.DNS, True),
    "httpx-names-busy": (because(httpx.ConnectError("x"), BUSY_NAMES), ErrorKind.DNS, False),
    "httpx-one-of-many": (because(httpx.ConnectError("x"), BOTH_FAILED), ErrorKind.DNS, True),
    "httpx-untrusted": (because(httpx.ConnectError("x"), untrusted()), ErrorKind.TLS, True),
    "httpx-handshake": (because(httpx.ConnectError("x"), ssl.SSLError(1, "wrong version")), ErrorKind.TLS, False),
    "proxy": (httpx.ProxyError("407"), ErrorKind.CONNECT, False),
    "scheme": (httpx.UnsupportedProtocol(""), ErrorKind.SCHEME, True),
    "unsayable": (httpx.LocalProtocolError("Illegal header value b'secret'"), ErrorKind.PROTOCOL, True),
    "bad-url": (httpx.InvalidURL("secret"), ErrorKind.PROTOCOL, True),
    "garbage": (httpx.RemoteProtocolError("illegal status line: b'incomplete'"), ErrorKind.PROTOCOL, False),
    "cut-length": (
        httpx.RemoteProtocolError("peer closed connection without sending complete message body (received 4 bytes)"),
        ErrorKind.TRUNCATED,
        False,
    ),
    "hung-up": (httpx.RemoteProtocolError("Server disconnected without sending a response."), ErrorKind.NETWORK, False),
    "h2-goodbye": (httpx.RemoteProtocolError("<ConnectionTerminated error_code:0>"), ErrorKind.NETWORK, False),
    "reset": (httpx.ReadError(""), ErrorKind.NETWORK, False),
    "decoding": (httpx.DecodingError("secret"), ErrorKind.DECODE, False),
    "redirects": (httpx.TooManyRedirects(""), ErrorKind.REDIRECT, False),
    "gaierror": (UNKNOWN_NAME, ErrorKind.DNS, True),
    "ssl": (ssl.SSLError(1, "bad record"), ErrorKind.TLS, False),
    "timeout": (TimeoutError(), ErrorKind.TIMEOUT, False),
    "os-refused": (ConnectionRefusedError(), ErrorKind.CONNECT, False),
    "os": (OSError(errno.ENETDOWN, os.strerror(errno.ENETDOWN)), ErrorKind.NETWORK, False),
    "bug": (ZeroDivisionError("division by zero"), ErrorKind.OTHER, False),
}


@pytest.mark.parametrize(("error", "kind", "permanent"), TABLE.values(), ids=TABLE)
def test_every_exception_has_its_kind(error: Exception, kind: ErrorKind, permanent: bool) -> None:
    """Kind and permanence follow from the exception; the message is never empty and never quotes the request."""
    reason = classify_error(error)
    assert (reason.kind, reason.permanent) == (kind, permanent)
    assert reason.detail
    assert "secret" not in reason.detail


def test_a_refused_address_names_its_rule() -> None:
    """The detail is the rule that refused, for the record of what was denied."""
    assert classify_error(AddressRefused("it is at 10.0.0.1", rule="private")).detail == "private"


def test_a_cycle_of_causes_ends() -> None:
    """Exceptions that cause each other are followed a bounded number of times."""
    first, second = httpx.ConnectError("first"), OSError("second")
    first.__cause__, second.__cause__ = second, first
    assert classify_error(first).kind is ErrorKind.CONNECT


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("plain sentence", "plain sentence"),
        ("a\x1b[31mred\x1b[0m\r\nb", "a [31mred [0m b"),
        ("\u202eevil\u2066 \u200bname", "evil name"),
        ("nul\0 tab\t nel\x85 ls\u2028", "nul tab nel ls"),
        ("proxy http://user:pass@proxy.example:3128/ failed", "proxy http://proxy.example:3128/ failed"),
        ("é 漢字", "é 漢字"),
        ("", ""),
    ],
    ids=["plain", "ansi", "bidi", "control", "credentials", "letters", "empty"],
)
def test_messages_are_safe_to_print(text: str, line: str) -> None:
    """Control characters, escapes, invisible characters and credentials are gone; letters stay."""
    assert sanitize_detail(text) == line


@given(st.text(max_size=MAX_DETAIL_CHARACTERS * 6))
def test_messages_are_bounded_single_lines(text: str) -> None:
    """Whatever a server says, one line of bounded length is kept."""
    line = sanitize_detail(text)
    assert len(line) <= MAX_DETAIL_CHARACTERS
    assert line.isprintable()
