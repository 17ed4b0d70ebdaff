"""What an outcome says about its host's health: not whether we got what we wanted, but whether the host is well."""

from __future__ import annotations

from typing import Literal

from scraper.model import Denied, ErrorKind, NotModified, Outcome, Response

HostHealth = Literal["success", "answered", "refused", "failed", "void"]
"""`success`: below 400. `answered`: a sound answer that is an error of ours, as 404. `refused`: 403. `failed`: the
host is unwell (5xx, 408, 425, 429) or did not answer. `void`: says nothing about the host."""

OVERLOAD_STATUSES = frozenset({408, 425, 429})
"""The client errors that are about the host's state or load; all other 4xx are about the URL."""

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
"""Errors in which the host, or the way to it, failed."""

# The host answered; what we did with the answer failed.
ERRORS_AFTER_RESPONSE = frozenset(
    {ErrorKind.TOO_LARGE, ErrorKind.DECODE, ErrorKind.REDIRECT, ErrorKind.CHECKSUM, ErrorKind.PARSE, ErrorKind.HTTP}
)


def health_of(outcome: Outcome) -> HostHealth:
    """What `outcome` says about its host.

    A URL that is tried again and again answered with a server error says no more about the host than its first try
    did: it may well be the page that is broken. Otherwise a crawl's last pages, all retries, would condemn a host.
    """
    if isinstance(outcome, Response):
        if outcome.request.attempt and outcome.status >= 500 and outcome.status != 503:
            return "void"
        return health_of_status(outcome.status)
    if isinstance(outcome, NotModified):
        return "success"
    if isinstance(outcome, Denied):
        return "void"
    if outcome.error in TRANSPORT_ERRORS:
        return "failed"
    if outcome.error in ERRORS_AFTER_RESPONSE:
        return "answered" if outcome.status is None else health_of_status(outcome.status)
    return "void"


def health_of_status(status: int) -> HostHealth:
    """What a complete answer with `status` says about its host."""
    if status < 400:
        return "success"
    if status == 403:
        return "refused"
    return "failed" if status >= 500 or status in OVERLOAD_STATUSES else "answered"
