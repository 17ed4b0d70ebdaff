"""Progress without a terminal: one line every ten seconds, and a line at once for problems and milestones."""

from __future__ import annotations

from typing import TextIO

from scraper.events import (
    BreakerClosed,
    BreakerHalfOpen,
    CrawlEnded,
    CrawlStarted,
    Event,
    FetchFinished,
    HostParked,
    QueuesSampled,
)
from scraper.report.stats import Stats
from scraper.report.terminal.crawl_snapshot import CrawlSnapshot
from scraper.report.terminal.safe_stream import SafeStream
from scraper.report.text.event_text import WARNING, describe, is_problem
from scraper.report.text.formatting import bytes_text, clock_text, duration_text, rate_text

INTERVAL_SECONDS = 10.0
# Failed fetches that get a line at once: the first of each kind at each host, at most this many.
MAX_FIRST_ERRORS = 50

_SHOWN_EVENTS = (CrawlStarted, CrawlEnded, BreakerHalfOpen, BreakerClosed, HostParked)


class PlainLines:
    """A listener that writes lines to `stream` (standard error, as a rule), each with the time since the start.

    The ten seconds are measured by the events' own times. Of failed fetches only the first of each kind and host gets a
    line, at most `MAX_FIRST_ERRORS`; with `verbose` every fetch gets one.
    """

    def __init__(self, stream: TextIO, *, verbose: bool = False) -> None:
        self._out = SafeStream(stream)
        self._verbose = verbose
        self._stats = Stats(host_limit=0)
        self._queues: QueuesSampled | None = None
        self._waiting_before = 0
        self._started_at: float | None = None
        self._due = 0.0
        self._shown_errors: set[tuple[str, str]] = set()

    def __call__(self, event: Event) -> None:
        """Process one event."""
        self._stats(event)
        if self._started_at is None:
            self._started_at, self._due = event.at, event.at + INTERVAL_SECONDS
        if isinstance(event, QueuesSampled):
            self._queues = event
        elif isinstance(event, CrawlStarted):
            self._waiting_before = event.waiting
        # The last state comes before the line that says why the crawl ended.
        if isinstance(event, CrawlEnded):
            self._write(event.at, self._progress_text(event.at))
        if self._is_shown(event):
            text = describe(event)
            self._write(event.at, f"warning: {text.text}" if text.level >= WARNING else text.text)
        if event.at >= self._due and not isinstance(event, CrawlEnded):
            self._due = event.at + INTERVAL_SECONDS
            self._write(event.at, self._progress_text(event.at))

    def _is_shown(self, event: Event) -> bool:
        if isinstance(event, FetchFinished):
            return self._verbose or (is_problem(event) and self._is_first(event))
        if isinstance(event, _SHOWN_EVENTS):
            return True
        return is_problem(event) and describe(event).level >= WARNING

    def _is_first(self, event: FetchFinished) -> bool:
        # Later failures of the same kind at the same host are only counted.
        key = (event.host, f"http_{event.status}" if event.error in (None, "http") else str(event.error))
        if key in self._shown_errors or len(self._shown_errors) >= MAX_FIRST_ERRORS:
            return False
        self._shown_errors.add(key)
        return True

    def _progress_text(self, now: float) -> str:
        stats = self._stats.snapshot(hosts=False)
        state = CrawlSnapshot(stats, now, self._queues, waiting_before=self._waiting_before)
        parts = [
            f"{state.done:,} of {state.known:,} known",
            f"{rate_text(stats.pages_per_second)} pages/s",
            f"{bytes_text(stats.bytes_per_second)}/s",
            f"{stats.items:,} items",
            f"{stats.failed:,} failed",
            f"{stats.in_flight:,} in flight",
        ]
        if state.eta is not None and not stats.ended:
            parts.append(f"ETA {duration_text(state.eta)}")
        return ", ".join(parts)

    def _write(self, at: float, text: str) -> None:
        self._out.write(f"{clock_text(at - (self._started_at or at))} {text}\n")
        self._out.flush()
