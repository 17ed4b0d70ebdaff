"""`scrape status FOLDER`: shows the state of a run, also while it is running."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import RenderableType

    from scraper.explain.runs.run_status import HostStatus, RunStatus

# Seconds between two updates of --watch.
REFRESH_SECONDS = 2.0
# How often the terminal's size is checked between two updates, so that a resized window is redrawn soon.
RESIZE_CHECKS_PER_REFRESH = 10
# Rows of the display above and around the table of hosts.
NON_HOST_ROWS = 9
MAX_HOSTS_SHOWN = 30


def status(
    folder: Annotated[Path, typer.Argument(help="The output folder of a run.", show_default=False)],
    watch: Annotated[bool, typer.Option("--watch", help="Update until the run ends; Ctrl-C stops watching.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON; with --watch one object per line.")] = False,
) -> None:
    """Show the state of a run: pages done, queued and failed by kind, hosts, items, bytes, estimated time left.

    Read-only; a run in progress is not disturbed. Exit codes: 0 shown, 3 the folder holds no run.
    """
    from rich.console import Console

    from scraper.clock import wall_time
    from scraper.explain.runs.run_status import read_run_status

    console = Console(highlight=False)
    now = read_run_status(folder, wall_time())
    if as_json:
        _print_json(now)
        while watch and now.pid is not None:
            time.sleep(REFRESH_SECONDS)
            now = read_run_status(folder, wall_time())
            _print_json(now)
        return
    if watch and now.pid is not None and console.is_terminal:
        now = _watch_live(folder, now)
    console.print(render(now, MAX_HOSTS_SHOWN, console.width))


def _watch_live(folder: Path, now: RunStatus) -> RunStatus:
    """Show the run until it ends or the user presses Ctrl-C; return its last state."""
    from rich.console import Console
    from rich.live import Live

    from scraper.clock import wall_time
    from scraper.explain.runs.run_status import read_run_status

    console = Console(highlight=False)
    # The alternate screen: after a resize, no remains of the old drawing are left in the scrollback.
    with Live(console=console, screen=True, auto_refresh=False) as live:
        try:
            while now.pid is not None:
                drawn = None
                for _ in range(RESIZE_CHECKS_PER_REFRESH):
                    if console.size != drawn:  # redraw at once after a resize
                        drawn = console.size
                        rows = max(1, min(MAX_HOSTS_SHOWN, drawn.height - NON_HOST_ROWS))
                        live.update(render(now, rows, drawn.width), refresh=True)
                    time.sleep(REFRESH_SECONDS / RESIZE_CHECKS_PER_REFRESH)
                now = read_run_status(folder, wall_time())
        except KeyboardInterrupt:
            pass
    return now


def _print_json(now: RunStatus) -> None:
    typer.echo(json.dumps(now.to_json_values(), ensure_ascii=False))


def render(now: RunStatus, rows: int, width: int) -> RenderableType:
    """The state `now` for a console of `width` columns, with at most `rows` hosts."""
    from rich.console import Group
    from rich.text import Text

    from scraper.report.text.formatting import bytes_text, duration_text, rate_text
    from scraper.report.text.sanitize import clean

    counts = now.counts
    failed = sum(now.failures.values())
    state = now.state + (f" (process {now.pid})" if now.pid is not None else "")
    limit = f", limit {now.max_pages:,}" if now.max_pages is not None else ""
    pace = f"{rate_text(now.rate)} pages/s" if now.rate else "no rate yet"
    left = f", about {duration_text(now.eta)} left" if now.eta is not None else ""
    lines = [
        Text.assemble((clean(now.name, 60), "bold"), "  ", (state, "cyan")),
        Text(f"{now.settled:,} done, {now.settled - failed:,} ok, {failed:,} failed{limit}"),
        Text(f"{counts.queued:,} waiting, {counts.delayed:,} to be tried again later"),
        Text(f"{counts.items:,} items, {bytes_text(counts.wire_size)} received"),
    ]
    if now.pid is not None:
        lines.append(Text(pace + left))
    if now.failures:
        words = ", ".join(f"{clean(word, 30)} {n:,}" for word, n in list(now.failures.items())[:8])
        lines.append(Text.assemble(("failed: ", "dim"), words))
    if unhealthy := Counter(host.breaker for host in now.hosts if host.breaker != "closed"):
        words = ", ".join(f"{state} {n:,}" for state, n in sorted(unhealthy.items()))
        lines.append(Text.assemble(("breakers: ", "dim"), words))
    for line in lines:
        line.no_wrap, line.overflow = True, "ellipsis"
    return Group(*lines, _host_table(now, rows, width))


def hosts_by_urgency(hosts: Sequence[HostStatus]) -> list[HostStatus]:
    """Hosts with queued URLs and an open breaker first, then the others in their order."""
    return sorted(hosts, key=lambda host: host.breaker == "closed" or not host.waiting)


def _host_table(now: RunStatus, rows: int, width: int) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    from scraper.report.terminal.crawl_view import BREAKER_STYLES, MAX_TABLE_COLUMNS, WIDE_COLUMNS
    from scraper.report.text.formatting import latency_text
    from scraper.report.text.sanitize import clean

    table = Table(
        box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim", width=min(width, MAX_TABLE_COLUMNS)
    )
    table.add_column("host", no_wrap=True, overflow="ellipsis", ratio=1, min_width=8)
    wide = width >= WIDE_COLUMNS
    for name in ("waiting", "ok", "failed", *(("delay",) if wide else ()), "next"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("breaker", no_wrap=True)
    for host in hosts_by_urgency(now.hosts)[:rows]:
        table.add_row(
            Text(clean(host.host, 100)),
            Text(f"{host.waiting:,}"),
            Text(f"{host.ok:,}"),
            Text(f"{host.failed:,}", style="red" if host.failed else ""),
            *((Text(latency_text(host.delay) if host.delay else "-"),) if wide else ()),
            Text(_next_request_text(host, now.now)),
            Text(host.breaker, style=BREAKER_STYLES.get(host.breaker, "")),
        )
    hidden = now.total_hosts - min(rows, len(now.hosts))
    if hidden > 0:
        table.add_row(Text(f"and {hidden:,} more", style="dim"))
    return table


def _next_request_text(host: HostStatus, now: float) -> str:
    from scraper.report.text.formatting import duration_text

    if host.gave_up_reason:
        return host.gave_up_reason
    if not host.waiting:
        return "-"
    wait = host.ready_at - now
    return "now" if wait <= 0.05 else "never" if wait == float("inf") else f"in {duration_text(wait)}"
