"""Progress of a download, from its events and the counts of its list."""

from __future__ import annotations

import io

from scraper.downloads.list_counts import ListCounts
from scraper.events import BreakerClosed, BytesReceived, FetchFinished, FetchStarted, HostParked, QueuesSampled
from scraper.report.terminal.download_progress import (
    MAX_FAILURES_SHOWN,
    DownloadLines,
    DownloadTracker,
    snapshot_text,
)
from tests.report.sample_crawl import SLOW, T0


def failed(at: float, n: int) -> FetchFinished:
    return FetchFinished(at, f"https://h/{n}", "h", 404, "http", "", 0.1, 0, "file")


def test_files_in_flight_have_their_bytes() -> None:
    """The one with most bytes first; a finished file is not in flight any more."""
    tracker = DownloadTracker(ListCounts(lines=3, fully_read=True))
    for name in "abc":
        tracker(FetchStarted(T0, name, "h", 0, "f"))
    tracker(BytesReceived(T0 + 1, "b", "h", 100, 400))
    tracker(FetchFinished(T0 + 1, "c", "h", 200, None, "", 1.0, 10, "file"))
    snapshot = tracker.snapshot()
    assert [(file.url, file.received, file.total) for file in snapshot.active] == [("b", 100, 400), ("a", 0, None)]
    assert snapshot.in_flight == 2


def test_a_host_is_in_back_off_until_its_time_is_over() -> None:
    """Or until its breaker closes."""
    tracker = DownloadTracker(ListCounts())
    tracker(HostParked(T0, SLOW, T0 + 10, "Retry-After"))
    tracker(HostParked(T0, "other", T0 + 60, "Retry-After"))
    assert tracker.snapshot().waiting_hosts == (f"{SLOW}: Retry-After", "other: Retry-After")
    tracker(QueuesSampled(T0 + 11, 0, 0, 0, 0, 0.0, ()))
    assert tracker.snapshot().waiting_hosts == ("other: Retry-After",)
    tracker(BreakerClosed(T0 + 12, "other"))
    assert tracker.snapshot().waiting_hosts == ()


def test_entries_without_a_request_are_done() -> None:
    """Complete, bad, repeated, skipped and unnamed ones; bad and unnamed ones count as failed."""
    counts = ListCounts(lines=9, complete=1, bad_lines=2, repeated=1, skipped=1, unnamed=1, fully_read=True)
    snapshot = DownloadTracker(counts).snapshot()
    assert (snapshot.done, snapshot.failed) == (6, 3)
    assert snapshot_text(snapshot).startswith("6 of 9, ")


def test_only_the_first_failures_have_a_line() -> None:
    """The others are counted in the summary lines."""
    out = io.StringIO()
    lines = DownloadLines(out, ListCounts())
    for n in range(2 * MAX_FAILURES_SHOWN):
        lines(failed(T0, n))
    assert len(out.getvalue().splitlines()) == MAX_FAILURES_SHOWN
