"""What is kept of tries that failed: the latest few go with the request, through the frontier into its record.

The first try that succeeds is the rule and costs nothing here.
"""

from __future__ import annotations

from dataclasses import replace

from scraper.model import Failure, NotModified, Page, Request, Try

KEPT_TRIES = 8
"""Tries that one request remembers, the latest: an outage may bring hundreds."""
DETAIL_CHARS = 200


def remembering(again: Request, outcome: Page | Failure | NotModified, now: float, due: float) -> Request:
    """`again`, which is to be asked at `due`, with the try that ended in `outcome` added to those before it.

    Instants are epoch seconds.
    """
    before = outcome.request.tries
    status = 304 if isinstance(outcome, NotModified) else outcome.status
    one = Try(
        before[-1].number + 1 if before else 1,
        outcome.started_at or now,
        status,
        str(outcome.error) if isinstance(outcome, Failure) else None,
        _detail(outcome)[:DETAIL_CHARS],
        outcome.elapsed,
        max(0.0, due - now),
        len(outcome.request.hops),
    )
    return replace(again, tries=(*before, one)[-KEPT_TRIES:])


def _detail(outcome: Page | Failure | NotModified) -> str:
    if isinstance(outcome, Failure):
        return outcome.detail
    later = outcome.headers.get("retry-after")
    return "" if later is None else f"Retry-After: {later}"
