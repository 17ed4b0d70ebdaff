"""The summary of a run, rendered for the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from scraper.model import StopKind
from scraper.report.stats import is_failure
from scraper.report.summary import OTHER_KINDS, outcome_sums
from scraper.report.text.formatting import bytes_text, duration_text, latency_text, rate_text
from scraper.report.text.sanitize import clean

MAX_HOSTS_SHOWN = 10
MAX_WORDS_SHOWN = 12

# Shown when the run ended without a detail. The words are those in summary.json, which may be older than StopKind.
_STOP_EXPLANATIONS: dict[str, str] = {
    StopKind.FINISHED: "all known URLs are settled",
    StopKind.MAX_PAGES: "the page limit was reached; the same command with a higher limit continues from here",
    StopKind.MAX_TIME: "the time limit was reached; the same command continues from here",
    StopKind.INTERRUPTED: "it was interrupted; the same command continues from here",
    StopKind.CLOSED: "the program stopped it; the same command continues from here",
    StopKind.BUG: "too many unexpected errors in a row; the log has their tracebacks",
}


def render_summary(summary: Mapping[str, Any]) -> RenderableType:
    """Render `summary` (from `build_summary` or summary.json) for a console of any width."""
    pages = summary["pages"]
    parts: list[RenderableType] = [_headline(summary), _numbers(summary)]
    failures = {word: count for word, count in pages["outcomes"].items() if is_failure(word)}
    for title, counts in (
        ("failed", failures),
        ("skipped", summary["skipped"]),
        ("left out beyond limits", summary.get("bounds") or {}),
    ):
        if counts:
            parts.append(_counts_text(title, counts))
    openings = summary["breaker_openings"]
    if openings["total"]:
        parts.append(_counts_text(f"breaker openings ({openings['total']:,})", openings["hosts"]))
    # With one host the table would repeat the totals.
    if len(summary["hosts"]) > 1:
        parts.append(_host_table(summary))
    for name, path in summary["outputs"].items():
        parts.append(Text.assemble((f"{clean(name, 30)}: ", "dim"), clean(path, 400)))
    return Group(*parts)


def _headline(summary: Mapping[str, Any]) -> Text:
    why = clean(summary["why"], 40) or "unknown"
    text = Text.assemble((clean(summary["name"], 60) or "crawl", "bold"), ": ", (why, "bold"))
    explanation = summary["detail"] or _STOP_EXPLANATIONS.get(why, "")
    if explanation:
        text.append(f" ({clean(explanation, 300)})")
    return text


def _numbers(summary: Mapping[str, Any]) -> Table:
    pages, rate, session = summary["pages"], summary["rate"], summary["session"]
    kinds = pages.get("kinds") or {"page": pages}  # summaries of older versions have no kinds
    page_text = _sums_text(kinds.get("page") or outcome_sums({}))
    if pages["waiting"]:
        page_text += f", {pages['waiting']:,} waiting"
    others = [(f"{kind}s", _sums_text(kinds[kind])) for kind in OTHER_KINDS if kind in kinds]
    # Most sites have no sitemap at the usual paths: say that these were missing rather than failed.
    if others and (missing := pages["outcomes"].get("sitemap_none")):
        others[0] = ("sitemaps", f"{others[0][1]} ({missing:,} not there)")
    rejected = f", {session['items_rejected']:,} rejected" if session["items_rejected"] else ""
    resumed = " (resumed: times and rates are of this session)" if summary["resumed"] else ""
    rows = [
        ("pages", page_text),
        *others,
        ("items", f"{summary['items']:,}{rejected}"),
        ("received", bytes_text(summary["bytes"])),
        ("took", f"{duration_text(summary['duration_s'])}{resumed}"),
        ("rate", f"{rate_text(rate['pages_per_s'])} pages/s, {bytes_text(rate['bytes_per_s'])}/s"),
    ]
    latency = session["latency_s"]
    if session["fetches"]:
        spread = ", ".join(f"{name} {latency_text(latency.get(name, 0.0))}" for name in ("p50", "p90", "p99"))
        rows.append(("latency", f"{spread}; {session['fetches']:,} fetches, {session['retries']:,} retries"))
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(Text(name), Text(value))
    return table


def _sums_text(sums: Mapping[str, int]) -> str:
    return f"{sums['settled']:,} settled, {sums['ok']:,} ok, {sums['failed']:,} failed"


def _counts_text(title: str, counts: Mapping[str, int]) -> Text:
    shown = list(counts.items())[:MAX_WORDS_SHOWN]
    text = Text.assemble((f"{title}: ", "dim"), ", ".join(f"{clean(word, 80)} {count:,}" for word, count in shown))
    if len(counts) > MAX_WORDS_SHOWN:
        text.append(f", and {len(counts) - MAX_WORDS_SHOWN:,} more")
    return text


def _host_table(summary: Mapping[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("host", no_wrap=True, overflow="ellipsis")
    for name in ("settled", "ok", "failed"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("breaker", justify="right", no_wrap=True)
    hosts, openings = summary["hosts"], summary["breaker_openings"]["hosts"]
    for host, count in list(hosts.items())[:MAX_HOSTS_SHOWN]:
        opened = f"opened {openings[host]:,}x" if openings.get(host) else ""
        cells = [f"{count[key]:,}" for key in ("settled", "ok", "failed")]
        table.add_row(Text(clean(host, 100)), *(Text(cell) for cell in cells), Text(opened))
    rest = len(hosts) - MAX_HOSTS_SHOWN + summary["other_hosts"]["count"]
    if rest > 0:
        shown = [hosts[host] for host in list(hosts)[MAX_HOSTS_SHOWN:]] + [summary["other_hosts"]]
        cells = [f"{sum(count[key] for count in shown):,}" for key in ("settled", "ok", "failed")]
        table.add_row(Text(f"{rest:,} others"), *(Text(cell) for cell in cells), Text(""))
    return table
