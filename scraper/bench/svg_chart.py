"""Line charts as inline SVG, without scripts or external style sheets. Colors are CSS variables of the page."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

WIDTH_PX, HEIGHT_PX = 640, 340
MARGIN_LEFT_PX, MARGIN_RIGHT_PX, MARGIN_TOP_PX, MARGIN_BOTTOM_PX = 64, 16, 16, 44


@dataclass(frozen=True, slots=True)
class Series:
    """One curve of a chart. `color` is the name of a CSS variable; predictions are `dashed`."""

    name: str
    points: Sequence[tuple[float, float]]
    color: str
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart over concurrency. The x axis is logarithmic; with `log_y` the y axis is, too.

    `marker` is a concurrency and a label: a vertical line is drawn there.
    """

    title: str
    y_label: str
    series: Sequence[Series]
    log_y: bool = False
    marker: tuple[float, str] | None = None
    format_tick: Callable[[float], str] = "{:g}".format


def draw_chart(chart: Chart) -> str:
    """The chart as an `<svg>` element; an empty string if it has no points."""
    points = [p for series in chart.series for p in series.points if p[1] > 0 or not chart.log_y]
    if not points:
        return ""
    x = _log_scale([p[0] for p in points], MARGIN_LEFT_PX, WIDTH_PX - MARGIN_RIGHT_PX)
    ys = [p[1] for p in points]
    if chart.log_y:
        y, ticks = _log_scale(ys, HEIGHT_PX - MARGIN_BOTTOM_PX, MARGIN_TOP_PX), _log_ticks(min(ys), max(ys))
    else:
        ticks = _linear_ticks(max(ys))
        y = _linear_scale(max(ticks[-1], max(ys)), HEIGHT_PX - MARGIN_BOTTOM_PX, MARGIN_TOP_PX)
    parts = [
        f'<svg viewBox="0 0 {WIDTH_PX} {HEIGHT_PX}" role="img" aria-label="{escape(chart.title)}">',
        *_draw_grid(chart, sorted({p[0] for p in points}), ticks, x, y),
        *(_draw_series(series, x, y, chart.log_y) for series in chart.series),
        "</svg>",
    ]
    return "".join(parts)


def _draw_grid(
    chart: Chart,
    levels: Sequence[float],
    ticks: Sequence[float],
    x: Callable[[float], float],
    y: Callable[[float], float],
) -> list[str]:
    bottom = HEIGHT_PX - MARGIN_BOTTOM_PX
    parts = []
    for tick in ticks:
        if not MARGIN_TOP_PX - 1 <= y(tick) <= bottom + 1:
            continue
        left, right = MARGIN_LEFT_PX, WIDTH_PX - MARGIN_RIGHT_PX
        parts.append(f'<line class="grid" x1="{left}" x2="{right}" y1="{y(tick):.1f}" y2="{y(tick):.1f}"/>')
        parts.append(f'<text class="tick" x="{MARGIN_LEFT_PX - 8}" y="{y(tick) + 4:.1f}" text-anchor="end">')
        parts.append(f"{escape(chart.format_tick(tick))}</text>")
    parts += [
        f'<text class="tick" x="{x(level):.1f}" y="{bottom + 18}" text-anchor="middle">{level:g}</text>'
        for level in levels
    ]
    middle = (MARGIN_LEFT_PX + WIDTH_PX - MARGIN_RIGHT_PX) / 2
    parts.append(f'<text class="axis" x="{middle}" y="{HEIGHT_PX - 6}" text-anchor="middle">requests in flight</text>')
    parts.append(
        f'<text class="axis" transform="translate(14 {(MARGIN_TOP_PX + bottom) / 2}) rotate(-90)" text-anchor="middle">'
    )
    parts.append(f"{escape(chart.y_label)}</text>")
    if chart.marker is not None:
        at = x(chart.marker[0])
        parts.append(f'<line class="mark" x1="{at:.1f}" x2="{at:.1f}" y1="{MARGIN_TOP_PX}" y2="{bottom}"/>')
        parts.append(f'<text class="axis" x="{at - 6:.1f}" y="{bottom - 8}" text-anchor="end">')
        parts.append(f"{escape(chart.marker[1])}</text>")
    return parts


def _draw_series(series: Series, x: Callable[[float], float], y: Callable[[float], float], log_y: bool) -> str:
    points = [(x(a), y(b), a, b) for a, b in series.points if b > 0 or not log_y]
    if not points:
        return ""
    path = " ".join(f"{'L' if n else 'M'}{px:.1f} {py:.1f}" for n, (px, py, *_) in enumerate(points))
    dashes = ' stroke-dasharray="6 5"' if series.dashed else ""
    dots = "" if series.dashed else "".join(_draw_dot(series, *point) for point in points)
    return f'<path d="{path}" fill="none" stroke="var({series.color})" stroke-width="2"{dashes}/>{dots}'


def _draw_dot(series: Series, px: float, py: float, level: float, value: float) -> str:
    title = f"<title>{escape(series.name)}, {level:g} in flight: {value:,.1f}</title>"
    return f'<circle cx="{px:.1f}" cy="{py:.1f}" r="3.5" fill="var({series.color})">{title}</circle>'


def _log_scale(values: Sequence[float], start: float, end: float) -> Callable[[float], float]:
    low, high = math.log(min(values)), math.log(max(values))
    span = (high - low) or 1.0
    return lambda value: start + (math.log(value) - low) / span * (end - start)


def _linear_scale(high: float, start: float, end: float) -> Callable[[float], float]:
    return lambda value: start + value / (high or 1.0) * (end - start)


def _log_ticks(low: float, high: float) -> list[float]:
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    return [10.0**n * step for n in range(first, last + 1) for step in (1, 3)]


def _linear_ticks(high: float) -> list[float]:
    """Four or five round values, evenly spaced from zero to at least `high`."""
    rough = (high or 1.0) / 4
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * m for m in (1, 2, 2.5, 5, 10) if size * m >= rough)
    return [step * n for n in range(math.ceil(high / step) + 1)]
