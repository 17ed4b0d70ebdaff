"""What the terminal shows while a crawl runs: renders a `CrawlSnapshot` with rich.

Nothing here reads a clock or keeps state, so that a test can draw any moment. Text from servers is cleaned and wrapped
in `Text`, so that rich never reads it as markup. Color only repeats what a word says.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from scraper.events import HostSample
from scraper.report.terminal.crawl_snapshot import CrawlSnapshot
from scraper.report.text.event_text import EventText, next_request_text
from scraper.report.text.formatting import bytes_text, clock_text, duration_text, latency_text, rate_text
from scraper.report.text.sanitize import clean

MAX_HOST_ROWS = 8
MAX_PROBLEM_ROWS = 3
# Narrower terminals (in columns) do not show a host's rate and delay, to leave room for its name.
WIDE_COLUMNS = 72
# The table of hosts is at most this many columns wide: on a wider terminal numbers would be far from their name.
MAX_TABLE_COLUMNS = 110
# Rows that are always shown: title, bar, two lines of numbers, the table's head.
_FIXED_ROWS = 5
BREAKER_STYLES = {"closed": "green", "half-open": "yellow", "open": "red", "blocked": "bold magenta"}


class CrawlScreen:
    """Renders a `CrawlSnapshot` into the available space: fewer hosts and problems on a terminal with few rows."""

    def __init__(self, state: CrawlSnapshot) -> None:
        self._state = state

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Called by rich for every frame, with the size the terminal has now."""
        yield self._render(options.max_width, options.height or console.height)

    def _render(self, width: int, height: int) -> RenderableType:
        state = self._state
        parts: list[RenderableType] = [
            _one_line(_title(state)),
            _bar(state, width),
            _one_line(_throughput(state)),
            _one_line(_queues(state)),
        ]
        # One row less than the terminal has: rich needs it to redraw in place.
        room = max(0, height - _FIXED_ROWS - 1)
        problems = state.problems[-min(MAX_PROBLEM_ROWS, room) :] if room else ()
        rows = min(MAX_HOST_ROWS, room - len(problems))
        if state.queues is not None and state.queues.hosts and rows > 0:
            parts.append(_host_table(hosts_to_show(state.queues.hosts, rows, state.now), state, width))
        parts += [_one_line(_problem(line)) for line in problems]
        return Group(*parts)


