"""Charts that need no script: bars in tables, and columns over time as an inline picture.

Labels are text beside the drawing and never in it, so that they keep their size on a phone. Each chart says in words
what it shows; colour only repeats what a word or a place says.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from scraper.report.amounts import bytes_text, duration_text, rate_text
from scraper.report.html.gather import Timeline
from scraper.report.html.markup import Markup, join, link, tag

HEIGHT = 100.0


def bar_table(caption: str, label: str, rows: Sequence[tuple[str, int]], *, style: str = "ok") -> Markup:
    """Rows of a word, its count, and a bar as long as its share of the largest."""
    if not rows:
        return tag("p", f"{caption}: none.", class_="dim")
    largest, total = max(count for _, count in rows), sum(count for _, count in rows)
    body = [
        tag(
            "tr",
            tag("th", word, scope="row"),
            tag("td", f"{number:,}", class_="num"),
            tag("td", f"{100 * number / total:.1f} %", class_="num dim"),
            tag("td", _bar(style, number, largest), class_="bars"),
        )
        for word, number in rows
    ]
    return table(caption, (label, ">count", ">share", ""), body, class_="barred")


def _bar(style: str, number: int, largest: int) -> Markup | None:
    if not number:
        return None
    return tag("span", "", class_=f"bar {style}", style=f"width:{100 * number / largest:.1f}%")


def table(caption: str, heads: Iterable[str], rows: Iterable[Markup], *, class_: str = "") -> Markup:
    """A table that scrolls sideways by itself where it is too wide. A head that begins with `>` is one of numbers."""
    head = tag("tr", [_head(name) for name in heads])
    inner = tag("table", tag("caption", caption), tag("thead", head), tag("tbody", rows), class_=class_ or None)
    return tag("div", inner, class_="scroll", tabindex="0", role="region", aria_label=caption)


def _head(name: str) -> Markup:
    if not name:
        return tag("td", "")
    return tag("th", name.lstrip(">"), scope="col", class_="num" if name.startswith(">") else None)


def over_time(timeline: Timeline) -> Markup:
    """URLs recorded over time, failures on top of successes."""
    columns = timeline.columns
    if timeline.start is None or not columns:
        return tag("p", "No records yet.", class_="dim")
    last = max(columns)
    peak = max(ok + failed for ok, failed, _ in columns.values())
    shapes = []
    for place, (ok, failed, size) in sorted(columns.items()):
        high, low = HEIGHT * ok / peak, HEIGHT * failed / peak
        when = _clock(timeline.start + place * timeline.width)
        told = tag("title", f"{when}: {ok:,} ok, {failed:,} failed, {bytes_text(size)}")
        bars = [tag("rect", x=place, y=f"{HEIGHT - high:.2f}", width="0.9", height=f"{high:.2f}", class_="fill-ok")]
        if failed:
            y = f"{HEIGHT - high - low:.2f}"
            bars.append(tag("rect", x=place, y=y, width="0.9", height=f"{low:.2f}", class_="fill-failed"))
        shapes.append(tag("g", told, bars))
    span = (last + 1) * timeline.width
    total = sum(ok + failed for ok, failed, _ in columns.values())
    words = f"{total:,} URLs in {duration_text(span)}, at most {rate_text(peak / timeline.width)} a second"
    picture = tag(
        "svg",
        shapes,
        viewBox=f"0 0 {last + 1} {HEIGHT:.0f}",
        preserveAspectRatio="none",
        role="img",
        aria_label=f"Columns over time: {words}",
    )
    ends = tag("div", [tag("span", _clock(timeline.start + span * part / 4)) for part in range(5)], class_="axis")
    unit = "second" if timeline.width == 1 else duration_text(timeline.width)
    key = tag("p", _key("ok", "ok"), " ", _key("failed", "failed"), f" · one column is one {unit} · peak {peak:,}")
    return tag("figure", tag("figcaption", words), tag("div", picture, class_="plot"), ends, key)


def _key(style: str, word: str) -> Markup:
    return join(tag("span", "", class_=f"swatch {style}", aria_hidden="true"), f" {word}")


def breaker_timeline(steps: Sequence[dict[str, Any]], start: float, end: float) -> Markup:
    """One strip a host: when its circuit breaker was open, half-open or blocked."""
    span = max(1.0, end - start)
    by_host: dict[str, list[dict[str, Any]]] = {}
    for step in steps:
        by_host.setdefault(step["host"], []).append(step)
    rows = []
    for host, own in list(by_host.items())[:MAX_STRIPS]:
        pieces, told = [], []
        for place, step in enumerate(own[:MAX_PIECES]):
            until = own[place + 1]["at"] if place + 1 < len(own) else end
            told.append(f"{step['state']} at {_clock(step['at'])}")
            if step["state"] == "closed":
                continue
            left, width = 100 * (step["at"] - start) / span, 100 * max(0.0, until - step["at"]) / span
            style = f"left:{min(99.6, max(0.0, left)):.2f}%;width:{max(0.4, min(100.0, width)):.2f}%"
            pieces.append(tag("span", "", class_=f"piece {_state_class(step['state'])}", style=style, title=told[-1]))
        strip = tag("div", pieces, class_="strip", role="img", aria_label=f"{host}: {', '.join(told)}")
        rows.append(tag("div", tag("div", host, class_="strip-name"), strip, class_="strip-row"))
    ends = tag("div", tag("span", _clock(start)), tag("span", _clock(end)), class_="axis")
    key = tag("p", [join(_key(_state_class(s), s), " ") for s in ("open", "half-open", "blocked")])
    more = len(by_host) - MAX_STRIPS
    rest = tag("p", f"and {more:,} more hosts", class_="dim") if more > 0 else None
    return tag("figure", tag("figcaption", "Circuit breakers of the latest session"), rows, ends, key, rest)


MAX_STRIPS = 30
MAX_PIECES = 200


def _state_class(state: str) -> str:
    return state if state in ("open", "half-open", "blocked") else "open"


def address_rows(rows: Iterable[tuple[str, str]]) -> list[Markup]:
    """Rows of a figure and an address."""
    return [tag("tr", tag("td", figure, class_="num"), tag("td", link(url), class_="url")) for figure, url in rows]


def _clock(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")
