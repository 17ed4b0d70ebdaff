"""Shows a benchmark in a terminal: progress while it runs, then tables, a bar chart and findings.

The display is redrawn only between measurements, because drawing would use CPU that is being measured.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from scraper.bench.findings import number_text, speedup_text
from scraper.bench.measure.compare import Comparison
from scraper.bench.measure.result import Report, Row, Section
from scraper.bench.measure.rounds import BenchProgress, OnProgress
from scraper.cli.display_mode import ProgressMode
from scraper.cli.exit_codes import echo_err

# Terminals with at least this many columns show the whole table.
WIDE_COLUMNS = 110
MAX_LABEL_COLUMNS = 30
MAX_BAR_COLUMNS = 60
# Ratio of the largest to the smallest bar from which the chart is logarithmic.
LOG_SCALE_RATIO = 20.0


@contextmanager
def show_progress(mode: ProgressMode) -> Iterator[OnProgress]:
    """Show progress on standard error while inside; yields the function to call with each `BenchProgress`."""
    console = Console(stderr=True, highlight=False)
    if mode is ProgressMode.AUTO:
        mode = ProgressMode.RICH if console.is_terminal and not console.is_dumb_terminal else ProgressMode.PLAIN
    if mode is ProgressMode.PLAIN:
        yield lambda progress: echo_err(f"[{progress.done}/{progress.total}] {progress.activity}")
    elif mode is ProgressMode.RICH:
        with Live(console=console, auto_refresh=False, transient=True) as live:
            yield lambda progress: live.update(_progress_view(progress, console.width), refresh=True)
    else:
        yield lambda _: None


def _progress_view(progress: BenchProgress, width: int) -> RenderableType:
    bar = ProgressBar(total=max(1, progress.total), completed=progress.done, width=min(24, width // 4))
    line = Table.grid(padding=(0, 1))
    line.add_row(f"{progress.done}/{progress.total}", bar, Text(progress.activity, style="bold", no_wrap=True))
    tables = [section_table(section, width) for section in progress.sections[-1:] if section.rows]
    return Group(line, *tables)


def render(report: Report, console: Console) -> None:
    """Print a whole report."""
    width = console.width
    console.print(Text(_machine_text(report), style="dim"))
    for section_number, section in enumerate(report.sections):
        console.print()
        console.print(Text(section.title, style="bold"))
        console.print(section_table(section, width, report.knee))
        if width < WIDE_COLUMNS:
            for row in section.rows:
                if row.note:
                    console.print(_bullet(f"{row.label}: {row.note}", "dim", "-"))
        if report.scenario not in ("site", "urls") or section_number == 0:
            console.print(section_chart(section, width, report.knee))
        for sentence in section.findings:
            console.print(_bullet(sentence))
    if report.max_server_rate:
        alone = f"The server alone, with no latency, gave {number_text(report.max_server_rate)} pages/s."
        console.print(Padding(Text(alone, style="dim"), (0, 0, 0, 2)))
    for warning in report.warnings:
        console.print(_bullet(warning, "yellow", "!"))
    if report.recommended:
        console.print()
        console.print(Text("Recommended for a config:", style="bold"))
        console.print(report.recommended.rstrip("\n"), markup=False, soft_wrap=True)
    if not report.complete:
        console.print(_bullet("Stopped early: these are the results until then.", "yellow", "!"))


def _machine_text(report: Report) -> str:
    machine = report.machine
    versions = machine["versions"]
    httpx = f", httpx {versions['httpx']}" if "httpx" in versions else ""
    cores = f"{machine['cores']} core{'s'[: machine['cores'] != 1]}"
    return f"{machine['processor']}, {cores}, {machine['system']}, {machine['python']}, {machine['loop']}{httpx}"


def _bullet(sentence: str, style: str = "", sign: str = "•") -> RenderableType:
    grid = Table.grid(padding=(0, 1))
    grid.add_row(Text(sign, style=style), Text(sentence, style=style))
    return grid


def section_table(section: Section, width: int, knee: int | None = None) -> Table:
    """The rows of a section as a table that fits `width` terminal columns; the row at `knee` is green."""
    wide = width >= WIDE_COLUMNS
    levels = _rows_are_levels(section)
    table = Table(box=None, padding=(0, 1 if not wide else 2, 0, 0), header_style="dim", show_edge=False)
    table.add_column("in\nflight" if levels else "", justify="left", no_wrap=True, max_width=MAX_LABEL_COLUMNS)
    for head in _column_heads(section, wide, levels):
        table.add_column(head, justify="right", no_wrap=True)
    noted = any(row.note for row in section.rows)
    if noted and wide:
        table.add_column("", justify="left")
    for row in section.rows:
        label = _level_label(row) if levels else row.label
        style = "green" if knee and levels and row.concurrency == knee else ""
        cells = [Text(cell) for cell in _cells(row, section, wide, levels)]
        if noted and wide:
            cells.append(Text(row.note, style="dim"))
        table.add_row(Text(label), *cells, style=style)
    return table


def _rows_are_levels(section: Section) -> bool:
    return bool(section.rows) and all(row.key in ("sequential", f"engine-{row.concurrency}") for row in section.rows)


def _level_label(row: Row) -> str:
    return str(row.concurrency) if row.concurrency else "loop"


def _column_heads(section: Section, wide: bool, levels: bool) -> list[str]:
    law = any(row.expected for row in section.rows)
    full = wide or levels
    return [
        "pages/s",
        *(["spread"] if wide and any(row.repeats > 1 for row in section.rows) else []),
        *(["Little's\nlaw" if wide else "Little"] if law else []),
        *(["of it"] if wide and law else []),
        "speed-\nup",
        *(["effi-\nciency" if wide else "effi."] if levels else []),
        "p50\nms",
        *(["p95\nms"] if full else []),
        "p99\nms",
        "err.",
        "CPU\nms/pg",
        "RSS\nMB",
        *(["lag\nms"] if full else []),
    ]


def _cells(row: Row, section: Section, wide: bool, levels: bool) -> list[str]:
    sample = row.sample
    law = any(other.expected for other in section.rows)
    full = wide or levels
    return [
        number_text(sample.rate),
        *([f"±{row.rates.relative:.0%}"] if wide and any(other.repeats > 1 for other in section.rows) else []),
        *([number_text(row.expected) if row.expected else ""] if law else []),
        *([f"{row.share_of_expected:.0%}" if row.share_of_expected is not None else ""] if wide and law else []),
        speedup_text(row.speedup),
        *([f"{row.efficiency:.0%}" if row.concurrency else ""] if levels else []),
        _ms(sample.p50),
        *([_ms(sample.p95)] if full else []),
        _ms(sample.p99),
        str(sample.errors),
        f"{sample.cpu_ms:.2f}" if sample.cpu_ms < 10 else f"{sample.cpu_ms:.0f}",
        f"{sample.rss / 1e6:.0f}",
        *([f"{sample.lag * 1000:.1f}" if sample.lag is not None else ""] if full else []),
    ]


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:,.0f}"


def section_chart(section: Section, width: int, knee: int | None = None) -> RenderableType:
    """Pages per second as bars, with a `│` at the rate that Little's law allows."""
    rows = [row for row in section.rows if row.sample.rate > 0]
    if len(rows) < 2:
        return Text()
    levels = _rows_are_levels(section)
    labels = [_level_label(row) if levels else row.label[:MAX_LABEL_COLUMNS] for row in rows]
    room = max(10, min(MAX_BAR_COLUMNS, width - max(map(len, labels)) - 20))
    ends = [value for row in rows for value in (row.sample.rate, row.expected or 0.0) if value]
    logarithmic = max(ends) / min(ends) > LOG_SCALE_RATIO
    lines = [_chart_title(logarithmic, any(row.expected for row in rows))]
    for label, row in zip(labels, rows, strict=True):
        line = Text(f"{label:>{max(map(len, labels))}} ", style="dim")
        at_knee = bool(knee) and levels and row.concurrency == knee
        line.append_text(_bar(row, room, ends, logarithmic, "green" if at_knee else "cyan"))
        line.append(f" {number_text(row.sample.rate)}{' knee' if at_knee else ''}", style="green" if at_knee else "")
        lines.append(line)
    return Padding(Group(*lines), (1, 0))


