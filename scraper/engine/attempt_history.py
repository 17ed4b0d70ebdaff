"""Keeps the latest failed attempts of a request with it, through the frontier into its record.

Most requests succeed at once and keep nothing.
"""

from __future__ import annotations

from dataclasses import replace

from scraper.model import Attempt, Failure, NotModified, Request, Response

# Attempts that one request keeps, the latest: an outage may bring hundreds.
MAX_KEPT_ATTEMPTS = 8
MAX_DETAIL_CHARS = 200


def with_failed_attempt(
    next_request: Request, outcome: Response | Failure | NotModified, now: float, next_at: float
) -> Request:
    """`next_request`, due at `next_at`, with the attempt that ended as `outcome` added to the earlier ones.

    Instants are epoch seconds.
    """
    earlier = outcome.request.failed_attempts
    status = 304 if isinstance(outcome, NotModified) else outcome.status
    attempt = Attempt(
        earlier[-1].number + 1 if earlier else 1,
        outcome.started_at or now,
        status,
        str(outcome.error) if isinstance(outcome, Failure) else None,
        _detail(outcome)[:MAX_DETAIL_CHARS],
        outcome.elapsed,
        max(0.0, next_at - now),
        len(outcome.request.redirects),
    )
    return replace(next_request, failed_attempts=(*earlier, attempt)[-MAX_KEPT_ATTEMPTS:])


def _detail(outcome: Response | Failure | NotModified) -> str:
    if isinstance(outcome, Failure):
        return outcome.detail
    retry_after = outcome.headers.get("retry-after")
    return "" if retry_after is None else f"Retry-After: {retry_after}"
