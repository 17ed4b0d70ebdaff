"""What is kept of tries that failed: the latest few go with the request, through the frontier into its record.

The first try that succeeds is the rule and costs nothing here.
"""

from __future__ import annotations

from dataclasses import replace

from scraper.model import Attempt, Failure, NotModified, Request, Response

MAX_KEPT_ATTEMPTS = 8
"""Tries that one request remembers, the latest: an outage may bring hundreds."""
MAX_DETAIL_CHARS = 200


def with_failed_attempt(
    next_request: Request, outcome: Response | Failure | NotModified, now: float, next_at: float
) -> Request:
    """`again`, which is to be asked at `due`, with the try that ended in `outcome` added to those before it.

    Instants are epoch seconds.
    """
    before = outcome.request.failed_attempts
    status = 304 if isinstance(outcome, NotModified) else outcome.status
    one = Attempt(
        before[-1].number + 1 if before else 1,
        outcome.started_at or now,
        status,
        str(outcome.error) if isinstance(outcome, Failure) else None,
        _detail(outcome)[:MAX_DETAIL_CHARS],
        outcome.elapsed,
        max(0.0, next_at - now),
        len(outcome.request.redirects),
    )
    return replace(next_request, failed_attempts=(*before, one)[-MAX_KEPT_ATTEMPTS:])


def _detail(outcome: Response | Failure | NotModified) -> str:
    if isinstance(outcome, Failure):
        return outcome.detail
    later = outcome.headers.get("retry-after")
    return "" if later is None else f"Retry-After: {later}"
