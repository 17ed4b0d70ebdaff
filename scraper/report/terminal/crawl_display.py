"""The live display of a crawl in a terminal: a listener that draws four times a second."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from types import TracebackType

from rich.console import Console, RenderableType
from rich.live import Live

from scraper.clock import monotonic
from scraper.events import CrawlStarted, Event, FetchFinished, QueuesSampled
from scraper.report.stats import Stats
from scraper.report.terminal.crawl_snapshot import CrawlSnapshot
from scraper.report.terminal.crawl_view import MAX_PROBLEM_ROWS, CrawlScreen
from scraper.report.text.event_text import EventText, describe, is_problem
from scraper.structures.rolling import RollingRate

FRAMES_PER_SECOND = 4
# Hosts whose request rate is computed, those with the latest requests.
MAX_RATED_HOSTS = 500


class CrawlDisplay:
    """A listener with a live display on `console`; use it as a context manager, or `start` and `stop` it.

    The console decides about color (it obeys NO_COLOR) and size. Events arrive on the listener's thread, frames are
    drawn on rich's, so that drawing never blocks the crawl. `stop` erases the last frame; the summary replaces it.
    """

    def __init__(self, console: Console) -> None:
        self._lock = threading.Lock()
        self._stats = Stats(host_limit=0)
        self._queues: QueuesSampled | None = None
        self._problems: deque[EventText] = deque(maxlen=MAX_PROBLEM_ROWS)
        self._waiting_before = 0
        self._rates: OrderedDict[str, RollingRate] = OrderedDict()
        self._last_at = 0.0
        self._last_event_clock = monotonic()
        self._live = Live(
            console=console, get_renderable=self.render, refresh_per_second=FRAMES_PER_SECOND, transient=True
        )

    def __call__(self, event: Event) -> None:
        """Process one event; frames are drawn by rich's thread."""
        self._stats(event)
        problem = describe(event) if is_problem(event) else None
        with self._lock:
            # Event times are the crawl's clock. `render` adds the time since the last event.
            if event.at > self._last_at:
                self._last_at, self._last_event_clock = event.at, monotonic()
            if problem is not None:
                self._problems.append(problem)
            if isinstance(event, FetchFinished):
                self._count_fetch(event)
            elif isinstance(event, QueuesSampled):
                self._queues = event
            elif isinstance(event, CrawlStarted):
                self._waiting_before = event.waiting

    def render(self) -> RenderableType:
        """The current frame."""
        stats = self._stats.snapshot(hosts=False)
        with self._lock:
            now = self._last_at + monotonic() - self._last_event_clock
            hosts = self._queues.hosts if self._queues is not None else ()
            rates = {h.host: rate.per_second(now) for h in hosts if (rate := self._rates.get(h.host)) is not None}
            return CrawlScreen(
                CrawlSnapshot(stats, now, self._queues, tuple(self._problems), self._waiting_before, rates)
            )

    def _count_fetch(self, event: FetchFinished) -> None:
        rate = self._rates.get(event.host)
        if rate is None:
            rate = self._rates[event.host] = RollingRate()
            # Drop the host whose last request is the oldest.
            if len(self._rates) > MAX_RATED_HOSTS:
                self._rates.popitem(last=False)
        else:
            self._rates.move_to_end(event.host)
        rate.add(event.at, 1)

    def start(self) -> None:
        """Start drawing."""
        self._live.start()

    def stop(self) -> None:
        """Stop drawing and clear the display; calling it twice does nothing more."""
        self._live.stop()

    def __enter__(self) -> CrawlDisplay:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
