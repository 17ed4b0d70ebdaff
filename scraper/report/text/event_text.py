"""Every event as one line of text with a log level. All displays and the log file take their texts from here.

The lines are clean (`report.sanitise`): whatever a server sent, they are one line of visible characters.
"""

from __future__ import annotations

import logging
from typing import NamedTuple, assert_never

from scraper.events import (
    BreakerClosed,
    BreakerHalfOpen,
    BreakerOpened,
    BytesReceived,
    CrawlEnded,
    CrawlStarted,
    Event,
    EventsLost,
    FetcherReplaced,
    FetchFinished,
    FetchStarted,
    HostParked,
    HostSample,
    ItemRejected,
    ItemWritten,
    PageSettled,
    QueuesSampled,
    RetryPlanned,
    RobotsFetched,
    Skipped,
    Warned,
)
from scraper.report.stats import is_failure
from scraper.report.text.formatting import bytes_text, duration_text
from scraper.report.text.sanitize import clean

DEBUG, INFO, WARNING = logging.DEBUG, logging.INFO, logging.WARNING
MAX_LINE_CHARS = 1000


class EventText(NamedTuple):
    """One event as text; `level` is a level of the `logging` module."""

    level: int
    text: str


def describe(event: Event) -> EventText:
    """The text of an event: WARNING for what the user should act on, INFO for problems and milestones, else DEBUG."""
    level, text = _describe(event)
    return EventText(level, clean(text, MAX_LINE_CHARS))


def _describe(event: Event) -> tuple[int, str]:
    match event:
        case CrawlStarted() | CrawlEnded():
            return INFO, _milestone(event)
        case FetchStarted():
            return DEBUG, f"requesting {event.url} (attempt {event.attempt + 1}, {event.fetcher})"
        case BytesReceived():
            total = f" of {bytes_text(event.total)}" if event.total is not None else ""
            return DEBUG, f"received {bytes_text(event.size)} more{total} of {event.url}"
        case FetchFinished():
            return (INFO if is_problem(event) else DEBUG), fetch_text(event)
        # A settled failure is logged at INFO, a success only at DEBUG.
        case PageSettled():
            found = f"{event.items} items, {event.discovered} new links"
            return (INFO if is_failure(event.outcome) else DEBUG), f"settled {event.url} as {event.outcome}: {found}"
        case RetryPlanned():
            wait = duration_text(event.due - event.at)
            return INFO, f"retrying in {wait}: {event.url} (attempt {event.attempt + 1}): {event.why}"
        case ItemWritten():
            return DEBUG, f"item of rule {event.rule + 1} from {event.url}"
        case ItemRejected():
            return INFO, f"item rejected on {event.url}: {event.field}: {event.reason}"
        case Skipped():
            return DEBUG, f"skipped {event.url}: {event.reason} ({event.rule})"
        case QueuesSampled():
            return DEBUG, (
                f"{event.waiting} waiting, {event.delayed} delayed, {event.in_flight} in flight, "
                f"{event.results} to record, loop lag {event.loop_lag * 1000:.0f} ms"
            )
        case FetcherReplaced():
            return WARNING, f"{event.fetcher} failed on {event.url} and was replaced: {event.error}"
        case Warned():
            return WARNING, event.message
        case EventsLost():
            return WARNING, f"{event.count} events came too fast for this listener and were lost"
        case _:
            return _describe_host(event)


def _describe_host(
    event: HostParked | BreakerOpened | BreakerHalfOpen | BreakerClosed | RobotsFetched,
) -> tuple[int, str]:
    match event:
        case HostParked():
            return INFO, f"{event.host} paused for {duration_text(event.until - event.at)}: {event.why}"
        case BreakerOpened():
            pause = duration_text(event.until - event.at)
            return WARNING, f"{event.host} paused for {pause} (breaker open, no. {event.openings}): {event.why}"
        case BreakerHalfOpen():
            return INFO, f"{event.host} gets one probe (breaker half-open)"
        case BreakerClosed():
            return INFO, f"{event.host} has recovered (breaker closed)"
        case RobotsFetched():
            delay = f", crawl-delay {duration_text(event.crawl_delay)}" if event.crawl_delay is not None else ""
            detail = f" ({event.detail})" if event.detail else ""
            level = WARNING if event.outcome == "unreachable" else INFO
            return level, f"robots.txt of {event.origin}: {event.outcome}{delay}{detail}"
        case _:
            assert_never(event)


def _milestone(event: CrawlStarted | CrawlEnded) -> str:
    if isinstance(event, CrawlEnded):
        return f"ended: {event.why}" + (f" ({event.detail})" if event.detail else "")
    begun = f"resumed, {event.known:,} done before" if event.resumed else "started"
    limit = f", at most {event.max_pages:,} pages" if event.max_pages is not None else ""
    return f"{event.name} {begun}: {event.waiting:,} waiting, {event.concurrency} fetchers{limit}, into {event.folder}"


def fetch_text(event: FetchFinished) -> str:
    """The outcome of one fetch. The text is not cleaned: the caller does that."""
    took = f"{bytes_text(event.size)}, {duration_text(event.elapsed)}"
    # An HTTP error has a status; other errors have only a name and a detail.
    if event.error is not None and event.error != "http":
        return f"{event.error} {event.url}: {event.detail} ({took})"
    return f"{event.status} {event.url} ({took})"


def is_problem(event: Event) -> bool:
    """Whether the event belongs under "last problems"."""
    match event:
        case FetchFinished(kind="sitemap", status=404 | 410):
            return False  # sitemaps are tried at usual paths, where most sites have none
        case FetchFinished():
            return event.error is not None or (event.status is not None and event.status >= 400)
        case BreakerOpened() | FetcherReplaced() | Warned() | EventsLost() | ItemRejected():
            return True
        case RobotsFetched():
            return event.outcome == "unreachable"
        case _:
            return False


def next_request_text(state: HostSample, now: float) -> str:
    """When the next request to a host may start, in a few characters."""
    wait = state.ready_at - now
    if not state.waiting and not state.in_flight:
        return "-"
    if wait <= 0.05:
        return "now"
    # The gate gives no time while it waits for a request in flight, or after giving up.
    if wait == float("inf"):
        return "busy" if state.in_flight else "never"
    return f"in {duration_text(wait)}"
