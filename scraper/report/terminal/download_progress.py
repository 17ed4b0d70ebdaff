"""Progress of a download: files, bytes, speed, time left, files in flight, hosts in back-off.

A `DownloadTracker` collects it from events and from the counts of the list that was read so far (`ListProgress`).
`DownloadLines` prints a line every ten seconds, `DownloadDisplay` (download_display.py) draws it four times a second.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Protocol, TextIO

from scraper.events import (
    BreakerClosed,
    BreakerOpened,
    BytesReceived,
    CrawlEnded,
    Event,
    FetchFinished,
    FetchStarted,
    HostParked,
    QueuesSampled,
    Warned,
)
from scraper.report.stats import Stats
from scraper.report.terminal.safe_stream import SafeStream
from scraper.report.text.event_text import describe, is_problem
from scraper.report.text.formatting import bytes_text, clock_text, duration_text

INTERVAL_SECONDS = 10.0
MAX_FILES_SHOWN = 6
# Files in flight whose progress is tracked.
MAX_FILES_TRACKED = 2_000
# Failed requests that get a line of their own at once; further ones are only counted.
MAX_FAILURES_SHOWN = 50


class ListProgress(Protocol):
    """What has been read of the list of files so far: the counts of `ListCounts`."""

    lines: int
    complete: int
    complete_bytes: int
    bad_lines: int
    repeated: int
    skipped: int
    unnamed: int
    fully_read: bool
    expected_lines: int


@dataclass(slots=True)
class FileProgress:
    """One file in flight. `received` and `total` are bytes; `total` is None when unknown."""

    url: str
    received: int = 0
    total: int | None = None


@dataclass(frozen=True, slots=True)
class DownloadSnapshot:
    """The state of a download at one moment. `size` is bytes, `speed` bytes per second, `eta` seconds.

    The list has `lines` entries; `fully_read` says that these are all. `waiting_hosts` are hosts in back-off, each with
    its reason.
    """

    done: int
    lines: int
    fully_read: bool
    failed: int
    size: int
    speed: float
    eta: float | None
    active: tuple[FileProgress, ...]
    in_flight: int
    waiting_hosts: tuple[str, ...]

    @property
    def lines_text(self) -> str:
        """The number of entries, with `+` while the list may have more."""
        return f"{self.lines:,}" + ("" if self.fully_read else "+")


class DownloadTracker:
    """A listener that collects the state of a download. Events come on one thread, `snapshot` may run on any."""

    def __init__(self, list_progress: ListProgress) -> None:
        self._list_progress = list_progress
        self._stats = Stats(host_limit=0)
        self._active: OrderedDict[str, FileProgress] = OrderedDict()
        self._backing_off: dict[str, tuple[float, str]] = {}
        self._last_at = 0.0
        self._lock = threading.Lock()

    def __call__(self, event: Event) -> None:
        """Process one event."""
        self._stats(event)
        with self._lock:
            self._last_at = max(self._last_at, event.at)
            match event:
                case FetchStarted() if len(self._active) < MAX_FILES_TRACKED:
                    self._active[event.url] = FileProgress(event.url)
                case BytesReceived() if event.url in self._active:
                    file = self._active[event.url]
                    file.received += event.size
                    file.total = event.total
                case FetchFinished():
                    self._active.pop(event.url, None)
                case HostParked() | BreakerOpened():
                    self._backing_off[event.host] = (event.until, event.why)
                case BreakerClosed():
                    self._backing_off.pop(event.host, None)
                case QueuesSampled():
                    over = [host for host, (until, _) in self._backing_off.items() if until <= event.at]
                    for host in over:
                        del self._backing_off[host]

    def snapshot(self) -> DownloadSnapshot:
        """The current state."""
        stats, counts = self._stats.snapshot(hosts=False), self._list_progress
        # Entries that need no request are done as soon as they are read.
        without_request = counts.complete + counts.bad_lines + counts.repeated + counts.skipped + counts.unnamed
        done = without_request + stats.settled
        with self._lock:
            active = sorted(self._active.values(), key=lambda t: t.received, reverse=True)
            waiting = tuple(
                f"{host}: {why}" for host, (until, why) in self._backing_off.items() if until > self._last_at
            )
        # Bytes left: the rest of the files in flight, and the mean size for each file that has not started.
        left_in_flight = sum(max(0, (t.total or 0) - t.received) for t in active)
        mean_size = stats.size / stats.settled if stats.settled else 0.0
        lines = counts.lines if counts.fully_read else max(counts.lines, counts.expected_lines)
        not_started = max(0, lines - done - len(active))
        remaining = left_in_flight + mean_size * not_started
        eta = remaining / stats.bytes_per_second if stats.bytes_per_second > 0 else None
        return DownloadSnapshot(
            done,
            lines,
            counts.fully_read or counts.expected_lines > counts.lines,
            stats.failed + counts.bad_lines + counts.unnamed,
            stats.size + counts.complete_bytes + sum(t.received for t in active),
            stats.bytes_per_second,
            eta,
            tuple(active[:MAX_FILES_SHOWN]),
            len(active),
            waiting,
        )


def snapshot_text(snapshot: DownloadSnapshot) -> str:
    """A snapshot as one line of text."""
    parts = [
        f"{snapshot.done:,} of {snapshot.lines_text}",
        bytes_text(snapshot.size),
        f"{bytes_text(snapshot.speed)}/s",
        f"{snapshot.failed:,} failed",
        f"{snapshot.in_flight:,} in flight",
    ]
    if snapshot.eta is not None and snapshot.done < snapshot.lines:
        parts.append(f"ETA {duration_text(snapshot.eta)}")
    if snapshot.waiting_hosts:
        parts.append(f"{len(snapshot.waiting_hosts)} hosts in back-off")
    return ", ".join(parts)


class DownloadLines:
    """A listener that writes a line every ten seconds to `stream`, and failures at once, each with its URL."""

    def __init__(self, stream: TextIO, list_progress: ListProgress, *, verbose: bool = False) -> None:
        self._out = SafeStream(stream)
        self._tracker = DownloadTracker(list_progress)
        self._verbose = verbose
        self._started: float | None = None
        self._due = 0.0
        self._failures_shown = 0

    def __call__(self, event: Event) -> None:
        """Process one event."""
        self._tracker(event)
        if self._started is None:
            self._started, self._due = event.at, event.at + INTERVAL_SECONDS
        if self._is_shown(event):
            self._write(event.at, describe(event).text)
        if isinstance(event, CrawlEnded) or event.at >= self._due:
            self._due = event.at + INTERVAL_SECONDS
            self._write(event.at, snapshot_text(self._tracker.snapshot()))

    def _is_shown(self, event: Event) -> bool:
        if isinstance(event, FetchFinished):
            if self._verbose:
                return True
            self._failures_shown += is_problem(event)
            return is_problem(event) and self._failures_shown <= MAX_FAILURES_SHOWN
        return isinstance(event, Warned | HostParked | BreakerOpened | BreakerClosed)

    def _write(self, at: float, text: str) -> None:
        self._out.write(f"{clock_text(at - (self._started or at))} {text}\n")
        self._out.flush()
