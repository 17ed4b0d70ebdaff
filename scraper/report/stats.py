"""The numbers of this session, counted from events. Totals over all sessions of a run come from the frontier."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

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
    ItemRejected,
    ItemWritten,
    PageSettled,
    QueuesSampled,
    RetryPlanned,
    RobotsFetched,
    Skipped,
    Warned,
)
from scraper.report.breaker_log import SESSION_BEGIN, SESSION_END, BreakerLog, BreakerTransition, transition_of
from scraper.structures.rolling import DurationHistogram, RollingRate

# Hosts with counts of their own; further ones are counted together under `OTHERS_KEY`.
MAX_HOSTS = 10_000
# Distinct words (outcomes, reasons) with counts of their own: some contain text from servers.
MAX_WORDS = 500
# Bodies in flight whose received bytes are tracked.
MAX_PARTIAL_BODIES = 10_000
OTHERS_KEY = "others"

_GOOD_OUTCOMES = frozenset({"ok", "not_followed", "duplicate", "none"})


def is_failure(outcome: str) -> bool:
    """Whether the outcome code of a settled URL means a failure, with or without its `sitemap_` or `file_` prefix."""
    return outcome.removeprefix("sitemap_").removeprefix("file_") not in _GOOD_OUTCOMES


@dataclass(slots=True)
class HostCount:
    """Counts of one host in this session. `size` is wire bytes, `openings` of its circuit breaker."""

    fetches: int = 0
    ok: int = 0
    failed: int = 0
    items: int = 0
    retries: int = 0
    size: int = 0
    openings: int = 0


@dataclass(frozen=True, slots=True)
class StatsSnapshot:
    """The session so far. Instants are epoch seconds, durations seconds, `size` wire bytes.

    `outcomes` counts settled URLs by outcome code, `statuses` responses by class (`2xx`), `errors` failed fetches by
    kind. `latency` holds p50, p90, p99 and max of all fetches. `hosts` and `breaker_transitions` are
    empty unless they were requested.
    """

    name: str = ""
    folder: str = ""
    resumed: bool = False
    started_at: float | None = None
    last_at: float | None = None
    ended: bool = False
    why: str = ""
    detail: str = ""
    concurrency: int = 0
    max_pages: int | None = None
    known_before: int = 0
    settled: int = 0
    ok: int = 0
    failed: int = 0
    fetches: int = 0
    in_flight: int = 0
    size: int = 0
    retries: int = 0
    items: int = 0
    rejected: int = 0
    parked: int = 0
    openings: int = 0
    replaced: int = 0
    warnings: int = 0
    events_lost: int = 0
    pages_per_second: float = 0.0
    bytes_per_second: float = 0.0
    outcomes: Mapping[str, int] = field(default_factory=dict)
    statuses: Mapping[str, int] = field(default_factory=dict)
    errors: Mapping[str, int] = field(default_factory=dict)
    skipped: Mapping[str, int] = field(default_factory=dict)
    robots: Mapping[str, int] = field(default_factory=dict)
    breakers: Mapping[str, int] = field(default_factory=dict)
    latency: Mapping[str, float] = field(default_factory=dict)
    hosts: Mapping[str, HostCount] = field(default_factory=dict)
    breaker_transitions: tuple[BreakerTransition, ...] = ()

    @property
    def duration(self) -> float:
        """Seconds from the start to the last event."""
        if self.started_at is None or self.last_at is None:
            return 0.0
        return max(0.0, self.last_at - self.started_at)


class BoundedCounter:
    """Counts by word, for at most `limit` words; further ones are counted under `OTHERS_KEY`."""

    def __init__(self, limit: int = MAX_WORDS) -> None:
        self.counts: dict[str, int] = {}
        self._limit = limit

    def add(self, word: str) -> None:
        """Add one to the count of `word`."""
        counts = self.counts
        if word in counts:
            counts[word] += 1
        elif len(counts) < self._limit:
            counts[word] = 1
        else:
            counts[OTHERS_KEY] = counts.get(OTHERS_KEY, 0) + 1


class Stats:
    """A listener that counts events. `snapshot` may be called from any thread at any time.

    `host_limit` limits the table of hosts; 0 keeps none.
    """

    def __init__(self, host_limit: int = MAX_HOSTS) -> None:
        self._lock = threading.Lock()
        self._host_limit = host_limit
        self._hosts: dict[str, HostCount] = {}
        self._others = HostCount()
        self._partial_sizes: dict[str, int] = {}
        self._run_fields: dict[str, Any] = {}
        self._last_at: float | None = None
        self._fetches = self._in_flight = self._size = self._ok = self._failed = 0
        self._retries = self._items = self._rejected = self._parked = self._openings = 0
        self._replaced = self._warnings = self._lost = 0
        self._pages_rate, self._bytes_rate = RollingRate(), RollingRate()
        self._latency = DurationHistogram()
        self._breaker_log = BreakerLog()
        self._outcomes, self._statuses, self._errors = BoundedCounter(), BoundedCounter(), BoundedCounter()
        self._skipped, self._robots, self._breakers = BoundedCounter(), BoundedCounter(), BoundedCounter(MAX_HOSTS)
        # One dictionary lookup per event: this is called for every one of them.
        self._counters: dict[type, Callable[[Any], None]] = {
            CrawlStarted: self._crawl_started,
            FetchStarted: self._fetch_started,
            BytesReceived: self._bytes_received,
            FetchFinished: self._fetch_finished,
            PageSettled: self._page_settled,
            RetryPlanned: self._retry_planned,
            HostParked: self._host_parked,
            BreakerOpened: self._breaker_opened,
            BreakerHalfOpen: self._breaker_changed,
            BreakerClosed: self._breaker_changed,
            RobotsFetched: self._robots_fetched,
            ItemWritten: self._item_written,
            ItemRejected: self._item_rejected,
            Skipped: self._url_skipped,
            QueuesSampled: self._queues_sampled,
            FetcherReplaced: self._fetcher_replaced,
            Warned: self._warned,
            EventsLost: self._events_lost,
            CrawlEnded: self._crawl_ended,
        }

    def log_breakers_to(self, path: Path) -> None:
        """Also append the transitions of circuit breakers to `path`, after those of earlier sessions."""
        with self._lock:
            self._breaker_log.append_to(path)

    def __call__(self, event: Event) -> None:
        """Count one event."""
        count = self._counters.get(type(event))
        with self._lock:
            if self._last_at is None or event.at > self._last_at:
                self._last_at = event.at
            if count is not None:
                count(event)

    def snapshot(self, hosts: bool = True) -> StatsSnapshot:
        """The current numbers; with `hosts` also the table of hosts, which is copied (up to `MAX_HOSTS` rows)."""
        with self._lock:
            # The clock is that of the events, so that a replay gives the same numbers.
            now = self._last_at or 0.0
            latency = {f"p{share}": self._latency.quantile(share / 100) for share in (50, 90, 99)}
            return StatsSnapshot(
                **self._run_fields,
                last_at=self._last_at,
                settled=self._ok + self._failed,
                ok=self._ok,
                failed=self._failed,
                fetches=self._fetches,
                in_flight=max(0, self._in_flight),
                size=self._size,
                retries=self._retries,
                items=self._items,
                rejected=self._rejected,
                parked=self._parked,
                openings=self._openings,
                replaced=self._replaced,
                warnings=self._warnings,
                events_lost=self._lost,
                pages_per_second=self._pages_rate.per_second(now),
                bytes_per_second=self._bytes_rate.per_second(now),
                outcomes=dict(self._outcomes.counts),
                statuses=dict(self._statuses.counts),
                errors=dict(self._errors.counts),
                skipped=dict(self._skipped.counts),
                robots=dict(self._robots.counts),
                breakers=dict(self._breakers.counts),
                latency={**latency, "max": self._latency.largest},
                hosts=self._host_table() if hosts else {},
                breaker_transitions=tuple(self._breaker_log.latest) if hosts else (),
            )

    def _host_table(self) -> dict[str, HostCount]:
        table = {host: _copy_counts(count) for host, count in self._hosts.items()}
        if self._others != HostCount():
            table[OTHERS_KEY] = _copy_counts(self._others)
        return table

    def _host(self, name: str) -> HostCount:
        count = self._hosts.get(name)
        if count is None:
            # Further hosts share one row: the table must not grow with the crawl.
            if len(self._hosts) >= self._host_limit:
                return self._others
            count = self._hosts[name] = HostCount()
        return count

    def _crawl_started(self, event: CrawlStarted) -> None:
        self._breaker_log.add_session_boundary(event.at, SESSION_BEGIN)
        self._run_fields |= {
            "name": event.name,
            "folder": event.folder,
            "resumed": event.resumed,
            "started_at": event.at,
            "concurrency": event.concurrency,
            "max_pages": event.max_pages,
            "known_before": event.known,
        }

    def _crawl_ended(self, event: CrawlEnded) -> None:
        self._breaker_log.add_session_boundary(event.at, SESSION_END)
        self._run_fields |= {"ended": True, "why": event.why, "detail": event.detail}

    def _fetch_started(self, event: FetchStarted) -> None:
        self._in_flight += 1

    def _bytes_received(self, event: BytesReceived) -> None:
        # Bodies beyond the limit are counted when they are complete.
        if len(self._partial_sizes) < MAX_PARTIAL_BODIES or event.url in self._partial_sizes:
            self._partial_sizes[event.url] = self._partial_sizes.get(event.url, 0) + event.size
            self._bytes_rate.add(event.at, event.size)

    def _fetch_finished(self, event: FetchFinished) -> None:
        self._fetches += 1
        self._in_flight -= 1
        self._size += event.size
        # Bytes that `BytesReceived` events have counted are in the rate already: add only the rest.
        self._bytes_rate.add(event.at, max(0, event.size - self._partial_sizes.pop(event.url, 0)))
        self._latency.add(event.elapsed)
        if event.status is not None:
            self._statuses.add(f"{event.status // 100}xx")
        if event.error is not None:
            self._errors.add(event.error)
        host = self._host(event.host)
        host.fetches += 1
        host.size += event.size

    def _page_settled(self, event: PageSettled) -> None:
        self._outcomes.add(event.outcome)
        self._pages_rate.add(event.at, 1)
        host = self._host(event.host)
        host.items += event.items
        if is_failure(event.outcome):
            self._failed += 1
            host.failed += 1
        else:
            self._ok += 1
            host.ok += 1

    def _retry_planned(self, event: RetryPlanned) -> None:
        self._retries += 1
        self._host(event.host).retries += 1

    def _breaker_opened(self, event: BreakerOpened) -> None:
        self._openings += 1
        self._breakers.add(event.host)
        self._host(event.host).openings += 1
        self._breaker_changed(event)

    def _breaker_changed(self, event: BreakerOpened | BreakerHalfOpen | BreakerClosed) -> None:
        self._breaker_log.add(transition_of(event))

    def _host_parked(self, event: HostParked) -> None:
        self._parked += 1

    def _robots_fetched(self, event: RobotsFetched) -> None:
        self._robots.add(event.outcome)

    def _item_written(self, event: ItemWritten) -> None:
        self._items += 1

    def _item_rejected(self, event: ItemRejected) -> None:
        self._rejected += 1

    def _url_skipped(self, event: Skipped) -> None:
        self._skipped.add(event.reason)

    def _queues_sampled(self, event: QueuesSampled) -> None:
        self._in_flight = event.in_flight  # corrects the count after lost events

    def _fetcher_replaced(self, event: FetcherReplaced) -> None:
        self._replaced += 1

    def _warned(self, event: Warned) -> None:
        self._warnings += 1

    def _events_lost(self, event: EventsLost) -> None:
        self._lost += event.count


def _copy_counts(count: HostCount) -> HostCount:
    return HostCount(count.fetches, count.ok, count.failed, count.items, count.retries, count.size, count.openings)
