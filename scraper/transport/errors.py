"""Errors of the connection for which httpx has no class. Each is a subclass of an httpx exception, so that code written
for httpx handles them.

httpx.ConnectError +-- ResolveError        the name has no address; `permanent` says that another lookup is useless +--
AddressRefused      the address guard forbids every address of the name; `rule` names the reason +-- TlsError
the handshake failed or the certificate is not trusted httpx.RemoteProtocolError +-- TruncatedResponse   the connection
ended before the response did +-- BodyTooLarge        the body is, or announces to be, larger than the caller allows +--
StaleConnection     a pooled connection was closed before a byte of the response came httpx.TimeoutException +--
DeadlineExceeded    the time for the whole request is over, in whichever phase
"""

from __future__ import annotations

import httpx


class ResolveError(httpx.ConnectError):
    """A host name could not be resolved."""

    def __init__(self, message: str, *, permanent: bool) -> None:
        super().__init__(message)
        self.permanent = permanent


class AddressRefused(httpx.ConnectError):
    """The host has only addresses that must not be connected to."""

    def __init__(self, message: str, *, rule: str) -> None:
        super().__init__(message)
        self.rule = rule


class TlsError(httpx.ConnectError):
    """No trusted TLS connection could be made; the message gives the reason."""


class TruncatedResponse(httpx.RemoteProtocolError):
    """The response ended too early; the message begins with "truncated" and says where."""


class BodyTooLarge(httpx.RemoteProtocolError):
    """The body exceeds `limit` bytes, as received or as announced by Content-Length."""

    def __init__(self, message: str, *, limit: int) -> None:
        super().__init__(message)
        self.limit = limit


class StaleConnection(httpx.RemoteProtocolError):
    """The server closed the connection while it was idle: an idempotent request may be sent again."""


class DeadlineExceeded(httpx.TimeoutException):
    """The deadline of the whole request passed."""