def _chart_title(logarithmic: bool, law: bool) -> Text:
    notes = [*(["logarithmic"] if logarithmic else []), *(["│ is what Little's law allows"] if law else [])]
    return Text(f"pages/s{', ' if notes else ''}{', '.join(notes)}", style="dim")


def _bar(row: Row, room: int, ends: Sequence[float], logarithmic: bool, style: str) -> Text:
    def length(value: float) -> float:
        if not logarithmic:
            return value / max(ends) * room
        # The axis starts at a quarter of the smallest value, so that the smallest bar has some length.
        low = math.log(min(ends) / 4)
        return (math.log(value) - low) / (math.log(max(ends)) - low) * room

    # Block characters draw the end of a bar in eighths of a column.
    eighths = round(length(row.sample.rate) * 8)
    full, rest = divmod(max(1, eighths), 8)
    drawn = "█" * full + ("▏▎▍▌▋▊▉"[rest - 1] if rest else "")
    bar = Text(drawn.ljust(room + 1), style=style)
    if row.expected:
        limit = min(room, round(length(row.expected)))
        if limit >= len(drawn):
            bar = Text(drawn + " " * (limit - len(drawn)), style=style)
            bar.append("│", style="dim")
            bar.append(" " * (room - limit))
    return bar


def render_comparison(found: Comparison, names: tuple[str, str], console: Console) -> None:
    """Print two reports side by side."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", show_edge=False)
    table.add_column("", no_wrap=True, max_width=MAX_LABEL_COLUMNS)
    for head in ("pages/s\nbefore", "pages/s\nafter", "change", "p99 ms\nbefore", "p99 ms\nafter", "CPU ms\nbefore",
                 "CPU ms\nafter"):  # fmt: skip
        table.add_column(head, justify="right", no_wrap=True)
    section = ""
    for pair in found.pairs:
        if pair.section != section:
            section = pair.section
            table.add_row(Text(section[:MAX_LABEL_COLUMNS], style="bold"))
        one, two = pair.before.sample, pair.after.sample
        style = ("green" if pair.change > 0 else "red") if pair.is_significant else "dim"
        change = Text(f"{pair.change:+.0%}", style=style)
        table.add_row(
            Text(pair.before.label), number_text(one.rate), number_text(two.rate), change, _ms(one.p99), _ms(two.p99),
            f"{one.cpu_ms:.2f}", f"{two.cpu_ms:.2f}",
        )  # fmt: skip
    console.print(Text(f"before: {names[0]}\nafter:  {names[1]}", style="dim"))
    console.print(table)
    for sentence in found.findings:
        console.print(_bullet(sentence))
    for warning in found.warnings:
        console.print(_bullet(warning, "yellow", "!"))


def stdout_console() -> Console:
    """A console on standard output, for the results."""
    return Console(file=sys.stdout, highlight=False)