def hosts_to_show(hosts: Sequence[HostSample], count: int, now: float) -> list[HostSample]:
    """The `count` hosts to show, in this order:

    1. Hosts whose breaker is not closed and that have URLs waiting or in flight: at most half of the rows.
    2. The hosts with most requests in flight, then most URLs waiting.
    3. The hosts that will take longest: a quarter of the rows. They determine when the crawl ends.
    """
    tripped = (h for h in hosts if h.breaker != "closed" and (h.waiting or h.in_flight))
    unhealthy = heapq.nlargest((count + 1) // 2, tripped, key=_load)
    chosen = {host.host for host in unhealthy}
    busy_rows = count - len(unhealthy) - count // 4
    busy = heapq.nlargest(busy_rows, (h for h in hosts if h.host not in chosen), key=_load)
    chosen |= {host.host for host in busy}
    rest = (h for h in hosts if h.host not in chosen)
    return [*unhealthy, *busy, *heapq.nlargest(count // 4, rest, key=lambda h: _drain_time(h, now))]


def _drain_time(host: HostSample, now: float) -> tuple[float, str]:
    # An infinite wait has no length: the host waits for a request in flight, or was given up.
    wait = 0.0 if host.ready_at == math.inf else max(0.0, host.ready_at - now)
    return wait + host.waiting * host.delay, host.host


def _load(host: HostSample) -> tuple[int, int, str]:
    return host.in_flight, host.waiting, host.host


def _one_line(text: Text) -> Text:
    text.no_wrap = True
    text.overflow = "ellipsis"
    return text


def _title(state: CrawlSnapshot) -> Text:
    stats = state.stats
    text = Text(clean(stats.name, 40) or "crawl", style="bold")
    text.append(f"  {clock_text(stats.duration)}", style="cyan")
    if stats.resumed:
        text.append("  resumed")
    if stats.ended:
        text.append(f"  ended: {clean(stats.why, 30)}", style="bold")
    return text


def _bar(state: CrawlSnapshot, width: int) -> RenderableType:
    done, goal = state.done, state.expected_total
    label = f" {done:,} of {state.known:,} known"
    if state.stats.max_pages is not None:
        label += f", limit {state.stats.max_pages:,}"
    share = f" {100 * done // goal:3d}%" if goal else "   0%"
    grid = Table.grid()
    grid.add_column(no_wrap=True)
    grid.add_column(no_wrap=True)
    grid.add_column(no_wrap=True, overflow="ellipsis")
    bar_width = max(8, width - len(label) - len(share))
    grid.add_row(ProgressBar(total=max(1, goal), completed=done, width=bar_width), Text(share), Text(label))
    return grid


def _throughput(state: CrawlSnapshot) -> Text:
    stats = state.stats
    text = Text()
    text.append(f"{rate_text(stats.pages_per_second)} pages/s", style="bold")
    text.append(f"  {bytes_text(stats.bytes_per_second)}/s  {bytes_text(stats.size)}  {stats.items:,} items")
    text.append(f"  {stats.failed:,} failed", style="red" if stats.failed else "")
    text.append(f"  {stats.retries:,} retries", style="yellow" if stats.retries else "")
    if state.eta is not None and not stats.ended:
        text.append(f"  ETA {duration_text(state.eta)}")
    return text


def _queues(state: CrawlSnapshot) -> Text:
    queues = state.queues
    if queues is None:
        return Text(f"{state.waiting_before:,} waiting", style="dim")
    parts = [
        f"{queues.waiting:,} waiting",
        f"{queues.delayed:,} delayed",
        f"{state.stats.in_flight:,}/{state.stats.concurrency:,} in flight",
        f"{queues.results:,} to record",
    ]
    # Smaller lags are normal and not worth a number.
    if queues.loop_lag >= 0.01:
        parts.append(f"loop lag {queues.loop_lag * 1000:.0f} ms")
    return Text("  ".join(parts), style="dim")


def _host_table(hosts: Sequence[HostSample], state: CrawlSnapshot, width: int) -> Table:
    table = Table(
        box=None, pad_edge=False, padding=(0, 2, 0, 0), width=min(width, MAX_TABLE_COLUMNS), header_style="dim"
    )
    table.add_column("host", ratio=1, no_wrap=True, overflow="ellipsis")
    wide = width >= WIDE_COLUMNS
    for name in ("waiting", "in flight", *(("rate", "delay") if wide else ()), "next"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("breaker", no_wrap=True)
    for host in hosts:
        breaker, rate = clean(host.breaker, 12), state.rates.get(host.host, 0.0)
        table.add_row(
            Text(clean(host.host, 100)),
            Text(f"{host.waiting:,}"),
            Text(f"{host.in_flight:,}"),
            *(_rate_and_delay(host, rate) if wide else ()),
            Text(next_request_text(host, state.now)),
            Text(_breaker_text(host, state.now), style=BREAKER_STYLES.get(breaker, "")),
        )
    return table


def _rate_and_delay(host: HostSample, rate: float) -> tuple[Text, Text]:
    return Text(f"{rate_text(rate)}/s" if rate else "-"), Text(latency_text(host.delay) if host.delay else "-")


def _breaker_text(host: HostSample, now: float) -> str:
    """The breaker's state, and for an open one the time left."""
    state = clean(host.breaker, 12)
    if host.breaker != "open" or not now < host.ready_at < math.inf:
        return state
    return f"{state}, {duration_text(host.ready_at - now)} left"


def _problem(line: EventText) -> Text:
    return Text(f"! {line.text}", style="yellow")
