"""A benchmark report as one self-contained HTML page: charts, tables, findings; follows the system's dark mode."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from scraper.bench.findings import number_text, speedup_text
from scraper.bench.measure.result import Report, Row, Section
from scraper.bench.svg_chart import Chart, Series, draw_chart

STYLE = """
:root{color-scheme:light dark;--paper:#fbfaf7;--ink:#1f2933;--soft:#5b6875;--rule:#d9dee3;--card:#fff;
--one:#0b6e99;--two:#c2571a;--three:#7a4aa0;--law:#8a949e;--good:#2c7a4b}
@media(prefers-color-scheme:dark){:root{--paper:#14181c;--ink:#e4e9ee;--soft:#9aa7b3;--rule:#313a43;--card:#1b2127;
--one:#5bb8e0;--two:#f0965a;--three:#bb93e0;--law:#7d8892;--good:#7cc99a}}
*{box-sizing:border-box}body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 system-ui,sans-serif}
main{max-width:76rem;margin:0 auto;padding:2rem 1.25rem 4rem}h1{font-size:1.7rem;margin:0 0 .25rem}
h2{font-size:1.2rem;margin:2.5rem 0 .75rem}p{max-width:52rem}.soft{color:var(--soft)}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,26rem),1fr));gap:1.25rem}
figure{margin:0;background:var(--card);border:1px solid var(--rule);border-radius:.6rem;padding:1rem}
figcaption{font-weight:600;margin-bottom:.4rem}svg{width:100%;height:auto;display:block}
.grid{stroke:var(--rule)}.mark{stroke:var(--good);stroke-dasharray:2 4}.tick,.axis{fill:var(--soft);font-size:12px}
.legend{display:flex;flex-wrap:wrap;gap:.3rem 1.1rem;font-size:.85rem;color:var(--soft);margin-top:.5rem}
.key{display:inline-block;width:1.4rem;border-top:3px solid;margin-right:.4rem;vertical-align:middle}
.wide{overflow-x:auto}table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums;font-size:.92rem}
th,td{padding:.35rem .45rem;text-align:right;border-bottom:1px solid var(--rule);white-space:nowrap}
th:first-child,td:first-child,td.note{text-align:left}th{color:var(--soft);font-weight:600}
tr.knee td{color:var(--good);font-weight:600}
ul.findings{padding-left:1.1rem;max-width:56rem}pre{background:var(--card);border:1px solid var(--rule);padding:1rem;
border-radius:.6rem;overflow-x:auto;font-size:.9rem}
.warning{border-left:4px solid var(--two);padding:.2rem .8rem;margin:.5rem 0;max-width:56rem}
"""
COLUMN_HEADS = ("", "pages/s", "lowest", "highest", "Little", "of it", "speed-up", "efficiency", "p50 ms", "p95 ms",
                "p99 ms", "errors", "CPU ms", "MB", "lag ms")  # fmt: skip


def render_page(report: Report) -> str:
    """The whole HTML page."""
    machine, main = report.machine, report.main
    facts = f"{machine['processor']}, {machine['cores']} cores, {machine['system']}, {machine['python']}"
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    body = [
        f"<h1>scrape bench: {escape(report.scenario)}</h1>",
        f'<p class="soft">{escape(report.at)} · {escape(facts)} · {escape(versions)} · {escape(machine["loop"])}</p>',
        "" if report.complete else '<p class="warning">Stopped early: not everything was measured.</p>',
        *(f'<p class="warning">{escape(text)}</p>' for text in report.warnings),
        _charts(report, main),
        *(_section(section, report.knee) for section in report.sections),
    ]
    if report.recommended:
        body.append(f"<h2>Recommended for a config</h2><pre>{escape(report.recommended)}</pre>")
    body.append(f'<p class="soft">{_method_text(report)}</p>')
    title = f"<title>scrape bench: {escape(report.scenario)}</title>"
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">{title}'
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head>{head}<style>{STYLE}</style></head>\n'
        f"<body><main>{''.join(body)}</main></body></html>\n"
    )


def _method_text(report: Report) -> str:
    known = f" The server alone gave {number_text(report.max_server_rate)} pages/s." if report.max_server_rate else ""
    return (
        "Pages per second are those of the steady part of each run, medians over the rounds; spread is from the "
        "smallest to the largest. Little's law allows requests in flight divided by the server's latency. The engine "
        f"parses every page, writes records and keeps its state on disk; the loop only fetches.{known}"
    )


def _charts(report: Report, section: Section) -> str:
    rows = [row for row in section.rows if row.concurrency > 0]
    if report.scenario not in ("site", "urls") or len(rows) < 2:
        return ""
    marker = (report.knee, "knee") if report.knee else None
    loop = [row for row in section.rows if row.concurrency == 0]
    speed = [Series("engine", [(r.concurrency, r.sample.rate) for r in rows], "--one")]
    if law := [(float(r.concurrency), r.expected) for r in rows if r.expected]:
        speed.append(Series("Little's law", law, "--law", dashed=True))
    if loop:
        speed.append(Series("httpx loop", [(r.concurrency, loop[0].sample.rate) for r in rows], "--two", dashed=True))
    waits = [
        Series("p50", [(r.concurrency, r.sample.p50 * 1000) for r in rows], "--one"),
        Series("p95", [(r.concurrency, r.sample.p95 * 1000) for r in rows], "--three"),
        Series("p99", [(r.concurrency, r.sample.p99 * 1000) for r in rows], "--two"),
    ]
    cpu = [Series("CPU ms a page", [(r.concurrency, r.sample.cpu_ms) for r in rows], "--one")]
    share = [
        Series("speed-up over concurrency", [(r.concurrency, r.efficiency * 100) for r in rows], "--three"),
        Series("share of one core", [(r.concurrency, r.sample.cpu_share * 100) for r in rows], "--two"),
    ]
    charts = (
        Chart("Throughput", "pages/s", speed, log_y=True, marker=marker, format_tick=lambda v: f"{v:,.0f}"),
        Chart("Response time", "ms", waits, marker=marker, format_tick=lambda v: f"{v:,.0f}"),
        Chart("Efficiency, and the core's load", "%", share, marker=marker, format_tick=lambda v: f"{v:.0f}"),
        Chart("CPU for a page", "ms", cpu, marker=marker),
    )
    return f'<div class="charts">{"".join(_figure(chart) for chart in charts)}</div>'


def _figure(chart: Chart) -> str:
    keys = "".join(
        f'<span><i class="key" style="border-color:var({line.color});'
        f'{"border-top-style:dashed" if line.dashed else ""}"></i>{escape(line.name)}</span>'
        for line in chart.series
    )
    caption = f"<figcaption>{escape(chart.title)}</figcaption>"
    return f'<figure>{caption}{draw_chart(chart)}<div class="legend">{keys}</div></figure>'


def _section(section: Section, knee: int | None) -> str:
    noted = any(row.note for row in section.rows)
    heads = "".join(f"<th>{escape(head)}</th>" for head in (*COLUMN_HEADS, *([""] if noted else [])))
    rows = "".join(_row(row, knee, noted) for row in section.rows)
    findings = "".join(f"<li>{escape(text)}</li>" for text in section.findings)
    return (
        f'<h2>{escape(section.title)}</h2><div class="wide"><table><thead><tr>{heads}</tr></thead>'
        f'<tbody>{rows}</tbody></table></div><ul class="findings">{findings}</ul>'
    )


def _row(row: Row, knee: int | None, noted: bool) -> str:
    sample = row.sample
    cells: Sequence[str] = (
        row.label,
        number_text(sample.rate),
        number_text(row.rates.low) if row.repeats > 1 else "",
        number_text(row.rates.high) if row.repeats > 1 else "",
        number_text(row.expected) if row.expected else "",
        f"{row.share_of_expected:.0%}" if row.share_of_expected is not None else "",
        speedup_text(row.speedup),
        f"{row.efficiency:.0%}" if row.key == f"engine-{row.concurrency}" else "",
        f"{sample.p50 * 1000:,.0f}",
        f"{sample.p95 * 1000:,.0f}",
        f"{sample.p99 * 1000:,.0f}",
        str(sample.errors),
        f"{sample.cpu_ms:.2f}",
        f"{sample.rss / 1e6:.0f}",
        f"{sample.lag * 1000:.1f}" if sample.lag is not None else "",
    )
    marked = ' class="knee"' if knee and row.concurrency == knee and row.key == f"engine-{knee}" else ""
    note = f'<td class="note">{escape(row.note)}</td>' if noted else ""
    return f"<tr{marked}>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}{note}</tr>"
