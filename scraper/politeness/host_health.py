"""What an outcome says about its host's health: not whether we got what we wanted, but whether the host works."""

from __future__ import annotations

from typing import Literal

from scraper.model import Denied, ErrorKind, Failure, NotModified, Outcome, Response

# success:   a status below 400.
# answered:  a sound response that reports an error of ours, such as 404.
# refused:   403.
# failed:    the host is in trouble (5xx, 408, 425, 429) or did not respond.
# unknown:   says nothing about the host.
HostHealth = Literal["success", "answered", "refused", "failed", "unknown"]

# The client errors that are about the host's state or load; all other 4xx are about the URL.
OVERLOAD_STATUSES = frozenset({408, 425, 429})

# The server in front says that the one behind it does not respond; 503 that it does not serve now. 520 to 524 are
# Cloudflare's words for it.
GATEWAY_STATUSES = frozenset({502, 503, 504, 520, 521, 522, 523, 524})

# The request did not reach the host: whatever the URL, it would have failed.
UNREACHED_ERRORS = frozenset({ErrorKind.DNS, ErrorKind.CONNECT, ErrorKind.TLS})

# Errors in which the host, or the network on the way to it, failed.
TRANSPORT_ERRORS = frozenset(
    {
        ErrorKind.DNS,
        ErrorKind.CONNECT,
        ErrorKind.TLS,
        ErrorKind.TIMEOUT,
        ErrorKind.NETWORK,
        ErrorKind.PROTOCOL,
        ErrorKind.TRUNCATED,
    }
)

# The host responded; what we did with the response failed.
ERRORS_AFTER_RESPONSE = frozenset(
    {ErrorKind.TOO_LARGE, ErrorKind.DECODE, ErrorKind.REDIRECT, ErrorKind.CHECKSUM, ErrorKind.PARSE, ErrorKind.HTTP}
)


def health_of(outcome: Outcome) -> HostHealth:
    """What `outcome` says about its host.

    A server error in response to a retry says nothing new: it may well be that only this page is broken. If retries
    counted, the last pages of a crawl, which are all retries, would give up a working host. 503 is the exception: it
    is about the whole host (RFC 9110 section 15.6.4).
    """
    if isinstance(outcome, Response):
        if outcome.request.attempt and outcome.status >= 500 and outcome.status != 503:
            return "unknown"
        return health_of_status(outcome.status)
    if isinstance(outcome, NotModified):
        return "success"
    if isinstance(outcome, Denied):
        return "unknown"
    if outcome.error in TRANSPORT_ERRORS:
        return "failed"
    if outcome.error in ERRORS_AFTER_RESPONSE:
        return "answered" if outcome.status is None else health_of_status(outcome.status)
    return "unknown"


def is_unreached(outcome: Outcome) -> bool:
    """Whether the request did not get as far as the host: no name, no connection, no valid certificate."""
    return isinstance(outcome, Failure) and outcome.error in UNREACHED_ERRORS


def is_outage(outcome: Outcome) -> bool:
    """Whether `outcome` is what a host brings that is down, whatever the URL: no answer, or a gateway's."""
    if isinstance(outcome, Response):
        return outcome.status in GATEWAY_STATUSES
    if not isinstance(outcome, Failure) or outcome.error not in TRANSPORT_ERRORS:
        return False
    return is_unreached(outcome) or (outcome.status is None and not outcome.received and not outcome.permanent)


def health_of_status(status: int) -> HostHealth:
    """What a complete response with `status` says about its host."""
    if status < 400:
        return "success"
    if status == 403:
        return "refused"
    return "failed" if status >= 500 or status in OVERLOAD_STATUSES else "answered"
