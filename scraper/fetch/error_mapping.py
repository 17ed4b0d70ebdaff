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

from scraper.fetch.body_writer import TooLarge
from scraper.model import ErrorKind
from scraper.transport.content_decoding import DecodeError
from scraper.transport.errors import AddressRefused, BodyTooLarge, ResolveFailed, Stale, TlsError, Truncated

MAX_DETAIL = 300
MAX_CAUSES = 10

_CREDENTIALS = re.compile(r"//[^/\s@]*@")
_NO_SUCH_NAME = {
    getattr(socket, name) for name in ("EAI_NONAME", "EAI_NODATA", "EAI_ADDRFAMILY") if hasattr(socket, name)
}
# How messages begin that httpx gives no class of their own: those of h11, of h2 and of our own transport.
_CUT_SHORT = "peer closed connection without sending complete"
_HUNG_UP = ("server disconnected", "the server closed the connection", "<connectionterminated")


class Trouble(NamedTuple):
    """What a failure is called, a sentence about it, and whether asking again is vain."""

    kind: ErrorKind
    detail: str
    permanent: bool = False


def sanitised(text: str) -> str:
    """`text` as one line of at most `MAX_DETAIL` visible characters, without credentials in URLs.

    Control characters, escapes, and Unicode's format characters (bidirectional overrides are among them) become
    spaces.
    """
    text = text[: MAX_DETAIL * 4]
    visible = "".join(character if character.isprintable() else " " for character in text)
    line = " ".join(_CREDENTIALS.sub("//", visible).split())
    return line if len(line) <= MAX_DETAIL else f"{line[: MAX_DETAIL - 1]}…"


def failure_of(error: Exception) -> Trouble:
    """Name what `error` means for the URL that was asked. Refused addresses have the kind `address`, and as detail
    the rule that refused.
    """
    trouble = _of_ours(error) or _of_httpx(error) or _of_system(error)
    if trouble is None:
        return Trouble(ErrorKind.OTHER, sanitised(f"unexpected {type(error).__name__}: {error}"))
    return trouble._replace(detail=sanitised(trouble.detail))


def _of_ours(error: Exception) -> Trouble | None:
    match error:
        case AddressRefused(rule=rule):
            return Trouble(ErrorKind.ADDRESS, str(rule), True)
        case ResolveFailed(permanent=permanent):
            return Trouble(ErrorKind.DNS, str(error) or "the host name cannot be resolved", bool(permanent))
        case TlsError():
            return _tls(error)
        case Truncated():
            return Trouble(ErrorKind.TRUNCATED, str(error) or "the connection ended before the response did")
        case BodyTooLarge() | TooLarge():
            return Trouble(ErrorKind.TOO_LARGE, str(error), True)
        case Stale():
            return Trouble(ErrorKind.NETWORK, str(error) or "the connection was closed before an answer came")
        case DecodeError():
            return Trouble(ErrorKind.DECODE, str(error))
    return None


def _of_httpx(error: Exception) -> Trouble | None:
    text = str(error)
    match error:
        case httpx.TimeoutException():
            return Trouble(ErrorKind.TIMEOUT, text or _SILENCE.get(type(error), "it took too long"))
        case httpx.ConnectError():
            return _connecting(error)
        case httpx.ProxyError():
            return Trouble(ErrorKind.CONNECT, f"the proxy refused: {text}")
        case httpx.UnsupportedProtocol():
            return Trouble(ErrorKind.SCHEME, text or "only http and https are spoken here", True)
        case httpx.LocalProtocolError() | httpx.InvalidURL():
            # The text of these may quote the request with its credentials.
            return Trouble(ErrorKind.PROTOCOL, "the request cannot be put into HTTP", True)
        case httpx.RemoteProtocolError():
            return _remote(text)
        case httpx.NetworkError():
            return Trouble(ErrorKind.NETWORK, text or "the connection broke")
        case httpx.DecodingError():
            return Trouble(ErrorKind.DECODE, "the body is not what its Content-Encoding says")
        case httpx.TooManyRedirects():
            return Trouble(ErrorKind.REDIRECT, text or "too many redirects")
    return None


def _of_system(error: Exception) -> Trouble | None:
    match error:
        case socket.gaierror():
            return _name(error)
        case ssl.SSLError():
            return _tls(error)
        case TimeoutError():
            return Trouble(ErrorKind.TIMEOUT, "it took too long")
        case ConnectionRefusedError():
            return Trouble(ErrorKind.CONNECT, "the connection was refused")
        case OSError():
            return Trouble(ErrorKind.NETWORK, f"the connection broke: {error.strerror or error}")
    return None


_SILENCE: dict[type[Exception], str] = {
    httpx.ConnectTimeout: "no connection in time",
    httpx.ReadTimeout: "the server fell silent",
    httpx.WriteTimeout: "the server stopped reading the request",
    httpx.PoolTimeout: "no connection became free in time",
}


def _connecting(error: httpx.ConnectError) -> Trouble:
    for cause in _causes(error):
        if isinstance(cause, socket.gaierror):
            return _name(cause)
        if isinstance(cause, ssl.SSLError):
            return _tls(cause)
    return Trouble(ErrorKind.CONNECT, str(error) or "no connection could be made")


def _name(error: socket.gaierror) -> Trouble:
    reason = error.strerror or "no answer"
    return Trouble(ErrorKind.DNS, f"the host name cannot be resolved: {reason}", error.errno in _NO_SUCH_NAME)


def _tls(error: Exception) -> Trouble:
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return Trouble(ErrorKind.TLS, f"the certificate is not trusted: {cause.verify_message or cause}", True)
    return Trouble(ErrorKind.TLS, f"no TLS connection could be made: {error}")


def _remote(text: str) -> Trouble:
    lower = text.lower()
    if lower.startswith(_CUT_SHORT):
        return Trouble(ErrorKind.TRUNCATED, "the connection ended before the response did")
    if lower.startswith(_HUNG_UP):
        return Trouble(ErrorKind.NETWORK, "the server closed the connection without an answer")
    return Trouble(ErrorKind.PROTOCOL, text or "the server does not speak HTTP")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The exception and what led to it, nearest first; of groups every member. At most `MAX_CAUSES`."""
    waiting: list[BaseException] = [error]
    for _ in range(MAX_CAUSES):
        if not waiting:
            return
        cause = waiting.pop(0)
        yield cause
        if isinstance(cause, BaseExceptionGroup):
            waiting += cause.exceptions
        if (earlier := cause.__cause__ or cause.__context__) is not None:
            waiting.append(earlier)
