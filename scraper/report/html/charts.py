"""Charts without scripts: bars in tables, and columns over time as inline SVG.

Labels are HTML text beside the drawing, so that they keep their size on a phone. Each chart has its contents as text
too; color only repeats what a word or a position says.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime

from scraper.report.html.figures import Timeline
from scraper.report.html.markup import Markup, link, tag
from scraper.report.text.formatting import bytes_text, duration_text, rate_text

CHART_HEIGHT = 100.0


BarStyle = str | Callable[[str], str]


def bar_table(caption: str, label: str, rows: Sequence[tuple[str, int]], *, style: BarStyle = "ok") -> Markup:
    """A table with a word, its count and a bar in each row. Bars are relative to the largest count.

    `style` is the CSS class of the bars, or a function that returns it for a word.
    """
    if not rows:
        return tag("p", f"{caption}: none.", class_="dim")
    largest, total = max(count for _, count in rows), sum(count for _, count in rows)
    body = [
        tag(
            "tr",
            tag("th", word, scope="row"),
            tag("td", f"{number:,}", class_="num"),
            tag("td", share_text(number, total), class_="num dim"),
            tag("td", _bar(style if isinstance(style, str) else style(word), number, largest), class_="bars"),
        )
        for word, number in rows
    ]
    return table(caption, (label, ">count", ">share", ""), body, class_="barred")


def share_text(number: int, total: int) -> str:
    """A share in percent. A small one is `<0.1 %` rather than zero, one of nearly all `>99.9 %` rather than 100."""
    share = 100 * number / total if total else 0.0
    if 0 < share < 0.05:
        return "<0.1 %"
    return ">99.9 %" if 99.95 <= share < 100 else f"{share:.1f} %"


def _bar(style: str, number: int, largest: int) -> Markup | None:
    if not number:
        return None
    return tag("span", "", class_=f"bar {style}", style=f"width:{100 * number / largest:.1f}%")


def table(caption: str, heads: Iterable[str], rows: Iterable[Markup], *, class_: str = "") -> Markup:
    """A table that scrolls horizontally when it is too wide. `>` before a head right-aligns it, for numbers."""
    head = tag("tr", [_head(name) for name in heads])
    # tabindex and role make the scrolling region reachable by keyboard.
    inner = tag("table", tag("caption", caption), tag("thead", head), tag("tbody", rows), class_=class_ or None)
    return tag("div", inner, class_="scroll", tabindex="0", role="region", aria_label=caption)


def _head(name: str) -> Markup:
    if not name:
        return tag("td", "")
    return tag("th", name.lstrip(">"), scope="col", class_="num" if name.startswith(">") else None)


def throughput_chart(timeline: Timeline) -> Markup:
    """URLs recorded per second over time, failures on top of successes."""
    # An SVG coordinate is one column wide and `CHART_HEIGHT` high; CSS stretches it.
    columns = timeline.columns
    if timeline.start is None or not columns:
        return tag("p", "No records yet.", class_="dim")
    last, width = max(columns), timeline.width
    top = round_up_to_tick(max(ok + failed for ok, failed, _ in columns.values()) / width)
    shapes = [
        tag("line", x1=0, x2=last + 1, y1=CHART_HEIGHT * part / 2, y2=CHART_HEIGHT * part / 2, class_="grid")
        for part in range(2)
    ]
    for index, (ok, failed, size) in sorted(columns.items()):
        high, low = CHART_HEIGHT * ok / width / top, CHART_HEIGHT * failed / width / top
        when = utc_text(timeline.start + index * width)
        tooltip = tag("title", f"{when} UTC: {ok:,} ok, {failed:,} failed, {bytes_text(size)}")
        bars = [
            tag("rect", x=index, y=f"{CHART_HEIGHT - high:.2f}", width="0.9", height=f"{high:.2f}", class_="fill-ok")
        ]
        if failed:
            y = f"{CHART_HEIGHT - high - low:.2f}"
            bars.append(tag("rect", x=index, y=y, width="0.9", height=f"{low:.2f}", class_="fill-failed"))
        shapes.append(tag("g", tooltip, bars))
    span = (last + 1) * width
    total = sum(ok + failed for ok, failed, _ in columns.values())
    summary = f"{total:,} URLs in {duration_text(span)}"
    picture = tag(
        "svg",
        shapes,
        viewBox=f"0 0 {last + 1} {CHART_HEIGHT:.0f}",
        preserveAspectRatio="none",
        role="img",
        aria_label=f"Columns over time: {summary}, at most {rate_text(top)} a second",
    )
    scale = tag("div", [tag("span", f"{value:,g}") for value in (top, top / 2, 0)], class_="scale", aria_hidden="true")
    key = tag("p", legend_entry("ok", "ok"), legend_entry("failed", "failed"), class_="key")
    return tag(
        "figure",
        tag("figcaption", f"{summary}; URLs a second, one column for {_column_unit(width)}"),
        tag("div", scale, tag("div", picture, class_="plot"), class_="chart"),
        time_axis(timeline.start, timeline.start + span, class_="axis chart-axis"),
        key,
    )


def round_up_to_tick(value: float) -> float:
    """The smallest round number (1, 2, 3, 4, 5, 6, 8 times a power of ten) that is not below `value`."""
    step = 10.0 ** math.floor(math.log10(value)) if value > 0 else 1.0
    # The tolerance keeps 0.3 from becoming 0.4 by a rounding error.
    return next(step * factor for factor in (1, 2, 3, 4, 5, 6, 8, 10) if step * factor >= value * (1 - 1e-9))


def _column_unit(width: int) -> str:
    return "a second" if width == 1 else f"{width:,} seconds" if width < 120 else duration_text(width)


def time_axis(start: float, end: float, class_: str = "axis") -> Markup:
    """Five times from `start` to `end` (epoch seconds), with the date unless all are on one day."""
    instants = [start + (end - start) * part / 4 for part in range(5)]
    # The date is the same for most runs: leave it out then.
    days = {utc_text(instant)[:10] for instant in instants}
    labels = [utc_text(instant)[11:] if len(days) == 1 else utc_text(instant)[5:16] for instant in instants]
    return tag("div", [tag("span", label) for label in labels], class_=class_)


def legend_entry(style: str, word: str) -> Markup:
    """An entry of a chart's legend: a color and its meaning."""
    return tag("span", tag("span", "", class_=f"swatch {style}", aria_hidden="true"), f" {word}", class_="entry")


def address_rows(rows: Iterable[tuple[str, str]]) -> list[Markup]:
    """Table rows of a number and a URL."""
    return [tag("tr", tag("td", figure, class_="num"), tag("td", link(url), class_="url")) for figure, url in rows]


def utc_text(at: float) -> str:
    """An instant (epoch seconds) in UTC, to the second."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")
