"""Foreign exceptions end here: each exception of a transport becomes (ErrorKind, message, permanent).

Messages go to logs, terminals and files that people open. So text from a server, a DNS server or a certificate is
stripped of everything that is not a visible character, and of credentials in URLs, and is cut to a maximum length.
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
# How messages begin for which httpx has no class: those of h11, of h2 and of our own transport.
_TRUNCATED_PREFIX = "peer closed connection without sending complete"
_DISCONNECTED_PREFIXES = ("server disconnected", "the server closed the connection", "<connectionterminated")


class FailureReason(NamedTuple):
    """The kind of a failure, a sentence about it, and whether a retry is useless."""

    kind: ErrorKind
    detail: str
    permanent: bool = False


def sanitize_detail(text: str) -> str:
    """`text` as one line of at most `MAX_DETAIL_CHARACTERS` visible characters, without credentials in URLs.

    Control characters, escapes, and Unicode format characters (bidirectional overrides among them) become spaces.
    """
    text = text[: MAX_DETAIL_CHARACTERS * 4]
    visible = "".join(character if character.isprintable() else " " for character in text)
    line = " ".join(_CREDENTIALS.sub("//", visible).split())
    return line if len(line) <= MAX_DETAIL_CHARACTERS else f"{line[: MAX_DETAIL_CHARACTERS - 1]}…"


def classify_error(error: Exception) -> FailureReason:
    """What `error` means for the requested URL. A refused address has kind `address` and the rule as its detail."""
    reason = _classify_own(error) or _classify_httpx(error) or _classify_system(error)
    if reason is None:
        return FailureReason(ErrorKind.OTHER, sanitize_detail(f"unexpected {type(error).__name__}: {error}"))
    return reason._replace(detail=sanitize_detail(reason.detail))


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
            return FailureReason(ErrorKind.NETWORK, str(error) or "the connection was closed before a response came")
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
            return FailureReason(ErrorKind.CONNECT, _proxy_detail(text))
        case httpx.UnsupportedProtocol():
            return FailureReason(ErrorKind.SCHEME, text or "only http and https are supported", True)
        case httpx.LocalProtocolError() | httpx.InvalidURL():
            # The text of these may quote the request with its credentials.
            return FailureReason(ErrorKind.PROTOCOL, "the request cannot be written as HTTP", True)
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
    httpx.ReadTimeout: "the server stopped sending",
    httpx.WriteTimeout: "the server stopped reading the request",
    httpx.PoolTimeout: "no connection became free in time",
}


def _proxy_detail(text: str) -> str:
    if text.startswith("cannot be reached"):
        return f"the proxy {text} (network.proxy)"
    hint = ": it wants a user and a password, or others than network.proxy has" if text.startswith("407") else ""
    return f"the proxy refused: {text}{hint}"


def _connect_failure(error: httpx.ConnectError) -> FailureReason:
    for cause in _causes(error):
        if isinstance(cause, socket.gaierror):
            return _dns_failure(cause)
        if isinstance(cause, ssl.SSLError):
            return _tls_failure(cause)
    return FailureReason(ErrorKind.CONNECT, str(error) or "no connection could be made")


def _dns_failure(error: socket.gaierror) -> FailureReason:
    reason = error.strerror or "no response"
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
        return FailureReason(ErrorKind.NETWORK, "the server closed the connection without a response")
    return FailureReason(ErrorKind.PROTOCOL, text or "the server does not speak HTTP")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The exception and its causes, nearest first, with all members of groups. At most `MAX_CAUSES_READ`."""
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
