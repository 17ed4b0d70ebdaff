"""summary.json, and the same on the screen: what a run did, and why it ended.

Totals (`pages`, `items`, `bytes`, `hosts`) are of the whole run, over all its sessions: they come from the frontier.
What is under `session`, the times and the rates are of the session that just ended: they come from its events.
"""

from __future__ import annotations

import contextlib
import heapq
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from scraper.errors import SinkError
from scraper.report.amounts import bytes_text, duration_text, instant_text, latency_text, rate_text
from scraper.report.sanitise import clean
from scraper.report.stats import StatsSnapshot, is_failure

TOP_HOSTS = 100
"""Hosts with an entry of their own in summary.json; the rest is summed up."""
OTHER_KINDS = ("sitemap", "file")
"""Kinds of URLs beside pages: their words begin with them."""
SHOWN_HOSTS = 10
SHOWN_WORDS = 12

_MEANINGS = {
    "finished": "nothing was left to ask for",
    "max_pages": "the page limit was reached; a higher one goes on from here",
    "max_time": "the time limit was reached; the same command goes on from here",
    "interrupted": "it was interrupted; the same command goes on from here",
    "disk": "an output could not be written; make room, and the same command goes on from here",
}


def build_summary(
    stats: StatsSnapshot,
    *,
    outcomes: Mapping[str, int],
    hosts: Mapping[str, Mapping[str, int]],
    items: int,
    size: int,
    waiting: int,
    outputs: Mapping[str, str] | None = None,
    skipped: Mapping[str, int] | None = None,
) -> dict[str, Any]:
    """What summary.json holds.

    `outcomes`, `hosts` (outcomes by host), `items`, `size` (wire bytes) and `waiting` (URLs still queued or delayed)
    are the frontier's counts of the whole run; `outputs` are paths by name. `skipped` counts by reason, of the whole
    run when it is given, else of the session. In the result `pages` counts every record of pages.jsonl; its `kinds`
    tell pages from sitemaps and files.
    """
    duration = stats.duration
    return {
        "name": stats.name,
        "folder": stats.folder,
        "why": stats.why,
        "detail": stats.detail,
        "resumed": stats.resumed,
        "started_at": instant_text(stats.started_at),
        "ended_at": instant_text(stats.last_at),
        "duration_s": round(duration, 3),
        "pages": {
            **_sums(outcomes),
            "waiting": waiting,
            "outcomes": _by_count(outcomes),
            "kinds": _kinds(outcomes),
        },
        "items": items,
        "bytes": size,
        "rate": {
            "pages_per_s": round(stats.settled / duration, 2) if duration else 0.0,
            "bytes_per_s": round(stats.size / duration) if duration else 0,
        },
        "session": _session(stats),
        "breaker_openings": {"total": stats.openings, "hosts": dict(_top(stats.breakers))},
        "breaker_steps": [step.values() for step in stats.breaker_steps],
        "skipped": _by_count(stats.skipped if skipped is None else skipped),
        **_hosts(hosts),
        "outputs": dict(outputs or {}),
    }


