"""The one door for foreign exceptions: whatever a transport raises leaves as a kind, a sentence and a hope.

Sentences end up in logs, in terminals and in files that people open. So what came from a server, a name server or a
certificate is stripped of everything that is not a visible character, of credentials in URLs, and cut to a length.
"""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator
from typing import NamedTuple

import httpx

from scraper.fetch.body_writer import BodyLimitExceeded
from scraper.model import ErrorKind
from scraper.transport.content_decoding import DecodeError
from scraper.transport.errors import (
    AddressRefused,
    BodyTooLarge,
    ResolveError,
    StaleConnection,
    TlsError,
    TruncatedResponse,
)

MAX_DETAIL_CHARACTERS = 300
MAX_CAUSES_READ = 10

_CREDENTIALS = re.compile(r"//[^/\s@]*@")
_UNKNOWN_HOST_ERRNOS = {
    getattr(socket, name) for name in ("EAI_NONAME", "EAI_NODATA", "EAI_ADDRFAMILY") if hasattr(socket, name)
}
# How messages begin that httpx gives no class of their own: those of h11, of h2 and of our own transport.
_TRUNCATED_PREFIX = "peer closed connection without sending complete"
_DISCONNECTED_PREFIXES = ("server disconnected", "the server closed the connection", "<connectionterminated")


class FailureReason(NamedTuple):
    """What a failure is called, a sentence about it, and whether asking again is vain."""

    kind: ErrorKind
    detail: str
    permanent: bool = False


def sanitize_detail(text: str) -> str:
    """`text` as one line of at most `MAX_DETAIL_CHARACTERS` visible characters, without credentials in URLs.

    Control characters, escapes, and Unicode's format characters (bidirectional overrides are among them) become
    spaces.
    """
    text = text[: MAX_DETAIL_CHARACTERS * 4]
    visible = "".join(character if character.isprintable() else " " for character in text)
    line = " ".join(_CREDENTIALS.sub("//", visible).split())
    return line if len(line) <= MAX_DETAIL_CHARACTERS else f"{line[: MAX_DETAIL_CHARACTERS - 1]}…"


def classify_error(error: Exception) -> FailureReason:
    """Name what `error` means for the URL that was asked. Refused addresses have the kind `address`, and as detail
    the rule that refused.
    """
    trouble = _classify_own(error) or _classify_httpx(error) or _classify_system(error)
    if trouble is None:
        return FailureReason(ErrorKind.OTHER, sanitize_detail(f"unexpected {type(error).__name__}: {error}"))
    return trouble._replace(detail=sanitize_detail(trouble.detail))


def _classify_own(error: Exception) -> FailureReason | None:
    match error:
        case AddressRefused(rule=rule):
            return FailureReason(ErrorKind.ADDRESS, str(rule), True)
        case ResolveError(permanent=permanent):
            return FailureReason(ErrorKind.DNS, str(error) or "the host name cannot be resolved", bool(permanent))
        case TlsError():
            return _tls_failure(error)
        case TruncatedResponse():
            return FailureReason(ErrorKind.TRUNCATED, str(error) or "the connection ended before the response did")
        case BodyTooLarge() | BodyLimitExceeded():
            return FailureReason(ErrorKind.TOO_LARGE, str(error), True)
        case StaleConnection():
            return FailureReason(ErrorKind.NETWORK, str(error) or "the connection was closed before an answer came")
        case DecodeError():
            return FailureReason(ErrorKind.DECODE, str(error))
    return None


def _classify_httpx(error: Exception) -> FailureReason | None:
    text = str(error)
    match error:
        case httpx.TimeoutException():
            return FailureReason(ErrorKind.TIMEOUT, text or _TIMEOUT_TEXTS.get(type(error), "it took too long"))
        case httpx.ConnectError():
            return _connect_failure(error)
        case httpx.ProxyError():
            return FailureReason(ErrorKind.CONNECT, f"the proxy refused: {text}")
        case httpx.UnsupportedProtocol():
            return FailureReason(ErrorKind.SCHEME, text or "only http and https are spoken here", True)
        case httpx.LocalProtocolError() | httpx.InvalidURL():
            # The text of these may quote the request with its credentials.
            return FailureReason(ErrorKind.PROTOCOL, "the request cannot be put into HTTP", True)
        case httpx.RemoteProtocolError():
            return _protocol_failure(text)
        case httpx.NetworkError():
            return FailureReason(ErrorKind.NETWORK, text or "the connection broke")
        case httpx.DecodingError():
            return FailureReason(ErrorKind.DECODE, "the body is not what its Content-Encoding says")
        case httpx.TooManyRedirects():
            return FailureReason(ErrorKind.REDIRECT, text or "too many redirects")
    return None


def _classify_system(error: Exception) -> FailureReason | None:
    match error:
        case socket.gaierror():
            return _dns_failure(error)
        case ssl.SSLError():
            return _tls_failure(error)
        case TimeoutError():
            return FailureReason(ErrorKind.TIMEOUT, "it took too long")
        case ConnectionRefusedError():
            return FailureReason(ErrorKind.CONNECT, "the connection was refused")
        case OSError():
            return FailureReason(ErrorKind.NETWORK, f"the connection broke: {error.strerror or error}")
    return None


_TIMEOUT_TEXTS: dict[type[Exception], str] = {
    httpx.ConnectTimeout: "no connection in time",
    httpx.ReadTimeout: "the server fell silent",
    httpx.WriteTimeout: "the server stopped reading the request",
    httpx.PoolTimeout: "no connection became free in time",
}


def _connect_failure(error: httpx.ConnectError) -> FailureReason:
    for cause in _causes(error):
        if isinstance(cause, socket.gaierror):
            return _dns_failure(cause)
        if isinstance(cause, ssl.SSLError):
            return _tls_failure(cause)
    return FailureReason(ErrorKind.CONNECT, str(error) or "no connection could be made")


def _dns_failure(error: socket.gaierror) -> FailureReason:
    reason = error.strerror or "no answer"
    return FailureReason(
        ErrorKind.DNS, f"the host name cannot be resolved: {reason}", error.errno in _UNKNOWN_HOST_ERRNOS
    )


def _tls_failure(error: Exception) -> FailureReason:
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return FailureReason(
                ErrorKind.TLS, f"the certificate is not trusted: {cause.verify_message or cause}", True
            )
    return FailureReason(ErrorKind.TLS, f"no TLS connection could be made: {error}")


def _protocol_failure(text: str) -> FailureReason:
    lower = text.lower()
    if lower.startswith(_TRUNCATED_PREFIX):
        return FailureReason(ErrorKind.TRUNCATED, "the connection ended before the response did")
    if lower.startswith(_DISCONNECTED_PREFIXES):
        return FailureReason(ErrorKind.NETWORK, "the server closed the connection without an answer")
    return FailureReason(ErrorKind.PROTOCOL, text or "the server does not speak HTTP")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The exception and what led to it, nearest first; of groups every member. At most `MAX_CAUSES_READ`."""
    waiting: list[BaseException] = [error]
    for _ in range(MAX_CAUSES_READ):
        if not waiting:
            return
        cause = waiting.pop(0)
        yield cause
        if isinstance(cause, BaseExceptionGroup):
            waiting += cause.exceptions
        if (earlier := cause.__cause__ or cause.__context__) is not None:
            waiting.append(earlier)
