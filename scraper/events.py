"""Events, as frozen values, and the bus that delivers them to listeners.

Listeners cannot change, slow or end a crawl. `EventBus.emit` appends to a list, and every `DELIVERY_SECONDS` the list
goes to each listener's own thread. A listener that raises is reported once and gets no more events. One that is more
than `MAX_BACKLOG_EVENTS` behind loses the oldest events and is told how many (`EventsLost`). Without listeners, `emit`
costs an attribute check.

Names and fields of events are an interface: `--progress json` writes them. `at` is the instant of the event, in epoch
seconds.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

log = logging.getLogger("scraper.events")

DELIVERY_SECONDS = 0.1
MAX_BACKLOG_EVENTS = 200_000


@dataclass(frozen=True, slots=True)
class CrawlStarted:
    """A run began or was resumed; `known` URLs were already settled, `waiting` were queued."""

    at: float
    name: str
    folder: str
    resumed: bool
    known: int
    waiting: int
    concurrency: int
    max_pages: int | None


@dataclass(frozen=True, slots=True)
class FetchStarted:
    """A request is about to be sent."""

    at: float
    url: str
    host: str
    attempt: int
    fetcher: str


@dataclass(frozen=True, slots=True)
class BytesReceived:
    """Part of a large body arrived: `size` bytes since the last such event, `total` expected when known."""

    at: float
    url: str
    host: str
    size: int
    total: int | None


@dataclass(frozen=True, slots=True)
class FetchFinished:
    """A fetch ended: `status` or `error` says how; `elapsed` is seconds, `size` wire bytes."""

    at: float
    url: str
    host: str
    status: int | None
    error: str | None
    detail: str
    elapsed: float
    size: int
    kind: str


@dataclass(frozen=True, slots=True)
class PageSettled:
    """A URL is finished and its record written; `outcome` is `ok`, `http_404`, `timeout` ..."""

    at: float
    url: str
    host: str
    outcome: str
    depth: int
    items: int
    discovered: int


@dataclass(frozen=True, slots=True)
class RetryPlanned:
    """A URL failed and will be requested again at `due` (epoch seconds)."""

    at: float
    url: str
    host: str
    due: float
    attempt: int
    why: str


@dataclass(frozen=True, slots=True)
class HostParked:
    """A host may not be requested before `until` (epoch seconds) because of `why`; short waits have no event."""

    at: float
    host: str
    until: float
    why: str


@dataclass(frozen=True, slots=True)
class HostSample:
    """The state of one host, in a sample of the monitor.

    `delay` is seconds between starts; `breaker` is closed, open, half-open or blocked.
    """

    at: float
    host: str
    waiting: int
    in_flight: int
    delay: float
    ready_at: float
    breaker: str


@dataclass(frozen=True, slots=True)
class BreakerOpened:
    """A host's circuit breaker opened until `until` (epoch seconds)."""

    at: float
    host: str
    until: float
    why: str
    openings: int


@dataclass(frozen=True, slots=True)
class BreakerHalfOpen:
    """The pause of a host's circuit breaker is over: one probe is sent."""

    at: float
    host: str


@dataclass(frozen=True, slots=True)
class BreakerClosed:
    """A host's circuit breaker closed: the host has recovered."""

    at: float
    host: str


@dataclass(frozen=True, slots=True)
class RobotsFetched:
    """robots.txt of an origin was read; `outcome` is `rules`, `none` (allow all) or `unreachable`."""

    at: float
    origin: str
    outcome: str
    crawl_delay: float | None
    detail: str


@dataclass(frozen=True, slots=True)
class ItemWritten:
    """An item was written to the outputs."""

    at: float
    url: str
    rule: int


@dataclass(frozen=True, slots=True)
class ItemRejected:
    """A field of an item was missing although required, or its value had the wrong type."""

    at: float
    url: str
    field: str
    reason: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """A URL was found and will not be requested."""

    at: float
    url: str
    reason: str
    rule: str


@dataclass(frozen=True, slots=True)
class QueuesSampled:
    """A sample: URLs queued and delayed in the frontier, requests in flight, results queued for the recorder.

    `loop_lag` is how late the event loop runs, in seconds.
    """

    at: float
    waiting: int
    delayed: int
    in_flight: int
    results: int
    loop_lag: float
    hosts: tuple[HostSample, ...]


@dataclass(frozen=True, slots=True)
class FetcherReplaced:
    """A worker crashed with an unexpected error; its URL gets a record, and a new worker took its place."""

    at: float
    fetcher: str
    url: str
    error: str


