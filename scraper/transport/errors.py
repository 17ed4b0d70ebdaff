"""What goes wrong on the wire and httpx has no word for. Each is an httpx exception, so httpx users catch it unaware.

httpx.ConnectError
+-- ResolveError     the name has no address; `permanent` says that asking again is vain
+-- AddressRefused    the guard forbids every address of the name; `rule` is the one that decided
+-- TlsError          the handshake failed or the certificate is not trusted
httpx.RemoteProtocolError
+-- Truncated         the connection ended before the response did
+-- BodyTooLarge      the body is, or says it will be, larger than the caller allows
+-- Stale             a connection from the pool died before a byte of the answer came
httpx.TimeoutException
+-- DeadlineExceeded    the time for the whole exchange is over, whatever the phase
"""

from __future__ import annotations

import httpx


class ResolveError(httpx.ConnectError):
    """A host name could not be resolved."""

    def __init__(self, message: str, *, permanent: bool) -> None:
        super().__init__(message)
        self.permanent = permanent


class AddressRefused(httpx.ConnectError):
    """The host has only addresses that may not be connected to."""

    def __init__(self, message: str, *, rule: str) -> None:
        super().__init__(message)
        self.rule = rule


class TlsError(httpx.ConnectError):
    """No trusted TLS connection could be made; the message names the reason."""


class TruncatedResponse(httpx.RemoteProtocolError):
    """The response ended too early: its message says truncated."""


class BodyTooLarge(httpx.RemoteProtocolError):
    """The body exceeds `limit` bytes, as sent or as announced by Content-Length."""

    def __init__(self, message: str, *, limit: int) -> None:
        super().__init__(message)
        self.limit = limit


class StaleConnection(httpx.RemoteProtocolError):
    """The server closed a connection while it was unused: the request may be sent again if it is idempotent."""


class DeadlineExceeded(httpx.TimeoutException):
    """The deadline of the whole exchange passed."""