def write_summary(path: Path, summary: Mapping[str, Any]) -> None:
    """Write `summary` to `path` at once or not at all. Blocks on the disk; raises `SinkError`."""
    part = path.with_name(path.name + ".part")
    try:
        part.write_bytes(orjson.dumps(summary, default=str, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
        part.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise SinkError(f"{path} cannot be written: {error.strerror or error}") from error


def render_summary(summary: Mapping[str, Any]) -> RenderableType:
    """`summary` (of `build_summary`, or read from summary.json) for a console of any width."""
    pages = summary["pages"]
    parts: list[RenderableType] = [_headline(summary), _numbers(summary)]
    failures = {word: count for word, count in pages["outcomes"].items() if is_failure(word)}
    for title, counts in (("failed", failures), ("skipped", summary["skipped"])):
        if counts:
            parts.append(_words(title, counts))
    openings = summary["breaker_openings"]
    if openings["total"]:
        parts.append(_words(f"breaker openings ({openings['total']:,})", openings["hosts"]))
    if len(summary["hosts"]) > 1:
        parts.append(_host_table(summary))
    for name, path in summary["outputs"].items():
        parts.append(Text.assemble((f"{clean(name, 30)}: ", "dim"), clean(path, 400)))
    return Group(*parts)


def _sums(outcomes: Mapping[str, int]) -> dict[str, int]:
    failed = sum(count for word, count in outcomes.items() if is_failure(word))
    settled = sum(outcomes.values())
    return {"settled": settled, "ok": settled - failed, "failed": failed}


def _kinds(outcomes: Mapping[str, int]) -> dict[str, dict[str, int]]:
    """The counts of each kind that there is: page, sitemap, file."""
    kinds: dict[str, dict[str, int]] = {}
    for word, count in outcomes.items():
        kind = next((kind for kind in OTHER_KINDS if word.startswith(f"{kind}_")), "page")
        kinds.setdefault(kind, {})[word] = count
    return {kind: _sums(kinds[kind]) for kind in ("page", *OTHER_KINDS) if kind in kinds}


def _by_count(counts: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))


def _top(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return heapq.nsmallest(TOP_HOSTS, counts.items(), key=lambda pair: (-pair[1], pair[0]))


def _session(stats: StatsSnapshot) -> dict[str, Any]:
    return {
        "settled": stats.settled,
        "fetches": stats.fetches,
        "bytes": stats.size,
        "retries": stats.retries,
        "items": stats.items,
        "items_rejected": stats.rejected,
        "hosts_parked": stats.parked,
        "fetchers_replaced": stats.replaced,
        "warnings": stats.warnings,
        "statuses": _by_count(stats.statuses),
        "errors": _by_count(stats.errors),
        "robots": _by_count(stats.robots),
        "latency_s": {name: round(value, 4) for name, value in stats.latency.items()},
    }


def _hosts(hosts: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
    """The busiest hosts in full, the others as one sum."""
    totals = {host: sum(outcomes.values()) for host, outcomes in hosts.items()}
    top = [host for host, _ in _top(totals)]
    others: dict[str, int] = {}
    for host in hosts.keys() - set(top):
        for word, count in hosts[host].items():
            others[word] = others.get(word, 0) + count
    return {
        "hosts": {host: {**_sums(hosts[host]), "outcomes": _by_count(hosts[host])} for host in top},
        "other_hosts": {"count": len(hosts) - len(top), **_sums(others), "outcomes": _by_count(others)},
    }


def _headline(summary: Mapping[str, Any]) -> Text:
    why = clean(summary["why"], 40) or "unknown"
    text = Text.assemble((clean(summary["name"], 60) or "crawl", "bold"), ": ", (why, "bold"))
    meaning = summary["detail"] or _MEANINGS.get(why, "")
    if meaning:
        text.append(f" ({clean(meaning, 300)})")
    return text


def _numbers(summary: Mapping[str, Any]) -> Table:
    pages, rate, session = summary["pages"], summary["rate"], summary["session"]
    kinds = pages.get("kinds") or {"page": pages}  # older runs did not tell them apart
    whole = _counted(kinds.get("page") or _sums({}))
    if pages["waiting"]:
        whole += f", {pages['waiting']:,} waiting"
    others = [(f"{kind}s", _counted(kinds[kind])) for kind in OTHER_KINDS if kind in kinds]
    if others and (missing := pages["outcomes"].get("sitemap_none")):
        others[0] = ("sitemaps", f"{others[0][1]} ({missing:,} not there)")
    rejected = f", {session['items_rejected']:,} rejected" if session["items_rejected"] else ""
    resumed = " (resumed: times and rates are of this session)" if summary["resumed"] else ""
    rows = [
        ("pages", whole),
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


def _counted(sums: Mapping[str, int]) -> str:
    return f"{sums['settled']:,} settled, {sums['ok']:,} ok, {sums['failed']:,} failed"


def _words(title: str, counts: Mapping[str, int]) -> Text:
    shown = list(counts.items())[:SHOWN_WORDS]
    text = Text.assemble((f"{title}: ", "dim"), ", ".join(f"{clean(word, 80)} {count:,}" for word, count in shown))
    if len(counts) > SHOWN_WORDS:
        text.append(f", and {len(counts) - SHOWN_WORDS:,} more")
    return text


def _host_table(summary: Mapping[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("host", no_wrap=True, overflow="ellipsis")
    for name in ("settled", "ok", "failed"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("breaker", justify="right", no_wrap=True)
    hosts, openings = summary["hosts"], summary["breaker_openings"]["hosts"]
    for host, count in list(hosts.items())[:SHOWN_HOSTS]:
        opened = f"opened {openings[host]:,}x" if openings.get(host) else ""
        cells = [f"{count[key]:,}" for key in ("settled", "ok", "failed")]
        table.add_row(Text(clean(host, 100)), *(Text(cell) for cell in cells), Text(opened))
    rest = len(hosts) - SHOWN_HOSTS + summary["other_hosts"]["count"]
    if rest > 0:
        shown = [hosts[host] for host in list(hosts)[SHOWN_HOSTS:]] + [summary["other_hosts"]]
        cells = [f"{sum(count[key] for count in shown):,}" for key in ("settled", "ok", "failed")]
        table.add_row(Text(f"{rest:,} others"), *(Text(cell) for cell in cells), Text(""))
    return table