@dataclass(frozen=True, slots=True)
class Warned:
    """Something that the user should know and that did not end the run."""

    at: float
    message: str


@dataclass(frozen=True, slots=True)
class EventsLost:
    """This listener was too slow; `count` events were not delivered to it."""

    at: float
    count: int


@dataclass(frozen=True, slots=True)
class CrawlEnded:
    """The run ended; `why` is one of `model.StopKind`."""

    at: float
    why: str
    detail: str


Event = (
    CrawlStarted
    | FetchStarted
    | BytesReceived
    | FetchFinished
    | PageSettled
    | RetryPlanned
    | HostParked
    | BreakerOpened
    | BreakerHalfOpen
    | BreakerClosed
    | RobotsFetched
    | ItemWritten
    | ItemRejected
    | Skipped
    | QueuesSampled
    | FetcherReplaced
    | Warned
    | EventsLost
    | CrawlEnded
)
Listener = Callable[[Event], None]


class _ListenerThread:
    """One listener with its thread and its bounded backlog."""

    def __init__(self, listener: Listener) -> None:
        self.listener = listener
        self._batches: deque[list[Event]] = deque()
        self._size = 0
        self._lost = 0
        self._busy = False
        self._closing = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name=f"listener-{_listener_name(listener)}", daemon=True)
        self._thread.start()

    def deliver(self, batch: list[Event]) -> None:
        with self._changed:
            self._batches.append(batch)
            self._size += len(batch)
            while self._size > MAX_BACKLOG_EVENTS and len(self._batches) > 1:
                lost = len(self._batches.popleft())
                self._size -= lost
                self._lost += lost
            self._changed.notify_all()

    def close(self, timeout: float) -> None:
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(timeout)

    def wait_idle(self, timeout: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: not self._batches and not self._busy, timeout)

    def _run(self) -> None:
        try:
            while (batch := self._next_batch()) is not None:
                for event in batch:
                    self.listener(event)
        except BaseException:  # code of others: it may fail in any way, SystemExit too, and must not end the crawl
            log.exception("listener %s failed and gets no more events", _listener_name(self.listener))
            self._discard_until_closed()

    def _next_batch(self) -> list[Event] | None:
        with self._changed:
            self._busy = False
            self._changed.notify_all()
            while not self._batches and not self._closing:
                self._changed.wait()
            if not self._batches:
                return None
            self._busy = True
            batch = self._batches.popleft()
            self._size -= len(batch)
            if self._lost:
                batch = [EventsLost(batch[0].at, self._lost), *batch]
                self._lost = 0
            return batch

    def _discard_until_closed(self) -> None:
        # Keep taking batches, so that the backlog of a listener that failed does not fill up.
        while self._next_batch() is not None:
            pass


def _listener_name(listener: Listener) -> str:
    return getattr(listener, "__qualname__", type(listener).__qualname__)


class EventBus:
    """Delivers events to listeners, in order, each on its own thread.

    Use as an async context manager: leaving it delivers what is left, and waits at most `CLOSE_TIMEOUT_SECONDS` for
    each listener. While `listening` is False there are no listeners, and callers need not make events.
    """

    CLOSE_TIMEOUT_SECONDS = 5.0

    def __init__(self, listeners: list[Listener] | None = None) -> None:
        self._listener_threads = [_ListenerThread(listener) for listener in listeners or []]
        self._pending: list[Event] = []
        self._timer: asyncio.TimerHandle | None = None
        self.listening = bool(self._listener_threads)

    def emit(self, event: Event) -> None:
        """Deliver `event` soon; never blocks, never raises. Call it inside the running event loop."""
        if not self.listening:
            return
        self._pending.append(event)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(DELIVERY_SECONDS, self.flush)

    def flush(self) -> None:
        """Deliver what has gathered, now."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._pending:
            batch, self._pending = self._pending, []
            for thread in self._listener_threads:
                thread.deliver(batch)

    def wait_delivered(self) -> None:
        """Block until every listener has taken what was delivered, at most `CLOSE_TIMEOUT_SECONDS` for each."""
        for thread in self._listener_threads:
            thread.wait_idle(self.CLOSE_TIMEOUT_SECONDS)

    async def __aenter__(self) -> EventBus:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.flush()
        for thread in self._listener_threads:
            await asyncio.to_thread(thread.close, self.CLOSE_TIMEOUT_SECONDS)
        self.listening = False
